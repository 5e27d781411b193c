//! Llama 2 and 3.x.

use super::decoder::{Attention, Decoder};
use crate::error::EngineError;
use crate::model::config::Config;
use crate::model::rope::RopeSpec;
use crate::model::spec::{FeedSpec, ModelSpec};

pub(super) fn spec(config: &mut Config) -> Result<ModelSpec, EngineError> {
    config.demand("architectures", vec!["LlamaForCausalLM"])?;
    config.demand("hidden_act", "silu")?;
    let decoder = Decoder::read(config, None)?;
    let rope = RopeSpec::read(config, decoder.head_dim, Some(10_000.0))?;
    let bias = config.flag("attention_bias", false)?;
    let feed_bias = config.flag("mlp_bias", false)?;
    let width = config.dimension("intermediate_size")?;
    let attention = Attention {
        bias,
        output_bias: bias,
        head_norms: false,
        window: None,
        rope: 0,
    };
    let layer = |layer| {
        let feed = decoder.gated(&Decoder::name(layer, "mlp"), width, feed_bias);
        decoder.layer(layer, decoder.attention(layer, &attention), FeedSpec::Dense(feed))
    };
    let layers = (0..decoder.layers).map(layer).collect();
    decoder.model(config, vec![rope], layers, false)
}
