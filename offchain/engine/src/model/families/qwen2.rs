//! Qwen2 and Qwen2.5: biases of queries, keys and values.

use super::decoder::{Attention, Decoder, qwen_windows};
use crate::error::EngineError;
use crate::model::config::Config;
use crate::model::rope::RopeSpec;
use crate::model::spec::{FeedSpec, ModelSpec};

pub(super) fn spec(config: &mut Config) -> Result<ModelSpec, EngineError> {
    config.demand("architectures", vec!["Qwen2ForCausalLM"])?;
    config.demand("hidden_act", "silu")?;
    let decoder = Decoder::read(config, None)?;
    let rope = RopeSpec::read(config, decoder.head_dim, Some(10_000.0))?;
    let windows = qwen_windows(config, decoder.layers)?;
    let width = config.dimension("intermediate_size")?;
    let layer = |(layer, window)| {
        let attention = Attention {
            bias: true,
            output_bias: false,
            head_norms: false,
            window,
            rope: 0,
        };
        let feed = decoder.gated(&Decoder::name(layer, "mlp"), width, false);
        decoder.layer(layer, decoder.attention(layer, &attention), FeedSpec::Dense(feed))
    };
    let layers = windows.into_iter().enumerate().map(layer).collect();
    decoder.model(config, vec![rope], layers, false)
}
