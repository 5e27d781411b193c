//! A request in the engine's own terms: tokens of the prompt, how tokens are chosen, how they become text.

use super::LocalEngine;
use crate::error::EngineError;
use crate::limits::MAX_PROMPT_BYTES;
use crate::load::ModelParts;
use crate::model::Executor;
use crate::request::{Prompt, SubmitRequest};
use crate::sampling::{Compiler, Prepared, Preparer, Sampler, Thinking};
use crate::text::deltas::Deltas;
use crate::text::split::Splitter;
use crate::text::tools::ToolFormat;
use std::borrow::Cow;

impl<E: Executor> LocalEngine<E> {
    /// The tokens of a prompt; a chat is put into words first.
    pub(super) fn prompt_tokens(&self, prompt: &Prompt) -> Result<Vec<u32>, EngineError> {
        let text = match prompt {
            Prompt::Tokens(tokens) => {
                let unknown = |token: &&u32| **token as usize >= self.parts.card.vocab_size;
                return match tokens.iter().find(unknown) {
                    Some(id) => Err(EngineError::UnknownToken { id: *id }),
                    None => Ok(tokens.clone()),
                };
            }
            Prompt::Text(text) => Cow::Borrowed(text),
            Prompt::Chat(chat) => {
                let template = self.parts.template.as_ref().ok_or(EngineError::NoTemplate)?;
                Cow::Owned(template.render(chat)?)
            }
        };
        if text.len() > MAX_PROMPT_BYTES {
            return Err(EngineError::PromptTooLong {
                size: text.len(),
                limit: MAX_PROMPT_BYTES,
            });
        }
        self.parts.tokenizer.encode(&text)
    }

    /// How the tokens of the answer to `prompt` are chosen.
    pub(super) fn sampler(
        &self,
        request: &SubmitRequest,
        prompt: &[u32],
        prepared: Prepared,
    ) -> Result<Sampler, EngineError> {
        let sampling = request.sampling.resolve(&self.parts.card.sampling_defaults)?;
        if let Some(id) = sampling.logit_bias.unknown(self.parts.card.vocab_size) {
            return Err(EngineError::UnknownToken { id });
        }
        let sampler = Sampler::new(sampling, request.seed, prompt).with_logprobs(request.logprobs);
        let Some(matching) = prepared.matching else {
            return Ok(sampler);
        };
        let thinking = self.parts.think.and_then(|marks| marks.before_answer(prompt));
        let thinking = thinking.map(|(marks, is_open)| Thinking {
            open: marks.open,
            close: marks.close,
            is_open,
            eos: self.parts.eos.clone(),
        });
        Ok(sampler.with_constraint(matching, thinking))
    }

    /// How the tokens of an answer become text, and how it is taken apart.
    pub(super) fn text_of_answer(&self, request: &SubmitRequest, is_reasoning: bool) -> (Deltas, Option<Splitter>) {
        let parts = request.parts;
        let deltas = Deltas::new(self.parts.tokenizer.clone());
        let format = self.parts.card.tools;
        // Where all parts are messages, none can be read without the others.
        let tools = format.filter(|format| parts.tools || (parts.reasoning && *format == ToolFormat::Harmony));
        if !parts.reasoning && tools.is_none() {
            return (deltas, None);
        }
        let described = match &request.prompt {
            Prompt::Chat(chat) => chat.tools.as_ref(),
            _ => None,
        };
        let splitter = Splitter::new(parts.reasoning, is_reasoning, tools).with_tools(described);
        (deltas.showing(marks(&self.parts)), Some(splitter))
    }
}

/// What compiles constraints for a model.
pub(super) fn preparer(parts: &ModelParts) -> Preparer {
    let (tokenizer, marks) = (parts.tokenizer.clone(), marks(parts));
    let words = move || tokenizer.vocabulary().words(Compiler::NO_TEXT, &marks);
    Preparer::new(Box::new(words), parts.eos.clone())
}

/// Marks that a tokenizer may keep out of texts and that tell the parts of an answer apart.
fn marks(parts: &ModelParts) -> Vec<u32> {
    let marks = ToolFormat::marks(parts.card.tools).iter();
    let marks = marks.filter_map(|mark| parts.tokenizer.id_of(mark));
    let think = parts.think.into_iter().flat_map(|marks| [marks.open, marks.close]);
    marks.chain(think).collect()
}
