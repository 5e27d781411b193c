//! One layer of the transformer.

use super::attention::Attention;
use super::kv_cache::KvCache;
use super::layers::{Linear, RmsNorm};
use super::rope::Rope;
use crate::error::EngineError;
use crate::load::{ModelConfig, Weights};
use burn::tensor::Tensor;
use burn::tensor::activation::silu;
use burn::tensor::backend::Backend;

/// Attention and gated feed-forward, each behind a norm and added to its input.
pub(super) struct Block<B: Backend> {
    attention_norm: RmsNorm<B>,
    attention: Attention<B>,
    feed_norm: RmsNorm<B>,
    gate: Linear<B>,
    up: Linear<B>,
    down: Linear<B>,
}

impl<B: Backend> Block<B> {
    pub(super) fn load(
        config: &ModelConfig,
        weights: &mut Weights,
        layer: usize,
        device: &B::Device,
    ) -> Result<Self, EngineError> {
        let name = |part: &str| format!("model.layers.{layer}.{part}");
        let norm = |weights: &mut Weights, part: &str| {
            RmsNorm::load(weights, &name(part), config.hidden, config.norm_eps, device)
        };
        let (hidden, wide) = (config.hidden, config.intermediate);
        Ok(Self {
            attention_norm: norm(weights, "input_layernorm.weight")?,
            attention: Attention::load(config, weights, &name("self_attn"), device)?,
            feed_norm: norm(weights, "post_attention_layernorm.weight")?,
            gate: Linear::load(weights, &name("mlp.gate_proj.weight"), hidden, wide, device)?,
            up: Linear::load(weights, &name("mlp.up_proj.weight"), hidden, wide, device)?,
            down: Linear::load(weights, &name("mlp.down_proj.weight"), wide, hidden, device)?,
        })
    }

    pub(super) fn forward(
        &self,
        input: Tensor<B, 2>,
        layer: usize,
        cache: &mut KvCache<B>,
        rope: &Rope<B>,
    ) -> Tensor<B, 2> {
        let attended = self
            .attention
            .forward(self.attention_norm.forward(input.clone()), layer, cache, rope);
        let middle = input + attended;
        let normed = self.feed_norm.forward(middle.clone());
        let gated = silu(self.gate.forward(normed.clone())) * self.up.forward(normed);
        middle + self.down.forward(gated)
    }
}
