//! What tensors are called in GGUF files and in Hugging Face folders
//! (`gguf-py/gguf/constants.py` and `tensor_mapping.py` of llama.cpp).

use super::header::{Header, TensorInfo};
use crate::error::GgufError;

/// Names outside of layers.
const WHOLE: [(&str, &str); 3] = [
    ("token_embd.weight", "model.embed_tokens.weight"),
    ("output_norm.weight", "model.norm.weight"),
    ("output.weight", "lm_head.weight"),
];

/// Names inside of a layer: `blk.N.x.weight` is `model.layers.N.y.weight`, and biases likewise.
const IN_LAYER: [(&str, &str); 11] = [
    ("attn_k", "self_attn.k_proj"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("attn_norm", "input_layernorm"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_v", "self_attn.v_proj"),
    ("ffn_down", "mlp.down_proj"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_up", "mlp.up_proj"),
];

/// Factors of rotary positions that config.json has too.
const ROPE: &str = "rope_freqs.weight";

/// The names of one file.
pub(super) struct Names {
    /// Heads of queries and of keys, if the rows of both are interleaved.
    interleaved: Option<(usize, usize)>,
}

/// A tensor under the name of a Hugging Face folder.
pub(super) struct Name {
    pub(super) text: String,
    /// Rows of a head whose halves lie interleaved.
    pub(super) interleaved: Option<usize>,
}

impl Names {
    /// Only for the families whose names and numbers are known to be those of the folder.
    pub(super) fn new(header: &Header) -> Result<Self, GgufError> {
        let interleaved = match header.architecture.as_str() {
            // Llama and Mistral: rope turns neighbours there and halves here, so llama.cpp brings the halves of every
            // head together row by row (`permute` of its converter).
            "llama" => {
                let missing = GgufError::Key {
                    key: "llama.attention.head_count",
                };
                let heads = header
                    .number("attention.head_count")
                    .filter(|heads| *heads > 0)
                    .ok_or(missing)?;
                let of_keys = header.number("attention.head_count_kv").filter(|heads| *heads > 0);
                Some((heads, of_keys.unwrap_or(heads)))
            }
            "qwen2" | "qwen3" => None,
            other => {
                return Err(GgufError::Architecture {
                    found: other.chars().take(60).collect(),
                });
            }
        };
        Ok(Self { interleaved })
    }

    /// The name of a tensor; `None` if nobody needs it. One without a known name keeps its own.
    pub(super) fn of(&self, tensor: &TensorInfo) -> Result<Option<Name>, GgufError> {
        if tensor.name == ROPE {
            return Ok(None);
        }
        let whole = WHOLE.iter().find(|(gguf, _)| *gguf == tensor.name);
        if let Some((_, text)) = whole {
            return Ok(Some(Name::plain(*text)));
        }
        let Some((layer, part, rest)) = in_layer(&tensor.name) else {
            return Ok(Some(Name::plain(&tensor.name)));
        };
        let Some((_, text)) = IN_LAYER.iter().find(|(gguf, _)| *gguf == part) else {
            return Ok(Some(Name::plain(&tensor.name)));
        };
        let heads = self.interleaved.and_then(|(queries, keys)| match part {
            "attn_q" => Some(queries),
            "attn_k" => Some(keys),
            _ => None,
        });
        let interleaved = heads.map(|heads| {
            let rows = tensor.shape.first().copied().unwrap_or(0);
            let whole = rows.is_multiple_of(heads) && (rows / heads).is_multiple_of(2);
            whole.then_some(rows / heads).ok_or_else(|| GgufError::Shape {
                tensor: tensor.name.clone(),
            })
        });
        Ok(Some(Name {
            text: format!("model.layers.{layer}.{text}.{rest}"),
            interleaved: interleaved.transpose()?,
        }))
    }
}

impl Name {
    fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            interleaved: None,
        }
    }
}

/// Layer, part and `weight` or `bias` of `blk.N.part.weight`.
fn in_layer(name: &str) -> Option<(&str, &str, &str)> {
    let (layer, rest) = name.strip_prefix("blk.")?.split_once('.')?;
    let (part, rest) = rest.split_once('.')?;
    let plain = !layer.is_empty() && layer.bytes().all(|byte| byte.is_ascii_digit());
    (plain && matches!(rest, "weight" | "bias")).then_some((layer, part, rest))
}

/// The name of a `ggml_type` that is not read.
pub(super) fn of_type(kind: u32) -> String {
    const NAMES: [(u32, &str); 34] = [
        (3, "Q4_1"),
        (6, "Q5_0"),
        (7, "Q5_1"),
        (9, "Q8_1"),
        (10, "Q2_K"),
        (11, "Q3_K"),
        (12, "Q4_K"),
        (13, "Q5_K"),
        (14, "Q6_K"),
        (15, "Q8_K"),
        (16, "IQ2_XXS"),
        (17, "IQ2_XS"),
        (18, "IQ3_XXS"),
        (19, "IQ1_S"),
        (20, "IQ4_NL"),
        (21, "IQ3_S"),
        (22, "IQ2_S"),
        (23, "IQ4_XS"),
        (24, "I8"),
        (25, "I16"),
        (26, "I32"),
        (27, "I64"),
        (28, "F64"),
        (29, "IQ1_M"),
        (31, "Q4_0_4_4"),
        (32, "Q4_0_4_8"),
        (33, "Q4_0_8_8"),
        (34, "TQ1_0"),
        (35, "TQ2_0"),
        (36, "IQ4_NL_4_4"),
        (37, "IQ4_NL_4_8"),
        (38, "IQ4_NL_8_8"),
        (39, "MXFP4"),
        (40, "NVFP4"),
    ];
    let known = NAMES.iter().find(|(number, _)| *number == kind);
    known.map_or_else(|| format!("ggml_type {kind}"), |(_, name)| (*name).to_owned())
}
