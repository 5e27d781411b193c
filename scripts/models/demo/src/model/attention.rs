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

/// Angles and causal mask of some positions of a batch.
pub(crate) struct Rope<B: Backend> {
    batch: usize,
    query: Turn<B>,
    key: Turn<B>,
    /// [head_dim, head_dim]: puts the pair (a, b) of a head's two halves to (-b, a). A product of matrices is much
    /// faster than cutting and joining.
    quarter: Tensor<B, 2>,
    /// [1, 1, T, S], added to the scores: nothing, or a number that leaves no weight. Absent for a single position.
    mask: Option<Tensor<B, 4>>,
}

/// Cosines and sines, [B x T, heads x head_dim].
struct Turn<B: Backend> {
    cos: Tensor<B, 2>,
    sin: Tensor<B, 2>,
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
    pub(super) fn new(shape: &Shape, batch: usize, positions: Range<usize>, device: &B::Device) -> Self {
        let (new, all) = (positions.len(), positions.end);
        let mask = (new > 1).then(|| {
            let hidden = |row: usize| (0..all).map(move |column| if column > row { -1e9_f32 } else { 0.0 });
            let numbers: Vec<f32> = positions.clone().flat_map(hidden).collect();
            Tensor::from_data(TensorData::new(numbers, [1, 1, new, all]), device)
        });
        let (width, half) = (shape.head_dim, shape.head_dim / 2);
        let mut quarter = vec![0.0_f32; width * width];
        for index in 0..half {
            quarter[(half + index) * width + index] = -1.0;
            quarter[index * width + half + index] = 1.0;
        }
        Self {
            batch,
            query: Turn::new(shape, batch, &positions, shape.heads, device),
            key: Turn::new(shape, batch, &positions, shape.kv_heads, device),
            quarter: Tensor::from_data(TensorData::new(quarter, [width, width]), device),
            mask,
        }
    }

    /// Turns each pair (i, i + half) of `heads` [B x T x heads, head_dim] by its position's angle: [B x T, all heads].
    fn turn(&self, turn: &Turn<B>, heads: Tensor<B, 2>) -> Tensor<B, 2> {
        let across = heads.clone().matmul(self.quarter.clone()).reshape(turn.sin.dims());
        heads.reshape(turn.cos.dims()) * turn.cos.clone() + across * turn.sin.clone()
    }
}

impl<B: Backend> Turn<B> {
    fn new(shape: &Shape, batch: usize, positions: &Range<usize>, heads: usize, device: &B::Device) -> Self {
        let half = shape.head_dim / 2;
        let table = |function: fn(f64) -> f64| {
            let mut rows = Vec::with_capacity(positions.len() * heads * shape.head_dim);
            for position in positions.clone() {
                let angle = |index: usize| position as f64 / ROPE_THETA.powf(index as f64 / half as f64);
                let row: Vec<f32> = (0..half).map(|index| function(angle(index)) as f32).collect();
                rows.extend(row.repeat(2 * heads));
            }
            let shape = [batch * positions.len(), heads * shape.head_dim];
            Tensor::from_data(TensorData::new(rows.repeat(batch), shape), device)
        };
        Self {
            cos: table(f64::cos),
            sin: table(f64::sin),
        }
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

    /// `input` [B x T, hidden]; what `past` holds stands before it, and it is added to `past`.
    pub(super) fn forward(
        &self,
        shape: &Shape,
        input: Tensor<B, 2>,
        rope: &Rope<B>,
        past: Option<&mut Past<B>>,
    ) -> Tensor<B, 2> {
        let Shape {
            heads,
            kv_heads,
            head_dim,
            ..
        } = *shape;
        let [rows, _] = input.dims();
        let (batch, new) = (rope.batch, rows / rope.batch);
        let apart = |states: Tensor<B, 2>, heads: usize| states.reshape([rows * heads, head_dim]);
        let by_head =
            |states: Tensor<B, 2>, heads: usize| states.reshape([batch, new, heads, head_dim]).swap_dims(1, 2);

        let query = self.query_norm.forward(apart(self.query.forward(input.clone()), heads));
        let query = rope.turn(&rope.query, query).mul_scalar((head_dim as f64).powf(-0.5));
        let key = self.key_norm.forward(apart(self.key.forward(input.clone()), kv_heads));
        let mut key = by_head(rope.turn(&rope.key, key), kv_heads);
        let mut value = by_head(self.value.forward(input), kv_heads);
        if let Some(past) = past {
            if let Some((keys, values)) = past.take() {
                key = Tensor::cat(vec![keys, key], 2);
                value = Tensor::cat(vec![values, value], 2);
            }
            *past = Some((key.clone(), value.clone()));
        }
        // The queries that share a key head stand below each other, so that nothing is copied for them.
        let all = key.dims()[2];
        let below = heads / kv_heads * new;
        let query = by_head(query, heads).reshape([batch, kv_heads, below, head_dim]);
        let mut scores = query.matmul(key.transpose()).reshape([batch, heads, new, all]);
        if let Some(mask) = &rope.mask {
            scores = scores + mask.clone();
        }
        let weights = softmax(scores, 3).reshape([batch, kv_heads, below, all]);
        let attended = weights.matmul(value).reshape([batch, heads, new, head_dim]);
        self.output
            .forward(attended.swap_dims(1, 2).reshape([rows, heads * head_dim]))
    }
}
