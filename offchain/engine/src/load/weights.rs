//! All tensors of a model: one file, or several with an index.

use super::read_bounded;
use super::safetensors_file::SafetensorsFile;
use crate::device::MatrixRows;
use crate::error::EngineError;
use crate::limits::MAX_HEADER_BYTES;
use crate::model::{Checkpoint, HostRows, Source};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const WHOLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The weights of a folder. Each tensor is taken once; what nobody takes is an error at the end.
pub(crate) struct Weights {
    files: Vec<(String, SafetensorsFile)>,
    /// Tensor to position in `files`.
    place: BTreeMap<String, usize>,
    taken: BTreeSet<String>,
    parameters: u64,
    indexed: bool,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Weights {
    /// Opens the files; reads no tensor yet.
    pub(crate) fn open(folder: &Path) -> Result<Self, EngineError> {
        let index_path = folder.join(INDEX);
        let indexed = !folder.join(WHOLE).exists() && index_path.exists();
        let names = if indexed {
            let bytes = read_bounded(&index_path, MAX_HEADER_BYTES)?;
            let index: Index =
                serde_json::from_slice(&bytes).map_err(|source| EngineError::Json { file: INDEX, source })?;
            index.weight_map.into_values().collect::<BTreeSet<String>>()
        } else {
            BTreeSet::from([WHOLE.to_owned()])
        };
        let mut weights = Self {
            files: Vec::new(),
            place: BTreeMap::new(),
            taken: BTreeSet::new(),
            parameters: 0,
            indexed,
        };
        for name in names {
            let path = folder.join(&name);
            if Path::new(&name).components().count() != 1 || path.file_name() != Some(name.as_ref()) {
                let source = std::io::Error::from(std::io::ErrorKind::InvalidFilename);
                return Err(EngineError::ReadFile { path, source });
            }
            let file = SafetensorsFile::open(&path)?;
            let tensors = file.names().into_iter().map(|tensor| (tensor, weights.files.len()));
            weights.place.extend(tensors);
            weights.files.push((name, file));
        }
        Ok(weights)
    }

    /// The numbers of a tensor that must have `shape`.
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, EngineError> {
        let missing = || EngineError::MissingTensor { name: name.to_owned() };
        let place = *self.place.get(name).ok_or_else(missing)?;
        let (_, file) = &mut self.files[place];
        let found = &file.info(name).ok_or_else(missing)?.shape;
        if found != shape {
            return Err(EngineError::TensorShape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: found.clone(),
            });
        }
        let numbers = file.read(name)?;
        if self.taken.insert(name.to_owned()) {
            self.parameters += numbers.len() as u64;
        }
        Ok(numbers)
    }

    /// Refuses weights with a tensor that nobody asked for: they belong to another architecture.
    pub(crate) fn finish(&self) -> Result<(), EngineError> {
        match self.place.keys().find(|name| !self.taken.contains(*name)) {
            Some(name) => Err(EngineError::UnknownTensor { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// Numbers read so far.
    pub(crate) fn parameters(&self) -> u64 {
        self.parameters
    }

    /// The files, relative to the folder.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let index = self.indexed.then(|| PathBuf::from(INDEX));
        index
            .into_iter()
            .chain(self.files.iter().map(|(name, _)| PathBuf::from(name)))
            .collect()
    }
}

impl Checkpoint for Weights {
    fn matrix(&mut self, source: &Source) -> Result<Box<dyn MatrixRows + '_>, EngineError> {
        let mut numbers = Vec::new();
        for part in &source.parts {
            numbers.extend(part.pick(&self.take(&part.tensor, &part.shape)?));
        }
        Ok(Box::new(HostRows::new(source.inputs(), numbers)))
    }

    fn pass_over(&mut self, tensor: &str) {
        self.taken.insert(tensor.to_owned());
    }
}
