//! The operations on a GPU, on our own kernels in CubeCL. Tensors, weights and cache lie in the device's memory; only
//! tokens, places and routes go there in a step, and only what is asked for comes back.

#[cfg(all(test, feature = "cuda"))]
mod cuda_text;
mod experts;
#[cfg(all(test, feature = "wgpu"))]
mod tests;

use super::{
    Activation, AttentionShape, Awaited, CacheShape, Choices, Device, Draw, Expert, GroupedHeads, MatrixRows,
    RopeHeads, RopeTable, Route, WeightFormat,
};
use crate::error::EngineError;
#[cfg(all(test, feature = "wgpu"))]
use crate::kernels::cube::Products;
use crate::kernels::cube::{CHOSEN, Gpu, GpuCache, GpuMatrix, GpuRows, Heads, Memory, NOT_A_NUMBER, Part};
use crate::kernels::matrix::PackedMatrix;
use crate::limits::KV_BLOCK;
use crate::model::Batch;
use cubecl::Runtime;
use std::ops::Range;

/// A device of a CubeCL runtime.
pub(crate) struct CubeDevice<R: Runtime> {
    gpu: Gpu<R>,
    /// The rows of the batch that was worked on last.
    batch: Option<(Batch, GpuRows)>,
}

/// [rows, width].
pub(crate) struct CubeTensor {
    memory: Memory,
    rows: usize,
    width: usize,
}

/// A [`RopeTable`] on the device.
pub(crate) struct CubeRope {
    cos: Memory,
    sin: Memory,
    half: usize,
}

/// Keys and values of all layers.
pub(crate) struct CubeCache {
    layers: Vec<GpuCache>,
    blocks: usize,
}

impl<R: Runtime> CubeDevice<R> {
    /// The runtime's device.
    pub(crate) fn new(device: &R::Device) -> Self {
        Self {
            gpu: Gpu::new(device),
            batch: None,
        }
    }

    /// With the products of tensor cores on a device that has none.
    #[cfg(all(test, feature = "wgpu"))]
    pub(crate) fn imitating(self) -> Self {
        Self {
            gpu: self.gpu.with_products(Products::Imitated),
            ..self
        }
    }

    fn tensor_of(memory: Memory, width: usize) -> CubeTensor {
        CubeTensor {
            rows: memory.len() / width,
            memory,
            width,
        }
    }

    /// Brings the places of a batch to the device, once for all layers.
    fn prepare(&mut self, batch: &Batch) {
        if self.batch.as_ref().is_some_and(|(last, _)| last == batch) {
            return;
        }
        let (mut rows, mut blocks) = (vec![0; 2 * batch.positions.len()], Vec::new());
        for span in &batch.spans {
            for row in span.rows.clone() {
                rows[2 * row] = batch.positions[row];
                rows[2 * row + 1] = u32::try_from(blocks.len()).unwrap_or(u32::MAX);
            }
            blocks.extend(span.blocks.iter().map(|block| block.0));
        }
        let rows = GpuRows {
            rows: self.gpu.words(&rows),
            blocks: self.gpu.words(&blocks),
        };
        self.batch = Some((batch.clone(), rows));
    }

    /// The places of a batch, whose blocks must be among `blocks`.
    fn rows_of(&mut self, batch: &Batch, blocks: usize) -> &GpuRows {
        for span in &batch.spans {
            let needed = (span.start + span.rows.len()).div_ceil(KV_BLOCK);
            let known = span.blocks.iter().all(|block| (block.0 as usize) < blocks);
            assert!(
                needed <= span.blocks.len() && known,
                "sequences have blocks of the cache"
            );
        }
        self.prepare(batch);
        match &self.batch {
            Some((_, rows)) => rows,
            None => unreachable!("a batch has just been prepared"),
        }
    }
}

/// The whole of a tensor whose rows are `width` wide.
fn whole(width: usize) -> Part {
    Part {
        first: 0,
        stride: width,
    }
}

impl<R: Runtime> Device for CubeDevice<R> {
    type Tensor = CubeTensor;
    type Matrix = GpuMatrix;
    type Vector = Memory;
    type Rope = CubeRope;
    type Cache = CubeCache;
    type Tokens = Memory;

    fn matrix(
        &mut self,
        rows: &dyn MatrixRows,
        bias: Option<&[f32]>,
        format: WeightFormat,
    ) -> Result<GpuMatrix, EngineError> {
        let packed = PackedMatrix::pack(rows, None, format)?;
        self.gpu
            .matrix(packed.panel_bytes(), bias, (rows.outputs(), rows.inputs()), format)
    }

    fn vector(&mut self, numbers: &[f32]) -> Result<Memory, EngineError> {
        self.gpu.lasting_numbers(numbers)
    }

    fn rope_table(&mut self, table: &RopeTable) -> Result<CubeRope, EngineError> {
        Ok(CubeRope {
            cos: self.gpu.lasting_numbers(&table.cos)?,
            sin: self.gpu.lasting_numbers(&table.sin)?,
            half: table.half,
        })
    }

    fn cache(&mut self, layers: &[CacheShape], blocks: usize) -> Result<CubeCache, EngineError> {
        let layers = layers.iter().map(|shape| self.gpu.cache(*shape, blocks));
        Ok(CubeCache {
            layers: layers.collect::<Result<_, _>>()?,
            blocks,
        })
    }

    fn tensor(&mut self, width: usize, numbers: &[f32]) -> CubeTensor {
        Self::tensor_of(self.gpu.numbers(numbers), width)
    }

    fn embed(&mut self, table: &GpuMatrix, tokens: &[u32]) -> CubeTensor {
        let known = tokens.iter().all(|token| (*token as usize) < table.outputs);
        assert!(known, "the vocabulary has these tokens");
        let tokens = self.gpu.words(tokens);
        Self::tensor_of(self.gpu.embed(table, &tokens, None), table.inputs)
    }

    fn embed_chosen(
        &mut self,
        table: &GpuMatrix,
        tokens: &[u32],
        chosen: &Memory,
        places: &[Option<usize>],
    ) -> Result<CubeTensor, EngineError> {
        let known = tokens.iter().all(|token| (*token as usize) < table.outputs);
        let there = places.iter().flatten().all(|place| *place < chosen.len());
        assert!(
            known && there,
            "the vocabulary has these tokens, and the others are chosen"
        );
        let rows = tokens.iter().zip(places).map(|(token, place)| match place {
            Some(place) => CHOSEN | *place as u32,
            None => *token,
        });
        let rows = self.gpu.words(&rows.collect::<Vec<u32>>());
        Ok(Self::tensor_of(
            self.gpu.embed(table, &rows, Some(chosen)),
            table.inputs,
        ))
    }

    fn linear(&mut self, input: &CubeTensor, weight: &GpuMatrix) -> CubeTensor {
        assert_eq!(input.width, weight.inputs, "rows are as wide as the matrix");
        let out = self.gpu.room(input.rows * weight.outputs);
        let (from, to) = (whole(input.width), whole(weight.outputs));
        self.gpu.linear((&input.memory, from), weight, (&out, to), input.rows);
        Self::tensor_of(out, weight.outputs)
    }

    fn linear_heads(&mut self, input: &CubeTensor, weights: &[GpuMatrix]) -> CubeTensor {
        let width = weights.iter().map(|weight| weight.outputs).sum();
        let out = self.gpu.room(input.rows * width);
        let (mut from, mut to) = (whole(input.width), whole(width));
        for weight in weights {
            self.gpu.linear((&input.memory, from), weight, (&out, to), input.rows);
            from.first += weight.inputs;
            to.first += weight.outputs;
        }
        Self::tensor_of(out, width)
    }

    fn rms_norm(&mut self, input: &CubeTensor, scale: &Memory, epsilon: f32) -> CubeTensor {
        Self::tensor_of(self.gpu.rms_norm(&input.memory, None, scale, epsilon), input.width)
    }

    fn add(&mut self, sum: &mut CubeTensor, other: &CubeTensor) {
        self.gpu.add(&sum.memory, &other.memory);
    }

    fn add_norm(&mut self, sum: &mut CubeTensor, other: &CubeTensor, scale: &Memory, epsilon: f32) -> CubeTensor {
        let memory = self.gpu.rms_norm(&sum.memory, Some(&other.memory), scale, epsilon);
        Self::tensor_of(memory, sum.width)
    }

    fn scale(&mut self, input: &mut CubeTensor, factor: f32) {
        self.gpu.scale(&input.memory, factor);
    }

    fn gated(&mut self, gate_up: CubeTensor, activation: Activation) -> CubeTensor {
        let width = gate_up.width / 2;
        Self::tensor_of(self.gpu.gated(&gate_up.memory, width, activation), width)
    }

    fn columns(&mut self, input: &CubeTensor, columns: Range<usize>) -> CubeTensor {
        let memory = self
            .gpu
            .columns(&input.memory, columns.start, columns.len(), input.width);
        Self::tensor_of(memory, columns.len())
    }

    fn join_heads(&mut self, one: &CubeTensor, other: &CubeTensor, heads: usize) -> CubeTensor {
        let (left, right) = (one.width / heads, other.width / heads);
        let memory = self.gpu.join_heads(&one.memory, &other.memory, left, right);
        Self::tensor_of(memory, one.width + other.width)
    }

    fn rows(&mut self, input: &CubeTensor, rows: &[usize]) -> CubeTensor {
        assert!(rows.iter().all(|row| *row < input.rows), "the tensor has these rows");
        let rows: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        let rows = self.gpu.words(&rows);
        Self::tensor_of(self.gpu.gather(&input.memory, &rows, input.width), input.width)
    }

    fn rope(&mut self, heads: &mut CubeTensor, shape: RopeHeads, table: &CubeRope, batch: &Batch) {
        self.prepare(batch);
        if let Some((_, rows)) = &self.batch {
            let table = (&table.cos, &table.sin, table.half);
            self.gpu.rope(&heads.memory, &rows.rows, table, shape);
        }
    }

    fn attend(
        &mut self,
        cache: &mut CubeCache,
        layer: usize,
        shape: &AttentionShape,
        queries: &CubeTensor,
        keys: &CubeTensor,
        values: Option<&CubeTensor>,
        sinks: Option<&Memory>,
        batch: &Batch,
    ) -> CubeTensor {
        self.rows_of(batch, cache.blocks);
        let layer = &cache.layers[layer];
        let (gpu, rows) = match &self.batch {
            Some((_, rows)) => (&self.gpu, rows),
            None => unreachable!("a batch has just been prepared"),
        };
        gpu.write(layer, &keys.memory, values.map(|values| &values.memory), rows);
        let memory = gpu.attend(layer, shape, &queries.memory, sinks, rows);
        Self::tensor_of(memory, shape.heads * shape.value_dim)
    }

    fn attend_grouped(
        &mut self,
        cache: &mut CubeCache,
        layer: usize,
        shape: &AttentionShape,
        all: CubeTensor,
        heads: &GroupedHeads<'_, Self>,
        batch: &Batch,
    ) -> CubeTensor {
        self.rows_of(batch, cache.blocks);
        let layer = &cache.layers[layer];
        let (gpu, rows) = match &self.batch {
            Some((_, rows)) => (&self.gpu, rows),
            None => unreachable!("a batch has just been prepared"),
        };
        let on_their_way = Heads {
            query_norm: heads.query_norm,
            key_norm: heads.key_norm,
            rope: heads.rope.map(|table| (&table.cos, &table.sin, table.half)),
        };
        let queries = gpu.place(layer, shape, &all.memory, &on_their_way, rows);
        let memory = gpu.attend(layer, shape, &queries, heads.sinks, rows);
        Self::tensor_of(memory, shape.heads * shape.value_dim)
    }

    fn experts(
        &mut self,
        input: &CubeTensor,
        experts: &[Expert<Self>],
        routes: &[Route],
        activation: Activation,
    ) -> CubeTensor {
        self.mixture(input, experts, routes, activation)
    }

    fn plans(&self) -> usize {
        self.gpu.plans()
    }

    fn take_plan(&mut self, plan: usize) {
        self.gpu.take_plan(plan);
    }

    /// While a step is done, the next is on its way there.
    fn ahead(&self) -> usize {
        1
    }

    fn chooses(&self) -> bool {
        true
    }

    fn choose(&mut self, logits: CubeTensor, draws: &[Draw]) -> Result<(Memory, Awaited<Choices>), EngineError> {
        assert_eq!(logits.rows, draws.len(), "every row has a draw");
        let tokens = self.gpu.choose(&logits.memory, draws);
        let words = self.gpu.read_later(&tokens);
        let choices = move || {
            let tokens = words()?.into_iter();
            Ok(tokens
                .map(|token| Some(token).filter(|token| *token != NOT_A_NUMBER))
                .collect())
        };
        Ok((tokens, Box::new(choices)))
    }

    fn host(&mut self, input: CubeTensor) -> Result<Vec<f32>, EngineError> {
        self.host_later(input)?()
    }

    fn host_later(&mut self, input: CubeTensor) -> Result<Awaited<Vec<f32>>, EngineError> {
        let words = self.gpu.read_later(&input.memory);
        Ok(Box::new(move || Ok(words()?.into_iter().map(f32::from_bits).collect())))
    }
}
