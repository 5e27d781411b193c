//! Why no worker was chosen.

use std::time::Duration;

use cocoon_bindings::units::Coefficient;

/// Why no worker was chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Nobody serves this model.
    #[error("unknown model {model}")]
    UnknownModel {
        /// As the client named it.
        model: String,
    },
    /// Workers are there, none of them can take a request now.
    #[error("no ready workers for model {model}")]
    NoneReady {
        /// The model.
        model: String,
    },
    /// Ready workers are there, all above the client's ceiling.
    #[error("can run this query with coefficient={cheapest}")]
    TooExpensive {
        /// The cheapest ready one.
        cheapest: Coefficient,
    },
    /// All workers are busy and as many requests wait as may.
    #[error("no ready workers for model {model}, and too many requests wait")]
    QueueFull {
        /// The model.
        model: String,
        /// Until there is likely to be room.
        retry_after: Duration,
    },
    /// All workers are busy, and this client already has as many requests waiting as one may.
    #[error("no ready workers for model {model}, and too many requests of this client wait")]
    ShareFull {
        /// The model.
        model: String,
        /// Until there is likely to be room.
        retry_after: Duration,
    },
    /// A place in the queue did not lead to a worker in time.
    #[error("no ready workers for model {model} in time")]
    WaitedTooLong {
        /// The model.
        model: String,
        /// Until there is likely to be room.
        retry_after: Duration,
    },
    /// The client sends more than it may.
    #[error("too many {what} of this client")]
    RateLimited {
        /// What there is too much of.
        what: &'static str,
        /// Until the request would be taken; `None` when it never would.
        retry_after: Option<Duration>,
    },
}

impl Refusal {
    /// When it makes sense to ask again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::UnknownModel { .. } | Self::NoneReady { .. } | Self::TooExpensive { .. } => None,
            Self::QueueFull { retry_after, .. }
            | Self::ShareFull { retry_after, .. }
            | Self::WaitedTooLong { retry_after, .. } => Some(*retry_after),
            Self::RateLimited { retry_after, .. } => *retry_after,
        }
    }

    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::UnknownModel { .. } => "ask for the list of models",
            Self::NoneReady { .. } => "try again later, or at another proxy",
            Self::TooExpensive { .. } => "raise max_coefficient, or wait until a cheaper worker is free",
            Self::QueueFull { .. } | Self::ShareFull { .. } | Self::WaitedTooLong { .. } => {
                "try again after the time that is named"
            }
            Self::RateLimited { retry_after: None, .. } => "ask for less with one request",
            Self::RateLimited { .. } => "send fewer requests at once",
        }
    }
}
