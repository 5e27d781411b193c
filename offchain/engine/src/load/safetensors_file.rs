//! One safetensors file, read tensor by tensor so that memory holds one tensor twice at most.

use crate::error::EngineError;
use crate::limits::MAX_HEADER_BYTES;
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// An open file and its table of contents.
pub(super) struct SafetensorsFile {
    path: PathBuf,
    file: File,
    /// Where the data begins.
    start: u64,
    contents: Metadata,
}

impl SafetensorsFile {
    /// Reads the table of contents and checks that it fits the file.
    pub(super) fn open(path: &Path) -> Result<Self, EngineError> {
        let read_failed = |source| EngineError::ReadFile {
            path: path.to_owned(),
            source,
        };
        let damaged = |source| EngineError::Safetensors {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(read_failed)?;
        let size = file.metadata().map_err(read_failed)?.len();
        let mut length = [0; 8];
        file.read_exact(&mut length)
            .map_err(|_| damaged(SafeTensorError::HeaderTooSmall))?;
        let header_bytes = u64::from_le_bytes(length);
        if header_bytes > MAX_HEADER_BYTES || header_bytes > size.saturating_sub(8) {
            return Err(damaged(SafeTensorError::HeaderTooLarge));
        }
        let mut header = Vec::new();
        file.by_ref()
            .take(header_bytes)
            .read_to_end(&mut header)
            .map_err(read_failed)?;
        // Reading the table checks that the tensors lie side by side and are as long as their shapes say.
        let contents: Metadata = serde_json::from_slice(&header)
            .map_err(|error| damaged(SafeTensorError::InvalidHeaderDeserialization(error)))?;
        let start = header_bytes + 8;
        if start.checked_add(contents.data_len() as u64) != Some(size) {
            return Err(damaged(SafeTensorError::MetadataIncompleteBuffer));
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            start,
            contents,
        })
    }

    /// Names of the tensors.
    pub(super) fn names(&self) -> Vec<String> {
        self.contents.offset_keys()
    }

    /// What the table says about a tensor.
    pub(super) fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.contents.info(name)
    }

    /// The numbers of a tensor, as f32 in row order.
    pub(super) fn read(&mut self, name: &str) -> Result<Vec<f32>, EngineError> {
        let info = self
            .contents
            .info(name)
            .ok_or_else(|| EngineError::MissingTensor { name: name.to_owned() })?;
        let (from, to) = info.data_offsets;
        let dtype = info.dtype;
        let failed = |source| EngineError::ReadFile {
            path: self.path.clone(),
            source,
        };
        self.file
            .seek(SeekFrom::Start(self.start + from as u64))
            .map_err(failed)?;
        let mut bytes = vec![0; to - from];
        self.file.read_exact(&mut bytes).map_err(failed)?;
        let pairs = || bytes.chunks_exact(2).map(|pair| [pair[0], pair[1]]);
        match dtype {
            Dtype::F32 => Ok(bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect()),
            Dtype::BF16 => Ok(pairs().map(|pair| half::bf16::from_le_bytes(pair).to_f32()).collect()),
            Dtype::F16 => Ok(pairs().map(|pair| half::f16::from_le_bytes(pair).to_f32()).collect()),
            other => Err(EngineError::TensorType {
                name: name.to_owned(),
                dtype: format!("{other:?}"),
            }),
        }
    }
}
