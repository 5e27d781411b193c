//! The weights of a folder, in whichever form it has them.

use super::Weights;
use super::packed::PackedFile;
use super::progress::Progress;
use crate::device::{MatrixRows, WeightFormat};
use crate::error::EngineError;
use crate::model::{Checkpoint, Source};
use crate::options::EngineOptions;
use std::path::{Path, PathBuf};

/// What weights are read from.
pub(super) enum StoredWeights {
    /// As they were published.
    Published(Weights),
    /// Packed ahead of time.
    Packed(PackedFile),
}

impl StoredWeights {
    /// Opens the files; reads no numbers. A packed file goes before all others.
    pub(super) fn open(folder: &Path) -> Result<Self, EngineError> {
        match PackedFile::is_in(folder) {
            true => Ok(Self::Packed(PackedFile::open(folder)?)),
            false => Ok(Self::Published(Weights::open(folder)?)),
        }
    }

    /// The format that the weights were packed in, if they were.
    pub(super) fn packed_format(&self) -> Option<WeightFormat> {
        match self {
            Self::Published(_) => None,
            Self::Packed(file) => Some(file.format()),
        }
    }

    /// The options with the format of the weights, which for packed ones is that of the file. Refused if the options ask
    /// for yet another one, or for several ranks of packed weights.
    pub(super) fn options(&self, options: &EngineOptions) -> Result<EngineOptions, EngineError> {
        let wanted = options.weight_format;
        let weight_format = self.packed_format().unwrap_or(wanted);
        if wanted != weight_format && wanted != WeightFormat::default() {
            return Err(EngineError::PackedFormat {
                found: weight_format,
                wanted,
            });
        }
        if self.packed_format().is_some() && options.ranks.get() > 1 {
            return Err(EngineError::PackedRanks);
        }
        Ok(EngineOptions {
            weight_format,
            ..options.clone()
        })
    }

    /// Models that were stored without a head have names without the first `model.`; they get it.
    pub(super) fn name_as_with_head(&mut self) {
        if let Self::Published(weights) = self {
            weights.name_as_with_head();
        }
    }

    /// Refuses weights with something that nobody asked for.
    pub(super) fn finish(&self) -> Result<(), EngineError> {
        match self {
            Self::Published(weights) => weights.finish(),
            Self::Packed(file) => file.finish(),
        }
    }

    /// Numbers of the checkpoint; of a published one those that were asked for.
    pub(super) fn parameters(&self) -> u64 {
        match self {
            Self::Published(weights) => weights.parameters(),
            Self::Packed(file) => file.parameters(),
        }
    }

    /// The files, relative to the folder.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Published(weights) => weights.files(),
            Self::Packed(_) => vec![PathBuf::from(super::packed::FILE)],
        }
    }

    /// Compares packed weights with their sums; published ones have none.
    pub(super) fn verify(&self, progress: &mut dyn FnMut(Progress)) -> Result<(), EngineError> {
        match self {
            Self::Published(_) => Ok(()),
            Self::Packed(file) => file.verify(progress),
        }
    }
}

impl Checkpoint for StoredWeights {
    fn matrix(&mut self, source: &Source) -> Result<Box<dyn MatrixRows + '_>, EngineError> {
        match self {
            Self::Published(weights) => weights.matrix(source),
            Self::Packed(file) => file.matrix(source),
        }
    }

    fn pass_over(&mut self, tensor: &str) {
        match self {
            Self::Published(weights) => weights.pass_over(tensor),
            Self::Packed(file) => file.pass_over(tensor),
        }
    }

    fn numbers(&mut self, source: &Source) -> Result<Vec<f32>, EngineError> {
        match self {
            Self::Published(weights) => weights.numbers(source),
            Self::Packed(file) => file.numbers(source),
        }
    }
}
