//! `generation_config.json`: the model's own sampling defaults and its ends.

use super::read_bounded;
use crate::error::EngineError;
use crate::limits::MAX_CONFIG_BYTES;
use crate::model::{ModelSpec, token_ids};
use crate::sampling::{Sampling, SamplingWish};
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

const FILE: &str = "generation_config.json";

/// What the model's makers recommend.
pub(super) struct GenerationDefaults {
    pub(super) sampling: Sampling,
    pub(super) eos: Vec<u32>,
    /// The file, if there is one.
    pub(super) file: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Fields {
    eos_token_id: Option<Value>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<u32>,
    min_p: Option<f32>,
    repetition_penalty: Option<f32>,
}

impl GenerationDefaults {
    pub(super) fn read(folder: &Path, spec: &ModelSpec) -> Result<Self, EngineError> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(Self {
                sampling: Sampling::default(),
                eos: spec.eos.clone(),
                file: None,
            });
        }
        let bytes = read_bounded(&path, MAX_CONFIG_BYTES)?;
        let fields: Fields =
            serde_json::from_slice(&bytes).map_err(|source| EngineError::Json { file: FILE, source })?;
        let wish = SamplingWish {
            temperature: fields.temperature,
            top_p: fields.top_p,
            top_k: fields.top_k,
            min_p: fields.min_p,
            repetition_penalty: fields.repetition_penalty,
            ..SamplingWish::default()
        };
        let mut eos = token_ids(fields.eos_token_id.as_ref());
        if eos.is_empty() {
            eos.clone_from(&spec.eos);
        }
        Ok(Self {
            sampling: wish.resolve(&Sampling::default())?,
            eos,
            file: Some(PathBuf::from(FILE)),
        })
    }
}
