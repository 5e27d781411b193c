//! One check of many, and how many make a verdict.

use cocoon_attest::Fact;
use serde::Serialize;

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name, of a fixed set.
    pub name: &'static str,
    /// What was found.
    pub outcome: Fact,
    /// The same as one sentence for people.
    pub says: String,
}

impl Check {
    pub(crate) fn proven(name: &'static str, says: impl Into<String>) -> Self {
        Self::new(name, Fact::Proven, says)
    }

    pub(crate) fn unknown(name: &'static str, says: impl Into<String>) -> Self {
        Self::new(name, Fact::Unknown, says)
    }

    pub(crate) fn refuted(name: &'static str, says: impl Into<String>) -> Self {
        Self::new(name, Fact::Refuted, says)
    }

    pub(crate) fn new(name: &'static str, outcome: Fact, says: impl Into<String>) -> Self {
        let says = says.into();
        Self { name, outcome, says }
    }

    /// Proven with one sentence, or refuted with the error's.
    pub(crate) fn of<T, E: std::fmt::Display>(name: &'static str, result: Result<T, E>, says: &str) -> Self {
        match result {
            Ok(_) => Self::proven(name, says),
            Err(error) => Self::refuted(name, error.to_string()),
        }
    }
}

/// Refuted if any is; proven if all of `essential` are; unknown otherwise.
pub(crate) fn verdict(checks: &[Check], essential: &[&str]) -> Fact {
    if checks.iter().any(|check| check.outcome == Fact::Refuted) {
        return Fact::Refuted;
    }
    let is_proven = |name: &&str| {
        let found = checks.iter().find(|check| check.name == *name);
        found.is_some_and(|check| check.outcome == Fact::Proven)
    };
    if essential.iter().all(is_proven) {
        Fact::Proven
    } else {
        Fact::Unknown
    }
}
