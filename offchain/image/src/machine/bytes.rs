//! Reading numbers out of bytes that may end too early, and UTF-16.

use crate::error::ImageError;

/// Bytes of a file that is being read, with its name for errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a> {
    pub(super) file: &'static str,
    pub(super) all: &'a [u8],
}

impl<'a> Bytes<'a> {
    /// `length` bytes at `offset`.
    pub(super) fn slice(&self, offset: usize, length: usize) -> Result<&'a [u8], ImageError> {
        let end = offset.checked_add(length);
        end.and_then(|end| self.all.get(offset..end))
            .ok_or_else(|| self.malformed("ends too early"))
    }

    fn array<const N: usize>(&self, offset: usize) -> Result<[u8; N], ImageError> {
        let mut array = [0; N];
        array.copy_from_slice(self.slice(offset, N)?);
        Ok(array)
    }

    /// A little-endian number of two bytes.
    pub(super) fn u16(&self, offset: usize) -> Result<u16, ImageError> {
        self.array(offset).map(u16::from_le_bytes)
    }

    /// A little-endian number of four bytes.
    pub(super) fn u32(&self, offset: usize) -> Result<u32, ImageError> {
        self.array(offset).map(u32::from_le_bytes)
    }

    /// A little-endian number of four bytes that is a place or a length in this file.
    pub(super) fn place(&self, offset: usize) -> Result<usize, ImageError> {
        self.u32(offset).map(|number| number as usize)
    }

    /// A little-endian number of eight bytes.
    pub(super) fn u64(&self, offset: usize) -> Result<u64, ImageError> {
        self.array(offset).map(u64::from_le_bytes)
    }

    /// The error that the file is not what it should be.
    pub(super) fn malformed(&self, fault: &'static str) -> ImageError {
        ImageError::Malformed { file: self.file, fault }
    }
}

/// Text in UTF-16, little-endian, with a zero at its end.
pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}
