//! From the folder of an embedding model to an [`Embedder`].

use super::folder::{Folder, Purpose};
use super::{ManifestFailure, manifest_of, read_fields};
use crate::card::ModelCard;
use crate::embedding::Embedder;
use crate::error::EngineError;
use crate::model::{Config, ModelSpec, model_spec};
use crate::options::EngineOptions;
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
    let mut opened = Folder::open_embedder(folder)?;
    let options = opened.weights.options(options)?;
    let executor = opened.executor(&options, &mut |_| {})?;
    let (card, files) = (opened.card(&options), opened.all_files());
    let Purpose::Embeddings(pooling) = opened.purpose else {
        return Err(EngineError::MissingConfig { field: "modules.json" });
    };
    Ok(LoadedEmbedder {
        embedder: Embedder::new(card, opened.tokenizer, executor, pooling, &options),
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
