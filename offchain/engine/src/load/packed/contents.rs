//! The table of contents of a packed file.

use super::key::Key;
use super::{FRONT, MAGIC, PAGE, VERSION};
use crate::device::WeightFormat;
use crate::error::PackedError;
use crate::kernels::matrix::{PANEL, PackedMatrix};
use crate::limits::{MAX_DIMENSION, MAX_HEADER_BYTES};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::ops::Range;

/// What is in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents {
    /// Of the matrices, but for those that are f32 in any model.
    pub(super) weights: WeightFormat,
    /// Outputs of a panel.
    pub(super) panel: usize,
    /// Numbers of the checkpoint.
    pub(super) parameters: u64,
    /// In the order of the file.
    pub(super) entries: Vec<Entry>,
}

/// A matrix or a vector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// SHA-256 of the source, in hexadecimal.
    #[serde(with = "in_hex")]
    pub(super) source: Key,
    /// The tensors of the source, for people.
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Rows.
    pub(super) outputs: usize,
    /// Columns.
    pub(super) inputs: usize,
    /// From the beginning of the file.
    pub(super) offset: usize,
    pub(super) bytes: usize,
    /// Of these bytes, in hexadecimal.
    #[serde(with = "in_hex")]
    pub(super) sha256: [u8; 32],
}

/// How numbers are stored: `vector`, or the format of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(in crate::load) enum Kind {
    Vector,
    Matrix(WeightFormat),
}

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Vector => "vector".to_owned(),
            Kind::Matrix(format) => format.name().to_owned(),
        }
    }
}

impl TryFrom<String> for Kind {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        match name.as_str() {
            "vector" => Ok(Self::Vector),
            _ => WeightFormat::parse(&name).map(Self::Matrix).ok_or("no such kind"),
        }
    }
}

impl Kind {
    /// Bytes of so many numbers.
    pub(super) fn bytes_for(self, outputs: usize, inputs: usize) -> usize {
        match self {
            Self::Vector => outputs * inputs * size_of::<f32>(),
            Self::Matrix(format) => PackedMatrix::bytes_for(outputs, inputs, format),
        }
    }
}

impl Entry {
    /// Where it lies in the file.
    pub(super) fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.bytes
    }
}

impl Contents {
    /// Reads the front of a file and checks that everything lies in it.
    pub(super) fn read(file: &[u8]) -> Result<Self, PackedError> {
        let front = file.get(..FRONT).ok_or(PackedError::Cut)?;
        if front[..8] != MAGIC {
            return Err(PackedError::Magic);
        }
        let (words, _) = front[8..].as_chunks::<4>();
        let version = u32::from_le_bytes(words[0]);
        if version != VERSION || words[1] != [0; 4] {
            return Err(PackedError::Version { found: version });
        }
        let length = (u64::from(u32::from_le_bytes(words[3])) << 32) | u64::from(u32::from_le_bytes(words[2]));
        if length > MAX_HEADER_BYTES {
            return Err(PackedError::Contents);
        }
        let length = usize::try_from(length).map_err(|_| PackedError::Contents)?;
        let table = file.get(FRONT..FRONT + length).ok_or(PackedError::Cut)?;
        if Sha256::digest(table)[..] != front[24..FRONT] {
            return Err(PackedError::Contents);
        }
        let contents: Self = serde_json::from_slice(table).map_err(|_| PackedError::Contents)?;
        contents.check(FRONT + length, file.len())?;
        Ok(contents)
    }

    /// The front of a file; `None` if the table is too long.
    pub(super) fn front(&self) -> Option<Vec<u8>> {
        let table = serde_json::to_vec(self).ok()?;
        let length = u64::try_from(table.len())
            .ok()
            .filter(|length| *length <= MAX_HEADER_BYTES)?;
        let mut front = MAGIC.to_vec();
        front.extend(VERSION.to_le_bytes());
        front.extend([0; 4]);
        front.extend(length.to_le_bytes());
        front.extend(Sha256::digest(&table));
        front.extend(table);
        Some(front)
    }

    /// Entries lie one behind the other from the page after byte `front` on, and end with a file of `size` bytes.
    pub(super) fn check(&self, front: usize, size: usize) -> Result<(), PackedError> {
        if self.panel != PANEL {
            return Err(PackedError::Panel { found: self.panel });
        }
        let mut at = front.next_multiple_of(PAGE);
        for entry in &self.entries {
            let is_size = |size: usize| (1..=MAX_DIMENSION).contains(&size);
            let fits = is_size(entry.outputs)
                && is_size(entry.inputs)
                && entry.bytes == entry.kind.bytes_for(entry.outputs, entry.inputs)
                && entry.offset == at;
            if !fits {
                return Err(PackedError::Entry {
                    name: entry.name.chars().take(200).collect(),
                });
            }
            at = at
                .checked_add(entry.bytes)
                .and_then(|end| end.checked_next_multiple_of(PAGE))
                .ok_or(PackedError::Cut)?;
        }
        if at == size { Ok(()) } else { Err(PackedError::Cut) }
    }
}

/// 32 bytes as text.
mod in_hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let (text, mut bytes) = (String::deserialize(deserializer)?, [0; 32]);
        hex::decode_to_slice(&text, &mut bytes).map_err(|_| D::Error::custom("not 32 bytes in hexadecimal"))?;
        Ok(bytes)
    }
}
