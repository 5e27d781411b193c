//! What becomes of an update: decided at once, in the order of the updates, with everything in memory. Whatever a request may
//! cost is reserved here.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::api::{Update, User};
use crate::budget::{Budgets, NotReserved, day_of};
use crate::chats::{Chats, Said};
use crate::command::{self, Command};
use crate::config::BotConfig;
use crate::journal::Record;
use crate::network::{Terms, body};
use crate::rate::{Rate, Rates};
use crate::text;

/// Everything that the bot remembers.
pub(crate) struct Memory {
    pub(crate) budgets: Budgets,
    pub(crate) chats: Chats,
    rates: Rates,
    places: Arc<Semaphore>,
}

/// What the network says while a batch of updates is decided.
pub(crate) struct Now {
    /// Unix seconds.
    pub(crate) seconds: f64,
    pub(crate) terms: Option<Terms>,
    /// The model of chats that have chosen none.
    pub(crate) model: Option<String>,
}

/// A question that is to be asked.
pub(crate) struct Question {
    pub(crate) update: i64,
    pub(crate) body: Bytes,
    /// What was reserved, in nanoton.
    pub(crate) nanoton: u64,
    /// What the person said, where the chat is to remember it, and which conversation it belongs to.
    pub(crate) remember: Option<(String, u64)>,
    pub(crate) _place: OwnedSemaphorePermit,
}

/// What is to be done in a chat.
pub(crate) enum Deed {
    Say(String),
    /// Tell the models, or choose one.
    Models(Option<String>),
    /// Look a receipt up.
    Receipt(String),
    Ask(Box<Question>),
}

/// A deed and its place.
pub(crate) struct Task {
    pub(crate) chat: i64,
    pub(crate) is_private: bool,
    /// In groups, the message that is answered.
    pub(crate) reply_to: Option<i64>,
    pub(crate) deed: Deed,
}

impl Memory {
    pub(crate) fn new(config: &BotConfig, budgets: Budgets) -> Self {
        Self {
            budgets,
            chats: Chats::default(),
            rates: Rates::new(config.messages_per_minute),
            places: Arc::new(Semaphore::new(config.concurrent_answers as usize)),
        }
    }

    /// Decides about an update. The record must be durable before the task is begun.
    pub(crate) fn admit(
        &mut self,
        config: &BotConfig,
        me: &User,
        update: Update,
        now: &Now,
    ) -> Option<(Record, Option<Task>)> {
        let id = update.id;
        let message = update.message?;
        if self.budgets.is_seen(id) {
            return None;
        }
        let user = message.from.as_ref().filter(|from| !from.is_bot)?.id;
        let command = command::read(&message, me)?;
        let mut record = Record::Seen { update: id };
        let deed = match self.rates.take(user, now.seconds) {
            Rate::Fine if !config.allows(user) => Some(Deed::Say(text::NOT_ALLOWED.into())),
            Rate::Fine => Some(self.decide(config, command, (id, user, message.chat.id), now, &mut record)),
            Rate::TooMany(seconds) => Some(Deed::Say(text::too_many(seconds))),
            Rate::StillTooMany => None,
        };
        // A reservation has seen it already.
        self.budgets.see(id);
        let is_private = message.chat.is_private();
        let task = deed.map(|deed| Task {
            chat: message.chat.id,
            is_private,
            reply_to: (!is_private).then_some(message.message_id),
            deed,
        });
        Some((record, task))
    }

    fn decide(
        &mut self,
        config: &BotConfig,
        command: Command,
        (update, user, chat): (i64, i64, i64),
        now: &Now,
        record: &mut Record,
    ) -> Deed {
        let say = |text: &str| Deed::Say(text.to_owned());
        let (system, said, is_chat) = match command {
            Command::Start => return say(text::WELCOME),
            Command::Help => return say(text::HELP),
            Command::Unknown => return say(text::UNKNOWN),
            Command::Incomplete(what) => return say(what),
            Command::Model(name) => return Deed::Models(name),
            Command::New => {
                self.chats.of(chat).begin_anew();
                return say(text::FORGOTTEN);
            }
            Command::Budget => {
                let used = self.budgets.used(user, day_of(now.seconds as u64));
                return Deed::Say(text::budget(used, config.limit_of(user)));
            }
            Command::Receipt => {
                let last = self.chats.of(chat).last.clone();
                return last.map_or_else(|| say(text::NO_RECEIPT), Deed::Receipt);
            }
            Command::Say(said) => (config.instruction.clone(), said, true),
            Command::Translate { language, text } => {
                let task = format!("Translate what the user writes into {language}. Answer with the translation only.");
                (Some(task), text, false)
            }
            Command::Summarise(text) => {
                let task = "Summarise what the user writes in a few sentences, in the language in which it is written. \
                            Answer with the summary only.";
                (Some(task.to_owned()), text, false)
            }
        };
        let conversation = self.chats.of(chat);
        if conversation.is_answering {
            return say(text::ONE_AT_A_TIME);
        }
        let model = conversation
            .model
            .as_ref()
            .or(config.model.as_ref())
            .or(now.model.as_ref());
        let (Some(terms), Some(model)) = (now.terms, model) else {
            return say(text::AWAY);
        };
        let history = conversation.said().filter(|_| is_chat).cloned();
        let messages: Vec<Said> = system
            .map(Said::system)
            .into_iter()
            .chain(history)
            .chain([Said::user(said.clone())])
            .collect();
        let body = body(config, model, &messages);
        let worst = terms.worst_case(config.max_answer_tokens, body.len(), config.max_coefficient);
        // What is no number is over every budget.
        let nanoton = worst.unwrap_or(u64::MAX);
        let (day, limit) = (day_of(now.seconds as u64), config.limit_of(user));
        let fits = self
            .budgets
            .check(update, user, day, nanoton, limit, config.total_nanoton_per_day);
        match fits {
            Ok(()) => {}
            Err(NotReserved::OverBudget { left }) => return Deed::Say(text::over_budget(nanoton, left)),
            Err(NotReserved::OverTotal) => return say(text::TOTAL_USED),
            Err(NotReserved::TooManyUsers | NotReserved::Seen) => return say(text::BUSY),
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return say(text::BUSY);
        };
        self.budgets.reserve(update, user, day, nanoton);
        *record = Record::Began {
            update,
            user,
            day,
            nanoton,
        };
        let conversation = self.chats.of(chat);
        conversation.is_answering = true;
        Deed::Ask(Box::new(Question {
            update,
            body,
            nanoton,
            remember: is_chat.then_some((said, conversation.begun)),
            _place: place,
        }))
    }
}
