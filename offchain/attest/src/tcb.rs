//! The vocabulary of verdicts: TCB status and three-valued facts.

use serde::{Deserialize, Serialize};

/// How Intel judges the firmware and microcode level of the platform that made a quote; written in Intel's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TcbStatus {
    /// Everything is at the current level.
    UpToDate,
    /// Software should be hardened against known attacks.
    #[serde(rename = "SWHardeningNeeded")]
    SwHardeningNeeded,
    /// The platform's configuration should be changed.
    ConfigurationNeeded,
    /// Both of the above.
    #[serde(rename = "ConfigurationAndSWHardeningNeeded")]
    ConfigurationAndSwHardeningNeeded,
    /// Firmware or microcode is behind.
    OutOfDate,
    /// Behind, and the configuration should be changed.
    OutOfDateConfigurationNeeded,
    /// The guest started on an old level and should be started anew.
    #[serde(rename = "TDRelaunchAdvised")]
    RelaunchAdvised,
    /// As above, and the configuration should be changed.
    #[serde(rename = "TDRelaunchAdvisedConfigurationNeeded")]
    RelaunchAdvisedConfigurationNeeded,
    /// The platform's keys are revoked. Never accepted.
    Revoked,
}

impl TcbStatus {
    pub(crate) fn from_verifier(status: dcap_qvl::TcbStatus) -> Self {
        use dcap_qvl::TcbStatus as Verifier;
        match status {
            Verifier::UpToDate => Self::UpToDate,
            Verifier::OutOfDateConfigurationNeeded => Self::OutOfDateConfigurationNeeded,
            Verifier::OutOfDate => Self::OutOfDate,
            Verifier::ConfigurationAndSWHardeningNeeded => Self::ConfigurationAndSwHardeningNeeded,
            Verifier::ConfigurationNeeded => Self::ConfigurationNeeded,
            Verifier::SWHardeningNeeded => Self::SwHardeningNeeded,
            Verifier::Revoked => Self::Revoked,
            Verifier::TDRelaunchAdvised => Self::RelaunchAdvised,
            Verifier::TDRelaunchAdvisedConfigurationNeeded => Self::RelaunchAdvisedConfigurationNeeded,
        }
    }

    /// The word Intel uses in TCB info documents; relaunch advice never appears in one.
    #[cfg(feature = "issuer")]
    pub(crate) fn in_document(self) -> &'static str {
        match self {
            Self::UpToDate => "UpToDate",
            Self::SwHardeningNeeded => "SWHardeningNeeded",
            Self::ConfigurationNeeded => "ConfigurationNeeded",
            Self::ConfigurationAndSwHardeningNeeded => "ConfigurationAndSWHardeningNeeded",
            Self::OutOfDate | Self::RelaunchAdvised => "OutOfDate",
            Self::OutOfDateConfigurationNeeded | Self::RelaunchAdvisedConfigurationNeeded => {
                "OutOfDateConfigurationNeeded"
            }
            Self::Revoked => "Revoked",
        }
    }
}

impl core::fmt::Display for TcbStatus {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.serialize(f)
    }
}

/// What evidence says about one property: silence is not consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fact {
    /// The evidence says that it is so.
    Proven,
    /// The evidence does not say.
    Unknown,
    /// The evidence says that it is not so.
    Refuted,
}

impl core::fmt::Display for Fact {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.serialize(f)
    }
}

impl Fact {
    pub(crate) fn from_flag(flag: dcap_qvl::PckCertFlag) -> Self {
        match flag {
            dcap_qvl::PckCertFlag::True => Self::Proven,
            dcap_qvl::PckCertFlag::False => Self::Refuted,
            dcap_qvl::PckCertFlag::Undefined => Self::Unknown,
        }
    }
}
