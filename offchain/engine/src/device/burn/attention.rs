//! The paged cache and attention, one query after another.

use crate::device::{AttentionShape, CacheShape};
use crate::limits::KV_BLOCK;
use crate::model::{Batch, Span};
use burn::tensor::activation::softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use std::ops::Range;

/// Keys and values of all layers.
pub(crate) struct Cache<B: Backend> {
    layers: Vec<Layer<B>>,
}

/// [blocks * KV_BLOCK, kv_heads * dim]: block after block.
struct Layer<B: Backend> {
    keys: Tensor<B, 2>,
    values: Option<Tensor<B, 2>>,
}

impl<B: Backend> Cache<B> {
    pub(super) fn new(layers: &[CacheShape], blocks: usize, device: &B::Device) -> Self {
        let room = |dim: usize| Tensor::zeros([blocks * KV_BLOCK, dim], device);
        let layers = layers.iter().map(|shape| Layer {
            keys: room(shape.kv_heads * shape.key_dim),
            values: (shape.value_dim > 0).then(|| room(shape.kv_heads * shape.value_dim)),
        });
        Self {
            layers: layers.collect(),
        }
    }

    /// Puts rows of the batch to their places.
    pub(super) fn write(&mut self, layer: usize, keys: &Tensor<B, 2>, values: Option<&Tensor<B, 2>>, batch: &Batch) {
        let layer = &mut self.layers[layer];
        for span in &batch.spans {
            write(&mut layer.keys, keys, span);
            if let (Some(room), Some(values)) = (&mut layer.values, values) {
                write(room, values, span);
            }
        }
    }

    /// Keys and values at these slots.
    pub(super) fn read(&self, layer: usize, slots: Tensor<B, 1, Int>) -> (Tensor<B, 2>, Option<Tensor<B, 2>>) {
        let layer = &self.layers[layer];
        let values = layer
            .values
            .as_ref()
            .map(|values| values.clone().select(0, slots.clone()));
        (layer.keys.clone().select(0, slots), values)
    }
}

/// Where positions 0 to `end` of a sequence lie.
pub(super) fn slots(span: &Span, end: usize) -> Vec<usize> {
    let slot = |position: usize| span.blocks[position / KV_BLOCK].0 as usize * KV_BLOCK + position % KV_BLOCK;
    (0..end).map(slot).collect()
}

fn write<B: Backend>(room: &mut Tensor<B, 2>, rows: &Tensor<B, 2>, span: &Span) {
    let [_, width] = rows.dims();
    let slots = slots(span, span.start + span.rows.len());
    let mut from = 0;
    while from < span.rows.len() {
        // As far as the block goes.
        let slot = slots[span.start + from];
        let count = (KV_BLOCK - slot % KV_BLOCK).min(span.rows.len() - from);
        let first = span.rows.start + from;
        let piece = rows.clone().slice([first..first + count, 0..width]);
        // The tensor is taken out, so that the backend may write in place.
        let empty = Tensor::empty([0, width], &rows.device());
        let taken = std::mem::replace(room, empty);
        *room = taken.slice_assign([slot..slot + count, 0..width], piece);
        from += count;
    }
}

/// Attention of one query, [1, heads * key_dim], over the positions that it sees.
pub(super) fn attend_one<B: Backend>(
    shape: &AttentionShape,
    query: Tensor<B, 2>,
    keys: &Tensor<B, 2>,
    values: Option<&Tensor<B, 2>>,
    seen: Range<usize>,
    sinks: Option<&Tensor<B, 1>>,
) -> Tensor<B, 2> {
    let (count, group) = (seen.len(), shape.heads / shape.kv_heads);
    // [kv head, position, dimension]
    let by_head = |tensor: &Tensor<B, 2>| {
        let [_, width] = tensor.dims();
        let seen = tensor.clone().slice([seen.clone(), 0..width]);
        seen.reshape([count, shape.kv_heads, width / shape.kv_heads])
            .swap_dims(0, 1)
    };
    let keys = by_head(keys);
    let values = match values {
        Some(values) => by_head(values),
        None => keys.clone().slice([0..shape.kv_heads, 0..count, 0..shape.value_dim]),
    };
    let query = query.reshape([shape.kv_heads, group, shape.key_dim]);
    let mut scores = query.matmul(keys.swap_dims(1, 2)) * shape.scale;
    if let Some(cap) = shape.softcap {
        scores = (scores / cap).tanh() * cap;
    }
    let mixed = match sinks {
        None => softmax(scores, 2).matmul(values),
        Some(sinks) => {
            let sinks = sinks.clone().reshape([shape.kv_heads, group, 1]);
            let parts = softmax(Tensor::cat(vec![scores, sinks], 2), 2);
            parts.slice([0..shape.kv_heads, 0..group, 0..count]).matmul(values)
        }
    };
    mixed.reshape([1, shape.heads * shape.value_dim])
}
