//! Where evidence for our own key comes from.

use cocoon_attest::{
    Measurements, REPORT_DATA_BYTES,
    simulated::{SimulatedPlatform, simulated_measurements},
};

use crate::RatlsError;

/// Obtains evidence that carries given report data.
pub trait EvidenceSource: Send + Sync {
    /// Evidence bytes for the certificate, or `None` for a runner that is not attested.
    fn evidence(&self, report_data: &[u8; REPORT_DATA_BYTES]) -> Result<Option<Vec<u8>>, RatlsError>;
}

/// No evidence: ordinary clients.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEvidence;

impl EvidenceSource for NoEvidence {
    fn evidence(&self, _: &[u8; REPORT_DATA_BYTES]) -> Result<Option<Vec<u8>>, RatlsError> {
        Ok(None)
    }
}

/// Quotes of a simulated platform for an image of our choice.
#[derive(Clone, Debug)]
pub struct Simulated {
    platform: SimulatedPlatform,
    image: Measurements,
}

impl Simulated {
    /// Quotes for any image.
    pub fn new(platform: SimulatedPlatform, image: Measurements) -> Self {
        Self { platform, image }
    }

    /// Quotes for the simulated image of a role ("proxy", "worker").
    pub fn for_role(platform: SimulatedPlatform, role: &str) -> Self {
        Self::new(platform, simulated_measurements(role))
    }
}

impl EvidenceSource for Simulated {
    fn evidence(&self, report_data: &[u8; REPORT_DATA_BYTES]) -> Result<Option<Vec<u8>>, RatlsError> {
        Ok(Some(self.platform.issue(&self.image, report_data)?))
    }
}
