//! DeepSeek-V2 and V3: latent attention, shared and routed experts.

use super::decoder::Decoder;
use crate::error::EngineError;
use crate::model::config::Config;
use crate::model::rope::RopeSpec;
use crate::model::source::{Part, Source};
use crate::model::spec::{
    AttentionSpec, ExpertScores, ExpertsSpec, FeedSpec, LatentQuerySpec, LatentSpec, LayerSpec, LimitedRouting,
    LinearSpec, ModelSpec, NormSpec, Routing,
};

/// Of the norms inside latent attention, whatever `rms_norm_eps` says: transformers and the published code have it fixed.
const LATENT_EPSILON: f32 = 1e-6;

pub(super) fn spec_of_v2(config: &mut Config) -> Result<ModelSpec, EngineError> {
    config.demand("architectures", vec!["DeepseekV2ForCausalLM"])?;
    config.demand("scoring_func", "softmax")?;
    config.demand("norm_topk_prob", false)?; // transformers ignores it, the published code does not
    config.demand("mlp_bias", false)?;
    let (groups, groups_per_token) = match config.text("topk_method").as_deref() {
        None | Some("greedy") => {
            config.skip("n_group");
            config.skip("topk_group");
            (1, 1)
        }
        Some("group_limited_greedy") => (config.dimension("n_group")?, config.dimension("topk_group")?),
        Some(_) => return Err(config.unsupported("topk_method")),
    };
    let routing = LimitedRouting {
        scores: ExpertScores::Softmax,
        groups,
        groups_per_token,
        normed: false,
        factor: config.number("routed_scaling_factor", Some(1.0))? as f32,
    };
    Family::read(config, routing)?.spec(config, true)
}

pub(super) fn spec_of_v3(config: &mut Config) -> Result<ModelSpec, EngineError> {
    config.demand("architectures", vec!["DeepseekV3ForCausalLM"])?;
    config.demand("scoring_func", "sigmoid")?;
    config.demand("topk_method", "noaux_tc")?;
    let routing = LimitedRouting {
        scores: ExpertScores::Sigmoid,
        groups: config.dimension_or("n_group", Some(8))?,
        groups_per_token: config.dimension_or("topk_group", Some(4))?,
        normed: config.flag("norm_topk_prob", true)?,
        factor: config.number("routed_scaling_factor", Some(2.5))? as f32,
    };
    let interleaved = config.flag("rope_interleave", true)?;
    Family::read(config, routing)?.spec(config, interleaved)
}

/// What both have in common.
struct Family {
    decoder: Decoder,
    latent_dim: usize,
    nope_dim: usize,
    rope_dim: usize,
    value_dim: usize,
    /// Width of the middle between state and queries.
    query_rank: Option<usize>,
    bias: bool,
    scale: f32,
    rope: RopeSpec,
    routing: LimitedRouting,
    experts: Experts,
}

/// Sizes of the feed-forwards.
struct Experts {
    routed: usize,
    shared: usize,
    per_token: usize,
    /// Of one expert.
    width: usize,
    /// Of the layers without experts.
    dense_width: usize,
    /// How many of these there are, from the first on.
    dense_layers: usize,
}

impl Family {
    fn read(config: &mut Config, routing: LimitedRouting) -> Result<Self, EngineError> {
        config.demand("hidden_act", "silu")?;
        config.demand("moe_layer_freq", 1)?;
        for unread in ["head_dim", "qk_head_dim", "ep_size", "aux_loss_alpha", "seq_aux"] {
            config.skip(unread); // said by others, or for training
        }
        let nope_dim = config.dimension("qk_nope_head_dim")?;
        let rope_dim = config.dimension("qk_rope_head_dim")?;
        let decoder = Decoder::read(config, Some(rope_dim))?;
        if decoder.kv_heads != decoder.heads {
            return Err(config.unsupported("num_key_value_heads"));
        }
        if !rope_dim.is_multiple_of(2) {
            return Err(Config::missing("qk_rope_head_dim"));
        }
        let query_rank = match config.get("q_lora_rank") {
            Some(_) => Some(config.dimension("q_lora_rank")?),
            None => None,
        };
        let experts = Experts {
            routed: config.dimension("n_routed_experts")?,
            shared: config.dimension("n_shared_experts")?,
            per_token: config.dimension("num_experts_per_tok")?,
            width: config.dimension("moe_intermediate_size")?,
            dense_width: config.dimension("intermediate_size")?,
            dense_layers: config.count("first_k_dense_replace", 0)?,
        };
        if !experts.routed.is_multiple_of(routing.groups) {
            return Err(Config::missing("n_group"));
        }
        let size = experts.routed / routing.groups;
        if routing.groups_per_token > routing.groups {
            return Err(Config::missing("topk_group"));
        }
        if experts.per_token > routing.groups_per_token * size {
            return Err(Config::missing("num_experts_per_tok"));
        }
        Ok(Self {
            latent_dim: config.dimension("kv_lora_rank")?,
            value_dim: config.dimension("v_head_dim")?,
            bias: config.flag("attention_bias", false)?,
            scale: score_scale(config, nope_dim + rope_dim)?,
            rope: RopeSpec::read(config, rope_dim, Some(10_000.0))?,
            nope_dim,
            rope_dim,
            decoder,
            query_rank,
            routing,
            experts,
        })
    }

    fn spec(self, config: &mut Config, interleaved: bool) -> Result<ModelSpec, EngineError> {
        let layers = (0..self.decoder.layers).map(|layer| self.layer(layer, interleaved));
        let layers = layers.collect();
        let mut spec = self.decoder.model(config, vec![self.rope.clone()], layers, false)?;
        // Layers that predict further tokens lie behind the last one and are not used.
        let further = config.count("num_nextn_predict_layers", 0)?;
        spec.passed_over.extend(
            (self.decoder.layers..)
                .take(further)
                .map(|layer| Decoder::name(layer, "*")),
        );
        Ok(spec)
    }

    fn layer(&self, layer: usize, interleaved: bool) -> LayerSpec {
        let decoder = &self.decoder;
        let name = |part: &str| Decoder::name(layer, part);
        let feed = if layer < self.experts.dense_layers {
            FeedSpec::Dense(decoder.gated(&name("mlp"), self.experts.dense_width, false))
        } else {
            FeedSpec::Experts(self.mixture(layer))
        };
        LayerSpec {
            attention_norm: decoder.norm(&name("input_layernorm"), decoder.hidden),
            attention: AttentionSpec::Latent(self.attention(layer, interleaved)),
            after_attention: None,
            feed_norm: decoder.norm(&name("post_attention_layernorm"), decoder.hidden),
            feed,
            after_feed: None,
        }
    }

    fn attention(&self, layer: usize, interleaved: bool) -> LatentSpec {
        let (hidden, heads) = (self.decoder.hidden, self.decoder.heads);
        let (latent, nope, rope, value) = (self.latent_dim, self.nope_dim, self.rope_dim, self.value_dim);
        let name = |part: &str| Decoder::name(layer, &format!("self_attn.{part}"));
        let norm = |part: &str, size| NormSpec {
            epsilon: LATENT_EPSILON,
            ..self.decoder.norm(&name(part), size)
        };
        let linear = |part: &str, outputs, inputs, bias| Decoder::linear(&[(name(part), outputs)], inputs, bias);
        // Queries lie head by head in the checkpoint, their turned columns last.
        let turned = turned_order(rope, interleaved);
        let head = |head: usize| head * (nope + rope);
        let order: Vec<usize> = (0..heads)
            .flat_map(|number| head(number)..head(number) + nope)
            .chain((0..heads).flat_map(|number| turned.iter().map(move |row| head(number) + nope + row)))
            .collect();
        let queries = |part: &str, inputs| {
            let weight = Part::new(format!("{}.weight", name(part)), &[heads * (nope + rope), inputs]);
            LinearSpec::plain(weight.in_order(order.clone()))
        };
        let query = match self.query_rank {
            None => LatentQuerySpec::Direct(queries("q_proj", hidden)),
            Some(rank) => LatentQuerySpec::Narrow {
                down: linear("q_a_proj", rank, hidden, self.bias),
                norm: norm("q_a_layernorm", rank),
                up: queries("q_b_proj", rank),
            },
        };
        let order: Vec<usize> = (0..latent).chain(turned.iter().map(|row| latent + row)).collect();
        let mut key_value = linear("kv_a_proj_with_mqa", latent + rope, hidden, self.bias);
        key_value.weight = in_order(key_value.weight, &order);
        key_value.bias = key_value.bias.map(|bias| in_order(bias, &order));
        // Rows of each head: those of its keys, then those of its values.
        let both = |first: usize, count: usize| {
            let name = format!("{}.weight", name("kv_b_proj"));
            Part::new(name, &[heads * (nope + value), latent]).rows(first..first + count)
        };
        let first = |head: usize| head * (nope + value);
        let key_up = (0..heads).map(|head| LinearSpec::plain(both(first(head), nope).transposed()));
        let value_up = (0..heads).map(|head| LinearSpec::plain(both(first(head) + nope, value)));
        LatentSpec {
            heads,
            latent_dim: latent,
            nope_dim: nope,
            rope_dim: rope,
            query,
            key_value,
            key_value_norm: norm("kv_a_layernorm", latent),
            key_up: key_up.collect(),
            value_up: value_up.collect(),
            output: linear("o_proj", hidden, heads * value, self.bias),
            rope: 0,
            scale: self.scale,
        }
    }

    fn mixture(&self, layer: usize) -> ExpertsSpec {
        let decoder = &self.decoder;
        let name = |part: &str| Decoder::name(layer, &format!("mlp.{part}"));
        let Experts {
            routed, shared, width, ..
        } = self.experts;
        let expert = |number| decoder.gated(&name(&format!("experts.{number}")), width, false);
        let correction = || Part::new(name("gate.e_score_correction_bias"), &[routed]).into();
        ExpertsSpec {
            router: Decoder::linear(&[(name("gate"), routed)], decoder.hidden, false),
            routing: Routing::Limited(self.routing),
            correction: (self.routing.scores == ExpertScores::Sigmoid).then(correction),
            per_token: self.experts.per_token,
            experts: (0..routed).map(expert).collect(),
            shared: Some(decoder.gated(&name("shared_experts"), shared * width, false)),
        }
    }
}

/// The order of rows in which column `i` turns with column `i + half`. Interleaved, it turns with its neighbour.
fn turned_order(rope_dim: usize, interleaved: bool) -> Vec<usize> {
    if interleaved {
        (0..rope_dim).step_by(2).chain((1..rope_dim).step_by(2)).collect()
    } else {
        (0..rope_dim).collect()
    }
}

/// A source of one part with its rows in another order.
fn in_order(source: Source, order: &[usize]) -> Source {
    Source::stacked(source.parts.into_iter().map(|part| part.in_order(order.to_vec())))
}

/// `1 / sqrt(width)`, and where the context was stretched the square of what YaRN's `mscale_all_dim` asks for.
fn score_scale(config: &mut Config, width: usize) -> Result<f32, EngineError> {
    let plain = 1.0 / (width as f64).sqrt();
    let fields = match config.object("rope_parameters")? {
        Some(fields) => Some(fields),
        None => config.object("rope_scaling")?,
    };
    let number = |name: &str| fields.as_ref()?.get(name)?.as_f64();
    let (Some(factor), Some(mscale)) = (number("factor"), number("mscale_all_dim")) else {
        return Ok(plain as f32);
    };
    let mscale = if factor > 1.0 {
        0.1 * mscale * factor.ln() + 1.0
    } else {
        1.0
    };
    Ok((plain * mscale * mscale) as f32)
}
