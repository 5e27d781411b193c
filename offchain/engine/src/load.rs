//! From a Hugging Face folder to a model in memory.

mod embedder;
mod folder;
mod generation;
mod gguf;
mod gpu;
mod inspect;
mod kernel_choice;
mod mapped;
mod memory;
mod mxfp4;
mod packed;
mod plan;
mod pooling;
mod progress;
mod quality;
mod rows;
mod safetensors_file;
mod stored;
mod template_file;
mod tensor;
mod warm_up;
mod weights;

pub use embedder::{LoadedEmbedder, is_embedding_model, load_embedder};
#[cfg(feature = "cuda")]
pub(crate) use gpu::open as open_gpu;
pub use inspect::{ModelReport, inspect_model};
pub use packed::{BuiltFile, BuiltModel, build_model};
pub use plan::{MemoryPlan, RankMemory};
pub(crate) use pooling::{Pooling, PoolingKind};
pub use progress::Progress;
pub use quality::Quality;
pub(crate) use weights::Weights;

use crate::card::ModelCard;
use crate::device::{BurnDevice, CpuDevice, Device};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::limits::{KV_BLOCK, MAX_CONFIG_BYTES};
use crate::local::LocalEngine;
use crate::model::{Checkpoint, Config, Executor, LoadOptions, ModelSpec, Ranks, Transformer, model_spec};
use crate::options::{ComputeDevice, EngineOptions};
use crate::sampling::Sampling;
use crate::text::reasoning::{ChannelMarks, ThinkMarks};
use crate::text::template::ChatTemplate;
use crate::text::tokenizer::Tokenizer;
use cocoon_manifest::{FileEntry, FileHash, ManifestError, ModelFacts, ModelManifest, ModelName, SamplingDefaults};
use folder::{Folder, Purpose};
use kernel_choice::Setting;
use packed::list;
use progress::Watched;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};
use stored::StoredWeights;

/// The tokenizer's file, which every folder has.
const TOKENIZER: &str = "tokenizer.json";

/// Everything but the tensors that an engine needs of a model.
pub(crate) struct ModelParts {
    pub(crate) card: ModelCard,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) template: Option<ChatTemplate>,
    pub(crate) eos: Vec<u32>,
    pub(crate) think: Option<ThinkMarks>,
    pub(crate) channels: Option<ChannelMarks>,
}

/// A model in memory, with the folder that it came from.
pub struct LoadedModel {
    parts: ModelParts,
    executor: Box<dyn Executor>,
    options: EngineOptions,
    folder: PathBuf,
    files: Vec<PathBuf>,
    warnings: Vec<String>,
}

/// Reads the model in `folder`: config.json, tokenizer.json, generation_config.json, chat_template.jinja or
/// tokenizer_config.json, and the weights in model.packed ([`build_model`]), in model.safetensors or its parts, or in a
/// GGUF file or its parts, whichever is there first.
pub fn load_model(folder: &Path, options: EngineOptions) -> Result<LoadedModel, EngineError> {
    load_model_with(folder, options, &mut |_| {})
}

/// The same; `progress` is told how many of the model's numbers are in memory.
pub fn load_model_with(
    folder: &Path,
    options: EngineOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<LoadedModel, EngineError> {
    let mut opened = Folder::open_language(folder)?;
    let options = opened.weights.options(&options)?;
    let mut executor = opened.executor(&options, progress)?;
    let warnings = opened.choose_kernels(executor.as_mut(), folder, &options)?;
    let (card, files) = (opened.card(&options), opened.all_files());
    let (think, channels) = (ThinkMarks::of(&opened.tokenizer), opened.channels());
    let (template, eos) = match opened.purpose {
        Purpose::Language(language) => (language.template, language.generation.eos),
        Purpose::Embeddings(_) => (None, Vec::new()),
    };
    let parts = ModelParts {
        card,
        tokenizer: opened.tokenizer,
        template,
        eos,
        think,
        channels,
    };
    Ok(LoadedModel {
        parts,
        executor,
        options,
        folder: folder.to_owned(),
        files,
        warnings,
    })
}

impl Folder {
    /// Lets the device have the kernels that are fastest for this model.
    fn choose_kernels(
        &self,
        executor: &mut dyn Executor,
        folder: &Path,
        options: &EngineOptions,
    ) -> Result<Vec<String>, EngineError> {
        let on_gpu = options.device == ComputeDevice::Cuda;
        let Some((device, driver)) = on_gpu.then(gpu::identity).flatten() else {
            return Ok(Vec::new());
        };
        let setting = Setting {
            engine: ModelCard::engine_name(),
            device,
            driver,
            shapes: packed::shapes_hash(&self.spec, options.weight_format)?,
        };
        let max_model_len = self.max_model_len(options);
        kernel_choice::settle(executor, folder, setting, &mut |executor| {
            warm_up::time(executor, max_model_len)
        })
    }

    /// Puts the model on the device that the options name.
    fn executor(
        &mut self,
        options: &EngineOptions,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Box<dyn Executor>, EngineError> {
        let max_model_len = self.max_model_len(options);
        let requests = list(&self.spec, options.weight_format)?;
        let total = requests.iter().map(|request| request.numbers() as u64).sum();
        let mut watched = Watched {
            checkpoint: &mut self.weights,
            done: 0,
            total,
            tell: progress,
        };
        let executor = executor_for(&self.spec, &mut watched, options, max_model_len)?;
        progress(Progress { done: total, total });
        self.weights.finish()?;
        Ok(executor)
    }
}

/// Puts a model on the device that the options name and runs it once.
fn executor_for(
    spec: &ModelSpec,
    weights: &mut dyn Checkpoint,
    options: &EngineOptions,
    max_model_len: usize,
) -> Result<Box<dyn Executor>, EngineError> {
    let on_device = LoadOptions {
        format: options.weight_format,
        positions: max_model_len,
        blocks: options.max_kv_tokens.div_ceil(KV_BLOCK),
    };
    let mut executor: Box<dyn Executor> = match options.device {
        ComputeDevice::Cuda => {
            if options.ranks.get() > 1 {
                return Err(EngineError::NoDevice {
                    device: "cuda",
                    reason: "one GPU runs one rank",
                });
            }
            let device = gpu::open()?;
            check_memory(spec, options)?;
            Box::new(Transformer::load(spec, weights, device, on_device)?)
        }
        ComputeDevice::Cpu => {
            check_memory(spec, options)?;
            let threads = options.threads_of_rank();
            let device = |rank| match options.pin_threads {
                true => CpuDevice::pinned(threads, rank * threads),
                false => CpuDevice::new(threads, false),
            };
            on_devices(spec, weights, options, on_device, device)?
        }
        ComputeDevice::Reference => {
            let device = |_| BurnDevice::<burn::backend::Flex>::new();
            on_devices(spec, weights, options, on_device, device)?
        }
    };
    warm_up::run(executor.as_mut(), max_model_len, options.step_tokens())?;
    Ok(executor)
}

/// Puts the model on one device, or a part on each of several; `device` makes that of a rank.
fn on_devices<D: Device>(
    spec: &ModelSpec,
    weights: &mut dyn Checkpoint,
    options: &EngineOptions,
    on_device: LoadOptions,
    device: impl Fn(usize) -> D,
) -> Result<Box<dyn Executor>, EngineError> {
    match options.ranks.get() {
        1 => Ok(Box::new(Transformer::load(spec, weights, device(0), on_device)?)),
        ranks => {
            let devices = (0..ranks).map(device).collect();
            Ok(Box::new(Ranks::load(spec, weights, devices, on_device)?))
        }
    }
}

fn check_memory(spec: &ModelSpec, options: &EngineOptions) -> Result<(), EngineError> {
    let plan = MemoryPlan::new(spec, options)?;
    if plan.fits() {
        Ok(())
    } else {
        Err(EngineError::Memory { plan: Box::new(plan) })
    }
}

/// What the model in `folder` takes of the memory of the device that the options name, and what there is; reads no weights.
pub fn plan_memory(folder: &Path, options: &EngineOptions) -> Result<MemoryPlan, EngineError> {
    let options = StoredWeights::open(folder)?.options(options)?;
    let spec = match is_embedding_model(folder) {
        true => embedder::read_embedding_spec(folder)?,
        false => read_spec(&folder.join("config.json"))?,
    };
    MemoryPlan::new(&spec, &options)
}

pub(crate) fn read_spec(path: &Path) -> Result<ModelSpec, EngineError> {
    model_spec(Config::new(read_fields(path)?))
}

/// All fields of config.json.
fn read_fields(path: &Path) -> Result<Map<String, Value>, EngineError> {
    let bytes = read_bounded(path, MAX_CONFIG_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|source| EngineError::Json {
        file: "config.json",
        source,
    })
}

impl LoadedModel {
    /// What model this is.
    pub fn card(&self) -> &ModelCard {
        &self.parts.card
    }

    /// What an operator should hear of: nothing that keeps the model from its work.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The manifest of this model under `name`: reads and hashes every file that was loaded.
    pub fn manifest(&self, name: ModelName) -> Result<ModelManifest, ManifestFailure> {
        manifest_of(&self.parts.card, &self.folder, &self.files, name)
    }

    /// Everything but the tensors, for another executor.
    #[cfg(test)]
    pub(crate) fn into_parts(self) -> ModelParts {
        self.parts
    }

    /// Makes the model ready to take requests.
    pub fn into_engine(self) -> Box<dyn Engine> {
        Box::new(LocalEngine::new(self.parts, self.executor, self.options))
    }
}

fn manifest_of(
    card: &ModelCard,
    folder: &Path,
    files: &[PathBuf],
    name: ModelName,
) -> Result<ModelManifest, ManifestFailure> {
    let mut entries = Vec::new();
    for file in files {
        let (size, hash) = hash_file(&folder.join(file))?;
        entries.push(FileEntry::new(&file.to_string_lossy(), size, hash)?);
    }
    let tokenizer = entries.iter().find(|entry| entry.path() == TOKENIZER);
    let facts = ModelFacts {
        architecture: card.architecture.clone(),
        precision: card.precision.to_owned(),
        engine: card.engine.clone(),
        device: card.device.name().to_owned(),
        ranks: u32::try_from(card.ranks.get()).unwrap_or(u32::MAX),
        tokenizer: tokenizer.map_or(FileHash::of(b""), FileEntry::hash),
        template: card.template,
        tools: card.tools.map(|format| format.name().to_owned()),
        reasoning: card.reasoning.map(|format| format.name().to_owned()),
        sampling: sampling_of(&card.sampling_defaults),
    };
    Ok(ModelManifest::new(name, facts, entries)?)
}

/// What generation_config.json can set; the rest is the same for all models.
fn sampling_of(defaults: &Sampling) -> SamplingDefaults {
    SamplingDefaults {
        temperature: defaults.temperature,
        top_p: defaults.top_p,
        top_k: defaults.top_k,
        min_p: defaults.min_p,
        repetition_penalty: defaults.repetition_penalty,
    }
}

/// Why a manifest was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestFailure {
    /// A file cannot be read again.
    #[error(transparent)]
    Read(#[from] EngineError),
    /// The folder cannot be described by a manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// Reads a whole file that may not be larger than `limit`.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, EngineError> {
    let failed = |source| EngineError::ReadFile {
        path: path.to_owned(),
        source,
    };
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size > limit {
        return Err(EngineError::FileTooLarge {
            path: path.to_owned(),
            size,
            limit,
        });
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn hash_file(path: &Path) -> Result<(u64, FileHash), EngineError> {
    let failed = |source| EngineError::ReadFile {
        path: path.to_owned(),
        source,
    };
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let size = std::io::copy(&mut file, &mut hasher).map_err(failed)?;
    Ok((size, FileHash::new(hasher.finalize().into())))
}
