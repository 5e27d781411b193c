//! How the matrices of a checkpoint are quantized. What they are read as is f32 in any case.

use crate::error::EngineError;
use crate::model::config::Config;
use serde_json::json;

/// By `quantization_config`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantization {
    /// Each tensor says itself what its numbers are, fp8 with factors included.
    PerTensor,
    /// Experts are in MXFP4: `name_blocks` and `name_scales` in place of `name`, whose last two dimensions change places.
    Mxfp4Experts,
}

impl Quantization {
    /// Refuses what is not read, by the name of the field.
    pub(super) fn read(config: &mut Config) -> Result<Self, EngineError> {
        let Some(fields) = config.object("quantization_config")? else {
            return Ok(Self::PerTensor);
        };
        let mut fields = Config::part("quantization_config", fields);
        fields.skip("modules_to_not_convert"); // their tensors say so themselves
        let quantization = match fields.text("quant_method").as_deref() {
            Some("fp8") => {
                fields.skip("activation_scheme"); // activations stay f32
                fields.demand("fmt", "e4m3")?;
                fields.demand("weight_block_size", json!([128, 128]))?;
                Self::PerTensor
            }
            Some("mxfp4") => Self::Mxfp4Experts,
            _ => return Err(fields.unsupported("quant_method")),
        };
        fields.finish()?;
        Ok(quantization)
    }
}
