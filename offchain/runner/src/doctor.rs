//! `cocoon doctor host`: the links by which a machine becomes part of a network, looked at one after the other, up to
//! the first that is broken.
//!
//! Each check is a small struct over a [`Machine`], whose file system and probes are arguments.

mod machine;
mod network;
mod tee;

use serde::Serialize;

pub use machine::{Machine, Probe, System};
pub use network::{Chain, Clock, Disk, Listed, Ports, RootFacts};
pub use tee::{Gpu, Kernel, Passthrough, QuotingService, Tdx, Vsock};

/// What the machine should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs models in a TDX guest, with GPUs if there are some.
    Worker,
    /// Keeps accounts in a TDX guest.
    Proxy,
    /// Serves the API to its owner; needs no TDX.
    Client,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// The link holds.
    Fine {
        /// What was seen.
        seen: String,
    },
    /// It cannot be told from here; the next link is looked at.
    Unknown {
        /// Why not.
        seen: String,
    },
    /// The link is broken.
    Broken {
        /// What was seen.
        seen: String,
        /// What mends it.
        hint: String,
    },
}

impl Outcome {
    fn fine(seen: impl Into<String>) -> Self {
        Self::Fine { seen: seen.into() }
    }

    fn unknown(seen: impl Into<String>) -> Self {
        Self::Unknown { seen: seen.into() }
    }

    fn broken(seen: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Broken {
            seen: seen.into(),
            hint: hint.into(),
        }
    }
}

/// One link.
pub trait Check {
    /// Its name, one or two words.
    fn name(&self) -> &'static str;
    /// Looks at it.
    fn look(&self, machine: &Machine) -> Outcome;
}

/// One line of a diagnosis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Name of the check.
    pub check: &'static str,
    /// What it found.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Findings in order; the last one is broken, or all links hold as far as can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// One per check that was made.
    pub findings: Vec<Finding>,
    /// Checks that were not made because of a broken link before them.
    pub not_looked_at: Vec<&'static str>,
}

impl Diagnosis {
    /// The broken link and what mends it.
    pub fn broken(&self) -> Option<&Finding> {
        self.findings
            .last()
            .filter(|finding| matches!(finding.outcome, Outcome::Broken { .. }))
    }
}

/// Looks at the links in order, up to the first broken one.
pub fn diagnose(machine: &Machine, checks: &[Box<dyn Check>]) -> Diagnosis {
    let mut findings = Vec::new();
    let mut rest = checks.iter();
    for check in rest.by_ref() {
        let outcome = check.look(machine);
        let broken = matches!(outcome, Outcome::Broken { .. });
        findings.push(Finding {
            check: check.name(),
            outcome,
        });
        if broken {
            break;
        }
    }
    Diagnosis {
        findings,
        not_looked_at: rest.map(|check| check.name()).collect(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    struct Fixed(&'static str, Outcome);

    impl Check for Fixed {
        fn name(&self) -> &'static str {
            self.0
        }

        fn look(&self, _: &Machine) -> Outcome {
            self.1.clone()
        }
    }

    #[test]
    fn a_diagnosis_stops_at_the_first_broken_link_and_goes_on_over_unknown_ones() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::new(folder.path(), Box::new(System));
        let checks: Vec<Box<dyn Check>> = vec![
            Box::new(Fixed("one", Outcome::fine("there"))),
            Box::new(Fixed("two", Outcome::unknown("not here"))),
            Box::new(Fixed("three", Outcome::broken("gone", "bring it back"))),
            Box::new(Fixed("four", Outcome::fine("there"))),
        ];
        let diagnosis = diagnose(&machine, &checks);
        assert_eq!(diagnosis.findings.len(), 3);
        assert_eq!(diagnosis.broken().map(|finding| finding.check), Some("three"));
        assert_eq!(diagnosis.not_looked_at, ["four"]);
        let whole = diagnose(&machine, &checks[..2]);
        assert!(whole.broken().is_none() && whole.not_looked_at.is_empty());
    }
}
