//! UEFI variables that the firmware measures: empty ones of Secure Boot, and the boot options that it makes itself.

use super::bytes::utf16;
use crate::error::ImageError;
use crate::register::Digest384;

/// UEFI_VARIABLE_DATA of a variable without content: GUID, length of the name, length of the content, name.
pub(super) fn empty(guid: &str, name: &str) -> Result<Digest384, ImageError> {
    let mut data = guid_bytes(guid)?.to_vec();
    let name_utf16 = utf16(name);
    let name_utf16 = &name_utf16[..name_utf16.len() - 2];
    data.extend((name_utf16.len() as u64 / 2).to_le_bytes());
    data.extend(0_u64.to_le_bytes());
    data.extend(name_utf16);
    Ok(Digest384::of(&data))
}

/// EFI_LOAD_OPTION of a program inside the firmware: its volume's and its file's GUID.
pub(super) fn boot_option(
    description: &str,
    volume: &str,
    file: &str,
    attributes: u32,
) -> Result<Digest384, ImageError> {
    let mut path = Vec::new();
    for (kind, guid) in [(7, volume), (6, file)] {
        path.extend([4, kind, 20, 0]); // a medium: firmware volume, firmware file
        path.extend(guid_bytes(guid)?);
    }
    path.extend([0x7f, 0xff, 4, 0]);
    let mut option = attributes.to_le_bytes().to_vec();
    option.extend((path.len() as u16).to_le_bytes());
    option.extend(utf16(description));
    option.extend(path);
    Ok(Digest384::of(&option))
}

/// A GUID as UEFI stores it: the first three groups little-endian.
fn guid_bytes(text: &str) -> Result<[u8; 16], ImageError> {
    let refused = || ImageError::Config {
        file: "shape".to_owned(),
        message: format!("`{text}` is no GUID"),
    };
    let groups: Vec<&str> = text.split('-').collect();
    if groups.iter().map(|group| group.len()).ne([8, 4, 4, 4, 12]) {
        return Err(refused());
    }
    let mut guid = [0; 16];
    hex::decode_to_slice(groups.concat(), &mut guid).map_err(|_| refused())?;
    guid[..4].reverse();
    guid[4..6].reverse();
    guid[6..8].reverse();
    Ok(guid)
}
