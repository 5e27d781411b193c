//! NVIDIA's driver, by its management library. The library is loaded when it is needed, so a build needs nothing of it.

use cocoon_attest::GpuEvidence;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml as Library};

use super::{GpuDevice, GpuDriver, GpuMode};
use crate::GuestError;

/// What the library is called where only drivers are installed.
const LIBRARY: &str = "libnvidia-ml.so.1";

/// NVIDIA's accelerators of this machine.
#[derive(Debug)]
pub struct Nvml(Library);

impl Nvml {
    /// Loads the library and connects to the driver.
    pub fn open() -> Result<Self, GuestError> {
        let library = Library::builder().lib_path(LIBRARY.as_ref()).init();
        library.map(Self).map_err(failed("opening"))
    }

    fn gpu(&self, index: u32) -> Result<Device<'_>, GuestError> {
        self.0
            .device_by_index(index)
            .map_err(failed("finding an accelerator of"))
    }
}

impl GpuDriver for Nvml {
    fn count(&self) -> Result<u32, GuestError> {
        self.0.device_count().map_err(failed("counting the accelerators of"))
    }

    fn mode(&self) -> Result<GpuMode, GuestError> {
        // These questions are about the whole machine, though the library asks them of a device.
        let gpu = self.gpu(0)?;
        Ok(GpuMode {
            confidential: told(gpu.is_cc_enabled())?,
            developer_tools: told(gpu.is_cc_dev_mode_enabled())?,
            ready: told(gpu.check_confidential_compute_status())?,
        })
    }

    fn device(&self, index: u32) -> Result<GpuDevice, GuestError> {
        let gpu = self.gpu(index)?;
        Ok(GpuDevice {
            name: gpu.name().map_err(failed("asking for a name from"))?,
            firmware: told(gpu.vbios_version())?,
            driver: told(self.0.sys_driver_version())?,
        })
    }

    fn evidence(&self, index: u32, nonce: &[u8; 32]) -> Result<Option<GpuEvidence>, GuestError> {
        let gpu = self.gpu(index)?;
        let report = told(gpu.confidential_compute_gpu_attestation_report(*nonce))?;
        let certificates = told(gpu.confidential_compute_gpu_certificate())?;
        let (Some(report), Some(certificates)) = (report, certificates) else {
            return Ok(None);
        };
        let confidential = told(gpu.is_cc_enabled())?;
        // The chain is text that ends with zeros where it is shorter than its place.
        let pem = certificates.attestation_cert_chain;
        let evidence = GpuEvidence::of_driver(report.attestation_report, &pem, confidential);
        evidence.map(Some).map_err(GuestError::GpuReport)
    }

    fn set_ready(&self) -> Result<(), GuestError> {
        let gpu = self.gpu(0)?;
        gpu.set_confidential_compute_state(true)
            .map_err(failed("making ready the accelerators of"))
    }
}

/// `None` where driver or accelerator do not know the question.
fn told<T>(answer: Result<T, NvmlError>) -> Result<Option<T>, GuestError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(NvmlError::NotSupported | NvmlError::FunctionNotFound | NvmlError::FailedToLoadSymbol(_)) => Ok(None),
        Err(error) => Err(failed("asking")(error)),
    }
}

fn failed(doing: &'static str) -> impl FnOnce(NvmlError) -> GuestError {
    move |error| GuestError::GpuDriver {
        doing,
        problem: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_the_driver_says_so() {
        // On a machine with one, what it says must at least be read without a failure of form.
        match Nvml::open() {
            Err(GuestError::GpuDriver { doing, .. }) => assert_eq!(doing, "opening"),
            Err(other) => panic!("{other}"),
            Ok(driver) => assert!(driver.count().is_ok()),
        }
    }

    #[test]
    fn a_question_that_is_not_known_is_not_answered_with_no() {
        assert!(matches!(told::<bool>(Err(NvmlError::NotSupported)), Ok(None)));
        assert!(matches!(told::<bool>(Err(NvmlError::FunctionNotFound)), Ok(None)));
        assert!(matches!(told(Ok(false)), Ok(Some(false))));
        assert!(told::<bool>(Err(NvmlError::GpuLost)).is_err());
    }
}
