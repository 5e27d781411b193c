//! The Qwen3 dense model on a Burn backend.

use super::block::Block;
use super::executor::{Executor, Work};
use super::kv_cache::KvCache;
use super::layers::{Linear, RmsNorm, matrix};
use super::rope::Rope;
use crate::engine::SequenceId;
use crate::error::EngineError;
use crate::load::{ModelConfig, Weights};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use std::collections::HashMap;

/// Weights on the device and the caches of the running sequences. Sequences of a batch are computed one after another,
/// so none can influence another.
pub(crate) struct BurnExecutor<B: Backend> {
    embedding: Tensor<B, 2>,
    blocks: Vec<Block<B>>,
    norm: RmsNorm<B>,
    head: Linear<B>,
    rope: Rope<B>,
    caches: HashMap<SequenceId, KvCache<B>>,
    device: B::Device,
}

impl<B: Backend> BurnExecutor<B> {
    /// Takes every tensor of the model from `weights`.
    pub(crate) fn load(config: &ModelConfig, weights: &mut Weights, positions: usize) -> Result<Self, EngineError> {
        let device = B::Device::default();
        let embedding = matrix(
            weights,
            "model.embed_tokens.weight",
            config.vocab_size,
            config.hidden,
            &device,
        )?;
        let blocks = (0..config.layers).map(|layer| Block::load(config, weights, layer, &device));
        let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
        let norm = RmsNorm::load(weights, "model.norm.weight", config.hidden, config.norm_eps, &device)?;
        let head = if config.tied {
            if weights.has(HEAD) {
                weights.pass_over(HEAD); // some files store the tied matrix twice
            }
            Linear::of_rows(embedding.clone())
        } else {
            Linear::load(weights, HEAD, config.hidden, config.vocab_size, &device)?
        };
        let rope = Rope::new(config.rope_theta, config.head_dim, positions, &device);
        Ok(Self {
            embedding,
            blocks,
            norm,
            head,
            rope,
            caches: HashMap::new(),
            device,
        })
    }

    fn forward(&mut self, work: &Work) -> Result<Option<Vec<f32>>, EngineError> {
        let layers = self.blocks.len();
        let cache = self.caches.entry(work.id).or_insert_with(|| KvCache::new(layers));
        let count = work.tokens.len();
        let ids: Vec<i32> = work.tokens.iter().map(|token| token.cast_signed()).collect();
        let ids = Tensor::<B, 1, Int>::from_data(TensorData::new(ids, [count]), &self.device);
        let mut state = self.embedding.clone().select(0, ids);
        for (layer, block) in self.blocks.iter().enumerate() {
            state = block.forward(state, layer, cache, &self.rope);
        }
        cache.advance(count);
        if !work.logits {
            return Ok(None);
        }
        let [_, hidden] = state.dims();
        let last = self.norm.forward(state.slice([count - 1..count, 0..hidden]));
        let data = self
            .head
            .forward(last)
            .try_into_data()
            .map_err(|_| EngineError::Device { doing: "computing" })?;
        let logits = data.to_vec::<f32>().map_err(|_| EngineError::Device {
            doing: "reading logits",
        })?;
        Ok(Some(logits))
    }
}

const HEAD: &str = "lm_head.weight";

impl<B: Backend> Executor for BurnExecutor<B> {
    fn run(&mut self, batch: &[Work]) -> Result<Vec<Option<Vec<f32>>>, EngineError> {
        batch.iter().map(|work| self.forward(work)).collect()
    }

    fn forget(&mut self, id: SequenceId) {
        self.caches.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiny;
    use burn::backend::Flex;
    use serde_json::Value;

    #[test]
    fn logits_are_those_of_the_reference() {
        let folder = tempfile::tempdir().unwrap();
        tiny::write_to(folder.path()).unwrap();
        let config = ModelConfig::read(&folder.path().join("config.json")).unwrap();
        let mut weights = Weights::open(folder.path()).unwrap();
        let mut executor = BurnExecutor::<Flex>::load(&config, &mut weights, config.max_positions).unwrap();
        let golden: Value = serde_json::from_str(include_str!("../../tests/golden-tiny.json")).unwrap();
        let numbers = |value: &Value| {
            value
                .as_array()
                .unwrap()
                .iter()
                .map(|n| n.as_f64().unwrap())
                .collect::<Vec<_>>()
        };
        for (number, case) in golden["cases"].as_array().unwrap().iter().enumerate() {
            let tokens = numbers(&case["prompt_tokens"])
                .into_iter()
                .map(|token| token as u32)
                .collect();
            let work = Work {
                id: SequenceId(number as u64),
                tokens,
                logits: true,
            };
            let found = executor.run(&[work]).unwrap().remove(0).unwrap();
            let expected = numbers(&case["logits"]);
            let scale = expected.iter().fold(0.0f64, |max, logit| max.max(logit.abs()));
            let differences = found
                .iter()
                .zip(&expected)
                .map(|(one, other)| (f64::from(*one) - other).abs());
            let worst = differences.fold(0.0, f64::max);
            assert!(worst <= 1e-3 * scale, "case {number}: {worst} of {scale}");
        }
    }
}
