//! A file whose bytes are read where the system has them, so that weights never lie in memory twice.
#![allow(
    unsafe_code,
    reason = "a map of a file that another program changes is not what Rust calls safe"
)]

use crate::error::EngineError;
use memmap2::Mmap;
use std::fs::File;
use std::path::Path;

/// The bytes of a file.
pub(super) struct MappedFile {
    /// `None` for an empty file, which cannot be mapped.
    map: Option<Mmap>,
}

impl MappedFile {
    /// Opens and maps a file for reading.
    pub(super) fn open(path: &Path) -> Result<Self, EngineError> {
        let failed = |source| EngineError::ReadFile {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() == 0 {
            return Ok(Self { map: None });
        }
        // SAFETY: the map is private and read-only, and only plain bytes are read from it. Model files are made once and
        // then left alone; a program that changes one under us changes weights, and one that cuts it short ends this
        // process with a signal. Neither can touch other memory.
        let map = unsafe { Mmap::map(&file) }.map_err(failed)?;
        Ok(Self { map: Some(map) })
    }

    /// Asks the system to have all bytes in memory soon.
    pub(super) fn want(&self) {
        #[cfg(unix)]
        if let Some(map) = &self.map {
            // Only a matter of time.
            let _ = map.advise(memmap2::Advice::WillNeed);
        }
    }

    /// All bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }
}

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}
