//! The policy file `attestation.toml`: text in, policy out. Described in docs/attestation.md.

use std::collections::{BTreeMap, BTreeSet};

use cocoon_bindings::units::ImageHash;
use serde::Deserialize;

use super::{Acceptance, Policy};
use crate::{
    AttestError, ClaimName, TcbStatus,
    dates::parse_moment,
    gpu::GpuFile,
    limits::{MAX_POLICY_BYTES, MAX_POLICY_ENTRIES},
};

/// The file as it is written. What is left out is as strict as [`Policy::strict`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    require: BTreeSet<ClaimName>,
    #[serde(default)]
    images: Vec<String>,
    #[serde(default)]
    tcb: Tcb,
    #[serde(default)]
    advisories: Advisories,
    #[serde(default)]
    gpu: GpuFile,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Tcb {
    accept: BTreeSet<TcbStatus>,
    grace: BTreeMap<TcbStatus, String>,
    min_evaluation: u32,
}

impl Default for Tcb {
    fn default() -> Self {
        Self {
            accept: BTreeSet::from([TcbStatus::UpToDate]),
            grace: BTreeMap::new(),
            min_evaluation: 0,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Advisories {
    accept: BTreeSet<String>,
    refuse: BTreeSet<String>,
    grace: BTreeMap<String, String>,
    others: Others,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Others {
    #[default]
    Accept,
    Refuse,
}

impl Policy {
    /// Reads the text of an `attestation.toml`. Unknown keys, unknown claims and contradictions are errors.
    pub fn from_toml(text: &str) -> Result<Self, AttestError> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(unusable(format!(
                "{} bytes are more than {MAX_POLICY_BYTES}",
                text.len()
            )));
        }
        let file: File = toml::from_str(text).map_err(|error| unusable(error.to_string().trim_end().to_owned()))?;
        let entries = file.images.len()
            + file.advisories.accept.len()
            + file.advisories.refuse.len()
            + file.advisories.grace.len();
        if entries > MAX_POLICY_ENTRIES {
            return Err(unusable(format!(
                "more than {MAX_POLICY_ENTRIES} images and advisories"
            )));
        }
        if file.tcb.accept.contains(&TcbStatus::Revoked) || file.tcb.grace.contains_key(&TcbStatus::Revoked) {
            return Err(unusable("tcb: a revoked platform is never accepted".to_owned()));
        }
        let statuses = judgements("tcb", file.tcb.accept, BTreeSet::new(), file.tcb.grace)?;
        if statuses.is_empty() {
            return Err(unusable(
                "tcb: no status is accepted, so every platform would be refused".to_owned(),
            ));
        }
        let Advisories {
            accept,
            refuse,
            grace,
            others,
        } = file.advisories;
        if let Some(name) = accept
            .iter()
            .chain(&refuse)
            .chain(grace.keys())
            .find(|name| !is_advisory(name))
        {
            return Err(unusable(format!(
                "advisories: {name:?} is no advisory such as INTEL-SA-00837"
            )));
        }
        let images = file.images.iter().map(|text| {
            text.parse::<ImageHash>()
                .map_err(|_| unusable(format!("images: {text:?} is not 64 hexadecimal digits")))
        });
        Ok(Self {
            statuses,
            advisories: judgements("advisories", accept, refuse, grace)?,
            other_advisories: match others {
                Others::Accept => Acceptance::Always,
                Others::Refuse => Acceptance::Never,
            },
            min_tcb_evaluation: file.tcb.min_evaluation,
            required: file.require,
            images: images.collect::<Result<_, _>>()?,
            gpu: file.gpu.parse()?,
        })
    }
}

fn judgements<K: Ord + core::fmt::Display>(
    table: &str,
    accept: BTreeSet<K>,
    refuse: BTreeSet<K>,
    grace: BTreeMap<K, String>,
) -> Result<BTreeMap<K, Acceptance>, AttestError> {
    let mut judged = BTreeMap::new();
    let dated = grace.into_iter().map(|(name, date)| {
        let moment = parse_moment(&date).ok_or_else(|| {
            unusable(format!(
                "{table}: {date:?} for {name} is no date such as 2027-01-31 or 2027-01-31T12:00:00Z"
            ))
        })?;
        Ok((name, Acceptance::Until(moment)))
    });
    let accepted = accept.into_iter().map(|name| Ok((name, Acceptance::Always)));
    let refused = refuse.into_iter().map(|name| Ok((name, Acceptance::Never)));
    for judgement in accepted.chain(refused).chain(dated) {
        let (name, acceptance) = judgement?;
        if judged.contains_key(&name) {
            return Err(unusable(format!("{table}: {name} is judged twice")));
        }
        judged.insert(name, acceptance);
    }
    Ok(judged)
}

/// Whether this is a name as Intel writes it in TCB documents, in capitals and with five digits: another one would never
/// match, and what it should refuse would be accepted.
fn is_advisory(name: &str) -> bool {
    let digits = name.strip_prefix("INTEL-SA-");
    digits.is_some_and(|digits| digits.len() == 5 && digits.bytes().all(|digit| digit.is_ascii_digit()))
}

fn unusable(reason: String) -> AttestError {
    AttestError::PolicyFile { reason }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reason(text: &str) -> String {
        match Policy::from_toml(text) {
            Err(AttestError::PolicyFile { reason }) => reason,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn an_empty_file_is_the_strict_policy() {
        assert_eq!(Policy::from_toml(""), Ok(Policy::strict()));
    }

    #[test]
    fn every_key_is_read() {
        let policy = Policy::from_toml(
            r#"
            require = ["hardware", "smt_off"]
            images = ["04b3afd931d28680af91a15b09d672c40ad6b141f7f9089a8d67d595220f7436"]
            [tcb]
            accept = ["UpToDate", "SWHardeningNeeded"]
            grace = { OutOfDate = "2027-01-31" }
            min_evaluation = 17
            [advisories]
            accept = ["INTEL-SA-00001"]
            refuse = ["INTEL-SA-00002"]
            grace = { INTEL-SA-00003 = "2027-01-31T12:00:00Z" }
            others = "refuse"
            "#,
        )
        .unwrap();
        let day = 1_801_353_600;
        assert_eq!(policy.statuses[&TcbStatus::OutOfDate], Acceptance::Until(day));
        assert_eq!(policy.statuses[&TcbStatus::SwHardeningNeeded], Acceptance::Always);
        assert_eq!(policy.statuses.len(), 3);
        let advisories = policy.advisories.values().copied().collect::<Vec<_>>();
        let noon = Acceptance::Until(day + 12 * 3_600);
        assert_eq!(advisories, [Acceptance::Always, Acceptance::Never, noon]);
        assert_eq!(policy.other_advisories, Acceptance::Never);
        assert_eq!(policy.min_tcb_evaluation, 17);
        assert_eq!(
            policy.required,
            BTreeSet::from([ClaimName::Hardware, ClaimName::SmtOff])
        );
        assert_eq!(policy.images.len(), 1);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("requires = []", "requires"),
            ("require = [\"smt_of\"]", "smt_of"),
            ("[tcb]\naccept = [\"Uptodate\"]", "Uptodate"),
            ("[tcb]\naccept = [\"Revoked\"]", "never accepted"),
            ("[tcb]\ngrace = { Revoked = \"2027-01-31\" }", "never accepted"),
            ("[tcb]\naccept = []", "every platform"),
            ("[tcb]\ngrace = { UpToDate = \"2027-01-31\" }", "judged twice"),
            ("[tcb]\ngrace = { OutOfDate = \"soon\" }", "soon"),
            (
                "[advisories]\naccept = [\"INTEL-SA-00001\"]\nrefuse = [\"INTEL-SA-00001\"]",
                "judged twice",
            ),
            ("[advisories]\nothers = \"perhaps\"", "perhaps"),
            ("images = [\"04b3\"]", "04b3"),
            ("[gpus]", "gpus"),
        ] {
            assert!(reason(text).contains(part), "{text}: {}", reason(text));
        }
        assert!(reason(&" ".repeat(MAX_POLICY_BYTES + 1)).contains("bytes"));
    }

    #[test]
    fn an_advisory_whose_name_could_never_match_is_refused() {
        for name in [
            "INTEL-SA-1036",
            "INTEL-SA-010366",
            "intel-sa-01036",
            "INTEL-SA-0103\u{0663}",
            "INTEL-SA-+1036",
            "INTEL-SA-01036 ",
            "INTEL-SA01036",
            "SA-01036",
            "CVE-2025-00001",
            "",
        ] {
            for list in [
                format!("refuse = [\"{name}\"]"),
                format!("accept = [\"{name}\"]"),
                format!("grace = {{ \"{name}\" = \"2027-01-31\" }}"),
            ] {
                let reason = reason(&format!("[advisories]\n{list}"));
                assert!(reason.contains(&format!("{name:?}")), "{list}: {reason}");
            }
        }
    }

    proptest! {
        #[test]
        fn reading_is_total(text in "\\PC{0,200}") {
            let _ = Policy::from_toml(&text);
        }
    }
}
