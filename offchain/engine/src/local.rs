//! The engine of this machine: tokenizer, scheduler and executor put together.

mod output;
mod prepare;

use crate::card::ModelCard;
use crate::engine::{Engine, FinishReason, SequenceId, StepOutput};
use crate::error::EngineError;
use crate::limits::{DEFAULT_MAX_TOKENS, KV_BLOCK};
use crate::load::ModelParts;
use crate::metrics::Occupancy;
use crate::model::{Executor, Outcome, Wanted};
use crate::options::EngineOptions;
use crate::request::SubmitRequest;
use crate::sampling::Compiler;
use crate::schedule::{Aim, Bounds, Dropped, NewEntry, Plan, Scheduler};
use crate::sequence::{NewSequence, Sequence};
use crate::text::reasoning::ReasoningCounter;
use crate::text::stop::StopFilter;
use output::{ended, output};
use std::collections::HashMap;
use std::time::Instant;

/// An [`Engine`] over any [`Executor`].
pub(crate) struct LocalEngine<E> {
    parts: ModelParts,
    executor: E,
    scheduler: Scheduler,
    /// All sequences that have not ended.
    sequences: HashMap<SequenceId, Sequence>,
    /// What the next step has to report.
    cancelled: Vec<StepOutput>,
    /// Where the scheduler's time begins.
    started: Instant,
    next_id: u64,
    /// Positions that one sequence may have.
    context: usize,
    /// Made for the first request that needs it.
    constraints: Option<Compiler>,
}

impl<E: Executor> LocalEngine<E> {
    pub(crate) fn new(parts: ModelParts, executor: E, options: EngineOptions) -> Self {
        let blocks = executor.blocks();
        let positions = options.max_kv_tokens.min(blocks.saturating_mul(KV_BLOCK));
        let context = parts.card.max_model_len.min(positions);
        let scheduler = Scheduler::new(Bounds {
            max_num_seqs: options.max_num_seqs,
            max_waiting: options.max_waiting,
            max_queue_age: options.max_queue_age,
            step_tokens: options.step_tokens(),
            blocks,
            block_size: KV_BLOCK,
        });
        Self {
            parts,
            executor,
            scheduler,
            sequences: HashMap::new(),
            cancelled: Vec::new(),
            started: Instant::now(),
            next_id: 0,
            context,
            constraints: None,
        }
    }

    /// Does what the scheduler has planned; the logits of those sequences that go on, or their tokens.
    fn run_step(&mut self, outputs: &mut Vec<StepOutput>) -> Result<Vec<(SequenceId, Outcome)>, EngineError> {
        let plan = self.scheduler.plan(self.started.elapsed());
        for (id, why) in &plan.dropped {
            let reason = match why {
                Dropped::Deadline => FinishReason::Deadline,
                Dropped::Overload => FinishReason::Overloaded,
            };
            let sequence = self.sequences.remove(id);
            outputs.extend(sequence.map(|sequence| ended(&sequence, reason)));
        }
        if plan.pieces.is_empty() {
            return Ok(Vec::new());
        }
        let results = self.run_pieces(&plan)?;
        self.scheduler.computed(&plan);
        for id in &plan.ids {
            if let Some(sequence) = self.sequences.get_mut(id) {
                sequence.set_cached(self.scheduler.cached(*id));
            }
        }
        let results = plan.ids.into_iter().zip(results);
        Ok(results.filter(|(_, outcome)| *outcome != Outcome::Nothing).collect())
    }

    /// Lets the executor choose tokens where it can and the logits are not needed here.
    fn run_pieces(&mut self, plan: &Plan) -> Result<Vec<Outcome>, EngineError> {
        if !self.executor.chooses() {
            return self.executor.run_choosing(&plan.pieces, &[]);
        }
        let draws = plan.ids.iter().zip(&plan.pieces).map(|(id, piece)| match piece.wanted {
            Wanted::Logits => self.sequences.get(id)?.draw(),
            Wanted::Nothing | Wanted::States => None,
        });
        let draws: Vec<_> = draws.collect();
        self.executor.run_choosing(&plan.pieces, &draws)
    }

    /// Lets a sequence go on by one token.
    fn advance(&mut self, id: SequenceId, outcome: Outcome) -> Option<StepOutput> {
        let sequence = self.sequences.get_mut(&id)?;
        let output = match sequence.accept(outcome) {
            Ok(advance) => output(sequence, advance, self.parts.tokenizer.vocabulary()),
            // Only this sequence is broken: its constraint, its numbers or its text.
            Err(error) => {
                self.scheduler.end_broken(id);
                let reason = match error {
                    EngineError::Constraint { .. } => FinishReason::Unmatched,
                    _ => FinishReason::Failed,
                };
                ended(sequence, reason)
            }
        };
        if output.finish_reason.is_some() {
            self.scheduler.end(id);
            self.sequences.remove(&id);
        } else {
            output.tokens.iter().for_each(|token| self.scheduler.push(id, *token));
        }
        Some(output)
    }
}

impl<E: Executor> Engine for LocalEngine<E> {
    fn card(&self) -> &ModelCard {
        &self.parts.card
    }

    fn submit(&mut self, request: SubmitRequest) -> Result<SequenceId, EngineError> {
        request.check()?;
        self.scheduler.check_room(request.payer)?;
        let prompt = self.prompt_tokens(&request.prompt)?;
        if prompt.is_empty() {
            return Err(EngineError::EmptyPrompt);
        }
        if prompt.len() >= self.context {
            return Err(EngineError::ContextLength {
                tokens: prompt.len(),
                limit: self.context,
            });
        }
        let sampler = self.sampler(&request, &prompt)?;
        let reasoning = ReasoningCounter::after_prompt(self.parts.think, &prompt).with_channels(self.parts.channels);
        let (deltas, splitter) = self.text_of_answer(&request, reasoning.is_inside());
        let id = SequenceId(self.next_id);
        self.next_id += 1;
        let wished = request.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS);
        let sequence = Sequence::new(NewSequence {
            id,
            prompt_len: prompt.len(),
            max_len: prompt.len().saturating_add(wished).min(self.context),
            sampler,
            eos: if request.ignore_eos {
                Vec::new()
            } else {
                self.parts.eos.clone()
            },
            deltas,
            stop: StopFilter::new(request.stop.0),
            splitter,
            reasoning,
        });
        self.sequences.insert(id, sequence);
        self.scheduler.enqueue(NewEntry {
            id,
            prompt,
            aim: Aim::Answer,
            payer: request.payer,
            salt: request.payer_salt,
            arrived: self.started.elapsed(),
            deadline: request
                .deadline
                .map(|deadline| deadline.saturating_duration_since(self.started)),
        });
        Ok(id)
    }

    fn cancel(&mut self, id: SequenceId) {
        // What has been pushed out of the queue is not there any more, and the next step says so.
        if self.scheduler.end(id)
            && let Some(sequence) = self.sequences.remove(&id)
        {
            self.cancelled.push(ended(&sequence, FinishReason::Cancelled));
        }
    }

    fn step(&mut self) -> Result<Vec<StepOutput>, EngineError> {
        let mut outputs = std::mem::take(&mut self.cancelled);
        for (id, outcome) in self.run_step(&mut outputs)? {
            outputs.extend(self.advance(id, outcome));
        }
        Ok(outputs)
    }

    fn is_idle(&self) -> bool {
        self.scheduler.is_empty() && self.cancelled.is_empty()
    }

    fn occupancy(&self) -> Occupancy {
        self.scheduler.occupancy()
    }
}
