//! `cocoon attest show`: evidence claim by claim, and what a policy says of it.

pub(super) mod inputs;
pub(super) mod subject;

use cocoon_attest::{Examination, JudgedClaim, Register, examine, format_moment};
use cocoon_ratls::{Clock as _, SystemClock};
use serde::Serialize;

use crate::args::attest::AttestShowArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use inputs::Inputs;
use subject::Presented;

const SIMULATED: &str = "SIMULATED platform: nothing here is protected by hardware";

/// Evidence with everything that is proven of it.
#[derive(Serialize)]
pub(super) struct Shown {
    subject: String,
    /// What it is.
    kind: &'static str,
    /// Whether the policy accepts it.
    pub(super) accepted: bool,
    pub(super) simulated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<&'static str>,
    /// Why the policy refuses it.
    pub(super) objections: Vec<String>,
    pub(super) image_hash: String,
    mrtd: String,
    rtmr: Vec<String>,
    /// What the guest attests.
    report_data: String,
    /// The key that the evidence is bound to, where there is a certificate.
    leaf_key: Option<String>,
    tcb_status: String,
    tcb_evaluation: u32,
    advisories: Vec<String>,
    fmspc: String,
    root_key_id: String,
    /// Unix seconds.
    judged_at: u64,
    /// Unix seconds.
    expires_at: u64,
    claims: Vec<JudgedClaim>,
}

/// Shows what evidence proves.
pub(crate) async fn show(args: AttestShowArgs, output: Output) -> Result<Exit, Failure> {
    let now = args.at.unwrap_or_else(|| SystemClock.now());
    let inputs = Inputs::load(&args.evidence, now)?;
    let presented = Presented::of(&args.subject, now).await?;
    let shown = Shown::of(args.subject, &presented, &inputs, now)?;
    output.result(&shown, Shown::text)?;
    Ok(if shown.accepted { Exit::Done } else { Exit::Negative })
}

/// Evidence that no policy was asked about, because nobody vouches for it.
fn refused(error: cocoon_attest::AttestError) -> Failure {
    let exit = match error.who() {
        cocoon_attest::Who::Local => Exit::Configuration,
        cocoon_attest::Who::Peer => Exit::Peer,
    };
    let hint = match &error {
        cocoon_attest::AttestError::NoCollateral { .. } => {
            "name the collateral of this platform family with --collateral".to_owned()
        }
        error => error.hint().to_owned(),
    };
    Failure::new(exit, error, hint)
}

impl Shown {
    /// Judges evidence.
    pub(super) fn of(subject: String, presented: &Presented, inputs: &Inputs, now: u64) -> Result<Self, Failure> {
        let Inputs {
            roots,
            endorsements,
            policy,
        } = inputs;
        let examination = examine(&presented.evidence, endorsements, roots, policy, now).map_err(refused)?;
        Ok(Self::new(subject, presented, examination, now))
    }

    fn new(subject: String, presented: &Presented, examination: Examination, now: u64) -> Self {
        let claims = &examination.claims;
        let register = |register: &Register| hex::encode(register.as_slice());
        Self {
            subject,
            kind: presented.kind,
            accepted: examination.is_accepted(),
            simulated: claims.simulated,
            warning: claims.simulated.then_some(SIMULATED),
            objections: examination.objections.iter().map(ToString::to_string).collect(),
            image_hash: claims.image_hash().to_string(),
            mrtd: register(&claims.measurements.mrtd),
            rtmr: claims.measurements.rtmr.iter().map(register).collect(),
            report_data: hex::encode(claims.report_data),
            leaf_key: presented.leaf_key.map(|key| key.to_string()),
            tcb_status: claims.tcb_status.to_string(),
            tcb_evaluation: claims.tcb_evaluation,
            advisories: claims.advisories.clone(),
            fmspc: claims.fmspc.clone(),
            root_key_id: claims.root_key_id.to_string(),
            judged_at: now,
            expires_at: claims.expires_at,
            claims: examination.table,
        }
    }

    pub(super) fn text(&self) -> String {
        let mut lines = Vec::new();
        lines.extend(self.warning.map(str::to_owned));
        let verdict = match (self.accepted, self.simulated) {
            (true, true) => "the policy accepts it, SIMULATED as it is",
            (true, false) => "the policy accepts it",
            (false, _) => "the policy REFUSES it",
        };
        lines.push(format!("{}: {}, {verdict}", self.subject, self.kind));
        lines.extend(
            self.objections
                .iter()
                .map(|objection| format!("  objection   {objection}")),
        );
        lines.push(format!("  image       {}", self.image_hash));
        lines.push(format!("  platform    family {}, {}", self.fmspc, self.tcb_status));
        lines.push(format!("  judged at   {}", format_moment(self.judged_at)));
        lines.push(format!("  holds until {}", format_moment(self.expires_at)));
        lines.push(String::new());
        lines.extend(self.claims.iter().map(row));
        lines.join("\n")
    }
}

fn row(judged: &JudgedClaim) -> String {
    use cocoon_attest::Ruling;
    let claim = &judged.claim;
    let ruling = match judged.ruling {
        Ruling::Met => "met".to_owned(),
        Ruling::Tolerated { until: None } => "tolerated".to_owned(),
        Ruling::Tolerated { until: Some(end) } => format!("tolerated until {}", format_moment(end)),
        Ruling::Refused => "REFUSED".to_owned(),
        _ => "-".to_owned(),
    };
    let (name, fact) = (claim.name.to_string(), claim.fact.to_string());
    let source = match claim.source.field.is_empty() {
        true => claim.source.document.to_string(),
        false => format!("{}, {}", claim.source.document, claim.source.field),
    };
    let mut value = match claim.value.is_empty() {
        true => "none".to_owned(),
        false => claim.value.clone(),
    };
    if value.chars().count() > 40 {
        value = value.chars().take(37).chain("...".chars()).collect();
    }
    format!("{name:<17} {fact:<8} {ruling:<10} {value} ({source})")
        .trim_end()
        .to_owned()
}
