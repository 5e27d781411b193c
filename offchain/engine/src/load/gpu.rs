//! The GPU that models are put on.

#[cfg(not(feature = "cuda"))]
pub(crate) use absent::{available, identity, open};
#[cfg(feature = "cuda")]
pub(crate) use present::{available, identity, open};

#[cfg(feature = "cuda")]
mod present {
    use crate::device::CubeDevice;
    use crate::error::EngineError;
    use crate::kernels::cube::cuda;
    use cubecl::cuda::{CudaDevice, CudaRuntime};

    /// Of the device's memory, kept free: for the driver's own needs and what is cut off at the ends of pages.
    const KEPT_FREE: u64 = 1 << 29;

    /// The first NVIDIA GPU.
    pub(crate) fn open() -> Result<CubeDevice<CudaRuntime>, EngineError> {
        match cuda::obstacle() {
            Some(reason) => Err(EngineError::NoDevice { device: "cuda", reason }),
            None => Ok(CubeDevice::new(&CudaDevice::default())),
        }
    }

    /// Its name and the driver's version.
    pub(crate) fn identity() -> Option<(String, String)> {
        cuda::obstacle().is_none().then(cuda::identity)?
    }

    /// Bytes that a model may take there; `None` where nothing is known.
    pub(crate) fn available() -> Option<u64> {
        cuda::obstacle()
            .is_none()
            .then(cuda::free_memory)?
            .map(|free| free.saturating_sub(KEPT_FREE))
    }
}

#[cfg(not(feature = "cuda"))]
mod absent {
    use crate::device::CpuDevice;
    use crate::error::EngineError;

    /// There is none in this build.
    pub(crate) fn open() -> Result<CpuDevice, EngineError> {
        Err(EngineError::NoDevice {
            device: "cuda",
            reason: "this program was built without the feature `cuda`",
        })
    }

    /// Nothing is known.
    pub(crate) fn identity() -> Option<(String, String)> {
        None
    }

    /// Nothing is known.
    pub(crate) fn available() -> Option<u64> {
        None
    }
}
