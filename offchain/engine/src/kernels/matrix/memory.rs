//! Memory of packed matrices: pages of their own, large ones where the system has them.

#![allow(unsafe_code, reason = "views of raw bytes as numbers")]

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

    /// As f32; bytes beyond the last whole number stay out.
    pub(super) fn f32s_mut(&mut self) -> &mut [f32] {
        // SAFETY: every bit pattern is an f32, and pages are aligned.
        unsafe { self.bytes_mut().align_to_mut().1 }
    }

    /// As numbers of two bytes.
    pub(super) fn u16s_mut(&mut self) -> &mut [u16] {
        // SAFETY: every bit pattern is a u16, and pages are aligned.
        unsafe { self.bytes_mut().align_to_mut().1 }
    }
}
