//! A Qwen3 decoder that can be trained: tied embeddings, normed heads, rotary positions, grouped attention, gated
//! feed-forward. `B`, `T` and `S` stand for sequences, new positions and all positions.
//!
//! States are matrices [B x T, width]: a product of matrices has one product as its gradient, while one of a batch of
//! matrices has a batch of gradients that are summed up afterwards.

mod attention;
mod tensors;

pub(crate) use attention::KvCache;
pub(crate) use tensors::NamedTensor;

use crate::shape::{NORM_EPSILON, Shape};
use attention::{Attention, Rope};
use burn::module::{Initializer, Module};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig, RmsNorm, RmsNormConfig};
use burn::tensor::activation::silu;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

/// The whole model.
#[derive(Module, Debug)]
pub(crate) struct Model<B: Backend> {
    embedding: Embedding<B>,
    layers: Vec<Layer<B>>,
    norm: RmsNorm<B>,
}

#[derive(Module, Debug)]
struct Layer<B: Backend> {
    attention_norm: RmsNorm<B>,
    attention: Attention<B>,
    feed_norm: RmsNorm<B>,
    gate: Linear<B>,
    up: Linear<B>,
    down: Linear<B>,
}

/// A projection without bias whose outputs keep the size of the inputs, times `scale`.
fn linear<B: Backend>(inputs: usize, outputs: usize, scale: f64, device: &B::Device) -> Linear<B> {
    let std = scale / (inputs as f64).sqrt();
    LinearConfig::new(inputs, outputs)
        .with_bias(false)
        .with_initializer(Initializer::Normal { mean: 0.0, std })
        .init(device)
}

fn norm<B: Backend>(width: usize, device: &B::Device) -> RmsNorm<B> {
    RmsNormConfig::new(width).with_epsilon(NORM_EPSILON).init(device)
}

impl<B: Backend> Model<B> {
    /// A model with random numbers of the backend's seed.
    pub(crate) fn new(shape: &Shape, device: &B::Device) -> Self {
        let initializer = Initializer::Normal { mean: 0.0, std: 0.02 };
        let model = Self {
            embedding: EmbeddingConfig::new(shape.vocabulary, shape.hidden)
                .with_initializer(initializer)
                .init(device),
            layers: (0..shape.layers).map(|_| Layer::new(shape, device)).collect(),
            norm: norm(shape.hidden, device),
        };
        // Burn draws the numbers at their first use, and for each clone anew: here is the first use.
        model.fork(device)
    }

    /// The last hidden states of `tokens` [B, T], which stand behind what `cache` holds: [B x T, hidden].
    pub(crate) fn states(
        &self,
        shape: &Shape,
        tokens: Tensor<B, 2, Int>,
        cache: Option<&mut KvCache<B>>,
    ) -> Tensor<B, 2> {
        let [batch, new] = tokens.dims();
        let start = cache.as_ref().map_or(0, |cache| cache.positions());
        let rope = Rope::new(shape, batch, start..start + new, &tokens.device());
        let mut states = self.embedding.forward(tokens).reshape([batch * new, shape.hidden]);
        match cache {
            None => {
                for layer in &self.layers {
                    states = layer.forward(shape, states, &rope, None);
                }
            }
            Some(cache) => {
                for (index, layer) in self.layers.iter().enumerate() {
                    states = layer.forward(shape, states, &rope, Some(cache.layer(index)));
                }
            }
        }
        self.norm.forward(states)
    }

    /// The name of the embedding among the gradients.
    #[cfg(test)]
    pub(crate) fn embedding_id(&self) -> burn::module::ParamId {
        self.embedding.weight.id
    }

    /// Logits [N, vocabulary] of states [N, hidden]: the embedding is the head.
    pub(crate) fn logits(&self, states: Tensor<B, 2>) -> Tensor<B, 2> {
        states.matmul(self.embedding.weight.val().transpose())
    }
}

impl<B: Backend> Layer<B> {
    fn new(shape: &Shape, device: &B::Device) -> Self {
        // What is added to the residual stream by all layers together keeps its size.
        let scale = 1.0 / ((2 * shape.layers) as f64).sqrt();
        Self {
            attention_norm: norm(shape.hidden, device),
            attention: Attention::new(shape, scale, device),
            feed_norm: norm(shape.hidden, device),
            gate: linear(shape.hidden, shape.intermediate, 1.0, device),
            up: linear(shape.hidden, shape.intermediate, 1.0, device),
            down: linear(shape.intermediate, shape.hidden, scale, device),
        }
    }

    fn forward(
        &self,
        shape: &Shape,
        states: Tensor<B, 2>,
        rope: &Rope<B>,
        past: Option<&mut attention::Past<B>>,
    ) -> Tensor<B, 2> {
        let attended = self
            .attention
            .forward(shape, self.attention_norm.forward(states.clone()), rope, past);
        let states = states + attended;
        let normed = self.feed_norm.forward(states.clone());
        let gated = silu(self.gate.forward(normed.clone())) * self.up.forward(normed);
        states + self.down.forward(gated)
    }
}

#[cfg(test)]
mod tests;
