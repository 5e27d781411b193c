//! Why an operation is not planned, not carried out, or failed.

use cocoon_owner::{Awaited, OwnerError, Who, date};

/// What is told instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// HTTP status.
    pub(crate) status: u16,
    /// Machine-readable cause.
    pub(crate) code: &'static str,
    /// For a person.
    pub(crate) message: String,
    /// What helps.
    pub(crate) hint: Option<&'static str>,
    /// From when on it works, Unix seconds, where that is known.
    pub(crate) until: Option<u32>,
    /// The field at fault.
    pub(crate) param: Option<&'static str>,
}

impl Refusal {
    /// Without hint and time.
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            hint: None,
            until: None,
            param: None,
        }
    }

    /// With a hint.
    pub(crate) fn hinting(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// A field has a wrong value.
    pub(crate) fn field(param: &'static str, problem: &str) -> Self {
        let message = format!("invalid value for '{param}': {problem}");
        Self {
            param: Some(param),
            ..Self::new(400, "invalid_field", message)
        }
    }

    /// Something must happen first.
    pub(crate) fn wait(awaited: &Awaited) -> Self {
        let when = awaited.until.map(|until| format!(" (until {})", date(until)));
        let message = format!("this waits for {}{}", awaited.what, when.unwrap_or_default());
        Self {
            until: awaited.until,
            ..Self::new(409, "wait", message)
        }
    }

    /// What an owner's operation came to.
    pub(crate) fn of(error: &OwnerError) -> Self {
        let is_away = match error {
            // The contract is not there: that is an answer.
            OwnerError::Chain(cocoon_chain::ChainError::NotDeployed { .. }) => false,
            OwnerError::Chain(error) => error.who() != cocoon_chain::Who::Local,
            _ => false,
        };
        let (status, code) = match error.who() {
            _ if is_away => (503, "chain_unreachable"),
            Who::Local => (500, "internal"),
            _ => (409, "refused"),
        };
        let refusal = Self::new(status, code, error.to_string());
        // Options of the command line help nobody here.
        match error.hint() {
            hint if hint.contains("--") || hint.contains('`') => refusal,
            hint => refusal.hinting(hint),
        }
    }
}
