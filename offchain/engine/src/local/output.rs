//! What a step tells of one sequence.

use crate::engine::{FinishReason, StepOutput, TokenLogprob, TokenLogprobs};
use crate::sampling::{Logprob, Logprobs};
use crate::sequence::{Advance, Sequence};
use crate::text::vocabulary::Vocabulary;

/// What a token has brought.
pub(super) fn output(sequence: &Sequence, advance: Advance, vocabulary: &Vocabulary) -> StepOutput {
    StepOutput {
        id: sequence.id,
        text_delta: advance.parts.text,
        reasoning_delta: advance.parts.reasoning,
        tool_calls: advance.parts.calls,
        tokens: vec![advance.token],
        logprobs: advance.logprobs.iter().map(|one| named(one, vocabulary)).collect(),
        usage: sequence.usage(),
        finish_reason: advance.finish,
    }
}

/// The end of a sequence that brings nothing more.
pub(super) fn ended(sequence: &Sequence, reason: FinishReason) -> StepOutput {
    StepOutput {
        id: sequence.id,
        text_delta: String::new(),
        reasoning_delta: String::new(),
        tool_calls: Vec::new(),
        tokens: Vec::new(),
        logprobs: Vec::new(),
        usage: sequence.usage(),
        finish_reason: Some(reason),
    }
}

fn named(logprobs: &Logprobs, vocabulary: &Vocabulary) -> TokenLogprobs {
    let name = |one: &Logprob| TokenLogprob {
        token: one.token,
        bytes: vocabulary.bytes(one.token).to_vec(),
        logprob: one.logprob,
    };
    TokenLogprobs {
        chosen: name(&logprobs.chosen),
        top: logprobs.top.iter().map(name).collect(),
    }
}
