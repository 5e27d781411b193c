//! The families, one file each: config.json becomes a [`ModelSpec`].

mod decoder;
mod deepseek;
mod gemma3;
mod gpt_oss;
mod llama;
mod mistral;
mod quantization;
mod qwen2;
mod qwen3;
mod qwen3_moe;

use super::config::Config;
use super::spec::ModelSpec;
use crate::error::EngineError;
use crate::limits::MAX_LAYERS;
use quantization::Quantization;

/// Reads the shape of a model. Refuses what it does not know by the name of the field.
pub(crate) fn model_spec(mut config: Config) -> Result<ModelSpec, EngineError> {
    let family = config.text("model_type").unwrap_or_default();
    let quantization = Quantization::read(&mut config)?;
    if quantization == Quantization::Mxfp4Experts && family != "gpt_oss" {
        return Err(config.unsupported("quantization_config"));
    }
    let spec = match family.as_str() {
        "deepseek_v2" => deepseek::spec_of_v2(&mut config),
        "deepseek_v3" => deepseek::spec_of_v3(&mut config),
        "gemma3" => gemma3::text_of_images(&mut config),
        "gemma3_text" => gemma3::spec(&mut config),
        "gpt_oss" => gpt_oss::spec(&mut config, quantization),
        "llama" => llama::spec(&mut config),
        "mistral" => mistral::spec(&mut config),
        "qwen2" => qwen2::spec(&mut config),
        "qwen3" => qwen3::spec(&mut config),
        "qwen3_moe" => qwen3_moe::spec(&mut config),
        _ => Err(config.unsupported("model_type")),
    }?;
    config.finish()?;
    if spec.layers.len() > MAX_LAYERS {
        return Err(Config::missing("num_hidden_layers"));
    }
    Ok(spec)
}

#[cfg(test)]
mod tests;
