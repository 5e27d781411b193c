//! What a host adds to a guest: an archive of a few small files on a disk of its own. It comes from whom the guest
//! protects itself against, so it is read by these lines and by no file system.

use std::collections::BTreeMap;

use crate::error::ImageError;
use crate::limits::{MAX_HOST_ARCHIVE_BYTES, MAX_HOST_FILES};

/// Size of a header, and to what contents are padded.
const BLOCK: usize = 512;

/// The host's files by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFiles(BTreeMap<String, Vec<u8>>);

impl HostFiles {
    /// Files that are in memory already.
    pub fn new(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<Self, ImageError> {
        let mut all = Self::default();
        for (name, content) in files {
            all.add(name, content)?;
        }
        Ok(all)
    }

    /// Reads an archive in the POSIX format `ustar`: plain files at its top, two zero blocks at its end. What follows
    /// them is padding of the disk and is not looked at.
    pub fn parse(archive: &[u8]) -> Result<Self, ImageError> {
        if archive.len() > MAX_HOST_ARCHIVE_BYTES {
            return Err(ImageError::TooMuch {
                what: "bytes of the host's archive",
                count: archive.len() as u64,
                limit: MAX_HOST_ARCHIVE_BYTES as u64,
            });
        }
        let mut all = Self::default();
        let mut offset = 0;
        loop {
            let refused = |expected| ImageError::HostArchive { offset, expected };
            let rest = archive.get(offset..).unwrap_or_default();
            let (header, rest) = rest
                .split_first_chunk::<BLOCK>()
                .ok_or(refused("a header or two zero blocks"))?;
            if header.iter().all(|byte| *byte == 0) {
                return match rest.first_chunk::<BLOCK>() {
                    Some(second) if second.iter().all(|byte| *byte == 0) => Ok(all),
                    _ => Err(refused("two zero blocks")),
                };
            }
            let header = Header::parse(header).map_err(refused)?;
            let content = rest.get(..header.size).ok_or(refused("the whole content"))?;
            all.add(header.name, content.to_vec())?;
            offset += BLOCK + header.size.next_multiple_of(BLOCK);
        }
    }

    /// Content of one file.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn add(&mut self, name: String, content: Vec<u8>) -> Result<(), ImageError> {
        let plain = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !plain || name.starts_with('.') || name.is_empty() || self.0.contains_key(&name) {
            return Err(ImageError::Path {
                path: name.chars().take(80).collect(),
            });
        }
        if self.0.len() >= MAX_HOST_FILES {
            return Err(ImageError::TooMuch {
                what: "files of the host",
                count: self.0.len() as u64 + 1,
                limit: MAX_HOST_FILES as u64,
            });
        }
        self.0.insert(name, content);
        Ok(())
    }
}

struct Header {
    name: String,
    size: usize,
}

impl Header {
    fn parse(block: &[u8; BLOCK]) -> Result<Self, &'static str> {
        if &block[257..263] != b"ustar\0" {
            return Err("a header in the format `ustar`");
        }
        if !matches!(block[156], b'0' | 0) {
            return Err("a plain file");
        }
        let sum: u32 = block
            .iter()
            .enumerate()
            .map(|(index, byte)| match index {
                148..156 => u32::from(b' '),
                _ => u32::from(*byte),
            })
            .sum();
        if octal(&block[148..156]) != Some(sum as usize) {
            return Err("a right checksum");
        }
        if block[345..500].iter().any(|byte| *byte != 0) {
            return Err("a name of at most 100 bytes");
        }
        let name = block[..100].split(|byte| *byte == 0).next().unwrap_or_default();
        let name = std::str::from_utf8(name).map_err(|_| "a name in ASCII")?;
        let size = octal(&block[124..136]).filter(|size| *size <= MAX_HOST_ARCHIVE_BYTES);
        Ok(Self {
            name: name.trim_start_matches("./").to_owned(),
            size: size.ok_or("a size in octal digits")?,
        })
    }
}

/// Octal digits, ended by zero bytes or blanks.
fn octal(field: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(field).ok()?.trim_end_matches(['\0', ' ']);
    let digits = !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    digits.then(|| usize::from_str_radix(text, 8).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// GNU tar 1.34: `printf 0:ab > owner; tar --format=ustar --owner=0 --group=0 --mtime=@0 -cf - owner`, hex.
    fn recorded() -> Vec<u8> {
        let mut archive = vec![0; 2048];
        let header = hex::decode("6f776e65720000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000303030303634340030303030303030003030303030303000303030303030303030303400303030303030303030303000303132303634002030000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000007573746172003030726f6f7400000000000000000000000000000000000000000000000000000000726f6f7400000000000000000000000000000000000000000000000000000000303030303030300030303030303030").unwrap();
        archive[..header.len()].copy_from_slice(&header);
        archive[512..516].copy_from_slice(b"0:ab");
        archive
    }

    #[test]
    fn an_archive_of_gnu_tar_is_read() {
        let files = HostFiles::parse(&recorded()).unwrap();
        assert_eq!(files.names().collect::<Vec<_>>(), ["owner"]);
        assert_eq!(files.get("owner"), Some(&b"0:ab"[..]));
    }

    #[test]
    fn padding_of_the_disk_is_not_looked_at() {
        let mut archive = recorded();
        archive.extend([7; 700]);
        assert!(HostFiles::parse(&archive).is_ok());
    }

    #[test]
    fn links_folders_and_paths_are_refused() {
        for (at, byte) in [(156, b'2'), (156, b'5'), (0, b'/'), (2, b'/'), (0, b'.'), (0, 0)] {
            let mut archive = recorded();
            let before = archive[at];
            archive[at] = byte;
            let sum = octal(&archive[148..156]).unwrap() + usize::from(byte) - usize::from(before);
            archive[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            assert!(HostFiles::parse(&archive).is_err(), "byte {at}");
        }
    }

    #[test]
    fn an_archive_that_ends_early_is_refused() {
        let archive = recorded();
        for length in [0, 511, 512, 515, 1024, 1536, 2047] {
            assert!(HostFiles::parse(&archive[..length]).is_err(), "{length} bytes");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(at in 0_usize..2048, byte: u8, length in 0_usize..2048) {
            let mut archive = recorded();
            archive[at] = byte;
            let _ = HostFiles::parse(&archive[..length]);
        }

        #[test]
        fn a_flipped_header_bit_is_refused_or_means_nothing(at in 0_usize..512, bit in 0_u8..8) {
            let mut archive = recorded();
            archive[at] ^= 1 << bit;
            // A blank and a zero byte behind the checksum's digits mean the same.
            let same = (154..156).contains(&at) && bit == 5;
            prop_assert_eq!(HostFiles::parse(&archive).ok(), same.then(|| HostFiles::parse(&recorded()).unwrap()));
        }
    }
}
