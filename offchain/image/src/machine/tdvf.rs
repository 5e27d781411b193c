//! The firmware: which parts of it lie where in memory before the machine runs, and MRTD, which covers them.

use sha2::{Digest as _, Sha384};

use super::bytes::Bytes;
use super::shape::PageOrder;
use crate::error::ImageError;
use crate::limits::{MAX_FIRMWARE_BYTES, MAX_FIRMWARE_SECTIONS, MAX_SECTION_BYTES};
use crate::register::Register;

/// Bytes behind the table of the firmware's GUIDs: the reset vector.
const BEHIND_TABLE: usize = 32;
/// 96b582de-1fb2-45f7-baea-a366c55a082d, the end of that table.
const TABLE_END: [u8; 16] = *b"\xde\x82\xb5\x96\xb2\x1f\xf7\x45\xba\xea\xa3\x66\xc5\x5a\x08\x2d";
/// e47a6535-984a-4798-865e-4685a7bf8ec2, the entry that says where the TDX metadata are.
const METADATA: [u8; 16] = *b"\x35\x65\x7a\xe4\x4a\x98\x98\x47\x86\x5e\x46\x85\xa7\xbf\x8e\xc2";

const PAGE: u64 = 4096;
/// TDH.MR.EXTEND takes so many bytes at once.
const CHUNK: usize = 256;
const MEASURED: u32 = 1;
/// Pages that are added while the machine runs, so not before.
const ADDED_LATER: u32 = 2;

/// What a section is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The firmware's code.
    Code,
    /// The firmware's variables.
    Variables,
    /// The list of resources that the machine monitor writes.
    ResourceList,
    /// Memory for the time of the start.
    Temporary,
    /// Any other.
    Other,
}

/// A section of the metadata.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    pub(super) kind: Kind,
    pub(super) address: u64,
    pub(super) size: u64,
    offset: usize,
    length: usize,
    attributes: u32,
}

/// A firmware with TDX metadata.
#[derive(Clone, Debug)]
pub(super) struct Firmware<'a> {
    bytes: Bytes<'a>,
    pub(super) sections: Vec<Section>,
}

impl<'a> Firmware<'a> {
    /// Reads the metadata.
    pub(super) fn parse(all: &'a [u8]) -> Result<Self, ImageError> {
        if all.len() > MAX_FIRMWARE_BYTES {
            return Err(ImageError::TooMuch {
                what: "bytes of the firmware",
                count: all.len() as u64,
                limit: MAX_FIRMWARE_BYTES as u64,
            });
        }
        let bytes = Bytes { file: "firmware", all };
        let start = find_metadata(&bytes)?;
        if bytes.slice(start, 4)? != b"TDVF" || bytes.u32(start + 8)? != 1 {
            return Err(bytes.malformed("has TDX metadata of an unknown kind"));
        }
        let count = bytes.place(start + 12)?;
        if count > MAX_FIRMWARE_SECTIONS {
            return Err(bytes.malformed("has too many sections"));
        }
        let sections = (0..count).map(|index| section(&bytes, start + 16 + 32 * index));
        Ok(Self {
            bytes,
            sections: sections.collect::<Result<_, _>>()?,
        })
    }

    /// Content of the variables' section.
    pub(super) fn variables(&self) -> Result<&'a [u8], ImageError> {
        let section = self.sections.iter().find(|section| section.kind == Kind::Variables);
        let section = section.ok_or_else(|| self.bytes.malformed("has no section with variables"))?;
        self.bytes.slice(section.offset, section.length)
    }

    /// The register that covers the firmware: every page's address when it is added, every chunk of 256 bytes of
    /// measured sections with its address.
    pub(super) fn mrtd(&self, order: PageOrder) -> Result<Register, ImageError> {
        let mut hash = Sha384::new();
        for section in &self.sections {
            match order {
                PageOrder::EachPage => {
                    for page in 0..section.size / PAGE {
                        add(&mut hash, section, page);
                        self.extend(&mut hash, section, page)?;
                    }
                }
                PageOrder::SectionFirst => {
                    (0..section.size / PAGE).for_each(|page| add(&mut hash, section, page));
                    for page in 0..section.size / PAGE {
                        self.extend(&mut hash, section, page)?;
                    }
                }
            }
        }
        Ok(Register(hash.finalize().into()))
    }

    fn extend(&self, hash: &mut Sha384, section: &Section, page: u64) -> Result<(), ImageError> {
        if section.attributes & MEASURED == 0 {
            return Ok(());
        }
        for chunk in 0..PAGE / CHUNK as u64 {
            let at = page * PAGE + chunk * CHUNK as u64;
            hash.update(operation(b"MR.EXTEND", section.address + at));
            hash.update(self.bytes.slice(section.offset + at as usize, CHUNK)?);
        }
        Ok(())
    }
}

fn add(hash: &mut Sha384, section: &Section, page: u64) {
    if section.attributes & ADDED_LATER == 0 {
        hash.update(operation(b"MEM.PAGE.ADD", section.address + page * PAGE));
    }
}

/// The 128 bytes by which the TDX module names an operation on a guest-physical address.
fn operation(name: &[u8], address: u64) -> [u8; 128] {
    let mut block = [0; 128];
    block[..name.len()].copy_from_slice(name);
    block[16..24].copy_from_slice(&address.to_le_bytes());
    block
}

/// Walks the table of GUIDs from its end: each entry is data, length of the whole entry, GUID.
fn find_metadata(bytes: &Bytes<'_>) -> Result<usize, ImageError> {
    let none = || bytes.malformed("has no TDX metadata");
    let guid = |end: usize| bytes.slice(end.checked_sub(16).ok_or_else(none)?, 16);
    let length = |end: usize| bytes.u16(end.checked_sub(18).ok_or_else(none)?).map(usize::from);
    let mut end = bytes.all.len().checked_sub(BEHIND_TABLE).ok_or_else(none)?;
    if guid(end)? != TABLE_END {
        return Err(none());
    }
    let start = end.checked_sub(length(end)?).ok_or_else(none)?;
    end -= 18;
    while end > start {
        let entry = length(end)?;
        if entry < 18 {
            return Err(none());
        }
        if guid(end)? == METADATA {
            let behind = bytes.place(end.checked_sub(22).ok_or_else(none)?)?;
            return bytes.all.len().checked_sub(behind).ok_or_else(none);
        }
        end = end.checked_sub(entry).ok_or_else(none)?;
    }
    Err(none())
}

fn section(bytes: &Bytes<'_>, at: usize) -> Result<Section, ImageError> {
    let section = Section {
        offset: bytes.place(at)?,
        length: bytes.place(at + 4)?,
        address: bytes.u64(at + 8)?,
        size: bytes.u64(at + 16)?,
        kind: match bytes.u32(at + 24)? {
            0 => Kind::Code,
            1 => Kind::Variables,
            2 => Kind::ResourceList,
            3 => Kind::Temporary,
            _ => Kind::Other,
        },
        attributes: bytes.u32(at + 28)?,
    };
    let pages = section.address.is_multiple_of(PAGE) && section.size.is_multiple_of(PAGE);
    let inside = section.size <= MAX_SECTION_BYTES && section.address.checked_add(section.size).is_some();
    let content = section.length as u64 <= section.size && bytes.slice(section.offset, section.length).is_ok();
    let whole = section.attributes & MEASURED == 0 || section.length as u64 == section.size;
    match pages && inside && content && whole {
        true => Ok(section),
        false => Err(bytes.malformed("has a section that is not whole pages inside it")),
    }
}
