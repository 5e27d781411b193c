//! The engine of this machine: tokenizer, scheduler and executor put together.

use crate::card::ModelCard;
use crate::engine::{Engine, FinishReason, SequenceId, StepOutput};
use crate::error::EngineError;
use crate::limits::{DEFAULT_MAX_TOKENS, KV_BLOCK, MAX_PROMPT_BYTES};
use crate::load::ModelParts;
use crate::model::{BlockId, Executor, Piece};
use crate::options::EngineOptions;
use crate::request::{Prompt, SubmitRequest};
use crate::sampling::Sampler;
use crate::scheduler::Scheduler;
use crate::sequence::{NewSequence, Sequence};
use crate::text::deltas::Deltas;
use crate::text::reasoning::ReasoningCounter;
use crate::text::stop::StopFilter;

/// An [`Engine`] over any [`Executor`].
pub(crate) struct LocalEngine<E> {
    parts: ModelParts,
    executor: E,
    scheduler: Scheduler,
    /// Blocks of the cache that no sequence has.
    free: Vec<BlockId>,
    cancelled: Vec<SequenceId>,
    next_id: u64,
    /// Positions that one sequence may have.
    context: usize,
}

impl<E: Executor> LocalEngine<E> {
    pub(crate) fn new(parts: ModelParts, executor: E, options: EngineOptions) -> Self {
        let blocks = executor.blocks();
        let positions = options.max_kv_tokens.min(blocks.saturating_mul(KV_BLOCK));
        let context = parts.card.max_model_len.min(positions);
        let scheduler = Scheduler::new(&options, blocks);
        let ids = 0..u32::try_from(blocks).unwrap_or(u32::MAX);
        Self {
            parts,
            executor,
            scheduler,
            free: ids.map(BlockId).collect(),
            cancelled: Vec::new(),
            next_id: 0,
            context,
        }
    }

    fn prompt_tokens(&self, prompt: Prompt) -> Result<Vec<u32>, EngineError> {
        let text = match prompt {
            Prompt::Tokens(tokens) => {
                let unknown = |token: &&u32| **token as usize >= self.parts.card.vocab_size;
                return match tokens.iter().find(unknown) {
                    Some(id) => Err(EngineError::UnknownToken { id: *id }),
                    None => Ok(tokens),
                };
            }
            Prompt::Text(text) => text,
            Prompt::Chat(chat) => self
                .parts
                .template
                .as_ref()
                .ok_or(EngineError::NoTemplate)?
                .render(&chat)?,
        };
        if text.len() > MAX_PROMPT_BYTES {
            return Err(EngineError::PromptTooLong {
                size: text.len(),
                limit: MAX_PROMPT_BYTES,
            });
        }
        self.parts.tokenizer.encode(&text)
    }

    fn end(&mut self, id: SequenceId) {
        if let Some(sequence) = self.scheduler.remove(id) {
            self.free.extend(sequence.into_blocks());
        }
    }

    fn report_cancelled(&mut self, outputs: &mut Vec<StepOutput>) {
        for id in std::mem::take(&mut self.cancelled) {
            if let Some(sequence) = self.scheduler.remove(id) {
                outputs.push(output(
                    &sequence,
                    Vec::new(),
                    String::new(),
                    Some(FinishReason::Cancelled),
                ));
                self.free.extend(sequence.into_blocks());
            }
        }
    }
}

impl<E: Executor> Engine for LocalEngine<E> {
    fn card(&self) -> &ModelCard {
        &self.parts.card
    }

    fn submit(&mut self, request: SubmitRequest) -> Result<SequenceId, EngineError> {
        request.check()?;
        self.scheduler.check_room()?;
        let sampling = request.sampling.resolve(&self.parts.card.sampling_defaults)?;
        let prompt = self.prompt_tokens(request.prompt)?;
        if prompt.is_empty() {
            return Err(EngineError::EmptyPrompt);
        }
        if prompt.len() >= self.context {
            return Err(EngineError::ContextLength {
                tokens: prompt.len(),
                limit: self.context,
            });
        }
        let id = SequenceId(self.next_id);
        self.next_id += 1;
        let wished = request.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS);
        self.scheduler.enqueue(Sequence::new(NewSequence {
            id,
            max_len: prompt.len().saturating_add(wished).min(self.context),
            sampler: Sampler::new(sampling, request.seed, &prompt),
            eos: if request.ignore_eos {
                Vec::new()
            } else {
                self.parts.eos.clone()
            },
            deltas: Deltas::new(self.parts.tokenizer.clone()),
            stop: StopFilter::new(request.stop.0),
            reasoning: ReasoningCounter::after_prompt(self.parts.think, &prompt),
            prompt,
        }));
        Ok(id)
    }

    fn cancel(&mut self, id: SequenceId) {
        self.cancelled.push(id);
    }

    fn step(&mut self) -> Result<Vec<StepOutput>, EngineError> {
        let mut outputs = Vec::new();
        self.report_cancelled(&mut outputs);
        self.scheduler.admit();
        let running = self.scheduler.running_mut().iter_mut();
        let batch: Vec<Piece> = running.map(|sequence| sequence.next_piece(&mut self.free)).collect();
        let results = self.executor.run(&batch)?;
        let mut ended = Vec::new();
        for ((sequence, piece), logits) in self.scheduler.running_mut().iter_mut().zip(&batch).zip(results) {
            let output = match sequence.accept(piece.tokens.len(), logits) {
                Ok(None) => continue,
                Ok(Some(advance)) => output(sequence, vec![advance.token], advance.text, advance.finish),
                // Only this sequence is broken: its numbers or its text.
                Err(_) => output(sequence, Vec::new(), String::new(), Some(FinishReason::Failed)),
            };
            if output.finish_reason.is_some() {
                ended.push(sequence.id);
            }
            outputs.push(output);
        }
        ended.into_iter().for_each(|id| self.end(id));
        Ok(outputs)
    }

    fn is_idle(&self) -> bool {
        self.scheduler.is_empty()
    }
}

fn output(sequence: &Sequence, tokens: Vec<u32>, text_delta: String, finish: Option<FinishReason>) -> StepOutput {
    StepOutput {
        id: sequence.id,
        text_delta,
        tokens,
        usage: sequence.usage(),
        finish_reason: finish,
    }
}
