//! Runs a language model: takes chats or texts, gives text piece by piece, several sequences side by side. A model is
//! an ordinary Hugging Face folder; families are listed in `model/families`.
//!
//! **Invariant:** the same request with the same seed on the same model gives the same tokens, whatever runs beside
//! it. No prompt and no answer ever gets into an error, a log line or a `Debug` output. No type of Burn is public.
//!
//! Main types: [`Engine`] is driven by hand with [`Engine::step`]; [`EngineHandle`] owns one on a thread of its own.
//!
//! ```no_run
//! use cocoon_engine::{Engine, EngineOptions, SubmitRequest, load_model};
//!
//! let mut engine = load_model("models/qwen3".as_ref(), EngineOptions::default())?.into_engine();
//! engine.submit(SubmitRequest::chat_of_user("What is a cocoon?"))?;
//! while !engine.is_idle() {
//!     for output in engine.step()? {
//!         drop(output.text_delta);
//!     }
//! }
//! # Ok::<(), cocoon_engine::EngineError>(())
//! ```

mod builtin;
mod card;
pub mod demo;
mod device;
mod embedding;
mod engine;
mod error;
mod handle;
mod kernels;
pub mod limits;
mod load;
mod local;
mod metrics;
mod model;
mod options;
mod parrot;
mod payer;
#[cfg(test)]
mod reference;
mod request;
mod sampling;
mod schedule;
mod sequence;
#[doc(hidden)]
pub mod speed;
mod text;
pub mod tiny;

pub use card::ModelCard;
pub use device::WeightFormat;
pub use embedding::{Embedder, EmbedderHandle, Embedding, EmbeddingInput, EmbeddingRequest, EmbeddingSink};
pub use engine::{Engine, FinishReason, SequenceId, StepOutput, TokenLogprob, TokenLogprobs, Usage};
pub use error::{EngineError, GgufError, PackedError, Retry, Who};
pub use handle::{EngineEvent, EngineHandle, Sink, Ticket};
pub use load::{
    BuiltFile, BuiltModel, LoadedEmbedder, LoadedModel, ManifestFailure, MemoryPlan, ModelReport, Progress, Quality,
    RankMemory, build_model, inspect_model, is_embedding_model, load_embedder, load_model, load_model_with,
    plan_memory,
};
pub use metrics::{EngineLoad, Histogram, Occupancy};
pub use options::{ComputeDevice, EngineOptions};
#[doc(hidden)]
pub use parrot::Parrot;
pub use payer::{Payer, PayerSalt};
pub use request::{AnswerParts, Chat, Prompt, StopStrings, SubmitRequest};
pub use sampling::{Constraint, LogitBias, MadeGrammar, Prepared, Preparer, Sampling, SamplingWish};
pub use text::reasoning::ReasoningFormat;
pub use text::split::ToolCallDelta;
pub use text::tools::ToolFormat;
