//! The registers of a TDX machine, computed from what it is started with.
//!
//! Sources: Intel's "TDX module ABI" (TDH.MEM.PAGE.ADD, TDH.MR.EXTEND), the TDVF design guide (metadata, what the
//! firmware measures into which register), EDK2's OvmfPkg and SecurityPkg, and QEMU's `hw/i386`.

mod bytes;
mod kernel;
mod memory;
mod shape;
mod tdvf;
mod variables;

pub use shape::{FirmwareEvent, PageOrder, Shape};

use crate::error::ImageError;
use crate::events;
use crate::register::{Digest384, Register};
use crate::spec::TreeId;

/// What a machine is started with. The root is not among it: the boot line holds its hash.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The firmware.
    pub firmware: &'a [u8],
    /// The kernel, as it is on disk.
    pub kernel: &'a [u8],
    /// The initial RAM disk.
    pub initrd: &'a [u8],
    /// The boot line.
    pub boot_line: &'a str,
    /// The id of the configuration's tree.
    pub tree: TreeId,
    /// Whether the boot line opens a console.
    pub debug: bool,
}

/// A measurement that goes into a run-time register.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Measured {
    /// 0 to 3.
    pub register: usize,
    /// What was measured, for people: the name by which a difference is told.
    pub what: String,
    /// What the register is extended with.
    pub digest: Digest384,
}

/// All registers of a machine, and how they came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// The firmware and where it lies in memory.
    pub mrtd: Register,
    /// RTMR0 to RTMR3.
    pub rtmr: [Register; 4],
    /// Everything that was measured into them, in order for each register.
    pub log: Vec<Measured>,
}

impl Measurement {
    /// Computes what `shape` shows when it is started with `parts` and the configuration was measured.
    pub fn compute(shape: &Shape, parts: &Parts<'_>) -> Result<Self, ImageError> {
        let firmware = tdvf::Firmware::parse(parts.firmware)?;
        let mut log = Vec::new();
        let mut add = |register, what: String, digest| log.push(Measured { register, what, digest });
        for event in &shape.rtmr0 {
            let (what, digest) = event.measure(shape, &firmware)?;
            add(0, what, digest);
        }
        let kernel = kernel::as_qemu_patches_it(parts.kernel, parts.initrd.len(), shape)?;
        add(1, "kernel".into(), kernel::authenticode(&kernel)?);
        for (what, bytes) in [
            ("start of the kernel", &b"Calling EFI Application from Boot Option"[..]),
            ("separator", &[0; 4]),
            ("end of boot services asked", b"Exit Boot Services Invocation"),
            ("end of boot services", b"Exit Boot Services Returned with Success"),
        ] {
            add(1, what.into(), Digest384::of(bytes));
        }
        add(2, "boot line".into(), boot_line(parts.boot_line));
        add(2, "initial RAM disk".into(), Digest384::of(parts.initrd));
        for event in events::configuration(&parts.tree, parts.debug) {
            add(3, event.line().to_owned(), event.digest());
        }
        let mut rtmr = [Register::ZERO; 4];
        for measured in &log {
            rtmr[measured.register] = rtmr[measured.register].extended(&measured.digest);
        }
        Ok(Self {
            mrtd: firmware.mrtd(shape.page_order)?,
            rtmr,
            log,
        })
    }
}

/// EDK2's loader measures the line in UTF-16 with its final zero, after the kernel's own way to find the RAM disk was
/// appended to it.
fn boot_line(line: &str) -> Digest384 {
    Digest384::of(&bytes::utf16(&format!("{line} initrd=initrd")))
}
