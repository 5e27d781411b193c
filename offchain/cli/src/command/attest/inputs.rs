//! What evidence is judged by: roots, collateral, policy, each as it was named.

use std::path::Path;

use cocoon_attest::limits::{MAX_COLLATERAL_BYTES, MAX_PLATFORM_FILE_BYTES, MAX_POLICY_BYTES};
use cocoon_attest::simulated::SimulatedPlatform;
use cocoon_attest::{Endorsements, Policy, TrustRoots};
use cocoon_guest::SimulatedTrust;
use cocoon_guest::limits::MAX_SIMULATED_TRUST_BYTES;

use super::subject::read;
use crate::args::attest::EvidenceArgs;
use crate::failure::{self, Exit, Failure, OrFail as _};

/// Everything that [`cocoon_attest::examine`] wants beside the evidence.
pub(in crate::command) struct Inputs {
    pub(in crate::command) roots: TrustRoots,
    pub(in crate::command) endorsements: Endorsements,
    pub(in crate::command) policy: Policy,
}

impl Inputs {
    /// Reads the files that were named. Simulated collateral is that of `now`.
    pub(in crate::command) fn load(args: &EvidenceArgs, now: u64) -> Result<Self, Failure> {
        let from_attest = failure::from_attest;
        let mut roots = TrustRoots::intel().map_err(from_attest)?;
        let mut endorsements = Endorsements::none();
        for path in &args.collateral {
            let document = text(path, MAX_COLLATERAL_BYTES)?;
            endorsements = endorsements.with_json(&document).map_err(from_attest)?;
        }
        if let Some(path) = &args.simulated_trust {
            let trust = SimulatedTrust::from_json(&text(path, MAX_SIMULATED_TRUST_BYTES)?);
            let trust = trust.map_err(failure::from_guest)?;
            roots = roots.with_simulated(trust.root_der()).map_err(from_attest)?;
            let simulated = trust.endorsements().map_err(failure::from_guest)?;
            endorsements = endorsements.merged(&simulated).map_err(from_attest)?;
        }
        if let Some(path) = &args.simulated_platform {
            let platform = SimulatedPlatform::from_json(&text(path, MAX_PLATFORM_FILE_BYTES)?).map_err(from_attest)?;
            roots = roots.with_simulated(platform.root_der()).map_err(from_attest)?;
            let simulated = platform.endorsements(now).map_err(from_attest)?;
            endorsements = endorsements.merged(&simulated).map_err(from_attest)?;
        }
        let policy = match &args.policy {
            Some(path) => Policy::from_toml(&text(path, MAX_POLICY_BYTES)?).map_err(from_attest)?,
            None => Policy::strict(),
        };
        Ok(Self {
            roots,
            endorsements,
            policy,
        })
    }
}

fn text(path: &Path, limit: usize) -> Result<String, Failure> {
    let text = String::from_utf8(read(path, limit)?);
    let doing = format!("{} is no text", path.display());
    text.or_fail(Exit::Configuration, &doing, "name the right file")
}
