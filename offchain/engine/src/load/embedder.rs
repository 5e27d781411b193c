//! From the folder of an embedding model to an [`Embedder`].

use super::pooling::Pooling;
use super::{ManifestFailure, Weights, executor_for, manifest_of, read_fields};
use crate::card::ModelCard;
use crate::embedding::Embedder;
use crate::error::EngineError;
use crate::limits::KV_BLOCK;
use crate::model::{Config, ModelSpec, model_spec};
use crate::options::EngineOptions;
use crate::sampling::Sampling;
use crate::text::tokenizer::Tokenizer;
use cocoon_manifest::{ModelManifest, ModelName};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// An embedding model in memory, with the folder that it came from.
pub struct LoadedEmbedder {
    embedder: Embedder,
    folder: PathBuf,
    files: Vec<PathBuf>,
}

/// Reads the embedding model in `folder`, which has the sentence-transformers layout: beside the files of a language
/// model, whose head is not needed, `modules.json` and the configuration of the pooling.
pub fn load_embedder(folder: &Path, options: &EngineOptions) -> Result<LoadedEmbedder, EngineError> {
    let spec = read_embedding_spec(folder)?;
    let pooling = Pooling::read(folder)?;
    let tokenizer = Tokenizer::read(&folder.join("tokenizer.json"))?;
    let room = options.max_kv_tokens.div_ceil(KV_BLOCK) * KV_BLOCK;
    let wanted = options.max_model_len.unwrap_or(spec.max_positions);
    let max_model_len = wanted.min(spec.max_positions).min(room);
    let mut weights = Weights::open(folder)?;
    weights.name_as_with_head();
    let executor = executor_for(&spec, &mut weights, options, max_model_len)?;

    let card = ModelCard {
        architecture: spec.architecture,
        precision: options.weight_format.name(),
        engine: ModelCard::engine_name(options.ranks),
        vocab_size: spec.vocab_size,
        max_model_len,
        parameters: weights.parameters(),
        reasons: false,
        tools: None,
        sampling_defaults: Sampling::default(),
        template: ModelCard::template_hash(None),
    };
    let mut files = vec![PathBuf::from("config.json"), PathBuf::from("tokenizer.json")];
    files.extend(pooling.files.iter().cloned());
    files.extend(weights.files());
    Ok(LoadedEmbedder {
        embedder: Embedder::new(card, tokenizer, executor, pooling, options),
        folder: folder.to_owned(),
        files,
    })
}

/// Whether `folder` holds an embedding model: it says how vectors are made of states.
pub fn is_embedding_model(folder: &Path) -> bool {
    folder.join(super::pooling::MODULES).is_file()
}

/// The model without its head.
pub(super) fn read_embedding_spec(folder: &Path) -> Result<ModelSpec, EngineError> {
    let mut fields = read_fields(&folder.join("config.json"))?;
    name_after_the_whole(&mut fields);
    let mut spec = model_spec(Config::new(fields))?;
    spec.head = None;
    spec.passed_over.push("lm_head.weight".to_owned());
    Ok(spec)
}

/// Folders without a head are named after the class without a head: `Qwen3Model` for `Qwen3ForCausalLM`.
fn name_after_the_whole(fields: &mut Map<String, Value>) {
    let Some(Value::Array(names)) = fields.get_mut("architectures") else {
        return;
    };
    for name in names {
        if let Some(family) = name.as_str().and_then(|name| name.strip_suffix("Model")) {
            *name = Value::from(format!("{family}ForCausalLM"));
        }
    }
}

impl LoadedEmbedder {
    /// What model this is.
    pub fn card(&self) -> &ModelCard {
        self.embedder.card()
    }

    /// The manifest of this model under `name`: reads and hashes every file that was loaded.
    pub fn manifest(&self, name: ModelName) -> Result<ModelManifest, ManifestFailure> {
        manifest_of(self.card(), &self.folder, &self.files, name)
    }

    /// Makes the model ready to take texts.
    pub fn into_embedder(self) -> Embedder {
        self.embedder
    }
}
