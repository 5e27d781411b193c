//! A node's certificate, and the evidence in it.

use std::collections::BTreeSet;

use cocoon_attest::certificate::{ParsedCertificate, Shown};
use cocoon_attest::{AttestError, Endorsements, Examination, Fact, JudgedClaim, Policy, TcbStatus, TrustRoots, Who};
use cocoon_bindings::units::ImageHash;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::check::{self, Check};

/// What a node may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A proxy.
    Proxy,
    /// A worker.
    Worker,
}

/// The images that the root contract lists and that hold at the time of the question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Images {
    /// That may run a proxy.
    pub proxies: BTreeSet<ImageHash>,
    /// That may run a worker.
    pub workers: BTreeSet<ImageHash>,
}

impl Images {
    fn list(&self, image: &ImageHash, role: Option<Role>) -> bool {
        let (as_proxy, as_worker) = (self.proxies.contains(image), self.workers.contains(image));
        match role {
            Some(Role::Proxy) => as_proxy,
            Some(Role::Worker) => as_worker,
            None => as_proxy || as_worker,
        }
    }
}

/// What a certificate is judged by.
#[derive(Debug, Clone, Copy)]
pub struct EvidenceInput<'a> {
    /// The certificate (DER).
    pub certificate: &'a [u8],
    /// Its SHA-256 as somebody names it, such as a receipt.
    pub sha256: Option<[u8; 32]>,
    /// What the makers of platforms say about them.
    pub endorsements: &'a Endorsements,
    /// Who may vouch for platforms.
    pub roots: &'a TrustRoots,
    /// What is asked of platforms.
    pub policy: &'a Policy,
    /// What the root contract lists, if that is known.
    pub images: Option<&'a Images>,
    /// Which of its lists counts; either one if `None`.
    pub role: Option<Role>,
    /// Unix seconds.
    pub now: u64,
}

/// All of it in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The certificate's key is held by a listed image on genuine hardware.
    Proven,
    /// Everything holds, but the platform is a simulated one: no hardware protects anything.
    Simulated,
    /// Something could not be checked.
    Unknown,
    /// Something does not hold.
    Refuted,
}

/// What a certificate proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EvidenceReport {
    /// All of it in a word.
    pub verdict: Verdict,
    /// Check by check.
    pub checks: Vec<Check>,
    /// Name of the certificate in receipts, hex.
    pub certificate_sha256: String,
    /// The key that it presents, hex.
    pub leaf_key: Option<String>,
    /// Start of its validity, Unix seconds.
    pub not_before: Option<u64>,
    /// End of its validity, Unix seconds.
    pub not_after: Option<u64>,
    /// The image that its quote claims, hex.
    pub image_hash: Option<String>,
    /// What its evidence says, once somebody vouches for it.
    pub claims: Option<ShownClaims>,
}

/// Claims as they are shown, with what the policy says of each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownClaims {
    /// Every claim with its fact, value, source, and the policy's ruling.
    pub table: Vec<JudgedClaim>,
    /// Why the policy refuses the platform; empty when it does not.
    pub objections: Vec<String>,
    /// Level of firmware and microcode.
    pub tcb_status: TcbStatus,
    /// Advisories that apply.
    pub advisories: Vec<String>,
    /// Number of the maker's judgement.
    pub tcb_evaluation: u32,
    /// Family of the platform, hex.
    pub fmspc: String,
    /// The root that vouches, hex.
    pub root_key_id: String,
    /// Whether that is a simulated one.
    pub simulated: bool,
    /// Until when this holds, Unix seconds.
    pub expires_at: u64,
}

impl From<&Examination> for ShownClaims {
    fn from(examined: &Examination) -> Self {
        let claims = &examined.claims;
        Self {
            table: examined.table.clone(),
            objections: examined.objections.iter().map(ToString::to_string).collect(),
            tcb_status: claims.tcb_status,
            advisories: claims.advisories.clone(),
            tcb_evaluation: claims.tcb_evaluation,
            fmspc: claims.fmspc.clone(),
            root_key_id: claims.root_key_id.to_string(),
            simulated: claims.simulated,
            expires_at: claims.expires_at,
        }
    }
}

/// Checks that a verdict needs; who names a certificate is another question.
const ESSENTIAL: [&str; 7] = [
    "form",
    "validity",
    "own_signature",
    "key_in_quote",
    "platform",
    "policy",
    "image",
];

/// Judges a certificate.
pub fn judge(input: &EvidenceInput<'_>) -> EvidenceReport {
    let digest: [u8; 32] = Sha256::digest(input.certificate).into();
    let mut report = EvidenceReport {
        verdict: Verdict::Refuted,
        checks: Vec::new(),
        certificate_sha256: hex::encode(digest),
        leaf_key: None,
        not_before: None,
        not_after: None,
        image_hash: None,
        claims: None,
    };
    let parsed = match ParsedCertificate::parse(input.certificate) {
        Ok(parsed) => parsed,
        Err(problem) => {
            report.checks.push(Check::refuted("form", problem.to_string()));
            return report;
        }
    };
    report.leaf_key = Some(parsed.leaf_key.to_string());
    report.not_before = Some(parsed.not_before);
    report.not_after = Some(parsed.not_after);
    report.checks = vec![
        Check::proven("form", "It is a certificate of a node of this network."),
        Check::of(
            "validity",
            parsed.check_dates(input.now).and_then(|()| parsed.check_life()),
            "It is valid now, and for no longer than a day.",
        ),
        named(&digest, input.sha256.as_ref()),
        Check::of(
            "own_signature",
            parsed.check_signature(),
            "It is signed with its own key.",
        ),
    ];
    let simulated = judge_quote(&parsed, input, &mut report);
    report.verdict = match (check::verdict(&report.checks, &ESSENTIAL), simulated) {
        (Fact::Refuted, _) => Verdict::Refuted,
        (Fact::Unknown, _) => Verdict::Unknown,
        (Fact::Proven, true) => Verdict::Simulated,
        (Fact::Proven, false) => Verdict::Proven,
    };
    report
}

fn named(digest: &[u8; 32], expected: Option<&[u8; 32]>) -> Check {
    match expected {
        None => Check::unknown("named", "Nobody said which certificate it should be."),
        Some(expected) if expected == digest => Check::proven("named", "It is the certificate that was named."),
        Some(_) => Check::refuted("named", "It is another certificate than the one that was named."),
    }
}

/// Adds the checks of the quote; says whether the platform is a simulated one.
fn judge_quote(parsed: &ParsedCertificate, input: &EvidenceInput<'_>, report: &mut EvidenceReport) -> bool {
    let shown = match parsed.shown() {
        None => {
            report
                .checks
                .extend(unjudged("key_in_quote", Fact::Unknown, "It carries no quote."));
            return false;
        }
        Some(Err(error)) => {
            report
                .checks
                .extend(unjudged("key_in_quote", Fact::Refuted, &error.to_string()));
            return false;
        }
        Some(Ok(shown)) => shown,
    };
    report.image_hash = Some(shown.image.to_string());
    report.checks.push(if shown.is_for_key {
        Check::proven("key_in_quote", "Its quote is for its key.")
    } else {
        Check::refuted(
            "key_in_quote",
            "Its quote is for another key: it was taken from somebody else.",
        )
    });
    let examined = cocoon_attest::examine(
        &shown.evidence,
        input.endorsements,
        input.roots,
        input.policy,
        input.now,
    );
    match examined {
        Err(error) => {
            let outcome = match error.who() {
                Who::Local => Fact::Unknown,
                Who::Peer => Fact::Refuted,
            };
            report.checks.extend(unjudged("platform", outcome, &error.to_string()));
            let is_refuted = input
                .images
                .is_some_and(|images| !images.list(&shown.image, input.role));
            if is_refuted && let Some(last) = report.checks.last_mut() {
                *last = image(shown, input);
            }
            false
        }
        Ok(examined) => {
            let simulated = examined.claims.simulated;
            report.checks.push(Check::proven(
                "platform",
                if simulated {
                    "A SIMULATED platform vouches for it: no hardware protects anything."
                } else {
                    "The maker of the processor vouches for the platform."
                },
            ));
            report.checks.push(policy(&examined.objections));
            report.checks.push(image(shown, input));
            report.claims = Some(ShownClaims::from(&examined));
            simulated
        }
    }
}

/// One check with its outcome, and those after it, which nothing can be said about.
fn unjudged(name: &'static str, outcome: Fact, says: &str) -> Vec<Check> {
    let order = ["key_in_quote", "platform", "policy", "image"];
    let after = order.into_iter().skip_while(|other| *other != name);
    let check = |other: &'static str| {
        if other == name {
            Check::new(other, outcome, says)
        } else {
            Check::unknown(other, "Nobody vouches for what it says.")
        }
    };
    after.map(check).collect()
}

fn policy(objections: &[AttestError]) -> Check {
    if objections.is_empty() {
        return Check::proven("policy", "The platform is as good as is asked for.");
    }
    let objections: Vec<_> = objections.iter().map(ToString::to_string).collect();
    Check::refuted("policy", objections.join("; "))
}

fn image(shown: &Shown, input: &EvidenceInput<'_>) -> Check {
    let role = match input.role {
        Some(Role::Proxy) => "for proxies",
        Some(Role::Worker) => "for workers",
        None => "for any role",
    };
    match input.images {
        None => Check::unknown("image", "The list of the root contract is not at hand."),
        Some(images) if images.list(&shown.image, input.role) => {
            Check::proven("image", format!("The root contract lists its image {role}."))
        }
        Some(_) => Check::refuted("image", format!("The root contract does not list its image {role}.")),
    }
}
