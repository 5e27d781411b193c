//! What a folder says about its model, before its weights are read.

use super::embedder::{is_embedding_model, read_embedding_spec};
use super::generation::GenerationDefaults;
use super::pooling::Pooling;
use super::stored::StoredWeights;
use super::{read_spec, template_file};
use crate::card::ModelCard;
use crate::error::EngineError;
use crate::limits::KV_BLOCK;
use crate::model::ModelSpec;
use crate::options::EngineOptions;
use crate::sampling::Sampling;
use crate::text::reasoning::{ChannelMarks, ReasoningFormat, ThinkMarks};
use crate::text::template::ChatTemplate;
use crate::text::tokenizer::Tokenizer;
use crate::text::tools::ToolFormat;
use std::path::{Path, PathBuf};

/// Everything of a folder but the numbers of its weights.
pub(super) struct Folder {
    pub(super) spec: ModelSpec,
    pub(super) weights: StoredWeights,
    pub(super) tokenizer: Tokenizer,
    pub(super) purpose: Purpose,
    /// Without those of the weights, relative to the folder.
    pub(super) files: Vec<PathBuf>,
}

/// What the model is for.
pub(super) enum Purpose {
    Language(Box<Language>),
    Embeddings(Pooling),
}

/// What only a language model has.
pub(super) struct Language {
    pub(super) template: Option<ChatTemplate>,
    pub(super) generation: GenerationDefaults,
}

impl Folder {
    /// Reads a folder of either kind: one with `modules.json` is an embedding model.
    pub(super) fn open(folder: &Path) -> Result<Self, EngineError> {
        match is_embedding_model(folder) {
            true => Self::open_embedder(folder),
            false => Self::open_language(folder),
        }
    }

    /// Reads the folder of a language model.
    pub(super) fn open_language(folder: &Path) -> Result<Self, EngineError> {
        let spec = read_spec(&folder.join("config.json"))?;
        let generation = GenerationDefaults::read(folder, &spec)?;
        let tokenizer = Tokenizer::read(&folder.join("tokenizer.json"))?;
        let (template, template_files) = template_file::read(folder)?;
        let mut files = vec![PathBuf::from("config.json"), PathBuf::from("tokenizer.json")];
        files.extend(generation.file.clone());
        files.extend(template_files);
        Ok(Self {
            spec,
            weights: StoredWeights::open(folder)?,
            tokenizer,
            purpose: Purpose::Language(Box::new(Language { template, generation })),
            files,
        })
    }

    /// Reads the folder of an embedding model, whose head is not needed.
    pub(super) fn open_embedder(folder: &Path) -> Result<Self, EngineError> {
        let spec = read_embedding_spec(folder)?;
        let pooling = Pooling::read(folder)?;
        let tokenizer = Tokenizer::read(&folder.join("tokenizer.json"))?;
        let mut weights = StoredWeights::open(folder)?;
        weights.name_as_with_head();
        let mut files = vec![PathBuf::from("config.json"), PathBuf::from("tokenizer.json")];
        files.extend(pooling.files.iter().cloned());
        Ok(Self {
            spec,
            weights,
            tokenizer,
            purpose: Purpose::Embeddings(pooling),
            files,
        })
    }

    /// Positions of one sequence. Those of an embedding model lie in the cache all at once.
    pub(super) fn max_model_len(&self, options: &EngineOptions) -> usize {
        let wanted = options.max_model_len.unwrap_or(self.spec.max_positions);
        let positions = wanted.min(self.spec.max_positions);
        match self.purpose {
            Purpose::Language(_) => positions,
            Purpose::Embeddings(_) => positions.min(options.max_kv_tokens.div_ceil(KV_BLOCK) * KV_BLOCK),
        }
    }

    /// What the model says about itself, once its weights have been asked for. `options` have the format of the weights.
    pub(super) fn card(&self, options: &EngineOptions) -> ModelCard {
        let (template, sampling) = match &self.purpose {
            Purpose::Language(language) => (language.template.as_ref(), language.generation.sampling.clone()),
            Purpose::Embeddings(_) => (None, Sampling::default()),
        };
        ModelCard {
            architecture: self.spec.architecture.clone(),
            precision: options.weight_format.name(),
            engine: ModelCard::engine_name(),
            device: options.device,
            ranks: options.ranks,
            vocab_size: self.spec.vocab_size,
            max_model_len: self.max_model_len(options),
            parameters: self.weights.parameters(),
            reasoning: self.reasoning(),
            tools: tools_of(template),
            sampling_defaults: sampling,
            template: ModelCard::template_hash(template),
        }
    }

    /// How a language model's reasoning is told from its answers.
    fn reasoning(&self) -> Option<ReasoningFormat> {
        let channels = self.channels().map(|_| ReasoningFormat::Harmony);
        let think = || ThinkMarks::of(&self.tokenizer).map(|_| ReasoningFormat::Think);
        match self.purpose {
            Purpose::Language(_) => channels.or_else(think),
            Purpose::Embeddings(_) => None,
        }
    }

    /// The marks of channels, for a language model that answers in them.
    pub(super) fn channels(&self) -> Option<ChannelMarks> {
        let Purpose::Language(language) = &self.purpose else {
            return None;
        };
        let tools = tools_of(language.template.as_ref());
        ChannelMarks::of(&self.tokenizer).filter(|_| tools == Some(ToolFormat::Harmony))
    }

    /// All files, those of the weights last.
    pub(super) fn all_files(&self) -> Vec<PathBuf> {
        [self.files.clone(), self.weights.files()].concat()
    }
}

/// How a model with this template writes calls of tools.
fn tools_of(template: Option<&ChatTemplate>) -> Option<ToolFormat> {
    template.and_then(|template| ToolFormat::of_template(template.source()))
}
