//! The operations on any backend of Burn: the plain reference of the other devices.

mod attention;

use super::{
    Activation, AttentionShape, CacheShape, Device, Expert, MatrixRows, RopeHeads, RopeTable, Route, WeightFormat,
    rounding,
};
use crate::error::EngineError;
use crate::model::Batch;
use attention::Cache;
use burn::tensor::activation::sigmoid;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use std::ops::Range;

/// A device of Burn. Weights are f32; those of another format are first rounded to it, so that the numbers are the same
/// as on a device that keeps them in that format.
pub(crate) struct BurnDevice<B: Backend> {
    device: B::Device,
}

impl<B: Backend> BurnDevice<B> {
    /// The backend's first device.
    pub(crate) fn new() -> Self {
        Self {
            device: B::Device::default(),
        }
    }

    fn numbers<const D: usize>(&self, numbers: Vec<f32>, shape: [usize; D]) -> Tensor<B, D> {
        Tensor::from_data(TensorData::new(numbers, shape), &self.device)
    }

    fn indices(&self, indices: impl Iterator<Item = usize>) -> Tensor<B, 1, Int> {
        let indices: Vec<i32> = indices.map(|index| i32::try_from(index).unwrap_or(i32::MAX)).collect();
        let count = indices.len();
        Tensor::from_data(TensorData::new(indices, [count]), &self.device)
    }
}

/// [outputs, inputs].
pub(crate) struct Matrix<B: Backend> {
    rows: Tensor<B, 2>,
    /// [1, outputs]
    bias: Option<Tensor<B, 2>>,
}

impl<B: Backend> Matrix<B> {
    /// Row by row, so that a row's result does not depend on how many there are: backends choose another order of
    /// sums for another number of rows.
    fn product(&self, input: &Tensor<B, 2>) -> Tensor<B, 2> {
        let weight = self.rows.clone().transpose();
        let product = by_row(input, |row| row.matmul(weight.clone()));
        match &self.bias {
            Some(bias) => product + bias.clone(),
            None => product,
        }
    }
}

fn by_row<B: Backend>(input: &Tensor<B, 2>, function: impl Fn(Tensor<B, 2>) -> Tensor<B, 2>) -> Tensor<B, 2> {
    let [count, _] = input.dims();
    Tensor::cat((0..count).map(|row| function(one_row(input, row))).collect(), 0)
}

fn one_row<B: Backend>(input: &Tensor<B, 2>, row: usize) -> Tensor<B, 2> {
    let [_, width] = input.dims();
    input.clone().slice([row..row + 1, 0..width])
}

/// Cosines and sines, [positions, half].
pub(crate) struct Rope<B: Backend> {
    cos: Tensor<B, 2>,
    sin: Tensor<B, 2>,
}

impl<B: Backend> Device for BurnDevice<B> {
    type Tensor = Tensor<B, 2>;
    type Matrix = Matrix<B>;
    type Vector = Tensor<B, 1>;
    type Rope = Rope<B>;
    type Cache = Cache<B>;
    type Tokens = ();

    fn matrix(
        &mut self,
        rows: &dyn MatrixRows,
        bias: Option<&[f32]>,
        format: WeightFormat,
    ) -> Result<Self::Matrix, EngineError> {
        let (outputs, inputs) = (rows.outputs(), rows.inputs());
        let mut numbers = vec![0.0; outputs * inputs];
        rows.read(0, &mut numbers)?;
        // Blocks that are taken over are rounded already.
        if rows.stored_blocks() != Some(format) {
            for row in numbers.chunks_exact_mut(inputs) {
                rounding::round(row, format);
            }
        }
        Ok(Matrix {
            rows: self.numbers(numbers, [outputs, inputs]),
            bias: bias.map(|bias| self.numbers(bias.to_vec(), [1, outputs])),
        })
    }

    fn vector(&mut self, numbers: &[f32]) -> Result<Self::Vector, EngineError> {
        Ok(self.numbers(numbers.to_vec(), [numbers.len()]))
    }

    fn rope_table(&mut self, table: &RopeTable) -> Result<Self::Rope, EngineError> {
        let positions = table.cos.len() / table.half;
        Ok(Rope {
            cos: self.numbers(table.cos.clone(), [positions, table.half]),
            sin: self.numbers(table.sin.clone(), [positions, table.half]),
        })
    }

    fn cache(&mut self, layers: &[CacheShape], blocks: usize) -> Result<Self::Cache, EngineError> {
        Ok(Cache::new(layers, blocks, &self.device))
    }

    fn tensor(&mut self, width: usize, numbers: &[f32]) -> Self::Tensor {
        self.numbers(numbers.to_vec(), [numbers.len() / width, width])
    }

    fn embed(&mut self, table: &Self::Matrix, tokens: &[u32]) -> Self::Tensor {
        let indices = self.indices(tokens.iter().map(|token| *token as usize));
        table.rows.clone().select(0, indices)
    }

    fn linear(&mut self, input: &Self::Tensor, weight: &Self::Matrix) -> Self::Tensor {
        weight.product(input)
    }

    fn linear_heads(&mut self, input: &Self::Tensor, weights: &[Self::Matrix]) -> Self::Tensor {
        let products = weights.iter().enumerate().map(|(head, weight)| {
            let [_, inputs] = weight.rows.dims();
            weight.product(&self.columns(input, head * inputs..(head + 1) * inputs))
        });
        Tensor::cat(products.collect(), 1)
    }

    fn rms_norm(&mut self, input: &Self::Tensor, scale: &Self::Vector, epsilon: f32) -> Self::Tensor {
        let [rows, width] = input.dims();
        let [size] = scale.dims();
        let groups = input.clone().reshape([rows * width / size, size]);
        let mean = groups.clone().powi_scalar(2).mean_dim(1);
        let normed = groups / (mean + epsilon).sqrt() * scale.clone().unsqueeze();
        normed.reshape([rows, width])
    }

    fn add(&mut self, sum: &mut Self::Tensor, other: &Self::Tensor) {
        *sum = sum.clone() + other.clone();
    }

    fn scale(&mut self, input: &mut Self::Tensor, factor: f32) {
        *input = input.clone() * factor;
    }

    fn gated(&mut self, gate_up: Self::Tensor, activation: Activation) -> Self::Tensor {
        let [_, width] = gate_up.dims();
        let gate = self.columns(&gate_up, 0..width / 2);
        let up = self.columns(&gate_up, width / 2..width);
        match activation {
            Activation::Silu => gate.clone() * sigmoid(gate) * up,
            Activation::GeluTanh => {
                let cube = gate.clone() * gate.clone() * gate.clone();
                let inner = (gate.clone() + cube * 0.044_715) * (2.0 / std::f64::consts::PI).sqrt();
                gate * (inner.tanh() + 1.0) * 0.5 * up
            }
            Activation::ClampedSwiglu { alpha, limit } => {
                let gate = gate.clamp_max(limit);
                let up = up.clamp(-limit, limit);
                gate.clone() * sigmoid(gate * alpha) * (up + 1.0)
            }
        }
    }

    fn columns(&mut self, input: &Self::Tensor, columns: Range<usize>) -> Self::Tensor {
        let [rows, _] = input.dims();
        input.clone().slice([0..rows, columns])
    }

    fn join_heads(&mut self, one: &Self::Tensor, other: &Self::Tensor, heads: usize) -> Self::Tensor {
        let [rows, _] = one.dims();
        let split = |tensor: &Tensor<B, 2>| {
            let [_, width] = tensor.dims();
            tensor.clone().reshape([rows, heads, width / heads])
        };
        let joined = Tensor::cat(vec![split(one), split(other)], 2);
        let [_, _, width] = joined.dims();
        joined.reshape([rows, heads * width])
    }

    fn rows(&mut self, input: &Self::Tensor, rows: &[usize]) -> Self::Tensor {
        input.clone().select(0, self.indices(rows.iter().copied()))
    }

    fn rope(&mut self, heads: &mut Self::Tensor, shape: RopeHeads, table: &Self::Rope, batch: &Batch) {
        let [rows, width] = heads.dims();
        let [_, half] = table.cos.dims();
        let positions = self.indices(batch.positions.iter().map(|position| *position as usize));
        let at = |table: &Tensor<B, 2>| table.clone().select(0, positions.clone()).unsqueeze_dim::<3>(1);
        let (cos, sin) = (at(&table.cos), at(&table.sin));
        let all = heads.clone().reshape([rows, shape.heads, shape.stride]);
        let part = |from: usize, to: usize| all.clone().slice([0..rows, 0..shape.heads, from..to]);
        let (begin, middle) = (shape.offset, shape.offset + half);
        let (first, second) = (part(begin, middle), part(middle, middle + half));
        let turned = Tensor::cat(
            vec![
                first.clone() * cos.clone() - second.clone() * sin.clone(),
                second * cos + first * sin,
            ],
            2,
        );
        let turned = all.slice_assign([0..rows, 0..shape.heads, begin..middle + half], turned);
        *heads = turned.reshape([rows, width]);
    }

    fn attend(
        &mut self,
        cache: &mut Self::Cache,
        layer: usize,
        shape: &AttentionShape,
        queries: &Self::Tensor,
        keys: &Self::Tensor,
        values: Option<&Self::Tensor>,
        sinks: Option<&Self::Vector>,
        batch: &Batch,
    ) -> Self::Tensor {
        cache.write(layer, keys, values, batch);
        let mut rows = Vec::new();
        for span in &batch.spans {
            let slots = attention::slots(span, span.start + span.rows.len());
            let (keys, values) = cache.read(layer, self.indices(slots.into_iter()));
            for (row, position) in span.rows.clone().zip(span.start..) {
                let seen = shape.window.map_or(0, |window| (position + 1).saturating_sub(window))..position + 1;
                let query = one_row(queries, row);
                rows.push(attention::attend_one(shape, query, &keys, values.as_ref(), seen, sinks));
            }
        }
        Tensor::cat(rows, 0)
    }

    fn experts(
        &mut self,
        input: &Self::Tensor,
        experts: &[Expert<Self>],
        routes: &[Route],
        activation: Activation,
    ) -> Self::Tensor {
        let [count, width] = input.dims();
        let mut rows: Vec<Tensor<B, 2>> = (0..count).map(|_| Tensor::zeros([1, width], &self.device)).collect();
        for route in routes {
            let expert = &experts[route.expert];
            let gate_up = expert.gate_up.product(&one_row(input, route.row));
            let gated = self.gated(gate_up, activation);
            let row = &mut rows[route.row];
            *row = row.clone() + expert.down.product(&gated) * route.weight;
        }
        Tensor::cat(rows, 0)
    }

    fn host(&mut self, input: Self::Tensor) -> Result<Vec<f32>, EngineError> {
        let data = input
            .try_into_data()
            .map_err(|_| EngineError::Device { doing: "computing" })?;
        data.into_vec::<f32>().map_err(|_| EngineError::Device {
            doing: "reading results",
        })
    }
}
