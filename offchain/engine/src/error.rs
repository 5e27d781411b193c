//! What can go wrong, whose fault it is and what may help.

mod gguf;
mod packed;

pub use gguf::GgufError;
pub use packed::PackedError;

use std::path::PathBuf;
use thiserror::Error;

/// Who has to change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Who {
    /// The sender of the request.
    Caller,
    /// The operator of this worker: model folder, options, machine.
    Local,
}

/// Whether the same request may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// Not without a change.
    Never,
    /// Yes, when the engine has less to do.
    Later,
    /// Yes, on another worker.
    OtherPeer,
}

/// Why a model was not loaded or a request not served. Never contains a prompt or an answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A file of the model cannot be read.
    #[error("cannot read {path}")]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file or folder cannot be written.
    #[error("cannot write {path}")]
    WriteFile {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file of the model is larger than any that we know of.
    #[error("{path} has {size} bytes, more than {limit}")]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The weights lie in more files than those of any model that we know of.
    #[error("the weights lie in {found} files, more than {limit}")]
    TooManyFiles {
        /// How many.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// A file of the model is not the JSON it should be.
    #[error("{file} is not valid")]
    Json {
        /// Name of the file.
        file: &'static str,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The configuration asks for something that this engine does not do.
    #[error("config.json: `{field}` = {found} is not supported")]
    UnsupportedConfig {
        /// The field.
        field: String,
        /// Its value, shortened.
        found: String,
    },
    /// The configuration lacks something.
    #[error("config.json: `{field}` is missing or not a number in range")]
    MissingConfig {
        /// The field.
        field: &'static str,
    },
    /// The weights lack a tensor.
    #[error("the weights have no tensor `{name}`")]
    MissingTensor {
        /// Its name.
        name: String,
    },
    /// The weights have a tensor that the model has no place for.
    #[error("the weights have a tensor `{name}` that this architecture does not know")]
    UnknownTensor {
        /// Its name.
        name: String,
    },
    /// A tensor has another shape than the configuration says.
    #[error("tensor `{name}` has shape {found:?}, not {expected:?}")]
    TensorShape {
        /// Its name.
        name: String,
        /// By the configuration.
        expected: Vec<usize>,
        /// In the file.
        found: Vec<usize>,
    },
    /// A tensor has a number format that is not read.
    #[error("tensor `{name}` holds {dtype}; f32, f16, bf16, f8_e4m3 in blocks, q8_0 and q4_0 are read")]
    TensorType {
        /// Its name.
        name: String,
        /// The format.
        dtype: String,
    },
    /// A file of weights is damaged.
    #[error("{path} is not a safetensors file")]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// Why.
        source: safetensors::SafeTensorError,
    },
    /// A GGUF file is damaged or not for this engine.
    #[error("{path} is not a GGUF file that can be read")]
    Gguf {
        /// The file.
        path: PathBuf,
        /// Why.
        source: GgufError,
    },
    /// The model cannot be cut into so many parts.
    #[error("{ranks} ranks are too many for a model of {limit} {of}")]
    Ranks {
        /// How many were asked for.
        ranks: usize,
        /// How many of these there are.
        limit: usize,
        /// Heads, columns, tokens.
        of: &'static str,
    },
    /// A packed file is damaged or of another version.
    #[error("{path} is not a packed file that can be read")]
    Packed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PackedError,
    },
    /// The options ask for another format than that of packed weights.
    #[error("the weights are packed in {found}, not in {wanted}")]
    PackedFormat {
        /// Of the file.
        found: crate::device::WeightFormat,
        /// Of the options.
        wanted: crate::device::WeightFormat,
    },
    /// Packed weights are those of one rank.
    #[error("packed weights cannot be cut into ranks")]
    PackedRanks,
    /// Packed weights cannot be packed again.
    #[error("the weights are packed already")]
    PackedAlready,
    /// The model does not fit in memory with these options.
    #[error("the model does not fit: {plan}")]
    Memory {
        /// What it would take.
        plan: Box<crate::load::MemoryPlan>,
    },
    /// The device that the options name cannot be used.
    #[error("there is no device {device}: {reason}")]
    NoDevice {
        /// As the options name it.
        device: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// The tokenizer cannot be read or fails.
    #[error("the tokenizer fails while {doing}")]
    Tokenizer {
        /// Reading, encoding, decoding.
        doing: &'static str,
    },
    /// The model has no chat template.
    #[error("this model has no chat template")]
    NoTemplate,
    /// The chat template is not valid.
    #[error("the chat template is not valid at line {line}")]
    Template {
        /// From 1; 0 if unknown.
        line: usize,
    },
    /// The chat template refuses these messages.
    #[error("the chat template refuses these messages")]
    TemplateRefused,
    /// The prompt holds nothing.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// The prompt does not fit.
    #[error("the prompt has {tokens} tokens; this model takes fewer than {limit}")]
    ContextLength {
        /// Tokens of the prompt.
        tokens: usize,
        /// Positions of the context.
        limit: usize,
    },
    /// The prompt is too long to be tokenized at all.
    #[error("the prompt has {size} bytes, more than {limit}")]
    PromptTooLong {
        /// Its size in bytes.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// A parameter is out of range.
    #[error("`{name}` must be {allowed}")]
    Parameter {
        /// Its name in the API.
        name: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A constraint is larger than one that is compiled in a second or so.
    #[error("the {kind} that the answer shall match is too large")]
    ConstraintTooLarge {
        /// JSON schema, regular expression, grammar.
        kind: &'static str,
    },
    /// A constraint is not valid, or has no text that it allows.
    #[error("the {kind} that the answer shall match cannot be used")]
    Constraint {
        /// JSON schema, regular expression, grammar.
        kind: &'static str,
    },
    /// A constraint could not be followed to the end of the answer: its parser came to a limit, or no token was left.
    #[error("what the answer shall match is too complex to be followed to its end")]
    ConstraintTooComplex,
    /// A token id is not in the vocabulary.
    #[error("token {id} is not in the vocabulary")]
    UnknownToken {
        /// The id.
        id: u32,
    },
    /// Too many sequences wait already.
    #[error("{limit} requests wait already")]
    QueueFull {
        /// The limit.
        limit: usize,
    },
    /// The request waited too long for its turn, or left a full queue to another payer's.
    #[error("the engine is overloaded")]
    Overloaded,
    /// The arithmetic gave something that is not a number.
    #[error("the model's output is not a number")]
    NotANumber,
    /// The tensor library failed.
    #[error("the device failed while {doing}")]
    Device {
        /// What it should do.
        doing: &'static str,
    },
    /// Whoever asked gave the request up before it was looked at.
    #[error("the request was cancelled")]
    Cancelled,
    /// The engine's thread has ended.
    #[error("the engine has stopped")]
    Stopped,
}

impl EngineError {
    /// Who has to change something.
    pub fn who(&self) -> Who {
        match self {
            Self::TemplateRefused
            | Self::EmptyPrompt
            | Self::ContextLength { .. }
            | Self::PromptTooLong { .. }
            | Self::Parameter { .. }
            | Self::Constraint { .. }
            | Self::ConstraintTooLarge { .. }
            | Self::ConstraintTooComplex
            | Self::Cancelled
            | Self::UnknownToken { .. } => Who::Caller,
            _ => Who::Local,
        }
    }

    /// Whether to try again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::QueueFull { .. } => Retry::Later,
            Self::Overloaded => Retry::OtherPeer,
            Self::NotANumber | Self::Device { .. } | Self::Stopped => Retry::OtherPeer,
            _ => Retry::Never,
        }
    }

    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::ReadFile { .. } => "give the folder of a Hugging Face model with config.json and weights",
            Self::FileTooLarge { .. } | Self::TooManyFiles { .. } | Self::Json { .. } | Self::Safetensors { .. } => {
                "fetch the model again"
            }
            Self::UnsupportedConfig { .. } | Self::MissingConfig { .. } | Self::UnknownTensor { .. } => {
                "use a model of a family that this engine reads, without quantization"
            }
            Self::MissingTensor { .. } | Self::TensorShape { .. } | Self::TensorType { .. } => {
                "the weights belong to another configuration or are quantized"
            }
            Self::WriteFile { .. } => "name a folder that does not exist yet, on a disk with room",
            Self::Packed { .. } => "pack the model again with `cocoon model build`",
            Self::PackedFormat { .. } => "leave the weight format away, or pack the model in that format",
            Self::PackedRanks => "set one rank, or load the published weights",
            Self::PackedAlready => "give the folder with the published weights",
            Self::Gguf { .. } => "take the safetensors of this model, or a GGUF file of f32, f16, bf16, q8_0 or q4_0",
            Self::Ranks { .. } => "set fewer `ranks`",
            Self::Memory { .. } => "set a smaller weight format or max_kv_tokens, or free memory",
            Self::NoDevice { .. } => {
                "install the driver and NVRTC and use a build with the feature `cuda`, or set device to cpu"
            }
            Self::Tokenizer { .. } => "tokenizer.json must be of the format of the `tokenizers` library",
            Self::NoTemplate | Self::Template { .. } => "send a plain completion, or use an instruct model",
            Self::TemplateRefused => "use the roles system, user and assistant, each with a text",
            Self::EmptyPrompt => "send at least one character",
            Self::ContextLength { .. } | Self::PromptTooLong { .. } => "send a shorter prompt",
            Self::Parameter { .. } | Self::UnknownToken { .. } => "correct the request",
            Self::ConstraintTooLarge { .. } => {
                "keep schemas below 64 KiB, grammars below 16 KiB and regular expressions, a schema's together, below 8 KiB"
            }
            Self::Cancelled => "send it again if it is still wanted",
            Self::Constraint { .. } => "check its syntax, or use a simpler one",
            Self::ConstraintTooComplex => {
                "use a simpler schema or grammar: fewer alternatives, less nesting, smaller numbers of repetitions"
            }
            Self::QueueFull { .. } | Self::Overloaded => "wait a moment and send the request again",
            Self::NotANumber | Self::Device { .. } | Self::Stopped => "restart the worker",
        }
    }
}
