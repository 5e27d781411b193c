//! Memory of packed matrices: pages of their own, large ones where the system has them.

use crate::error::EngineError;
use memmap2::MmapMut;

/// Bytes that begin at a page border, and so at a border of any vector.
pub(super) struct Memory {
    bytes: MmapMut,
    len: usize,
}

impl Memory {
    /// Zeros.
    pub(super) fn zeroed(len: usize) -> Result<Self, EngineError> {
        let bytes = MmapMut::map_anon(len.max(1)).map_err(|_| EngineError::Device {
            doing: "taking memory for weights",
        })?;
        // Large pages spare the look-up of addresses; without them the numbers are the same.
        #[cfg(target_os = "linux")]
        let _ = bytes.advise(memmap2::Advice::HugePage);
        Ok(Self { bytes, len })
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The bytes, to be filled.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }
}
