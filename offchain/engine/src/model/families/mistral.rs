//! Mistral: Llama with a window over all layers in its first version.

use super::decoder::{Attention, Decoder, windows};
use crate::error::EngineError;
use crate::model::config::Config;
use crate::model::rope::RopeSpec;
use crate::model::spec::{FeedSpec, ModelSpec};

pub(super) fn spec(config: &mut Config) -> Result<ModelSpec, EngineError> {
    config.demand("architectures", vec!["MistralForCausalLM"])?;
    config.demand("hidden_act", "silu")?;
    let decoder = Decoder::read(config, None)?;
    let rope = RopeSpec::read(config, decoder.head_dim, Some(10_000.0))?;
    // A file that says null has no window; one that says nothing has that of the first version.
    let window = match config.is_null("sliding_window") {
        true => None,
        false => Some(config.dimension_or("sliding_window", Some(4096))?),
    };
    let windows = windows(config, decoder.layers, window, |_| true)?;
    let width = config.dimension("intermediate_size")?;
    let layer = |(layer, window)| {
        let attention = Attention {
            bias: false,
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
