//! The bot: asks for updates, decides about each, writes that down, and does what was decided.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cocoon_ratls::SharedClock;
use cocoon_runner::backoff::Backoff;
use cocoon_runner::off_thread;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admit::{Deed, Memory, Now, Question, Task};
use crate::answer::Shown;
use crate::api::{Api, ApiFailure, User};
use crate::config::BotConfig;
use crate::error::TelegramError;
use crate::journal::{Journal, Record};
use crate::limits::{DRAIN, MAX_ANSWER_BYTES, MAX_LISTED_MODELS, RECONNECT, TYPING_EVERY};
use crate::network::{Network, NoAnswer, RECEIPT_PATIENCE, Told};
use crate::text;

/// What every task of the bot shares.
pub(crate) struct Bot {
    pub(crate) config: BotConfig,
    pub(crate) me: User,
    pub(crate) api: Api,
    pub(crate) network: Network,
    pub(crate) clock: SharedClock,
    pub(crate) memory: Mutex<Memory>,
    pub(crate) journal: Arc<Mutex<Journal>>,
    pub(crate) tasks: TaskTracker,
    /// Cancelled when running answers are given up.
    pub(crate) abandon: CancellationToken,
    /// Cancelled when nothing can be written down any more.
    pub(crate) broken: CancellationToken,
}

/// Runs until the stop, and then for as long as answers may take to end.
pub(crate) async fn run(bot: Arc<Bot>, stop: CancellationToken) -> Result<(), TelegramError> {
    let polled = tokio::select! {
        polled = poll(&bot, &stop) => polled,
        () = bot.broken.cancelled() => Err(TelegramError::Lost),
    };
    bot.tasks.close();
    if timeout(DRAIN, bot.tasks.wait()).await.is_err() {
        bot.abandon.cancel();
        bot.tasks.wait().await;
    }
    polled
}

/// Until the stop. That is heard only while nothing is half done: an update that was written down is also begun.
async fn poll(bot: &Arc<Bot>, stop: &CancellationToken) -> Result<(), TelegramError> {
    let (first, longest) = RECONNECT;
    let mut backoff = Backoff::new(first, longest);
    let mut offset = 0;
    loop {
        let Some(answered) = stop.run_until_cancelled(bot.api.updates(offset)).await else {
            return Ok(());
        };
        let updates = match answered {
            Ok(updates) => updates,
            Err(ApiFailure::Refused(code @ (401 | 404))) => return Err(TelegramError::TokenRefused { code }),
            Err(ApiFailure::RetryAfter(seconds)) => {
                let wait = tokio::time::sleep(Duration::from_secs(seconds));
                stop.run_until_cancelled(wait).await;
                continue;
            }
            Err(failure) => {
                tracing::warn!(%failure, "no updates of Telegram");
                stop.run_until_cancelled(backoff.wait()).await;
                continue;
            }
        };
        backoff.reset();
        let Some(newest) = updates.iter().map(|update| update.id).max() else {
            continue;
        };
        let now = bot.now(updates.iter().any(|update| update.message.is_some())).await;
        let (mut records, mut tasks) = (Vec::new(), Vec::new());
        {
            let mut memory = bot.memory();
            for update in updates {
                if let Some((record, task)) = memory.admit(&bot.config, &bot.me, update, &now) {
                    records.push(record);
                    tasks.extend(task);
                }
            }
        }
        // Only what is on disk is begun, and only what is on disk is confirmed, by the next question.
        bot.write_down(records).await?;
        for task in tasks {
            let bot = Arc::clone(bot);
            bot.tasks.clone().spawn(async move { bot.perform(task).await });
        }
        offset = newest.saturating_add(1);
    }
}

impl Bot {
    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn now(&self, is_needed: bool) -> Now {
        let seconds = self.clock.now_f64();
        let terms = match is_needed {
            true => self.network.terms().await,
            false => None,
        };
        let model = match (&terms, &self.config.model) {
            (Some(_), None) => self.network.models().await.and_then(|models| models.into_iter().next()),
            _ => None,
        };
        Now { seconds, terms, model }
    }

    async fn write_down(&self, records: Vec<Record>) -> Result<(), TelegramError> {
        let journal = Arc::clone(&self.journal);
        let append = move || journal.lock().unwrap_or_else(PoisonError::into_inner).append(&records);
        off_thread(append).await.map_err(|_| TelegramError::Lost)?
    }

    async fn perform(&self, task: Task) {
        let Task {
            chat,
            is_private,
            reply_to,
            deed,
        } = task;
        let said = match deed {
            Deed::Ask(question) => return self.answer(chat, is_private, reply_to, *question).await,
            Deed::Say(said) => said,
            Deed::Models(chosen) => self.models(chat, chosen).await,
            Deed::Receipt(id) => self.receipt(&id).await,
        };
        if let Err(failure) = self.api.say(chat, reply_to, &said).await {
            tracing::warn!(%failure, "a message could not be sent");
        }
    }

    async fn models(&self, chat: i64, chosen: Option<String>) -> String {
        let Some(names) = self.network.models().await else {
            return text::AWAY.into();
        };
        let mut memory = self.memory();
        let conversation = memory.chats.of(chat);
        match chosen {
            Some(name) if names.contains(&name) => {
                let said = format!("{name} answers in this chat from now on.");
                conversation.model = Some(name);
                said
            }
            Some(_) => format!(
                "There is no such model. {}",
                text::models(&names, None, MAX_LISTED_MODELS)
            ),
            None => {
                let chosen = conversation.model.as_deref().or(self.config.model.as_deref());
                text::models(&names, chosen, MAX_LISTED_MODELS)
            }
        }
    }

    async fn receipt(&self, id: &str) -> String {
        let price = self.network.terms().await.map(|terms| terms.price);
        match self.network.receipt(id).await {
            Ok(Some(page)) => text::receipt(&page, price),
            Ok(None) => text::RECEIPT_AWAY.into(),
            Err(_) => text::AWAY.into(),
        }
    }

    /// Asks and shows the answer as it comes; ends the reservation whatever happens.
    async fn answer(&self, chat: i64, is_private: bool, reply_to: Option<i64>, question: Question) {
        let Question {
            update,
            body,
            nanoton,
            remember,
            _place,
        } = question;
        let (pieces, coming) = mpsc::unbounded_channel();
        let mut shown = Shown::new(&self.api, chat, is_private, reply_to);
        let mut answer = String::new();
        // Both at once: what Telegram puts off does not hold the answer up.
        let told = tokio::select! {
            (told, ()) = async { tokio::join!(self.network.ask(body, pieces), self.follow(chat, coming, &mut answer, &mut shown)) } => Some(told),
            () = self.abandon.cancelled() => None,
        };
        let cost = self.cost(&told, nanoton).await;
        let name = told.as_ref().and_then(|told| match told {
            Ok(told) => told.receipt.clone().or_else(|| told.request.clone()),
            Err(no_answer) => no_answer.may_cost.clone().flatten(),
        });
        {
            let mut memory = self.memory();
            memory.budgets.settle(update, cost);
            let conversation = memory.chats.of(chat);
            conversation.is_answering = false;
            conversation.last = name.or(conversation.last.take());
            if let (Some((said, begun)), Some(Ok(_))) = (remember, &told)
                && conversation.begun == begun
                && !answer.trim().is_empty()
            {
                conversation.add(said, answer.clone());
            }
        }
        if let Err(error) = self.write_down(vec![Record::Ended { update, nanoton: cost }]).await {
            // The next start takes the worst case; this one must not go on with books that are not on disk.
            tracing::error!(%error, "what an answer cost could not be written down");
            self.broken.cancel();
        }
        match &told {
            Some(Ok(told)) if told.is_cut => answer.push_str(text::CUT),
            Some(Ok(_)) => {}
            Some(Err(no_answer)) => {
                if !answer.is_empty() {
                    answer.push_str("\n\n");
                }
                answer.push_str(no_answer.why);
            }
            None => answer.push_str(text::STOPPED),
        }
        if let Err(failure) = shown.finish(&answer).await {
            tracing::warn!(%failure, "an answer could not be shown to its end");
        }
    }

    /// Shows pieces as they come until there are no more.
    async fn follow(
        &self,
        chat: i64,
        mut coming: mpsc::UnboundedReceiver<String>,
        answer: &mut String,
        shown: &mut Shown<'_>,
    ) {
        let mut is_behind = false;
        let mut typing_at = Instant::now();
        loop {
            tokio::select! {
                biased;
                piece = coming.recv() => match piece {
                    Some(piece) if answer.len() + piece.len() <= MAX_ANSWER_BYTES => {
                        answer.push_str(&piece);
                        is_behind = true;
                    }
                    Some(_) => {}
                    None => return,
                },
                () = sleep_until(shown.next_at()), if is_behind && !shown.is_full() => {
                    shown.grow(answer).await;
                    is_behind = false;
                }
                () = sleep_until(typing_at), if answer.is_empty() => {
                    self.api.typing(chat).await;
                    typing_at = Instant::now() + TYPING_EVERY;
                }
            }
        }
    }

    /// What an answer cost, in nanoton: as its usage says, else as its receipt does, else all that was reserved.
    async fn cost(&self, told: &Option<Result<Told, NoAnswer>>, reserved: u64) -> u64 {
        let receipt = match told {
            Some(Ok(Told { cost: Some(cost), .. })) => return *cost,
            Some(Err(NoAnswer { may_cost: None, .. })) => return 0,
            Some(Ok(told)) => told.receipt.clone().or_else(|| told.request.clone()),
            Some(Err(NoAnswer {
                may_cost: Some(name), ..
            })) => name.clone(),
            None => None,
        };
        let is_refused = matches!(told, Some(Err(no_answer)) if no_answer.is_refused);
        let Some(id) = receipt else { return reserved };
        let price = self.network.terms().await.map(|terms| terms.price);
        let page = timeout(RECEIPT_PATIENCE, self.network.receipt(&id)).await;
        let charged = match page {
            Ok(Ok(Some(page))) => page["tokens_charged"].as_u64(),
            Ok(Ok(None)) if is_refused => return 0,
            _ => None,
        };
        let cost = charged.zip(price).and_then(|(tokens, price)| tokens.checked_mul(price));
        cost.unwrap_or(reserved)
    }
}
