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
    } else if !has_headers() {
        Some("the headers of CUDA are not found: kernels include cuda_bf16.h and mma.h; set CUDA_PATH")
    } else if result::init().is_err() {
        Some("the NVIDIA driver does not start")
    } else if result::device::get_count().unwrap_or(0) < 1 {
        Some("the NVIDIA driver sees no GPU")
    } else {
        None
    }
}

/// Name of the first device, and the driver's version. Only where there is no [`obstacle`].
pub(crate) fn identity() -> Option<(String, String)> {
    let device = result::device::get(0).ok()?;
    let name = result::device::get_name(device).ok()?;
    let mut version = 0;
    // SAFETY: the driver writes one number.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.result().ok()?;
    Some((name, version.to_string()))
}

/// Whether NVRTC will find what kernels include. CubeCL panics where it does not know the folder.
fn has_headers() -> bool {
    let folder = cubecl::cuda::install::cuda_path().map(|path| path.join("include"));
    folder.is_some_and(|folder| ["cuda_bf16.h", "mma.h"].iter().all(|name| folder.join(name).is_file()))
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
