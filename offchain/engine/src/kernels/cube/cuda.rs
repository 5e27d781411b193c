//! The NVIDIA GPU of this machine, asked through the driver before kernels are started on it.

use cudarc::driver::{result, sys};

/// What keeps the first device from use; `None` if nothing does.
pub(crate) fn obstacle() -> Option<&'static str> {
    // SAFETY: opens libraries of the driver and of NVRTC, which run their own initialisers.
    let (driver, compiler) = unsafe { (sys::is_culib_present(), cudarc::nvrtc::sys::is_culib_present()) };
    if !driver {
        Some("the NVIDIA driver's libcuda is not found")
    } else if !compiler {
        Some("libnvrtc of CUDA 12 or later is not found")
    } else if result::init().is_err() {
        Some("the NVIDIA driver does not start")
    } else if result::device::get_count().unwrap_or(0) < 1 {
        Some("the NVIDIA driver sees no GPU")
    } else {
        None
    }
}

/// Bytes of the first device's memory that are free. Only where there is no [`obstacle`].
pub(crate) fn free_memory() -> Option<u64> {
    let device = result::device::get(0).ok()?;
    // SAFETY: the device is there; its primary context is shared with all that use it in this process, and kept.
    unsafe {
        let context = result::primary_ctx::retain(device).ok()?;
        result::ctx::set_current(context).ok()?;
    }
    let (free, _) = result::mem_get_info().ok()?;
    u64::try_from(free).ok()
}
