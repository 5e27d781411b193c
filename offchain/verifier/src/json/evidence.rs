//! The question about a certificate.

use cocoon_attest::{Endorsements, Policy, TrustRoots};
use serde::{Deserialize, Serialize};

use super::failure::{Failure, base64, hash};
use crate::evidence::{self, EvidenceInput, EvidenceReport, Images, Role};
use crate::policy::{self, PolicyDocument};

/// What a certificate is judged by. Members that are not known are left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceDocument {
    /// Unix seconds.
    pub now: u64,
    /// DER in base64.
    pub certificate: String,
    /// Its SHA-256 as somebody names it, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Documents of the platforms' makers.
    #[serde(default)]
    pub collateral: Vec<String>,
    /// Roots of simulated platforms, DER in base64.
    #[serde(default)]
    pub simulated_roots: Vec<String>,
    /// What is asked of platforms; strict when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyDocument>,
    /// What the root contract lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<ImagesDocument>,
    /// Which of its lists counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// Images of the root contract, hex.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImagesDocument {
    /// That may run a proxy.
    #[serde(default)]
    pub proxies: Vec<String>,
    /// That may run a worker.
    #[serde(default)]
    pub workers: Vec<String>,
}

impl EvidenceDocument {
    /// Judges it.
    pub fn judge(self) -> Result<EvidenceReport, Failure> {
        let certificate = base64("certificate", &self.certificate)?;
        let sha256 = self.sha256.map(|text| hash("sha256", &text)).transpose()?;
        let refused =
            |member: &'static str| move |error: &dyn std::fmt::Display| Failure::input(format!("{member}: {error}"));
        let mut endorsements = Endorsements::none();
        for text in &self.collateral {
            endorsements = endorsements
                .with_json(text)
                .map_err(|error| refused("collateral")(&error))?;
        }
        let mut roots = TrustRoots::intel().map_err(|error| refused("roots")(&error))?;
        for text in &self.simulated_roots {
            let der = base64("simulated_roots", text)?;
            roots = roots
                .with_simulated(&der)
                .map_err(|error| refused("simulated_roots")(&error))?;
        }
        let policy = self.policy.map_or_else(|| Ok(Policy::strict()), Policy::try_from);
        let policy = policy.map_err(|error| refused("policy")(&error))?;
        let images = self.images.map(|images| {
            Ok::<_, policy::PolicyDocumentError>(Images {
                proxies: policy::images(images.proxies)?,
                workers: policy::images(images.workers)?,
            })
        });
        let images = images.transpose().map_err(|error| refused("images")(&error))?;
        Ok(evidence::judge(&EvidenceInput {
            certificate: &certificate,
            sha256,
            endorsements: &endorsements,
            roots: &roots,
            policy: &policy,
            images: images.as_ref(),
            role: self.role,
            now: self.now,
        }))
    }
}
