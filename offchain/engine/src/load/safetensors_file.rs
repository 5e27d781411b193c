//! One safetensors file: its table of contents, and its tensors where they lie.

use super::mapped::MappedFile;
use super::tensor::{NumberFormat, Tensor};
use crate::error::EngineError;
use crate::limits::MAX_HEADER_BYTES;
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, Metadata};
use std::path::Path;

/// An open file and its table of contents.
pub(super) struct SafetensorsFile {
    file: MappedFile,
    /// Where the data begins.
    start: usize,
    contents: Metadata,
}

impl SafetensorsFile {
    /// Reads the table of contents and checks that it fits the file.
    pub(super) fn open(path: &Path) -> Result<Self, EngineError> {
        let damaged = |source| EngineError::Safetensors {
            path: path.to_owned(),
            source,
        };
        let file = MappedFile::open(path)?;
        let Some((length, rest)) = file.bytes().split_first_chunk::<8>() else {
            return Err(damaged(SafeTensorError::HeaderTooSmall));
        };
        let header = usize::try_from(u64::from_le_bytes(*length).min(MAX_HEADER_BYTES + 1))
            .ok()
            .filter(|bytes| *bytes as u64 <= MAX_HEADER_BYTES)
            .and_then(|bytes| rest.get(..bytes))
            .ok_or(damaged(SafeTensorError::HeaderTooLarge))?;
        // Reading the table checks that the tensors lie side by side and are as long as their shapes say.
        let contents: Metadata = serde_json::from_slice(header)
            .map_err(|error| damaged(SafeTensorError::InvalidHeaderDeserialization(error)))?;
        if contents.data_len() != rest.len() - header.len() {
            return Err(damaged(SafeTensorError::MetadataIncompleteBuffer));
        }
        let start = length.len() + header.len();
        Ok(Self { file, start, contents })
    }

    /// Names of the tensors.
    pub(super) fn names(&self) -> Vec<String> {
        self.contents.offset_keys()
    }

    /// A tensor, if there is one of this name.
    pub(super) fn tensor(&self, name: &str) -> Result<Option<Tensor<'_>>, EngineError> {
        let Some(info) = self.contents.info(name) else {
            return Ok(None);
        };
        let format = match info.dtype {
            Dtype::F32 => NumberFormat::F32,
            Dtype::F16 => NumberFormat::F16,
            Dtype::BF16 => NumberFormat::Bf16,
            Dtype::F8_E4M3 => NumberFormat::F8E4m3,
            Dtype::U8 => NumberFormat::Byte,
            other => {
                return Err(EngineError::TensorType {
                    name: name.to_owned(),
                    dtype: format!("{other:?}"),
                });
            }
        };
        let (from, to) = info.data_offsets;
        let bytes = &self.file.bytes()[self.start + from..self.start + to];
        Ok(Some(Tensor::new(format, &info.shape, bytes)))
    }
}
