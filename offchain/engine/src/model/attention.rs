//! Attention with grouped queries, normed queries and keys, rotary positions and a cache.

use super::kv_cache::KvCache;
use super::layers::{Linear, RmsNorm};
use super::rope::Rope;
use crate::error::EngineError;
use crate::load::{ModelConfig, Weights};
use burn::tensor::activation::softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Tensor};

/// The attention of one layer.
pub(super) struct Attention<B: Backend> {
    query: Linear<B>,
    key: Linear<B>,
    value: Linear<B>,
    output: Linear<B>,
    query_norm: RmsNorm<B>,
    key_norm: RmsNorm<B>,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
}

impl<B: Backend> Attention<B> {
    pub(super) fn load(
        config: &ModelConfig,
        weights: &mut Weights,
        prefix: &str,
        device: &B::Device,
    ) -> Result<Self, EngineError> {
        let (hidden, size) = (config.hidden, config.head_dim);
        let (wide, narrow) = (config.heads * size, config.kv_heads * size);
        let mut linear = |name: &str, inputs, outputs| {
            Linear::load(weights, &format!("{prefix}.{name}.weight"), inputs, outputs, device)
        };
        let query = linear("q_proj", hidden, wide)?;
        let key = linear("k_proj", hidden, narrow)?;
        let value = linear("v_proj", hidden, narrow)?;
        let output = linear("o_proj", wide, hidden)?;
        let mut norm = |name: &str| {
            RmsNorm::load(
                weights,
                &format!("{prefix}.{name}.weight"),
                size,
                config.norm_eps,
                device,
            )
        };
        Ok(Self {
            query,
            key,
            value,
            output,
            query_norm: norm("q_norm")?,
            key_norm: norm("k_norm")?,
            heads: config.heads,
            kv_heads: config.kv_heads,
            head_dim: size,
        })
    }

    /// `input` is [token, hidden]; its first token stands at the cache's length.
    pub(super) fn forward(
        &self,
        input: Tensor<B, 2>,
        layer: usize,
        cache: &mut KvCache<B>,
        rope: &Rope<B>,
    ) -> Tensor<B, 2> {
        let [tokens, _] = input.dims();
        let start = cache.len();
        let split = |flat: Tensor<B, 2>, heads: usize| flat.reshape([tokens, heads, self.head_dim]);
        let query = self
            .query_norm
            .forward(split(self.query.forward(input.clone()), self.heads))
            .swap_dims(0, 1);
        let key = self
            .key_norm
            .forward(split(self.key.forward(input.clone()), self.kv_heads))
            .swap_dims(0, 1);
        let value = split(self.value.forward(input), self.kv_heads).swap_dims(0, 1);
        let (keys, values) = cache.extend(layer, rope.turn(key, start), value);

        // Query heads that share a key head lie side by side: they become rows of one product.
        let group = self.heads / self.kv_heads;
        let query = rope
            .turn(query, start)
            .reshape([self.kv_heads, group * tokens, self.head_dim]);
        let scale = 1.0 / (self.head_dim as f64).sqrt();
        let mut scores = query.matmul(keys.swap_dims(1, 2)) * scale;
        if tokens > 1 {
            let mask = Tensor::<B, 2, Bool>::tril_mask([tokens, start + tokens], start as i64, &scores.device());
            let mask = mask.unsqueeze::<3>().repeat_dim(0, self.kv_heads).repeat_dim(1, group);
            scores = scores.mask_fill(mask, f32::NEG_INFINITY);
        }
        let mixed = softmax(scores, 2).matmul(values);
        let mixed = mixed.reshape([self.heads, tokens, self.head_dim]).swap_dims(0, 1);
        self.output.forward(mixed.reshape([tokens, self.heads * self.head_dim]))
    }
}
