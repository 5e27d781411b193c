//! The policy file: read at the start, and again with every renewal of trust.

use std::path::{Path, PathBuf};

use cocoon_attest::{Policy, limits::MAX_POLICY_BYTES};

use crate::config::read_small;
use crate::{RunnerError, error::TrustFile};

/// What is asked of peers beyond the network's rules, and where it is written.
#[derive(Clone, Debug)]
pub(super) struct PolicyFile {
    path: Option<PathBuf>,
    policy: Policy,
}

impl PolicyFile {
    /// Reads the file, if one is configured. At the start a mistake in it is an error.
    pub(super) fn load(path: Option<&Path>) -> Result<Self, RunnerError> {
        Ok(Self {
            path: path.map(Path::to_owned),
            policy: path.map(read).transpose()?.unwrap_or_default(),
        })
    }

    /// Whether there is anything to read again.
    pub(super) fn is_configured(&self) -> bool {
        self.path.is_some()
    }

    /// What was read last.
    pub(super) fn policy(&self) -> Policy {
        self.policy.clone()
    }

    /// Reads the file again. A file that has become unusable leaves the policy as it was: neither laxer nor stricter.
    pub(super) fn read_again(&mut self) {
        let Some(path) = &self.path else { return };
        match read(path) {
            Ok(policy) if policy == self.policy => {}
            Ok(policy) => {
                tracing::info!(path = %path.display(), "attestation policy has changed");
                self.policy = policy;
            }
            Err(error) => {
                tracing::error!(%error, cause = ?std::error::Error::source(&error), "attestation policy stays as it was")
            }
        }
    }
}

/// Reads a policy.
pub(crate) fn read(path: &Path) -> Result<Policy, RunnerError> {
    let text = read_small(path, TrustFile::Policy.name(), MAX_POLICY_BYTES as u64)?;
    Policy::from_toml(&text).map_err(|source| RunnerError::TrustFile {
        path: path.into(),
        file: TrustFile::Policy,
        source,
    })
}
