//! The content of a directory: blocks that begin with entries of 12 bytes and end with their names.

use super::BLOCK_BYTES;
use super::inode::{Kind, index_of, number_of};

const ENTRY_BYTES: usize = 12;

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    /// The place of the inode in the table.
    pub(super) index: u32,
    pub(super) kind: Kind,
}

/// The content, without zeros behind the last block. `entries` have `.` and `..` among them.
pub(super) fn to_bytes(entries: &mut [Entry]) -> Vec<u8> {
    entries.sort_by(|one, other| one.name.as_bytes().cmp(other.name.as_bytes()));
    let mut bytes = Vec::new();
    let mut rest = &entries[..];
    while !rest.is_empty() {
        bytes.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
        let mut size = 0;
        let fitting = rest.iter().take_while(|entry| {
            size += ENTRY_BYTES + entry.name.len();
            size <= BLOCK_BYTES
        });
        let (block, behind) = rest.split_at(fitting.count());
        let mut name_at = ENTRY_BYTES * block.len();
        for entry in block {
            bytes.extend(number_of(entry.index).to_le_bytes());
            bytes.extend((name_at as u16).to_le_bytes());
            bytes.extend([entry.kind.code(), 0]);
            name_at += entry.name.len();
        }
        block.iter().for_each(|entry| bytes.extend(entry.name.as_bytes()));
        rest = behind;
    }
    bytes
}

/// The names in a directory and the places of their inodes, without `.` and `..`. Only as strict as needed to find
/// them; the caller compares the whole with what these files should give.
pub(super) fn parse(bytes: &[u8]) -> Option<Vec<(String, u32)>> {
    let mut found = Vec::new();
    for block in bytes.chunks(BLOCK_BYTES) {
        let name_at = |entry: &[u8]| usize::from(u16::from_le_bytes([entry[8], entry[9]]));
        let entries = block.get(..name_at(block.get(..ENTRY_BYTES)?))?;
        let (entries, rest) = entries.as_chunks::<ENTRY_BYTES>();
        if entries.is_empty() || !rest.is_empty() {
            return None;
        }
        for (at, entry) in entries.iter().enumerate() {
            let end = entries.get(at + 1).map_or(block.len(), |next| name_at(next));
            let name = std::str::from_utf8(block.get(name_at(entry)..end)?).ok()?;
            let name = name.trim_end_matches('\0');
            let mut number = [0; 8];
            number.copy_from_slice(&entry[..8]);
            if !matches!(name, "." | "..") {
                found.push((name.to_owned(), index_of(u64::from_le_bytes(number))?));
            }
        }
    }
    Some(found)
}
