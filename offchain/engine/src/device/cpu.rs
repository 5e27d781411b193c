//! The operations on this machine's processors, on our own kernels.
//!
//! Threads share an operation by rows, outputs or heads; every number is computed by one of them in an order of its
//! own, so their number changes nothing. Tensors live in an arena: after the first step of a size nothing is asked of
//! the system.

mod experts;
mod products;
#[cfg(test)]
pub(in crate::device) mod tests;

use super::{
    Activation, AttentionShape, CacheShape, Device, Expert, MatrixRows, RopeHeads, RopeTable, Route, WeightFormat,
};
use crate::error::EngineError;
use crate::kernels::matrix::{Activations, PackedMatrix};
use crate::kernels::{self, Arena, AttentionInputs, KvLayer, Loan, Pool, SharedOut};
use crate::model::Batch;
use std::ops::Range;
use std::sync::Mutex;

/// Numbers that one thread alone does faster than it could wake another.
const ALONE: usize = 16 * 1024;

/// Threads and memory for steps.
pub(crate) struct CpuDevice {
    pool: Pool,
    arena: Arena,
    /// Of attention, for each thread.
    scores: Vec<Mutex<Vec<f32>>>,
    /// Prepared inputs of products that run at once.
    inputs: Vec<Activations>,
    /// In tests it can choose tokens and be ahead of its steps by so many, as a GPU is.
    #[cfg(test)]
    ahead: usize,
}

/// [rows, width].
pub(crate) struct CpuTensor {
    numbers: Loan,
    width: usize,
}

impl CpuTensor {
    fn rows(&self) -> usize {
        self.numbers.len() / self.width
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.numbers[row * self.width..(row + 1) * self.width]
    }
}

impl CpuDevice {
    /// A device of `threads` threads, the caller's being one; with `pin` the others stay on one processor each.
    pub(crate) fn new(threads: usize, pin: bool) -> Self {
        Self::on(Pool::new(threads, pin))
    }

    /// A device beside others: its threads but the caller's stay on the processors behind the `first`.
    pub(crate) fn pinned(threads: usize, first: usize) -> Self {
        Self::on(Pool::pinned(threads, first))
    }

    fn on(pool: Pool) -> Self {
        Self {
            scores: (0..pool.threads()).map(|_| Mutex::default()).collect(),
            pool,
            arena: Arena::default(),
            inputs: Vec::new(),
            #[cfg(test)]
            ahead: 0,
        }
    }

    /// Chooses tokens itself, and may be ahead by so many steps.
    #[cfg(test)]
    pub(crate) fn choosing(self, ahead: usize) -> Self {
        Self { ahead, ..self }
    }

    /// Room for a tensor, to be written whole.
    fn room(&self, rows: usize, width: usize) -> CpuTensor {
        CpuTensor {
            numbers: self.arena.borrow(rows * width),
            width,
        }
    }

    /// Runs `job` over all rows of `out` in stretches, on several threads when there is enough to do.
    fn by_rows(&mut self, out: &mut CpuTensor, job: impl Fn(Range<usize>, &mut [f32]) + Sync) {
        let (rows, width) = (out.rows(), out.width);
        let at_once = if rows * width <= ALONE {
            rows
        } else {
            (ALONE / 2 / width).max(rows / (self.pool.threads() * 8)).max(1)
        };
        let shared = SharedOut::new(&mut out.numbers);
        self.pool.run(rows.div_ceil(at_once.max(1)), &|task, _| {
            let stretch = task * at_once..((task + 1) * at_once).min(rows);
            // SAFETY: stretches of different tasks have no row in common.
            #[allow(unsafe_code, reason = "threads write different rows of one tensor")]
            let out = unsafe { shared.part(stretch.start * width..stretch.end * width) };
            job(stretch, out);
        });
    }
}

impl Device for CpuDevice {
    type Tensor = CpuTensor;
    type Matrix = PackedMatrix;
    type Vector = Vec<f32>;
    type Rope = RopeTable;
    type Cache = Vec<KvLayer>;
    type Tokens = Vec<Option<u32>>;

    fn matrix(
        &mut self,
        rows: &dyn MatrixRows,
        bias: Option<&[f32]>,
        format: WeightFormat,
    ) -> Result<PackedMatrix, EngineError> {
        PackedMatrix::pack_on(&mut self.pool, rows, bias, format)
    }

    fn vector(&mut self, numbers: &[f32]) -> Result<Vec<f32>, EngineError> {
        Ok(numbers.to_vec())
    }

    fn rope_table(&mut self, table: &RopeTable) -> Result<RopeTable, EngineError> {
        Ok(RopeTable {
            half: table.half,
            cos: table.cos.clone(),
            sin: table.sin.clone(),
        })
    }

    fn cache(&mut self, layers: &[CacheShape], blocks: usize) -> Result<Vec<KvLayer>, EngineError> {
        Ok(layers.iter().map(|shape| KvLayer::new(*shape, blocks)).collect())
    }

    fn tensor(&mut self, width: usize, numbers: &[f32]) -> CpuTensor {
        let mut out = self.room(numbers.len() / width, width);
        out.numbers.copy_from_slice(numbers);
        out
    }

    fn embed(&mut self, table: &PackedMatrix, tokens: &[u32]) -> CpuTensor {
        let mut out = self.room(tokens.len(), table.inputs());
        let width = out.width;
        self.by_rows(&mut out, |rows, out| {
            for (out, token) in out.chunks_exact_mut(width).zip(&tokens[rows]) {
                table.gather(*token as usize, out);
            }
        });
        out
    }

    fn linear(&mut self, input: &CpuTensor, weight: &PackedMatrix) -> CpuTensor {
        self.product(input, weight)
    }

    fn linear_heads(&mut self, input: &CpuTensor, weights: &[PackedMatrix]) -> CpuTensor {
        self.products_of_heads(input, weights)
    }

    fn rms_norm(&mut self, input: &CpuTensor, scale: &Vec<f32>, epsilon: f32) -> CpuTensor {
        let width = input.width;
        let mut out = self.room(input.rows(), width);
        self.by_rows(&mut out, |rows, out| {
            kernels::rms_norm(
                &input.numbers[rows.start * width..rows.end * width],
                out,
                scale,
                epsilon,
            );
        });
        out
    }

    fn add(&mut self, sum: &mut CpuTensor, other: &CpuTensor) {
        let width = sum.width;
        self.by_rows(sum, |rows, sum| {
            kernels::add_scaled(sum, &other.numbers[rows.start * width..rows.end * width], 1.0);
        });
    }

    fn scale(&mut self, input: &mut CpuTensor, factor: f32) {
        self.by_rows(input, |_, numbers| {
            numbers.iter_mut().for_each(|number| *number *= factor)
        });
    }

    fn gated(&mut self, gate_up: CpuTensor, activation: Activation) -> CpuTensor {
        let width = gate_up.width / 2;
        let mut out = self.room(gate_up.rows(), width);
        self.by_rows(&mut out, |rows, out| {
            let gate_up = &gate_up.numbers[rows.start * 2 * width..rows.end * 2 * width];
            kernels::gated(gate_up, out, width, activation);
        });
        out
    }

    fn columns(&mut self, input: &CpuTensor, columns: Range<usize>) -> CpuTensor {
        let mut out = self.room(input.rows(), columns.len());
        let rows = input.numbers.chunks_exact(input.width);
        for (out, row) in out.numbers.chunks_exact_mut(columns.len()).zip(rows) {
            out.copy_from_slice(&row[columns.clone()]);
        }
        out
    }

    fn join_heads(&mut self, one: &CpuTensor, other: &CpuTensor, heads: usize) -> CpuTensor {
        let (left, right) = (one.width / heads, other.width / heads);
        let mut out = self.room(one.rows(), one.width + other.width);
        let pairs = one.numbers.chunks_exact(left).zip(other.numbers.chunks_exact(right));
        for (out, (one, other)) in out.numbers.chunks_exact_mut(left + right).zip(pairs) {
            out[..left].copy_from_slice(one);
            out[left..].copy_from_slice(other);
        }
        out
    }

    fn rows(&mut self, input: &CpuTensor, rows: &[usize]) -> CpuTensor {
        let mut out = self.room(rows.len(), input.width);
        for (out, row) in out.numbers.chunks_exact_mut(input.width).zip(rows) {
            out.copy_from_slice(input.row(*row));
        }
        out
    }

    fn rope(&mut self, heads: &mut CpuTensor, shape: RopeHeads, table: &RopeTable, batch: &Batch) {
        let width = heads.width;
        self.by_rows(heads, |rows, heads| {
            kernels::rope(heads, width, shape, table, &batch.positions[rows]);
        });
    }

    fn attend(
        &mut self,
        cache: &mut Vec<KvLayer>,
        layer: usize,
        shape: &AttentionShape,
        queries: &CpuTensor,
        keys: &CpuTensor,
        values: Option<&CpuTensor>,
        sinks: Option<&Vec<f32>>,
        batch: &Batch,
    ) -> CpuTensor {
        let layer = &mut cache[layer];
        for span in &batch.spans {
            let of = |tensor: &'_ CpuTensor| span.rows.start * tensor.width..span.rows.end * tensor.width;
            let values = values.map(|values| &values.numbers[of(values)]);
            layer.write(span.start, &span.blocks, &keys.numbers[of(keys)], values);
        }
        let mut out = self.room(queries.rows(), shape.heads * shape.value_dim);
        let inputs = AttentionInputs {
            layer,
            shape,
            queries: &queries.numbers,
            sinks: sinks.map(Vec::as_slice),
            spans: &batch.spans,
        };
        kernels::attend(&mut self.pool, &self.scores, &inputs, &mut out.numbers);
        out
    }

    fn experts(
        &mut self,
        input: &CpuTensor,
        experts: &[Expert<Self>],
        routes: &[Route],
        activation: Activation,
    ) -> CpuTensor {
        self.mixture(input, experts, routes, activation)
    }

    #[cfg(test)]
    fn ahead(&self) -> usize {
        self.ahead
    }

    #[cfg(test)]
    fn chooses(&self) -> bool {
        self.ahead > 0
    }

    #[cfg(test)]
    fn choose(
        &mut self,
        logits: CpuTensor,
        draws: &[super::Draw],
    ) -> Result<(Self::Tokens, super::Awaited<super::Choices>), EngineError> {
        let rows = logits.numbers.chunks_exact(logits.width);
        let tokens = draws
            .iter()
            .zip(rows)
            .map(|(draw, logits)| crate::sampling::choose_drawn(draw, logits));
        let tokens: Vec<_> = tokens.collect();
        let choices = tokens.clone();
        Ok((tokens, Box::new(move || Ok(choices))))
    }

    #[cfg(test)]
    fn embed_chosen(
        &mut self,
        table: &PackedMatrix,
        tokens: &[u32],
        chosen: &Self::Tokens,
        places: &[Option<usize>],
    ) -> Result<CpuTensor, EngineError> {
        let tokens = tokens.iter().zip(places).map(|(token, place)| match place {
            Some(place) => chosen[*place].unwrap_or(0),
            None => *token,
        });
        let tokens: Vec<u32> = tokens.collect();
        Ok(self.embed(table, &tokens))
    }

    fn host(&mut self, input: CpuTensor) -> Result<Vec<f32>, EngineError> {
        Ok(input.numbers.to_vec())
    }
}
