//! All matrices and vectors of a model in the order in which it is loaded.

use super::contents::Kind;
use crate::device::{DryDevice, Ledger, MatrixRows, WeightFormat};
use crate::error::EngineError;
use crate::load::plan::Shapes;
use crate::model::{Checkpoint, LoadOptions, ModelSpec, Source, Transformer};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Something that a model asks a checkpoint for.
pub(in crate::load) struct Request {
    pub(in crate::load) source: Source,
    pub(in crate::load) kind: Kind,
}

impl Request {
    /// Numbers of it.
    pub(in crate::load) fn numbers(&self) -> usize {
        self.source.outputs() * self.source.inputs()
    }
}

/// What a model asks for when its matrices are kept in `format`.
pub(in crate::load) fn list(spec: &ModelSpec, format: WeightFormat) -> Result<Vec<Request>, EngineError> {
    let ledger = Arc::new(Ledger::default());
    let mut asked = Asked::default();
    let options = LoadOptions {
        format,
        positions: 1,
        blocks: 0,
    };
    Transformer::load(spec, &mut asked, DryDevice::new(ledger.clone(), 1), options)?;
    let mut formats = ledger.formats().into_iter();
    let requests = asked.sources.into_iter().map(|(source, vector)| {
        let kind = match vector {
            true => Kind::Vector,
            false => Kind::Matrix(formats.next().unwrap_or(format)),
        };
        Request { source, kind }
    });
    Ok(requests.collect())
}

/// SHA-256 in hexadecimal of the shapes and formats of all that a model asks for.
pub(in crate::load) fn shapes_hash(spec: &ModelSpec, format: WeightFormat) -> Result<String, EngineError> {
    let mut hasher = Sha256::new();
    for Request { source, kind } in list(spec, format)? {
        for number in [source.outputs(), source.inputs()] {
            hasher.update((number as u64).to_le_bytes());
        }
        hasher.update(String::from(kind));
        hasher.update([0]);
    }
    Ok(hex::encode(hasher.finalize()))
}

/// Notes sources, and whether they are vectors.
#[derive(Default)]
struct Asked {
    sources: Vec<(Source, bool)>,
    shapes: Shapes,
}

impl Checkpoint for Asked {
    fn matrix(&mut self, source: &Source) -> Result<Box<dyn MatrixRows + '_>, EngineError> {
        self.sources.push((source.clone(), false));
        self.shapes.matrix(source)
    }

    fn pass_over(&mut self, _tensor: &str) {}

    fn numbers(&mut self, source: &Source) -> Result<Vec<f32>, EngineError> {
        self.sources.push((source.clone(), true));
        self.shapes.numbers(source)
    }
}
