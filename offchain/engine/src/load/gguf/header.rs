//! What a GGUF file says about itself.

use super::cursor::{Cursor, Value};
use crate::error::GgufError;
use crate::limits::{MAX_DIMENSION, MAX_GGUF_KEYS, MAX_GGUF_TENSORS};
use crate::load::tensor::NumberFormat;
use std::collections::BTreeMap;

const MAGIC: u32 = u32::from_le_bytes(*b"GGUF");

/// Versions that are read: 2 and 3 have the same layout for little-endian files.
const VERSIONS: [u32; 2] = [2, 3];

/// Dimensions of a tensor.
const MAX_DIMENSIONS: u32 = 4;

/// The largest border that tensors begin at.
const MAX_ALIGNMENT: usize = 1 << 20;

/// The keys that matter, and all tensors.
pub(super) struct Header {
    /// `general.architecture`.
    pub(super) architecture: String,
    /// Numbers by their key.
    numbers: BTreeMap<String, u64>,
    /// Files that the model is stored in.
    pub(super) parts: u64,
    /// In the order of the file.
    pub(super) tensors: Vec<TensorInfo>,
    /// Byte where the tensors' data begins.
    pub(super) data: usize,
}

/// One line of the table of contents.
pub(super) struct TensorInfo {
    pub(super) name: String,
    /// The last dimension is that of neighbours.
    pub(super) shape: Vec<usize>,
    /// `ggml_type`.
    pub(super) kind: u32,
    /// From where the data begins.
    pub(super) offset: usize,
}

impl Header {
    /// Reads the front of a file.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, GgufError> {
        let mut cursor = Cursor::new(bytes);
        if cursor.u32()? != MAGIC {
            return Err(GgufError::Magic);
        }
        let version = cursor.u32()?;
        if !VERSIONS.contains(&version) {
            return Err(GgufError::Version { found: version });
        }
        let count = |found: u64, what, limit: usize| match usize::try_from(found) {
            Ok(count) if count <= limit => Ok(count),
            _ => Err(GgufError::TooMany { what, found, limit }),
        };
        let tensors = count(cursor.u64()?, "tensors", MAX_GGUF_TENSORS)?;
        let keys = count(cursor.u64()?, "keys", MAX_GGUF_KEYS)?;
        let (mut numbers, mut architecture) = (BTreeMap::new(), String::new());
        for _ in 0..keys {
            let key = cursor.text()?;
            match cursor.value()? {
                Value::Number(number) => drop(numbers.insert(key.to_owned(), number)),
                Value::Text(text) if key == "general.architecture" => text.clone_into(&mut architecture),
                Value::Text(_) | Value::Other => {}
            }
        }
        let found = numbers.get("general.alignment").copied().unwrap_or(32);
        let alignment = usize::try_from(found)
            .ok()
            .filter(|size| (1..=MAX_ALIGNMENT).contains(size));
        let alignment = alignment.ok_or(GgufError::Alignment { found })?;
        let tensors = (0..tensors).map(|_| TensorInfo::read(&mut cursor));
        let tensors = tensors.collect::<Result<Vec<_>, _>>()?;
        // A file of split weights may say 0 or nothing where there is one.
        let parts = numbers.get("split.count").copied().unwrap_or(1).max(1);
        Ok(Self {
            architecture,
            numbers,
            parts,
            tensors,
            data: cursor.at().next_multiple_of(alignment),
        })
    }

    /// A number of the architecture, such as `llama.attention.head_count`.
    pub(super) fn number(&self, key: &str) -> Option<usize> {
        let number = self.numbers.get(&format!("{}.{key}", self.architecture))?;
        usize::try_from(*number).ok()
    }
}

impl TensorInfo {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, GgufError> {
        let name = cursor.text()?.to_owned();
        let dimensions = cursor.u32()?;
        let bad = |tensor: &str| GgufError::Shape {
            tensor: tensor.to_owned(),
        };
        if dimensions == 0 || dimensions > MAX_DIMENSIONS {
            return Err(bad(&name));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            let size = cursor.size()?;
            if size == 0 || size > MAX_DIMENSION {
                return Err(bad(&name));
            }
            shape.push(size);
        }
        shape.reverse();
        Ok(Self {
            name,
            shape,
            kind: cursor.u32()?,
            offset: cursor.size()?,
        })
    }

    /// Bytes of the tensor in a format; `None` if rows are not whole blocks or there are more than memory counts.
    pub(super) fn bytes_in(&self, format: NumberFormat) -> Option<usize> {
        let numbers = self
            .shape
            .iter()
            .try_fold(1_usize, |numbers, size| numbers.checked_mul(*size))?;
        let columns = self.shape.last().copied().unwrap_or(1);
        format.bytes_of_row(columns)?.checked_mul(numbers / columns)
    }
}
