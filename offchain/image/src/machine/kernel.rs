//! The kernel as the firmware sees it: QEMU writes into its header where it put the initial RAM disk, and the firmware
//! measures the result as a PE image, by its Authenticode hash.

use sha2::{Digest as _, Sha384};

use super::bytes::Bytes;
use super::memory::below_4g;
use super::shape::Shape;
use crate::error::ImageError;
use crate::limits::{MAX_KERNEL_BYTES, MAX_KERNEL_SECTIONS};
use crate::register::Digest384;

/// Linux boot protocol 2.12: all kernels since 2013. Earlier ones are patched differently.
const PROTOCOL: u16 = 0x20c;
/// Flag of the header's `loadflags`: the kernel lies above 1 MiB.
const LOADED_HIGH: u8 = 1;
/// Flag of `xloadflags`: the initial RAM disk may lie anywhere below 4 GiB.
const ABOVE_4G: u16 = 1 << 1;

/// Where QEMU puts the kernel's setup code, and the boot line.
const SETUP: u32 = 0x1_0000;
const BOOT_LINE: u32 = 0x2_0000;

/// The kernel's bytes after QEMU's `x86_load_linux`.
pub(super) fn as_qemu_patches_it(kernel: &[u8], initrd: usize, shape: &Shape) -> Result<Vec<u8>, ImageError> {
    let bytes = Bytes {
        file: "kernel",
        all: kernel,
    };
    if kernel.len() > MAX_KERNEL_BYTES {
        return Err(ImageError::TooMuch {
            what: "bytes of the kernel",
            count: kernel.len() as u64,
            limit: MAX_KERNEL_BYTES as u64,
        });
    }
    let high = bytes.slice(0x211, 1)?[0] & LOADED_HIGH != 0;
    if bytes.slice(0x202, 4)? != b"HdrS" || bytes.u16(0x206)? < PROTOCOL || !high {
        return Err(bytes.malformed("is no bzImage of boot protocol 2.12 or later"));
    }
    let highest = match bytes.u16(0x236)? & ABOVE_4G != 0 {
        true => u64::from(u32::MAX),
        false => u64::from(bytes.u32(0x22c)?),
    };
    let memory = below_4g(shape.memory_bytes()).checked_sub(shape.acpi_data_bytes);
    let highest = match memory {
        Some(memory) if memory > 0 => highest.min(memory - 1),
        _ => return Err(bytes.malformed("does not fit in the machine's memory")),
    };
    let initrd = initrd as u64;
    let place = highest
        .checked_sub(initrd)
        .filter(|_| initrd < highest)
        .map(|place| place & !0xfff);
    let (Some(place), Ok(length)) = (place.and_then(|place| u32::try_from(place).ok()), u32::try_from(initrd)) else {
        return Err(bytes.malformed("and its initial RAM disk do not fit in the machine's memory"));
    };

    let mut patched = kernel.to_vec();
    patched[0x210] = 0xb0; // loaded by QEMU
    patched[0x211] |= 0x80; // there is a heap
    let mut put = |at: usize, number: u32| patched[at..at + 4].copy_from_slice(&number.to_le_bytes());
    put(0x218, if length > 0 { place } else { bytes.u32(0x218)? });
    put(0x21c, if length > 0 { length } else { bytes.u32(0x21c)? });
    put(0x224, BOOT_LINE - SETUP - 0x200);
    put(0x228, BOOT_LINE);
    Ok(patched)
}

/// The Authenticode hash of a PE image: all of it but its checksum and its signature.
pub(super) fn authenticode(image: &[u8]) -> Result<Digest384, ImageError> {
    let bytes = Bytes {
        file: "kernel",
        all: image,
    };
    let pe = bytes.place(0x3c)?;
    if bytes.slice(pe, 4)? != b"PE\0\0" {
        return Err(bytes.malformed("is no PE image"));
    }
    let optional = pe + 24;
    // PE32+, at least five data directories: the fifth is the signature.
    if bytes.u16(optional)? != 0x20b || bytes.u32(optional + 108)? < 5 {
        return Err(bytes.malformed("is a PE image of an unknown kind"));
    }
    let checksum = optional + 64;
    let signature = optional + 112 + 4 * 8;
    let headers = bytes.place(optional + 60)?;
    let count = usize::from(bytes.u16(pe + 6)?);
    let table = optional + usize::from(bytes.u16(pe + 20)?);
    if count > MAX_KERNEL_SECTIONS || headers < signature + 8 {
        return Err(bytes.malformed("has headers of an unknown kind"));
    }
    let mut sections = Vec::with_capacity(count);
    for index in 0..count {
        let (length, start) = (
            bytes.place(table + 40 * index + 16)?,
            bytes.place(table + 40 * index + 20)?,
        );
        if length > 0 {
            sections.push((start, length));
        }
    }
    sections.sort_unstable();

    let mut hash = Sha384::new();
    hash.update(bytes.slice(0, checksum)?);
    hash.update(bytes.slice(checksum + 4, signature - checksum - 4)?);
    hash.update(bytes.slice(signature + 8, headers - signature - 8)?);
    let mut hashed = headers;
    for (start, length) in sections {
        hash.update(bytes.slice(start, length)?);
        hashed = hashed.saturating_add(length);
    }
    // What lies behind the sections and before the signature.
    let signed = bytes.place(signature + 4)?;
    let rest = image.len().checked_sub(signed).and_then(|end| end.checked_sub(hashed));
    let rest = rest.ok_or_else(|| bytes.malformed("has sections that overlap"))?;
    hash.update(bytes.slice(hashed, rest)?);
    Ok(Digest384(hash.finalize().into()))
}
