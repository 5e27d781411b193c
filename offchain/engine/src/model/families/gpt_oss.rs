//! GPT-OSS: every other layer with a window, scores without a value (sinks), experts with biases.

use super::decoder::{Attention, Decoder, windows};
use super::quantization::Quantization;
use crate::device::Activation;
use crate::error::EngineError;
use crate::model::config::Config;
use crate::model::rope::RopeSpec;
use crate::model::source::Part;
use crate::model::spec::{ExpertsSpec, FeedSpec, GatedSpec, GroupedSpec, LinearSpec, ModelSpec, Routing};

pub(super) fn spec(config: &mut Config, quantization: Quantization) -> Result<ModelSpec, EngineError> {
    config.demand("architectures", vec!["GptOssForCausalLM"])?;
    config.demand("hidden_act", "silu")?;
    let mut decoder = Decoder::read(config, Some(64))?;
    decoder.activation = Activation::ClampedSwiglu {
        alpha: config.number("swiglu_alpha", Some(1.702))? as f32,
        limit: config.number("swiglu_limit", Some(7.0))? as f32,
    };
    config.skip("initial_context_length"); // again in the rope's fields
    let rope = RopeSpec::read(config, decoder.head_dim, Some(150_000.0))?;
    let window = config.dimension_or("sliding_window", Some(128))?;
    let windows = windows(config, decoder.layers, Some(window), |layer| layer % 2 == 0)?;
    let bias = config.flag("attention_bias", true)?;
    let experts = Experts::read(config, quantization)?;
    let layer = |(layer, window)| {
        let attention = Attention {
            bias,
            output_bias: bias,
            head_norms: false,
            window,
            rope: 0,
        };
        let sinks = Part::new(Decoder::name(layer, "self_attn.sinks"), &[decoder.heads]);
        let attention = GroupedSpec {
            sinks: Some(sinks.into()),
            ..decoder.attention(layer, &attention)
        };
        let feed = experts.spec(&decoder, &Decoder::name(layer, "mlp"));
        decoder.layer(layer, attention, FeedSpec::Experts(feed))
    };
    let layers = windows.into_iter().enumerate().map(layer).collect();
    decoder.model(config, vec![rope], layers, false)
}

/// The experts of every layer. All of a layer lie in one tensor.
struct Experts {
    count: usize,
    per_token: usize,
    width: usize,
    quantization: Quantization,
}

impl Experts {
    fn read(config: &mut Config, quantization: Quantization) -> Result<Self, EngineError> {
        let count = config.dimension("num_local_experts")?;
        let older = config.dimension_or("experts_per_token", Some(4))?;
        let per_token = config.dimension_or("num_experts_per_tok", Some(older))?;
        if per_token > count {
            return Err(Config::missing("num_experts_per_tok"));
        }
        Ok(Self {
            count,
            per_token,
            width: config.dimension("intermediate_size")?,
            quantization,
        })
    }

    fn spec(&self, decoder: &Decoder, name: &str) -> ExpertsSpec {
        ExpertsSpec {
            router: Decoder::linear(&[(format!("{name}.router"), self.count)], decoder.hidden, true),
            routing: Routing::BestThenSoftmax,
            per_token: self.per_token,
            correction: None,
            experts: (0..self.count)
                .map(|expert| self.expert(expert, decoder, name))
                .collect(),
            shared: None,
        }
    }

    /// Rows of the gate and of the up projection take turns in the checkpoint.
    fn expert(&self, expert: usize, decoder: &Decoder, name: &str) -> GatedSpec {
        let (hidden, width) = (decoder.hidden, self.width);
        let apart: Vec<usize> = (0..2 * width).step_by(2).chain((1..2 * width).step_by(2)).collect();
        let matrix = |part: &str, inputs: usize, outputs: usize| {
            let tensor = format!("{name}.experts.{part}");
            match self.quantization {
                Quantization::PerTensor => Part::new(tensor, &[self.count, inputs, outputs])
                    .rows(expert * inputs..(expert + 1) * inputs)
                    .transposed(),
                Quantization::Mxfp4Experts => {
                    Part::new(tensor, &[self.count, outputs, inputs]).rows(expert * outputs..(expert + 1) * outputs)
                }
            }
        };
        let bias = |part: &str, outputs: usize| {
            Part::new(format!("{name}.experts.{part}_bias"), &[self.count, outputs])
                .rows(expert..expert + 1)
                .transposed()
        };
        GatedSpec {
            gate_up: LinearSpec {
                weight: matrix("gate_up_proj", hidden, 2 * width).in_order(apart.clone()).into(),
                bias: Some(bias("gate_up_proj", 2 * width).in_order(apart).into()),
            },
            down: LinearSpec {
                weight: matrix("down_proj", width, hidden).into(),
                bias: Some(bias("down_proj", hidden).into()),
            },
            activation: decoder.activation,
        }
    }
}
