//! One file of a model.

use crate::error::ManifestError;
use crate::limits::MAX_FIELD_BYTES;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// SHA-256 of a file's content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileHash([u8; 32]);

impl FileHash {
    /// Wraps a digest that was computed while reading a large file.
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The hash of `content`.
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }

    /// The digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileHash({self})")
    }
}

impl FromStr for FileHash {
    type Err = ManifestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_hash("file hash", text).map(Self)
    }
}

/// Reads 64 lower-case hexadecimal digits; no other form of a hash is canonical.
pub(crate) fn parse_hash(field: &'static str, text: &str) -> Result<[u8; 32], ManifestError> {
    let mut bytes = [0; 32];
    let canonical = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match hex::decode_to_slice(text, &mut bytes) {
        Ok(()) if canonical => Ok(bytes),
        _ => Err(ManifestError::Hash { field }),
    }
}

/// A file of a model: path relative to the model's folder, size, hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileEntry {
    path: String,
    size: u64,
    hash: FileHash,
}

impl FileEntry {
    /// An entry for `path`, written with `/` and without `.` or `..`.
    pub fn new(path: &str, size: u64, hash: FileHash) -> Result<Self, ManifestError> {
        check_path(path)?;
        Ok(Self {
            path: path.to_owned(),
            size,
            hash,
        })
    }

    /// Path relative to the model's folder.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// SHA-256 of the content.
    pub fn hash(&self) -> FileHash {
        self.hash
    }
}

/// Refuses what is not a relative path, written in the one way.
pub(crate) fn check_path(path: &str) -> Result<(), ManifestError> {
    let long = path.len() > MAX_FIELD_BYTES;
    let odd = path
        .chars()
        .any(|character| character.is_control() || character == '\\');
    if long || odd || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(ManifestError::Path {
            path: path.chars().take(80).collect(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leaves_the_folder_is_refused() {
        for path in ["", "/a", "a/", "a//b", "./a", "a/../b", "..", "a\\b", "a\nb"] {
            assert!(FileEntry::new(path, 0, FileHash::of(b"")).is_err(), "{path:?}");
        }
        assert_eq!(
            FileEntry::new("a/b c.json", 1, FileHash::of(b"x")).unwrap().path(),
            "a/b c.json"
        );
    }

    #[test]
    fn a_hash_in_capitals_is_refused() {
        let text = FileHash::of(b"").to_string();
        assert_eq!(text.parse::<FileHash>().unwrap(), FileHash::of(b""));
        assert!(text.to_uppercase().parse::<FileHash>().is_err());
    }
}
