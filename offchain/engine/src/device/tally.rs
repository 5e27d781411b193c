//! A device that computes nothing and counts what a step asks of a GPU: launches of kernels, bytes and multiplications.
//! It follows [`super::CubeDevice`] operation by operation.

use super::{
    Activation, AttentionShape, Awaited, CacheShape, Choices, Device, Draw, Expert, GroupedHeads, MatrixRows,
    RopeHeads, RopeTable, Route, WeightFormat,
};
use crate::error::EngineError;
use crate::kernels::matrix::PackedMatrix;
use crate::model::Batch;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// What was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Kernels that were started.
    pub(crate) launches: u64,
    /// How often the host waited for numbers, or will when it has started the next step.
    pub(crate) waits: u64,
    /// Bytes of matrices, each once for every product.
    pub(crate) weights: u64,
    /// Bytes of keys and values, once for all rows of a sequence.
    pub(crate) cache: u64,
    /// Bytes of tensors, read and written.
    pub(crate) tensors: u64,
    /// Of products and of attention.
    pub(crate) multiply_adds: u64,
}

/// Counts into a tally.
pub(crate) struct TallyDevice {
    tally: Arc<Mutex<Tally>>,
    cache: Vec<CacheShape>,
}

/// Shape of a tensor.
pub(crate) struct TallyTensor {
    rows: usize,
    width: usize,
}

/// Shape of a matrix.
pub(crate) struct TallyMatrix {
    outputs: usize,
    inputs: usize,
    bytes: usize,
}

impl TallyDevice {
    /// Counts from what is there on.
    pub(crate) fn new(tally: Arc<Mutex<Tally>>) -> Self {
        Self {
            tally,
            cache: Vec::new(),
        }
    }

    fn count(&self, count: impl FnOnce(&mut Tally)) {
        count(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A kernel that reads and writes so many numbers of tensors.
    fn launch(&self, numbers: usize) {
        self.count(|tally| {
            tally.launches += 1;
            tally.tensors += 4 * numbers as u64;
        });
    }

    fn product(&self, rows: usize, weight: &TallyMatrix) {
        self.launch(rows * (weight.inputs + weight.outputs));
        self.count(|tally| {
            tally.weights += weight.bytes as u64;
            tally.multiply_adds += (rows * weight.inputs * weight.outputs) as u64;
        });
    }

    /// Every row and head over all positions that it sees.
    fn attention(&self, shape: &AttentionShape, layer: usize, rows: usize, batch: &Batch) -> TallyTensor {
        let cache = self.cache[layer];
        self.launch(rows * shape.heads * (shape.key_dim + shape.value_dim));
        for span in &batch.spans {
            let end = span.start + span.rows.len();
            let seen = |end: usize| shape.window.map_or(end, |window| end.min(window));
            let both = shape.key_dim + shape.value_dim;
            let bytes = 4 * seen(end) * cache.kv_heads * both;
            let pairs: usize = (span.start + 1..=end).map(seen).sum();
            self.count(|tally| {
                tally.cache += bytes as u64;
                tally.multiply_adds += (pairs * shape.heads * both) as u64;
            });
        }
        TallyTensor {
            rows,
            width: shape.heads * shape.value_dim,
        }
    }
}

impl Device for TallyDevice {
    type Tensor = TallyTensor;
    type Matrix = TallyMatrix;
    type Vector = ();
    type Rope = ();
    type Cache = ();
    type Tokens = ();

    fn matrix(
        &mut self,
        rows: &dyn MatrixRows,
        _bias: Option<&[f32]>,
        format: WeightFormat,
    ) -> Result<TallyMatrix, EngineError> {
        let (outputs, inputs) = (rows.outputs(), rows.inputs());
        Ok(TallyMatrix {
            outputs,
            inputs,
            bytes: PackedMatrix::bytes_for(outputs, inputs, format),
        })
    }

    fn vector(&mut self, _numbers: &[f32]) -> Result<(), EngineError> {
        Ok(())
    }

    fn rope_table(&mut self, _table: &RopeTable) -> Result<(), EngineError> {
        Ok(())
    }

    fn cache(&mut self, layers: &[CacheShape], _blocks: usize) -> Result<(), EngineError> {
        self.cache = layers.to_vec();
        Ok(())
    }

    fn tensor(&mut self, width: usize, numbers: &[f32]) -> TallyTensor {
        TallyTensor {
            rows: numbers.len() / width,
            width,
        }
    }

    fn embed(&mut self, table: &TallyMatrix, tokens: &[u32]) -> TallyTensor {
        self.launch(tokens.len() * table.inputs);
        self.count(|tally| tally.weights += (tokens.len() * (table.bytes / table.outputs.max(1))) as u64);
        TallyTensor {
            rows: tokens.len(),
            width: table.inputs,
        }
    }

    fn embed_chosen(
        &mut self,
        table: &TallyMatrix,
        tokens: &[u32],
        _chosen: &(),
        _places: &[Option<usize>],
    ) -> Result<TallyTensor, EngineError> {
        Ok(self.embed(table, tokens))
    }

    fn linear(&mut self, input: &TallyTensor, weight: &TallyMatrix) -> TallyTensor {
        self.product(input.rows, weight);
        TallyTensor {
            rows: input.rows,
            width: weight.outputs,
        }
    }

    fn linear_heads(&mut self, input: &TallyTensor, weights: &[TallyMatrix]) -> TallyTensor {
        weights.iter().for_each(|weight| self.product(input.rows, weight));
        TallyTensor {
            rows: input.rows,
            width: weights.iter().map(|weight| weight.outputs).sum(),
        }
    }

    fn rms_norm(&mut self, input: &TallyTensor, _scale: &(), _epsilon: f32) -> TallyTensor {
        self.launch(2 * input.rows * input.width);
        TallyTensor { ..*input }
    }

    fn add(&mut self, sum: &mut TallyTensor, _other: &TallyTensor) {
        self.launch(3 * sum.rows * sum.width);
    }

    fn add_norm(&mut self, sum: &mut TallyTensor, _other: &TallyTensor, _scale: &(), _epsilon: f32) -> TallyTensor {
        self.launch(4 * sum.rows * sum.width);
        TallyTensor { ..*sum }
    }

    fn scale(&mut self, input: &mut TallyTensor, _factor: f32) {
        self.launch(2 * input.rows * input.width);
    }

    fn gated(&mut self, gate_up: TallyTensor, _activation: Activation) -> TallyTensor {
        self.launch(gate_up.rows * gate_up.width * 3 / 2);
        TallyTensor {
            rows: gate_up.rows,
            width: gate_up.width / 2,
        }
    }

    fn columns(&mut self, input: &TallyTensor, columns: Range<usize>) -> TallyTensor {
        self.launch(2 * input.rows * columns.len());
        TallyTensor {
            rows: input.rows,
            width: columns.len(),
        }
    }

    fn join_heads(&mut self, one: &TallyTensor, other: &TallyTensor, _heads: usize) -> TallyTensor {
        let width = one.width + other.width;
        self.launch(2 * one.rows * width);
        TallyTensor { rows: one.rows, width }
    }

    fn rows(&mut self, input: &TallyTensor, rows: &[usize]) -> TallyTensor {
        self.launch(2 * rows.len() * input.width);
        TallyTensor {
            rows: rows.len(),
            width: input.width,
        }
    }

    fn rope(&mut self, heads: &mut TallyTensor, _shape: RopeHeads, _table: &(), _batch: &Batch) {
        self.launch(2 * heads.rows * heads.width);
    }

    fn attend(
        &mut self,
        _cache: &mut (),
        layer: usize,
        shape: &AttentionShape,
        queries: &TallyTensor,
        keys: &TallyTensor,
        values: Option<&TallyTensor>,
        _sinks: Option<&()>,
        batch: &Batch,
    ) -> TallyTensor {
        self.launch(2 * keys.rows * keys.width);
        self.launch(2 * keys.rows * values.unwrap_or(keys).width);
        self.attention(shape, layer, queries.rows, batch)
    }

    fn attend_grouped(
        &mut self,
        _cache: &mut (),
        layer: usize,
        shape: &AttentionShape,
        all: TallyTensor,
        _heads: &GroupedHeads<'_, Self>,
        batch: &Batch,
    ) -> TallyTensor {
        self.launch(2 * all.rows * all.width);
        self.attention(shape, layer, all.rows, batch)
    }

    fn experts(
        &mut self,
        input: &TallyTensor,
        experts: &[Expert<Self>],
        routes: &[Route],
        _activation: Activation,
    ) -> TallyTensor {
        let mut of_expert = vec![0; experts.len()];
        routes.iter().for_each(|route| of_expert[route.expert] += 1);
        self.launch(2 * routes.len() * input.width);
        for (expert, rows) in experts.iter().zip(of_expert).filter(|(_, rows)| *rows > 0) {
            self.product(rows, &expert.gate_up);
            self.product(rows, &expert.down);
        }
        let width = experts.first().map_or(0, |expert| expert.down.inputs);
        self.launch(routes.len() * 3 * width);
        self.launch((routes.len() + input.rows) * input.width);
        TallyTensor { ..*input }
    }

    fn ahead(&self) -> usize {
        1
    }

    fn chooses(&self) -> bool {
        true
    }

    fn choose(&mut self, logits: TallyTensor, draws: &[Draw]) -> Result<((), Awaited<Choices>), EngineError> {
        self.launch(logits.rows * logits.width);
        self.count(|tally| tally.waits += 1);
        let choices = vec![Some(0); draws.len()];
        Ok(((), Box::new(move || Ok(choices))))
    }

    fn host(&mut self, input: TallyTensor) -> Result<Vec<f32>, EngineError> {
        self.count(|tally| tally.waits += 1);
        Ok(vec![0.0; input.rows * input.width])
    }
}
