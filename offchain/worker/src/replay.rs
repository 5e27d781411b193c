//! Re-execution of a disclosed exchange: the same request on the same model with the recorded seed, compared with what was
//! answered then.
//!
//! An answer follows from model, request, sampling and seed alone, whatever ran beside it. What does not follow is its name,
//! its time, and its `usage`, which tells what was cached and what it cost: those are taken over from the answer of then.

use crate::backend::{Local, Recorded, Trouble};
use crate::config::EngineConfig;
use crate::daemon::verify_name;
use crate::error::WorkerError;
use crate::limits::ENGINE_QUEUE;
use cocoon_bindings::ModelHash;
use cocoon_engine::{EngineError, EngineHandle, is_embedding_model, load_model};
use cocoon_manifest::ModelName;
use cocoon_openai::said::Unreadable;
use cocoon_openai::{Endpoint, Request, Said};
use cocoon_protocol::http;
use cocoon_receipt::{Disclosure, DisclosureError, FinishReason};
use futures_util::future::BoxFuture;
use serde::Serialize;

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replay {
    /// In one word.
    pub verdict: ReplayVerdict,
    /// The first difference, in one sentence without content.
    pub difference: Option<String>,
    /// Tokens of the prompt now.
    pub prompt_tokens: u64,
    /// Generated tokens now.
    pub completion_tokens: u64,
}

/// How the answer of now compares with the one of then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayVerdict {
    /// The same bytes: they have the receipt's hash.
    Identical,
    /// The same texts, calls, probabilities and ends, in events that were cut otherwise or cut short.
    SameContent,
    /// Not what this model answers to this request.
    Different,
}

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// What was disclosed does not belong to its receipt.
    #[error(transparent)]
    Disclosure(#[from] DisclosureError),
    /// The receipt is of another model.
    #[error("the receipt is of model {expected}, not of {found}")]
    OtherModel {
        /// Hash in the receipt.
        expected: ModelHash,
        /// Hash of the model at hand.
        found: ModelHash,
    },
    /// The folder holds other files than the name stands for.
    #[error(transparent)]
    OtherFiles(Box<WorkerError>),
    /// This exchange has nothing that could be computed again.
    #[error("this exchange cannot be replayed: {0}")]
    NotReplayable(&'static str),
    /// The model at hand does not take the request.
    #[error("the model does not take the request")]
    Refused,
    /// The model cannot be loaded.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The engine stopped.
    #[error("the engine has stopped")]
    Stopped,
}

impl From<WorkerError> for ReplayError {
    fn from(error: WorkerError) -> Self {
        Self::OtherFiles(Box::new(error))
    }
}

impl From<Unreadable> for ReplayError {
    fn from(_: Unreadable) -> Self {
        Self::NotReplayable("the answer is not one of a chat or a completion")
    }
}

impl ReplayError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Disclosure(_) => "the file must be as the client wrote it",
            Self::OtherFiles(_) => "give the folder whose files the name was made from",
            Self::OtherModel { .. } => "give the folder of the model that the receipt names, and its full name",
            Self::NotReplayable(_) => "only answers of chat and completions have something to compare",
            Self::Refused => "is it the same model, with the same configuration?",
            Self::Engine(_) => "check the model's folder with `cocoon model check`",
            Self::Stopped => "the log says why",
        }
    }
}

/// A model that is ready to answer once more.
pub struct Replayer {
    local: Local,
    model: ModelHash,
}

impl Replayer {
    /// Loads a model under the name that the root contract lists it by; the files are compared with it if the configuration
    /// says so. Blocks.
    pub fn load(config: &EngineConfig, name: &ModelName) -> Result<Self, ReplayError> {
        if is_embedding_model(&config.folder) {
            return Err(ReplayError::NotReplayable("the model makes vectors"));
        }
        verify_name(config, name)?;
        let model = load_model(config.folder.as_path(), config.options())?;
        let engine = EngineHandle::spawn(model.into_engine(), ENGINE_QUEUE)?;
        Ok(Self {
            local: Local::new(engine, name.base().to_owned()),
            model: name.model_hash(),
        })
    }

    /// Answers the disclosed request once more and compares.
    pub fn replay<'a>(&'a self, disclosure: &'a Disclosure) -> BoxFuture<'a, Result<Replay, ReplayError>> {
        Box::pin(self.replay_here(disclosure))
    }

    async fn replay_here(&self, disclosure: &Disclosure) -> Result<Replay, ReplayError> {
        disclosure.check()?;
        let statement = &disclosure.receipt.receipt.statement;
        if statement.model != self.model {
            return Err(ReplayError::OtherModel {
                expected: statement.model,
                found: self.model,
            });
        }
        let is_cut = match statement.finish {
            FinishReason::Stop | FinishReason::Length | FinishReason::ToolCalls => false,
            FinishReason::Cancelled | FinishReason::WorkerLost | FinishReason::Timeout => true,
            _ => return Err(ReplayError::NotReplayable("it failed")),
        };
        let request = request(&disclosure.request)?;
        let then = Said::read(&request, &disclosure.response)?;
        let recorded = Recorded {
            seed: statement.seed,
            created: then.created,
            id: then.id.unwrap_or_default(),
            usage: then.usage.clone(),
        };
        let again = self
            .local
            .again(&request, recorded)
            .await
            .map_err(|trouble| match trouble {
                Trouble::Refused(_) => ReplayError::Refused,
                _ => ReplayError::Stopped,
            })?;
        let asks_for = request.seed().map(i64::cast_unsigned);
        let is_told = statement.sampling_hash.0 != [0; 32];
        let difference = if is_told && again.sampling_hash != statement.sampling_hash.0 {
            Some("the receipt names another way of sampling than the request and the model lead to".to_owned())
        } else if asks_for.is_some_and(|seed| seed != statement.seed) {
            Some("the receipt names another seed than the request asks for".to_owned())
        } else {
            let now = Said::read_whole(request.endpoint(), again.body.as_bytes())?;
            then.difference(&now, is_cut).map(|found| found.to_string())
        };
        let verdict = match &difference {
            Some(_) => ReplayVerdict::Different,
            None if again.body.as_bytes() == disclosure.response => ReplayVerdict::Identical,
            None => ReplayVerdict::SameContent,
        };
        Ok(Replay {
            verdict,
            difference,
            prompt_tokens: again.counts.prompt,
            completion_tokens: again.counts.completion,
        })
    }
}

/// The request as the worker reads it.
fn request(boxed: &[u8]) -> Result<Request, ReplayError> {
    let http = http::Request::decode(boxed).map_err(|_| ReplayError::NotReplayable("the request is not HTTP"))?;
    match Endpoint::from_path(&http.url) {
        Some(endpoint @ (Endpoint::Chat | Endpoint::Completion)) => {
            Request::parse(endpoint, &http.payload).map_err(|_| ReplayError::Refused)
        }
        _ => Err(ReplayError::NotReplayable("it is not a chat or a completion")),
    }
}

#[cfg(test)]
mod tests;
