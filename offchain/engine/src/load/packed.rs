//! Weights that were packed ahead of time: `model.packed`, which the CPU's kernels read where it lies.
//!
//! The file, version 1; numbers are little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | `COCOONPK` |
//! | 8..12 | version, u32 |
//! | 12..16 | zeros |
//! | 16..24 | length of the table of contents in bytes, u64 |
//! | 24..56 | its SHA-256 |
//! | 56.. | the table of contents: JSON as [`Contents`] has it |
//! | from the next multiple of 4096 on | matrices and vectors, each from a multiple of 4096 on, zeros between |
//!
//! The length is a multiple of 4096 too. Matrices are panels as `kernels::matrix::layout` defines them; vectors are f32.
//! What a matrix is made of is named by the SHA-256 of its [`crate::model::Source`] ([`key`]). The same folder gives the
//! same bytes.
//!
//! Opening checks the table of contents and that all lies in the file; [`PackedFile::verify`] checks the data too.

mod build;
mod contents;
mod key;
mod listing;
#[cfg(test)]
mod tests;

pub use build::{BuiltFile, BuiltModel, build_model};
pub(super) use contents::Kind;
pub(super) use listing::{list, shapes_hash};

use super::mapped::MappedFile;
use super::progress::Progress;
use crate::device::{MatrixRows, WeightFormat};
use crate::error::{EngineError, PackedError};
use crate::kernels::matrix::{BLOCK, PackedMatrix, Q4_BYTES, Q8_BYTES, SharedBytes};
use crate::model::{Checkpoint, Source};
use contents::{Contents, Entry};
use key::{Key, key, name};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file's name.
pub(super) const FILE: &str = "model.packed";

const MAGIC: [u8; 8] = *b"COCOONPK";
const VERSION: u32 = 1;
/// Bytes before the table of contents.
const FRONT: usize = 56;
/// What everything begins at a multiple of.
const PAGE: usize = 4096;

/// An open file. What nobody takes is an error at the end.
pub(super) struct PackedFile {
    path: PathBuf,
    file: Arc<MappedFile>,
    contents: Contents,
    /// By source, and whether it is a vector.
    places: BTreeMap<(Key, bool), usize>,
    taken: BTreeSet<usize>,
}

impl PackedFile {
    /// Whether a folder has such a file.
    pub(super) fn is_in(folder: &Path) -> bool {
        folder.join(FILE).exists()
    }

    /// Reads the table of contents and checks that it fits the file.
    pub(super) fn open(folder: &Path) -> Result<Self, EngineError> {
        let path = folder.join(FILE);
        let file = MappedFile::open(&path)?;
        file.want();
        let contents = Contents::read(file.bytes()).map_err(|source| damaged(&path, source))?;
        let mut places = BTreeMap::new();
        for (number, entry) in contents.entries.iter().enumerate() {
            if places
                .insert((entry.source, entry.kind == Kind::Vector), number)
                .is_some()
            {
                let name = entry.name.clone();
                return Err(damaged(&path, PackedError::Twice { name }));
            }
        }
        Ok(Self {
            path,
            file: Arc::new(file),
            contents,
            places,
            taken: BTreeSet::new(),
        })
    }

    /// The format of the matrices, but for the few that are f32 in any model.
    pub(super) fn format(&self) -> WeightFormat {
        self.contents.weights
    }

    /// Numbers of the checkpoint.
    pub(super) fn parameters(&self) -> u64 {
        self.contents.parameters
    }

    /// Refuses a file with something that nobody asked for: it belongs to another configuration.
    pub(super) fn finish(&self) -> Result<(), EngineError> {
        let mut entries = self.contents.entries.iter().enumerate();
        match entries.find(|(number, _)| !self.taken.contains(number)) {
            Some((_, entry)) => Err(EngineError::UnknownTensor {
                name: entry.name.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Reads all data and compares it with the sums in the table of contents.
    pub(super) fn verify(&self, progress: &mut dyn FnMut(Progress)) -> Result<(), EngineError> {
        let total = self.contents.entries.iter().map(|entry| entry.bytes as u64).sum();
        let mut done = 0;
        for entry in &self.contents.entries {
            progress(Progress { done, total });
            let found: [u8; 32] = Sha256::digest(&self.file.bytes()[entry.range()]).into();
            if found != entry.sha256 {
                let name = entry.name.clone();
                return Err(damaged(&self.path, PackedError::Sum { name }));
            }
            done += entry.bytes as u64;
        }
        progress(Progress { done, total });
        Ok(())
    }

    fn take(&mut self, source: &Source, vector: bool) -> Result<&Entry, EngineError> {
        let place = self.places.get(&(key(source), vector)).copied();
        let place = place.ok_or_else(|| EngineError::MissingTensor { name: name(source) })?;
        self.taken.insert(place);
        let entry = &self.contents.entries[place];
        let (expected, found) = ([source.outputs(), source.inputs()], [entry.outputs, entry.inputs]);
        if expected != found {
            return Err(EngineError::TensorShape {
                name: entry.name.clone(),
                expected: expected.to_vec(),
                found: found.to_vec(),
            });
        }
        Ok(entry)
    }
}

impl Checkpoint for PackedFile {
    fn matrix(&mut self, source: &Source) -> Result<Box<dyn MatrixRows + '_>, EngineError> {
        let file = self.file.clone();
        let entry = self.take(source, false)?;
        let missing = || EngineError::MissingTensor {
            name: entry.name.clone(),
        };
        let Kind::Matrix(format) = entry.kind else {
            return Err(missing());
        };
        let bytes = SharedBytes::new(file, entry.range()).ok_or_else(missing)?;
        let matrix = PackedMatrix::packed_before(bytes, entry.outputs, entry.inputs, format);
        Ok(Box::new(PackedRows {
            matrix: matrix.ok_or_else(missing)?,
        }))
    }

    fn pass_over(&mut self, _tensor: &str) {}

    fn numbers(&mut self, source: &Source) -> Result<Vec<f32>, EngineError> {
        let range = self.take(source, true)?.range();
        let (numbers, _) = self.file.bytes()[range].as_chunks::<4>();
        Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}

/// A matrix of the file.
struct PackedRows {
    matrix: PackedMatrix,
}

impl MatrixRows for PackedRows {
    fn outputs(&self) -> usize {
        self.matrix.outputs()
    }

    fn inputs(&self) -> usize {
        self.matrix.inputs()
    }

    fn read(&self, first: usize, rows: &mut [f32]) -> Result<(), EngineError> {
        for (row, numbers) in (first..).zip(rows.chunks_exact_mut(self.inputs())) {
            self.matrix.gather(row, numbers);
        }
        Ok(())
    }

    fn packed(&self) -> Option<&PackedMatrix> {
        Some(&self.matrix)
    }

    fn stored_blocks(&self) -> Option<WeightFormat> {
        let format = self.matrix.format();
        matches!(format, WeightFormat::Q8 | WeightFormat::Q4).then_some(format)
    }

    fn read_blocks(&self, first: usize, blocks: &mut [u8]) -> Result<(), EngineError> {
        let size = match self.matrix.format() {
            WeightFormat::Q8 => Q8_BYTES,
            _ => Q4_BYTES,
        };
        let row_bytes = self.inputs().div_ceil(BLOCK) * size;
        for (row, blocks) in (first..).zip(blocks.chunks_exact_mut(row_bytes)) {
            self.matrix.gather_blocks(row, blocks);
        }
        Ok(())
    }
}

fn damaged(path: &Path, source: PackedError) -> EngineError {
    EngineError::Packed {
        path: path.to_owned(),
        source,
    }
}
