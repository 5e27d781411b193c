//! The size of the model and of its vocabulary.

use serde_json::{Value, json};

/// Sizes of a Qwen3 decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Tokens of the vocabulary, marks included.
    pub(crate) vocabulary: usize,
    /// Width of the residual stream.
    pub(crate) hidden: usize,
    /// Width inside the feed-forward part.
    pub(crate) intermediate: usize,
    pub(crate) layers: usize,
    /// Heads of the queries.
    pub(crate) heads: usize,
    /// Heads of keys and values; `heads` is a multiple.
    pub(crate) kv_heads: usize,
    /// Width of one head; even.
    pub(crate) head_dim: usize,
    /// Longest sequence.
    pub(crate) positions: usize,
}

/// Base of the rotary angles.
pub(crate) const ROPE_THETA: f64 = 10_000.0;
/// Added under the root of every norm.
pub(crate) const NORM_EPSILON: f64 = 1e-6;

impl Shape {
    /// The demonstration model.
    pub(crate) const DEMO: Self = Self {
        vocabulary: 2048,
        hidden: 256,
        intermediate: 768,
        layers: 4,
        heads: 4,
        kv_heads: 2,
        head_dim: 64,
        positions: 1024,
    };

    /// `config.json` in the form of Hugging Face. `end` closes a message, `pad` a text.
    pub(crate) fn config(&self, end: u32, pad: u32) -> Value {
        json!({
            "architectures": ["Qwen3ForCausalLM"],
            "attention_bias": false,
            "attention_dropout": 0.0,
            "bos_token_id": pad,
            "dtype": "bfloat16",
            "eos_token_id": end,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "hidden_size": self.hidden,
            "initializer_range": 0.02,
            "intermediate_size": self.intermediate,
            "max_position_embeddings": self.positions,
            "max_window_layers": self.layers,
            "model_type": "qwen3",
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers,
            "num_key_value_heads": self.kv_heads,
            "pad_token_id": pad,
            "rms_norm_eps": NORM_EPSILON,
            "rope_scaling": null,
            "rope_theta": ROPE_THETA,
            "sliding_window": null,
            "tie_word_embeddings": true,
            "use_cache": true,
            "use_sliding_window": false,
            "vocab_size": self.vocabulary,
        })
    }

    /// Reads what [`Self::config`] wrote.
    pub(crate) fn from_config(config: &Value) -> anyhow::Result<Self> {
        let number = |name: &str| {
            let value = config[name].as_u64().and_then(|value| usize::try_from(value).ok());
            value.ok_or_else(|| anyhow::anyhow!("config.json: {name} is missing"))
        };
        Ok(Self {
            vocabulary: number("vocab_size")?,
            hidden: number("hidden_size")?,
            intermediate: number("intermediate_size")?,
            layers: number("num_hidden_layers")?,
            heads: number("num_attention_heads")?,
            kv_heads: number("num_key_value_heads")?,
            head_dim: number("head_dim")?,
            positions: number("max_position_embeddings")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_gives_back_the_shape() {
        assert_eq!(Shape::from_config(&Shape::DEMO.config(1, 2)).unwrap(), Shape::DEMO);
    }
}
