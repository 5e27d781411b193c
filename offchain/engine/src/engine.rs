//! The interface of every engine.

use crate::card::ModelCard;
use crate::error::EngineError;
use crate::metrics::Occupancy;
use crate::request::SubmitRequest;
use crate::sampling::{Prepared, Preparer};
use crate::text::split::ToolCallDelta;
use std::fmt;
use std::sync::Arc;

/// One answer in the making. Ids are never used twice by one engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceId(pub(crate) u64);

impl fmt::Display for SequenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FinishReason {
    /// The model ended it, or a stop string did.
    Stop,
    /// `max_tokens` or the context ended it.
    Length,
    /// [`Engine::cancel`] ended it.
    Cancelled,
    /// Its deadline ended it.
    Deadline,
    /// It waited too long for its first step, or had to leave a full queue to another payer's request. Nothing was
    /// computed for it.
    Overloaded,
    /// The model's output was not a number or not a text; other sequences go on.
    Failed,
    /// What the answer must match became too complex to be followed, or left no token to go on with.
    Unmatched,
}

impl FinishReason {
    /// As the OpenAI interface writes it; all but the first two are our own.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Cancelled => "cancelled",
            Self::Deadline => "deadline",
            Self::Overloaded => "overloaded",
            Self::Failed | Self::Unmatched => "error",
        }
    }
}

/// What one answer has used so far, in tokens of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt: u64,
    /// Of these, tokens whose computation was saved by a cache.
    pub cached: u64,
    /// Tokens of the answer.
    pub completion: u64,
    /// Of these, tokens inside `<think>` … `</think>`, marks included.
    pub reasoning: u64,
}

/// What one step brought for one sequence.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct StepOutput {
    /// Which sequence.
    pub id: SequenceId,
    /// New text, possibly empty; always whole characters.
    pub text_delta: String,
    /// New reasoning, where the request has it told apart from the text.
    pub reasoning_delta: String,
    /// More of calls of tools, where the request has them told apart.
    pub tool_calls: Vec<ToolCallDelta>,
    /// New tokens. Their text may come later, when characters are complete and no stop string can begin there.
    pub tokens: Vec<u32>,
    /// One for each of `tokens`, if the request wants them; none for a token that ends the answer.
    pub logprobs: Vec<TokenLogprobs>,
    /// Totals up to here.
    pub usage: Usage,
    /// Present in the last output of a sequence.
    pub finish_reason: Option<FinishReason>,
}

impl StepOutput {
    /// How many tokens are new.
    pub fn token_count(&self) -> usize {
        self.tokens.len()
    }
}

/// Leaves the content out.
impl fmt::Debug for StepOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepOutput")
            .field("id", &self.id)
            .field("new_tokens", &self.tokens.len())
            .field("usage", &self.usage)
            .field("finish_reason", &self.finish_reason)
            .finish_non_exhaustive()
    }
}

/// A token with the natural logarithm of the probability that the model gave it, before penalties, biases, constraints and
/// temperature.
#[derive(Clone, PartialEq)]
pub struct TokenLogprob {
    /// Its id.
    pub token: u32,
    /// Its bytes: parts of a character too.
    pub bytes: Vec<u8>,
    /// At most 0; minus infinity if the model rules it out.
    pub logprob: f32,
}

/// The chosen token of one position, and the likeliest ones.
#[derive(Clone, PartialEq)]
pub struct TokenLogprobs {
    /// What was chosen.
    pub chosen: TokenLogprob,
    /// The likeliest, likeliest first.
    pub top: Vec<TokenLogprob>,
}

/// Leaves the content out.
impl fmt::Debug for TokenLogprob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenLogprob({})", self.logprob)
    }
}

/// Leaves the content out.
impl fmt::Debug for TokenLogprobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenLogprobs({} top)", self.top.len())
    }
}

/// A model with its queue. Nothing happens except inside [`Engine::step`].
pub trait Engine: Send {
    /// What model this is.
    fn card(&self) -> &ModelCard;

    /// Puts a request into the queue.
    fn submit(&mut self, request: SubmitRequest) -> Result<SequenceId, EngineError>;

    /// What does the slow part of taking a request, on another thread, if this engine has such a part.
    fn preparer(&self) -> Option<Arc<Preparer>> {
        None
    }

    /// The same as [`Self::submit`], with what [`Self::preparer`] has made of the request.
    fn submit_prepared(&mut self, request: SubmitRequest, prepared: Prepared) -> Result<SequenceId, EngineError> {
        let _ = prepared;
        self.submit(request)
    }

    /// Ends a sequence and frees what it holds; the next step reports it as [`FinishReason::Cancelled`]. An id that has
    /// ended is ignored.
    fn cancel(&mut self, id: SequenceId);

    /// Lets running sequences go on by one token or one piece of their prompts. Where a device may be ahead, what comes
    /// back is what an earlier step has started: the first may bring nothing. An error is of the whole engine:
    /// all its sequences are lost.
    fn step(&mut self) -> Result<Vec<StepOutput>, EngineError>;

    /// Whether nothing runs, waits or is to be reported.
    fn is_idle(&self) -> bool;

    /// How places and cache are used; an engine without a cache has nothing to say.
    fn occupancy(&self) -> Occupancy {
        Occupancy::default()
    }
}
