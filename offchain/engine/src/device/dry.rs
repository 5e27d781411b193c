//! A device that computes nothing and counts bytes: what a model takes on the CPU device, before it is loaded.

use super::{
    Activation, AttentionShape, CacheShape, Device, Expert, MatrixRows, RopeHeads, RopeTable, Route, WeightFormat,
};
use crate::error::EngineError;
use crate::kernels::KvLayer;
use crate::kernels::matrix::PackedMatrix;
use crate::limits::KV_BLOCK;
use crate::model::Batch;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What was asked for so far, in bytes.
#[derive(Default)]
pub(crate) struct Ledger {
    weights: AtomicUsize,
    formats: Mutex<Vec<WeightFormat>>,
    block: AtomicUsize,
    live: AtomicUsize,
    peak: AtomicUsize,
}

impl Ledger {
    /// Matrices, vectors and tables.
    pub(crate) fn weights(&self) -> usize {
        self.weights.load(Ordering::Relaxed)
    }

    /// One block of the cache, in all layers.
    pub(crate) fn block(&self) -> usize {
        self.block.load(Ordering::Relaxed)
    }

    /// The most that tensors took at one time.
    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// The format of every matrix, in the order in which they were asked for.
    pub(crate) fn formats(&self) -> Vec<WeightFormat> {
        self.formats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn borrow(&self, bytes: usize) {
        let live = self.live.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(live, Ordering::Relaxed);
    }

    /// Memory of one operation alone.
    fn pass(&self, bytes: usize) {
        self.borrow(bytes);
        self.live.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Counts into a ledger.
pub(crate) struct DryDevice {
    ledger: Arc<Ledger>,
    threads: usize,
}

/// The shape of a tensor; its bytes are counted while it lives.
pub(crate) struct DryTensor {
    rows: usize,
    width: usize,
    ledger: Arc<Ledger>,
}

/// The shape of a matrix.
pub(crate) struct DryMatrix {
    outputs: usize,
    inputs: usize,
}

/// Bytes that the arena lends for so many numbers.
fn lent(numbers: usize) -> usize {
    numbers.next_power_of_two().max(1024) * size_of::<f32>()
}

impl Drop for DryTensor {
    fn drop(&mut self) {
        self.ledger
            .live
            .fetch_sub(lent(self.rows * self.width), Ordering::Relaxed);
    }
}

impl DryDevice {
    /// Stands for a CPU device of so many threads.
    pub(crate) fn new(ledger: Arc<Ledger>, threads: usize) -> Self {
        Self { ledger, threads }
    }

    fn room(&self, rows: usize, width: usize) -> DryTensor {
        self.ledger.borrow(lent(rows * width));
        DryTensor {
            rows,
            width,
            ledger: self.ledger.clone(),
        }
    }

    fn weigh(&self, bytes: usize) {
        self.ledger.weights.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Device for DryDevice {
    type Tensor = DryTensor;
    type Matrix = DryMatrix;
    /// Its length.
    type Vector = usize;
    type Rope = ();
    type Cache = ();
    type Tokens = ();

    fn matrix(
        &mut self,
        rows: &dyn MatrixRows,
        bias: Option<&[f32]>,
        format: WeightFormat,
    ) -> Result<DryMatrix, EngineError> {
        let (outputs, inputs) = (rows.outputs(), rows.inputs());
        self.weigh(PackedMatrix::bytes_for(outputs, inputs, format) + bias.map_or(0, size_of_val));
        let mut formats = self.ledger.formats.lock().unwrap_or_else(PoisonError::into_inner);
        formats.push(format);
        Ok(DryMatrix { outputs, inputs })
    }

    fn vector(&mut self, numbers: &[f32]) -> Result<usize, EngineError> {
        self.weigh(size_of_val(numbers));
        Ok(numbers.len())
    }

    fn rope_table(&mut self, table: &RopeTable) -> Result<(), EngineError> {
        self.weigh(size_of_val(&*table.cos) + size_of_val(&*table.sin));
        Ok(())
    }

    fn cache(&mut self, layers: &[CacheShape], _blocks: usize) -> Result<(), EngineError> {
        let bytes = layers.iter().map(KvLayer::block_bytes).sum();
        self.ledger.block.store(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn tensor(&mut self, width: usize, numbers: &[f32]) -> DryTensor {
        self.room(numbers.len() / width, width)
    }

    fn embed(&mut self, table: &DryMatrix, tokens: &[u32]) -> DryTensor {
        self.room(tokens.len(), table.inputs)
    }

    fn linear(&mut self, input: &DryTensor, weight: &DryMatrix) -> DryTensor {
        let out = self.room(input.rows, weight.outputs);
        // The prepared inputs.
        self.ledger
            .pass((input.rows * input.width).next_power_of_two() * size_of::<f32>());
        out
    }

    fn linear_heads(&mut self, input: &DryTensor, weights: &[DryMatrix]) -> DryTensor {
        let out = self.room(input.rows, weights.iter().map(|weight| weight.outputs).sum());
        self.ledger
            .pass((input.rows * input.width).next_power_of_two() * size_of::<f32>());
        out
    }

    fn rms_norm(&mut self, input: &DryTensor, _scale: &usize, _epsilon: f32) -> DryTensor {
        self.room(input.rows, input.width)
    }

    fn add(&mut self, _sum: &mut DryTensor, _other: &DryTensor) {}

    fn scale(&mut self, _input: &mut DryTensor, _factor: f32) {}

    fn gated(&mut self, gate_up: DryTensor, _activation: Activation) -> DryTensor {
        self.room(gate_up.rows, gate_up.width / 2)
    }

    fn columns(&mut self, input: &DryTensor, columns: Range<usize>) -> DryTensor {
        self.room(input.rows, columns.len())
    }

    fn join_heads(&mut self, one: &DryTensor, other: &DryTensor, _heads: usize) -> DryTensor {
        self.room(one.rows, one.width + other.width)
    }

    fn rows(&mut self, input: &DryTensor, rows: &[usize]) -> DryTensor {
        self.room(rows.len(), input.width)
    }

    fn rope(&mut self, _heads: &mut DryTensor, _shape: RopeHeads, _table: &(), _batch: &Batch) {}

    fn attend(
        &mut self,
        _cache: &mut (),
        _layer: usize,
        shape: &AttentionShape,
        queries: &DryTensor,
        _keys: &DryTensor,
        _values: Option<&DryTensor>,
        _sinks: Option<&usize>,
        batch: &Batch,
    ) -> DryTensor {
        let out = self.room(queries.rows, shape.heads * shape.value_dim);
        let longest = batch
            .spans
            .iter()
            .map(|span| span.start + span.rows.len())
            .max()
            .unwrap_or(0);
        let seen = shape
            .window
            .map_or(longest, |window| longest.min(window + 2 * KV_BLOCK));
        self.ledger.pass(self.threads * crate::kernels::score_bytes(seen));
        out
    }

    fn experts(
        &mut self,
        input: &DryTensor,
        experts: &[Expert<Self>],
        routes: &[Route],
        activation: Activation,
    ) -> DryTensor {
        let out = self.room(input.rows, input.width);
        if let Some(expert) = experts.first() {
            let gathered = self.room(routes.len(), input.width);
            let gate_up = self.linear(&gathered, &expert.gate_up);
            let gated = self.gated(gate_up, activation);
            drop(self.linear(&gated, &expert.down));
        }
        out
    }

    fn host(&mut self, input: DryTensor) -> Result<Vec<f32>, EngineError> {
        let numbers = vec![0.0; input.rows * input.width];
        self.ledger.pass(size_of_val(&*numbers));
        Ok(numbers)
    }
}
