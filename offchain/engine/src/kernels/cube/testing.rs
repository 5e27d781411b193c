//! Where kernels are tested.

use cubecl::Runtime;
use cubecl::wgpu::{WgpuDevice, WgpuRuntime};
use std::sync::LazyLock;

/// A Vulkan device, if there is a driver. That there is none is said loudly; where `COCOON_NEEDS_VULKAN` is set, it fails.
pub(crate) fn vulkan() -> Option<WgpuDevice> {
    static FOUND: LazyLock<bool> = LazyLock::new(|| {
        let found = std::panic::catch_unwind(|| drop(WgpuRuntime::client(&WgpuDevice::DefaultDevice))).is_ok();
        if !found {
            assert!(
                std::env::var_os("COCOON_NEEDS_VULKAN").is_none(),
                "there is no Vulkan driver"
            );
            eprintln!("SKIPPED: there is no Vulkan driver, the kernels for GPUs are not checked");
        }
        found
    });
    FOUND.then_some(WgpuDevice::DefaultDevice)
}
