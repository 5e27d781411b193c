//! The gate before a runner that computes on accelerators serves: `[attestation] gpu`.

use cocoon_attest::GpuPolicy;
use cocoon_guest::{GpuDriver, GuestError, admit_gpus};

use crate::RunnerError;
use crate::config::AttestationConfig;
use crate::trust::load_policy;

pub use cocoon_guest::{AdmittedGpu, GpuDemand};

/// Opens the driver of this machine's accelerators.
#[cfg(feature = "nvml")]
pub fn driver() -> Result<Box<dyn GpuDriver>, GuestError> {
    Ok(Box::new(cocoon_guest::Nvml::open()?))
}

/// Opens the driver of this machine's accelerators: this build has none (feature `nvml`).
#[cfg(not(feature = "nvml"))]
pub fn driver() -> Result<Box<dyn GpuDriver>, GuestError> {
    Err(GuestError::NoGpuSupport)
}

/// Lets this machine's accelerators take work, if they are what the configuration demands. What is not demanded is not
/// looked at. Blocks for some seconds.
pub fn admit(config: &AttestationConfig) -> Result<Vec<AdmittedGpu>, RunnerError> {
    if config.gpu.is_off() {
        return Ok(Vec::new());
    }
    let policy = match &config.policy {
        Some(path) => load_policy(path)?.gpu,
        None => GpuPolicy::default(),
    };
    let opened = driver().map_err(RunnerError::Gpu)?;
    admit_from(opened.as_ref(), config.gpu, &policy)
}

fn admit_from(driver: &dyn GpuDriver, demand: GpuDemand, policy: &GpuPolicy) -> Result<Vec<AdmittedGpu>, RunnerError> {
    let admitted = admit_gpus(driver, demand, policy, &rand::random()).map_err(RunnerError::Gpu)?;
    for gpu in &admitted {
        tracing::info!(
            name = gpu.device.name,
            firmware = gpu.device.firmware,
            driver = gpu.device.driver,
            genuine = %gpu.claims.genuine,
            measured = %gpu.claims.measured,
            confidential = %gpu.claims.confidential,
            "accelerator takes work"
        );
    }
    Ok(admitted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_demand_nothing_is_looked_at() {
        assert_eq!(admit(&AttestationConfig::default()).unwrap(), []);
    }

    #[test]
    fn a_demand_that_cannot_be_checked_is_an_error() {
        for gpu in [GpuDemand::Required, GpuDemand::Measured] {
            let config = AttestationConfig {
                gpu,
                ..AttestationConfig::default()
            };
            // No machine that runs tests has accelerators in confidential mode, or it names no measurements.
            let refusal = admit(&config).unwrap_err();
            assert!(matches!(refusal, RunnerError::Gpu(_)), "{refusal}");
            assert!(!refusal.hint().is_empty());
        }
    }
}
