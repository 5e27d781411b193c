//! Grouped attention with normed heads and rotary positions.

use super::{linear, norm};
use crate::shape::{ROPE_THETA, Shape};
use burn::module::Module;
use burn::nn::{Linear, RmsNorm};
use burn::tensor::activation::softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use std::ops::Range;

/// Projections and head norms of one layer.
#[derive(Module, Debug)]
pub(crate) struct Attention<B: Backend> {
    pub(super) query: Linear<B>,
    pub(super) key: Linear<B>,
    pub(super) value: Linear<B>,
    pub(super) output: Linear<B>,
    pub(super) query_norm: RmsNorm<B>,
    pub(super) key_norm: RmsNorm<B>,
}

/// Cosines, sines [1, 1, T, head_dim / 2] and the causal mask [1, 1, T, S] of some positions.
pub(crate) struct Rope<B: Backend> {
    cos: Tensor<B, 4>,
    sin: Tensor<B, 4>,
    /// Added to the scores: nothing, or a number that leaves no weight. Absent for a single position.
    mask: Option<Tensor<B, 4>>,
}

/// Keys and values of one layer, [B, kv_heads, S, head_dim].
pub(crate) type Past<B> = Option<(Tensor<B, 4>, Tensor<B, 4>)>;

/// Keys and values of all layers, for decoding.
pub(crate) struct KvCache<B: Backend>(Vec<Past<B>>);

impl<B: Backend> KvCache<B> {
    /// Nothing seen yet.
    pub(crate) fn new(shape: &Shape) -> Self {
        Self((0..shape.layers).map(|_| None).collect())
    }

    /// How many positions it holds.
    pub(crate) fn positions(&self) -> usize {
        self.0
            .first()
            .and_then(Option::as_ref)
            .map_or(0, |(keys, _)| keys.dims()[2])
    }

    pub(super) fn layer(&mut self, index: usize) -> &mut Past<B> {
        &mut self.0[index]
    }
}

impl<B: Backend> Rope<B> {
    pub(super) fn new(shape: &Shape, positions: Range<usize>, device: &B::Device) -> Self {
        let half = shape.head_dim / 2;
        let angles = positions.clone().flat_map(|position| {
            (0..half).map(move |index| position as f64 / ROPE_THETA.powf(index as f64 / half as f64))
        });
        let (cos, sin): (Vec<f32>, Vec<f32>) = angles.map(|angle| (angle.cos() as f32, angle.sin() as f32)).unzip();
        let table = |numbers| Tensor::from_data(TensorData::new(numbers, [1, 1, positions.len(), half]), device);
        let all = positions.end;
        let mask = (positions.len() > 1).then(|| {
            let hidden = |row: usize| (0..all).map(move |column| if column > row { -1e9_f32 } else { 0.0 });
            let numbers: Vec<f32> = positions.clone().flat_map(hidden).collect();
            Tensor::from_data(TensorData::new(numbers, [1, 1, positions.len(), all]), device)
        });
        Self {
            cos: table(cos),
            sin: table(sin),
            mask,
        }
    }

    /// Turns each pair (i, i + half) of `heads` [B, heads, T, head_dim] by its position's angle.
    fn turn(&self, heads: Tensor<B, 4>) -> Tensor<B, 4> {
        let half = heads.dims()[3] / 2;
        let (first, second) = (heads.clone().narrow(3, 0, half), heads.narrow(3, half, half));
        let turned = first.clone() * self.cos.clone() - second.clone() * self.sin.clone();
        let other = second * self.cos.clone() + first * self.sin.clone();
        Tensor::cat(vec![turned, other], 3)
    }
}

impl<B: Backend> Attention<B> {
    pub(super) fn new(shape: &Shape, scale: f64, device: &B::Device) -> Self {
        let (query, key_value) = (shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
        Self {
            query: linear(shape.hidden, query, 1.0, device),
            key: linear(shape.hidden, key_value, 1.0, device),
            value: linear(shape.hidden, key_value, 1.0, device),
            output: linear(query, shape.hidden, scale, device),
            query_norm: norm(shape.head_dim, device),
            key_norm: norm(shape.head_dim, device),
        }
    }

    /// `input` [B, T, hidden]; what `past` holds stands before it, and it is added to `past`.
    pub(super) fn forward(
        &self,
        shape: &Shape,
        input: Tensor<B, 3>,
        rope: &Rope<B>,
        past: Option<&mut Past<B>>,
    ) -> Tensor<B, 3> {
        let [batch, new, _] = input.dims();
        let Shape {
            heads,
            kv_heads,
            head_dim,
            ..
        } = *shape;
        let split = |states: Tensor<B, 3>, heads: usize| states.reshape([batch, new, heads, head_dim]);
        let query = self.query_norm.forward(split(self.query.forward(input.clone()), heads));
        let query = rope.turn(query.swap_dims(1, 2));
        let key = self.key_norm.forward(split(self.key.forward(input.clone()), kv_heads));
        let mut key = rope.turn(key.swap_dims(1, 2));
        let mut value = split(self.value.forward(input), kv_heads).swap_dims(1, 2);
        if let Some(past) = past {
            if let Some((keys, values)) = past.take() {
                key = Tensor::cat(vec![keys, key], 2);
                value = Tensor::cat(vec![values, value], 2);
            }
            *past = Some((key.clone(), value.clone()));
        }
        // The queries that share a key head stand below each other, so that nothing is copied for them.
        let all = key.dims()[2];
        let rows = heads / kv_heads * new;
        let query = query.mul_scalar((head_dim as f64).powf(-0.5));
        let scores = query.reshape([batch, kv_heads, rows, head_dim]).matmul(key.transpose());
        let mut scores = scores.reshape([batch, heads, new, all]);
        if let Some(mask) = &rope.mask {
            scores = scores + mask.clone();
        }
        let weights = softmax(scores, 3).reshape([batch, kv_heads, rows, all]);
        let attended = weights.matmul(value).reshape([batch, heads, new, head_dim]);
        let joined = attended.swap_dims(1, 2).reshape([batch, new, heads * head_dim]);
        self.output.forward(joined)
    }
}
