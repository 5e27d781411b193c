//! Qwen3 with experts.

use super::decoder::{Attention, Decoder};
use crate::error::EngineError;
use crate::model::config::Config;
use crate::model::rope::RopeSpec;
use crate::model::source::Part;
use crate::model::spec::{ExpertsSpec, FeedSpec, LinearSpec, ModelSpec, Routing};

pub(super) fn spec(config: &mut Config) -> Result<ModelSpec, EngineError> {
    config.demand("architectures", vec!["Qwen3MoeForCausalLM"])?;
    config.demand("hidden_act", "silu")?;
    let decoder = Decoder::read(config, None)?;
    let rope = RopeSpec::read(config, decoder.head_dim, Some(10_000.0))?;
    config.skip("max_window_layers"); // here a window is that of all layers
    let window = match config.flag("use_sliding_window", false)? {
        true => Some(config.dimension_or("sliding_window", Some(4096))?),
        false => {
            config.skip("sliding_window");
            None
        }
    };
    let bias = config.flag("attention_bias", false)?;
    let attention = Attention {
        bias,
        output_bias: bias,
        head_norms: true,
        window,
        rope: 0,
    };
    let experts = Experts::read(config)?;
    let width = config.dimension("intermediate_size")?;
    let layer = |layer| {
        let name = Decoder::name(layer, "mlp");
        let feed = if experts.is_in(layer) {
            FeedSpec::Experts(experts.spec(&decoder, &name))
        } else {
            FeedSpec::Dense(decoder.gated(&name, width, false))
        };
        decoder.layer(layer, decoder.attention(layer, &attention), feed)
    };
    let layers = (0..decoder.layers).map(layer).collect();
    decoder.model(config, vec![rope], layers, false)
}

/// The experts of a layer, and which layers have them.
struct Experts {
    count: usize,
    per_token: usize,
    width: usize,
    normed: bool,
    every: usize,
    dense_layers: Vec<usize>,
}

impl Experts {
    fn read(config: &mut Config) -> Result<Self, EngineError> {
        // The newest files have the second name.
        let count = match config.get("num_experts").is_some() {
            true => config.dimension("num_experts")?,
            false => config.dimension("num_local_experts")?,
        };
        let per_token = config.dimension_or("num_experts_per_tok", Some(8))?;
        if per_token > count {
            return Err(Config::missing("num_experts_per_tok"));
        }
        Ok(Self {
            count,
            per_token,
            width: config.dimension("moe_intermediate_size")?,
            normed: config.flag("norm_topk_prob", false)?,
            every: config.dimension_or("decoder_sparse_step", Some(1))?,
            dense_layers: config.indices("mlp_only_layers")?,
        })
    }

    fn is_in(&self, layer: usize) -> bool {
        !self.dense_layers.contains(&layer) && (layer + 1).is_multiple_of(self.every)
    }

    fn spec(&self, decoder: &Decoder, name: &str) -> ExpertsSpec {
        let experts =
            (0..self.count).map(|expert| decoder.gated(&format!("{name}.experts.{expert}"), self.width, false));
        ExpertsSpec {
            router: LinearSpec::plain(Part::new(format!("{name}.gate.weight"), &[self.count, decoder.hidden])),
            routing: Routing::SoftmaxThenBest { normed: self.normed },
            per_token: self.per_token,
            correction: None,
            experts: experts.collect(),
            shared: None,
        }
    }
}
