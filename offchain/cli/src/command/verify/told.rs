//! What was looked at, one line each, and the verdict that follows.

use cocoon_attest::Fact;
use serde::Serialize;

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) fact: Fact,
    pub(super) says: String,
}

impl Finding {
    pub(super) fn new(check: &'static str, fact: Fact, says: impl Into<String>) -> Self {
        let says = says.into();
        Self { check, fact, says }
    }

    /// Proven or refuted, with what is said of either.
    pub(super) fn of(check: &'static str, holds: bool, says: impl Into<String>) -> Self {
        let fact = if holds { Fact::Proven } else { Fact::Refuted };
        Self::new(check, fact, says)
    }
}

/// The first thing that is not so.
pub(super) fn first_refuted(findings: &[Finding]) -> Option<&Finding> {
    findings.iter().find(|finding| finding.fact == Fact::Refuted)
}

/// The findings for a person.
pub(super) fn lines(findings: &[Finding]) -> impl Iterator<Item = String> + '_ {
    findings.iter().map(|finding| {
        let mark = match finding.fact {
            Fact::Proven => "proven",
            Fact::Unknown => "unknown",
            Fact::Refuted => "REFUTED",
        };
        format!("{mark:<8} {:<12} {}", finding.check, finding.says)
    })
}
