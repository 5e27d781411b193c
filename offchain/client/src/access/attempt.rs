//! One attempt to have a request answered by one proxy: what is held for it, and what becomes of that.

use std::sync::Arc;

use cocoon_bindings::ton::Address;
use cocoon_bindings::units::Nanoton;
use cocoon_openai::ApiError;

use super::answers::{Answers, Ticket};
use super::budget::{Open, Short, Used, Wish};
use super::durable::Unwritten;
use super::gate::{Caller, Gate};
use super::refusal::Refusal;
use super::spending::{self, Held, Refused, Spending};
use crate::receipts::ReceiptNote;

/// What attempts are begun with.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) gate: Arc<Gate>,
    pub(crate) spending: Arc<Spending>,
    pub(crate) answers: Arc<Answers>,
}

/// Who asks, and for what.
#[derive(Clone, Default)]
pub(crate) struct Asker {
    pub(crate) caller: Caller,
    /// If it has an idempotency key.
    pub(crate) ticket: Option<Arc<Ticket>>,
}

/// What an attempt may cost.
pub(crate) struct Cost {
    pub(crate) channel: Address,
    /// Contract of the proxy.
    pub(crate) proxy: Address,
    /// Adjusted tokens.
    pub(crate) tokens: u64,
    /// Of one token.
    pub(crate) price: Nanoton,
    /// Unix seconds; the day of UTC that it counts for follows from it.
    pub(crate) now: u64,
}

/// Why an attempt is not made.
pub(crate) enum NotMade {
    /// Another proxy's contract may hold enough.
    Elsewhere(Refusal),
    /// No proxy would help.
    Never(Refusal),
    /// The disk has failed.
    Broken(ApiError),
}

/// An attempt that may be made.
pub(crate) struct Attempt {
    asker: Asker,
    gate: Arc<Gate>,
    /// `None` once it has ended.
    held: Option<Held>,
    /// What the proxy said it used.
    told: Option<u64>,
}

impl Attempt {
    /// Holds what it may cost. What must be on disk is there when it returns.
    pub(crate) async fn begin(access: &Access, asker: &Asker, id: [u8; 32], cost: Cost) -> Result<Self, NotMade> {
        let gate = Arc::clone(&access.gate);
        gate.take_tokens(&asker.caller, cost.tokens).map_err(NotMade::Never)?;
        let key = asker.caller.key.as_ref();
        let wish = Wish {
            attempt: id,
            key: key.map(|key| (key.hash.clone(), key.limits)),
            channel: cost.channel,
            proxy: cost.proxy,
            tokens: cost.tokens,
            price: cost.price,
            day: spending::day(cost.now),
            since: cost.now,
        };
        // Before the hold, which waits for the disk.
        if let Some(ticket) = &asker.ticket {
            ticket.leaves(&id);
        }
        let mut held = access.spending.hold(wish).await;
        if asker.ticket.is_some()
            && let Ok(it) = held
        {
            held = match access.answers.flush().await {
                Ok(()) => Ok(it),
                Err(Unwritten) => Err(Refused::Disk(Unwritten)),
            };
        }
        let refused = match held {
            Ok(held) => {
                return Ok(Self {
                    asker: asker.clone(),
                    gate,
                    held: Some(held),
                    told: None,
                });
            }
            Err(refused) => refused,
        };
        gate.give_back_tokens(&asker.caller, cost.tokens);
        if let Some(ticket) = &asker.ticket {
            ticket.refused();
        }
        Err(match refused {
            Refused::Short(short @ Short::Channel(..)) => NotMade::Elsewhere(spending::refusal(short)),
            Refused::Short(short) => NotMade::Never(spending::refusal(short)),
            Refused::Disk(Unwritten) => NotMade::Broken(ApiError::internal("What was spent could not be kept.")),
        })
    }

    /// It was not sent, or refused before a worker saw it: it costs nothing.
    pub(crate) async fn is_free(&mut self) {
        if let Some(ticket) = &self.asker.ticket {
            ticket.refused();
        }
        if let Some(held) = self.held.take() {
            self.gate.give_back_tokens(&self.asker.caller, held.tokens());
            held.release().await;
        }
    }

    /// The answer has ended, and the proxy says what it used.
    pub(crate) fn is_told(&mut self, tokens: i64) {
        let Ok(tokens) = u64::try_from(tokens) else { return };
        // A worker may say any number, and nobody is charged beyond the reservation, which is not more than what is held.
        let tokens = tokens.min(self.held.as_ref().map_or(0, Held::tokens));
        self.told = Some(tokens);
        if let Some(held) = &self.held {
            held.shrink(tokens);
        }
    }

    /// Its receipt has come.
    pub(crate) async fn has_receipt(&mut self, note: &ReceiptNote) {
        if let Some(ticket) = &self.asker.ticket {
            ticket.receipt(note.id);
        }
        let held = self.held.as_ref().map_or(0, Held::tokens);
        let used = match &note.fault {
            None => Used::Receipt {
                tokens: note.charged,
                total: note.total,
            },
            // Its numbers are anybody's: they neither free what the proxy told before nor use up more than was held.
            Some(_) => Used::Told(note.charged.max(self.told.unwrap_or(0)).min(held)),
        };
        self.settle(used).await;
    }

    /// No receipt comes any more. Of one whose answer did not end nobody knows what it cost: it stays held, until the operator says.
    pub(crate) async fn is_over(&mut self, gives_receipts: bool) {
        if let Some(tokens) = self.told {
            self.settle(Used::Told(tokens)).await;
        }
        if let Some(held) = self.held.take() {
            held.give_up(match gives_receipts {
                true => Open::NoReceipt,
                false => Open::NoReceipts,
            });
        }
    }

    async fn settle(&mut self, used: Used) {
        let Some(held) = self.held.take() else { return };
        let tokens = match used {
            Used::Receipt { tokens, .. } | Used::Told(tokens) => tokens,
        };
        self.gate
            .give_back_tokens(&self.asker.caller, held.tokens().saturating_sub(tokens));
        held.settle(used).await;
    }
}
