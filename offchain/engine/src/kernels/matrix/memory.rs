//! Memory of packed matrices: pages of their own, large ones where the system has them, or those of a file.

use crate::error::EngineError;
use crate::kernels::buffer::own_pages;
use memmap2::MmapMut;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Bytes that begin at a page border, and so at a border of any vector.
pub(super) enum Memory {
    Own { bytes: MmapMut, len: usize },
    Shared(SharedBytes),
}

/// Bytes that somebody else holds, as a map of a file does.
#[derive(Clone)]
pub(crate) struct SharedBytes {
    owner: Arc<dyn AsRef<[u8]> + Send + Sync>,
    range: Range<usize>,
}

impl fmt::Debug for SharedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes {:?}", self.range)
    }
}

impl SharedBytes {
    /// A part of what `owner` holds; `None` if it does not hold that much.
    pub(crate) fn new(owner: Arc<dyn AsRef<[u8]> + Send + Sync>, range: Range<usize>) -> Option<Self> {
        (*owner).as_ref().get(range.clone())?;
        Some(Self { owner, range })
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &(*self.owner).as_ref()[self.range.clone()]
    }
}

impl Memory {
    /// Zeros.
    pub(super) fn zeroed(len: usize) -> Result<Self, EngineError> {
        let bytes = own_pages(len).map_err(|_| EngineError::Device {
            doing: "taking memory for weights",
        })?;
        Ok(Self::Own { bytes, len })
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Own { bytes, len } => &bytes[..*len],
            Self::Shared(shared) => shared.bytes(),
        }
    }

    /// The bytes, to be filled; none if they are somebody else's.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Own { bytes, len } => &mut bytes[..*len],
            Self::Shared(_) => &mut [],
        }
    }
}
