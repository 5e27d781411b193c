//! What an attempt brought, and how it ended.

use std::time::Duration;

use bytes::Bytes;
use cocoon_protocol::ErrorCode;
use cocoon_protocol::answer::{Answer, FinalInfo};
use cocoon_protocol::extension::{TokenCounts, WorkReport};
use cocoon_ratls::SharedClock;
use cocoon_receipt::SaltedHasher;

use crate::budget::Budget;
use crate::challenge::Kept;
use crate::request::Failure;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With the worker's last message.
    Finished,
    /// With the worker's error.
    Failed(Failure),
    /// The worker's connection was lost.
    WorkerLost,
    /// The client cancelled or went away.
    Cancelled,
    /// The client does not take its answer.
    ClientTooSlow,
    /// The request's time is over.
    TimedOut,
    /// The answer costs more than was reserved for it.
    ReservationUsed,
}

/// What an attempt brought.
pub(crate) struct Work {
    pub(crate) request_id: [u8; 32],
    pub(crate) ended: Ended,
    /// Whether the client was sent anything of the answer.
    pub(crate) is_begun: bool,
    /// The worker's last message, not sent on yet.
    pub(crate) last: Option<Answer>,
    pub(crate) final_info: Option<FinalInfo>,
    pub(crate) progress: Option<TokenCounts>,
    pub(crate) report: Option<WorkReport>,
    /// Own salted hash of the body bytes, for when the worker does not report one.
    pub(crate) response: SaltedHasher,
    pub(crate) response_salt: [u8; 32],
    pub(crate) clock: SharedClock,
    pub(crate) started_ms: u64,
    pub(crate) first_token_ms: Option<u64>,
    pub(crate) finished_ms: u64,
    pub(crate) budget: Budget,
    /// The body, when it is to be compared.
    pub(crate) kept: Kept,
    pub(super) head: Option<Bytes>,
    /// The worker has sent its last message.
    pub(super) is_over: bool,
}

impl Work {
    pub(super) fn new(clock: SharedClock, budget: Budget, kept: Kept) -> Self {
        let response_salt = rand::random();
        Self {
            request_id: rand::random(),
            ended: Ended::WorkerLost,
            is_begun: false,
            last: None,
            final_info: None,
            progress: None,
            report: None,
            response: SaltedHasher::new(&response_salt),
            response_salt,
            started_ms: clock.now_ms(),
            clock,
            first_token_ms: None,
            finished_ms: 0,
            budget,
            kept,
            head: None,
            is_over: false,
        }
    }

    /// How long the attempt took.
    pub(crate) fn took(&self) -> Duration {
        Duration::from_millis(self.finished_ms.saturating_sub(self.started_ms))
    }

    /// Whether the worker may still be at it.
    pub(super) fn is_cut_short(&self) -> bool {
        use Ended::{Cancelled, ClientTooSlow, ReservationUsed, TimedOut};
        !self.is_over && matches!(self.ended, Cancelled | ClientTooSlow | TimedOut | ReservationUsed)
    }

    /// The failure of an attempt of which the client has seen nothing.
    pub(crate) fn failure_before_first_byte(&self) -> Option<Failure> {
        if self.is_begun { None } else { self.failure() }
    }

    /// What the client is told when the answer is not whole.
    pub(crate) fn failure(&self) -> Option<Failure> {
        match &self.ended {
            Ended::Finished => None,
            Ended::Failed(failure) => Some(failure.clone()),
            Ended::WorkerLost => Some(Failure::new(ErrorCode::WorkerLost, "the worker was lost")),
            Ended::Cancelled => Some(Failure::new(ErrorCode::Cancelled, "the request was cancelled")),
            Ended::ClientTooSlow => Some(Failure::new(
                ErrorCode::Cancelled,
                "the client does not take its answer",
            )),
            Ended::TimedOut => Some(Failure::new(ErrorCode::Timeout, "the request timed out")),
            Ended::ReservationUsed => Some(Failure::new(
                ErrorCode::TooLarge,
                "the answer has used up what max_tokens reserves for it",
            )),
        }
    }
}
