//! The list of resources (TD HOB) by which the machine monitor tells the firmware what memory there is.

use super::tdvf::{Firmware, Kind};
use crate::error::ImageError;
use crate::register::Digest384;

const GIB: u64 = 1 << 30;
/// Memory that the firmware may use at once.
const SYSTEM_MEMORY: u32 = 0;
/// Memory that the guest must accept first.
const UNACCEPTED: u32 = 7;
/// Present, initialized, tested.
const ATTRIBUTES: u32 = 7;

/// Where QEMU's machine `q35` ends the memory below 4 GiB.
pub(super) fn below_4g(memory: u64) -> u64 {
    match memory >= 0xb000_0000 {
        true => 2 * GIB,
        false => memory,
    }
}

/// The digest of the list that QEMU writes for a machine with `memory` bytes. The firmware measures it without its end
/// mark.
pub(super) fn resource_list(firmware: &Firmware<'_>, memory: u64) -> Result<Digest384, ImageError> {
    let list = firmware
        .sections
        .iter()
        .find(|section| section.kind == Kind::ResourceList);
    let base = list.map(|section| section.address).ok_or(ImageError::Malformed {
        file: "firmware",
        fault: "has no section for the list of resources",
    })?;
    let mut accepted: Vec<(u64, u64)> = firmware
        .sections
        .iter()
        .filter(|section| matches!(section.kind, Kind::ResourceList | Kind::Temporary))
        .map(|section| (section.address, section.address + section.size))
        .collect();
    accepted.sort_unstable();

    let low = below_4g(memory);
    let mut resources = Vec::new();
    let mut at = 0;
    for (start, end) in accepted {
        if start < at || end > low {
            return Err(ImageError::Malformed {
                file: "firmware",
                fault: "has sections that overlap or lie behind the memory",
            });
        }
        if start > at {
            resources.push((UNACCEPTED, at, start - at));
        }
        resources.push((SYSTEM_MEMORY, start, end - start));
        at = end;
    }
    if low > at {
        resources.push((UNACCEPTED, at, low - at));
    }
    if memory > low {
        resources.push((UNACCEPTED, 4 * GIB, memory - low));
    }
    Ok(Digest384::of(&encode(base, &resources)))
}

/// EFI_HOB_HANDOFF_INFO_TABLE, then one EFI_HOB_RESOURCE_DESCRIPTOR each.
fn encode(base: u64, resources: &[(u32, u64, u64)]) -> Vec<u8> {
    let end = base + 56 + 48 * resources.len() as u64 + 8;
    let mut list = Vec::new();
    list.extend(header(1, 56));
    list.extend(9_u32.to_le_bytes()); // version
    list.extend([0; 36]); // boot mode, four places in memory that the monitor does not know
    list.extend(end.to_le_bytes());
    for (kind, start, length) in resources {
        list.extend(header(3, 48));
        list.extend([0; 16]); // owner
        list.extend(kind.to_le_bytes());
        list.extend(ATTRIBUTES.to_le_bytes());
        list.extend(start.to_le_bytes());
        list.extend(length.to_le_bytes());
    }
    list
}

fn header(kind: u16, length: u16) -> [u8; 8] {
    let mut header = [0; 8];
    header[..2].copy_from_slice(&kind.to_le_bytes());
    header[2..4].copy_from_slice(&length.to_le_bytes());
    header
}
