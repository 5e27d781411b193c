//! Why a caller is refused: what it is told, and what is counted of it.

use std::sync::atomic::{AtomicU64, Ordering};

use cocoon_openai::ApiError;

/// Why a request was refused before any of it left. The text never holds a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) why: Why,
    message: String,
    /// Seconds until it may be tried again.
    retry_after: Option<u32>,
}

/// The reasons that are told apart, in errors and in figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// A key is needed and there is none.
    NoKey,
    /// The key is not known, has expired or was revoked.
    BadKey,
    /// The key may not do this.
    Scope,
    /// The key may not use this endpoint or this model.
    Model,
    /// The request's `Host` is no name of this client.
    Host,
    /// A page of another origin sent it.
    Origin,
    /// Too many requests in a minute.
    Requests,
    /// Too many tokens in a minute.
    Tokens,
    /// Too many requests at once.
    Concurrency,
    /// One request asks for more than a minute's tokens.
    TooLarge,
    /// The key's limit of money.
    Budget,
    /// What the contract at the proxy holds.
    Channel,
}

impl Why {
    /// All of them, in the order in which they are shown.
    pub(crate) const ALL: [Self; 12] = [
        Self::NoKey,
        Self::BadKey,
        Self::Scope,
        Self::Model,
        Self::Host,
        Self::Origin,
        Self::Requests,
        Self::Tokens,
        Self::Concurrency,
        Self::TooLarge,
        Self::Budget,
        Self::Channel,
    ];

    /// The word in the figures.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NoKey => "no_key",
            Self::BadKey => "bad_key",
            Self::Scope => "scope",
            Self::Model => "model",
            Self::Host => "host",
            Self::Origin => "origin",
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Concurrency => "concurrency",
            Self::TooLarge => "too_large",
            Self::Budget => "budget",
            Self::Channel => "channel",
        }
    }

    fn error(self, message: String) -> ApiError {
        match self {
            Self::NoKey | Self::BadKey => ApiError::invalid_api_key(message),
            Self::Scope => ApiError::insufficient_permissions(message),
            Self::Model => ApiError::model_not_allowed(message),
            Self::Host => ApiError::host_not_allowed(message),
            Self::Origin => ApiError::origin_not_allowed(message),
            Self::Requests | Self::Tokens | Self::Concurrency => ApiError::rate_limited(message),
            Self::TooLarge => ApiError::too_large(message),
            Self::Budget | Self::Channel => ApiError::low_balance(message),
        }
    }
}

impl Refusal {
    pub(crate) fn new(why: Why, message: impl Into<String>) -> Self {
        Self {
            why,
            message: message.into(),
            retry_after: None,
        }
    }

    /// The same, to be tried again after some seconds, at least one.
    pub(crate) fn after(self, seconds: u64) -> Self {
        let seconds = u32::try_from(seconds.max(1)).unwrap_or(u32::MAX);
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self {
            retry_after: refusal.retry_after,
            ..refusal.why.error(refusal.message)
        }
    }
}

/// How often each reason was given.
#[derive(Debug, Default)]
pub(crate) struct Refusals([AtomicU64; Why::ALL.len()]);

impl Refusals {
    /// Counts one.
    pub(crate) fn count(&self, why: Why) {
        if let Some(place) = self.place(why) {
            place.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many there were.
    pub(crate) fn of(&self, why: Why) -> u64 {
        self.place(why).map_or(0, |place| place.load(Ordering::Relaxed))
    }

    fn place(&self, why: Why) -> Option<&AtomicU64> {
        let at = Why::ALL.iter().position(|known| *known == why)?;
        self.0.get(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_place_and_a_word_of_its_own() {
        let refusals = Refusals::default();
        for (at, why) in Why::ALL.into_iter().enumerate() {
            (0..=at).for_each(|_| refusals.count(why));
        }
        let words: std::collections::BTreeSet<_> = Why::ALL.iter().map(|why| why.word()).collect();
        assert_eq!(words.len(), Why::ALL.len());
        for (at, why) in Why::ALL.into_iter().enumerate() {
            assert_eq!(refusals.of(why), at as u64 + 1, "{}", why.word());
        }
    }

    #[test]
    fn a_refusal_has_the_shape_of_openai() {
        let error = ApiError::from(Refusal::new(Why::Requests, "Too many.").after(0));
        assert_eq!(
            (error.status, error.code, error.retry_after),
            (429, "rate_limit_exceeded", Some(1))
        );
        let error = ApiError::from(Refusal::new(Why::BadKey, "No."));
        assert_eq!(
            (error.status, error.code, error.retry_after),
            (401, "invalid_api_key", None)
        );
    }
}
