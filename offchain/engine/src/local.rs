//! The engine of this machine: tokenizer, scheduler and executor put together.
//!
//! Where the executor can be ahead, a step is started before the tokens of the step before it are looked at: those
//! tokens go from step to step on the device. A sequence of which it then turns out that it has ended has one row too
//! many in the step under way; its token is dropped. A sequence whose logits are needed here (for penalties, biases,
//! constraints or probabilities of tokens) waits for its token, and goes on every second step.

mod output;
mod prepare;
#[cfg(test)]
mod tests;

use crate::card::ModelCard;
use crate::device::Draw;
use crate::engine::{Engine, FinishReason, SequenceId, StepOutput};
use crate::error::EngineError;
use crate::limits::{DEFAULT_MAX_TOKENS, KV_BLOCK};
use crate::load::ModelParts;
use crate::metrics::Occupancy;
use crate::model::{Executor, Outcome, StepWork, Wanted};
use crate::options::EngineOptions;
use crate::request::SubmitRequest;
use crate::sampling::{Prepared, Preparer};
use crate::schedule::{Aim, Bounds, Dropped, NewEntry, Plan, Scheduler};
use crate::sequence::{NewSequence, Sequence};
use crate::text::reasoning::ReasoningCounter;
use crate::text::stop::StopFilter;
use output::{ended, output};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// An [`Engine`] over any [`Executor`].
pub(crate) struct LocalEngine<E> {
    parts: ModelParts,
    executor: E,
    scheduler: Scheduler,
    /// All sequences that have not ended.
    sequences: HashMap<SequenceId, Sequence>,
    /// Whose pieces the steps under way have, oldest first.
    under_way: VecDeque<Vec<SequenceId>>,
    /// What the next step has to report.
    cancelled: Vec<StepOutput>,
    /// Where the scheduler's time begins.
    started: Instant,
    next_id: u64,
    /// Positions that one sequence may have.
    context: usize,
    preparer: Arc<Preparer>,
}

impl<E: Executor> LocalEngine<E> {
    pub(crate) fn new(mut parts: ModelParts, executor: E, options: EngineOptions) -> Self {
        let blocks = executor.blocks();
        let positions = options.max_kv_tokens.min(blocks.saturating_mul(KV_BLOCK));
        let context = parts.card.max_model_len.min(positions);
        // Others are told what a sequence can have here, not what the model could have elsewhere.
        parts.card.max_model_len = context;
        let scheduler = Scheduler::new(Bounds {
            max_num_seqs: options.max_num_seqs,
            max_waiting: options.max_waiting,
            max_queue_age: options.max_queue_age,
            step_tokens: options.step_tokens(),
            blocks,
            block_size: KV_BLOCK,
        });
        let preparer = Arc::new(prepare::preparer(&parts));
        Self {
            parts,
            executor,
            scheduler,
            sequences: HashMap::new(),
            under_way: VecDeque::new(),
            cancelled: Vec::new(),
            started: Instant::now(),
            next_id: 0,
            context,
            preparer,
        }
    }

    /// Starts what the scheduler has planned. Whether there was anything to start.
    fn start(&mut self, outputs: &mut Vec<StepOutput>) -> Result<bool, EngineError> {
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
            return Ok(false);
        }
        let draws = self.draws(&plan);
        self.executor.start(StepWork {
            pieces: &plan.pieces,
            draws: &draws,
            follows: &plan.follows,
        })?;
        self.scheduler.started(&plan);
        let is_ahead = self.executor.ahead() > 0;
        for (number, (id, piece)) in plan.ids.iter().zip(&plan.pieces).enumerate() {
            let Some(sequence) = self.sequences.get_mut(id) else {
                continue;
            };
            sequence.set_cached(self.scheduler.cached(*id));
            let is_drawn = draws.get(number).is_some_and(Option::is_some);
            if piece.wanted == Wanted::Logits && sequence.await_token() && is_ahead && is_drawn {
                self.scheduler.expect(*id);
            }
        }
        self.under_way.push_back(plan.ids);
        Ok(true)
    }

    /// Lets the executor choose tokens where it can and the logits are not needed here.
    fn draws(&self, plan: &Plan) -> Vec<Option<Draw>> {
        if !self.executor.chooses() {
            return Vec::new();
        }
        let draws = plan.ids.iter().zip(&plan.pieces).map(|(id, piece)| match piece.wanted {
            Wanted::Logits => self.sequences.get(id)?.draw(),
            Wanted::Nothing | Wanted::States => None,
        });
        draws.collect()
    }

    /// Waits for the oldest step and takes what it brought. What it brought for a sequence that has ended is dropped.
    fn finish(&mut self, outputs: &mut Vec<StepOutput>) -> Result<(), EngineError> {
        let Some(ids) = self.under_way.pop_front() else {
            return Ok(());
        };
        let results = ids.into_iter().zip(self.executor.finish()?);
        for (id, outcome) in results.filter(|(_, outcome)| *outcome != Outcome::Nothing) {
            outputs.extend(self.advance(id, outcome));
        }
        Ok(())
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

    fn preparer(&self) -> Option<Arc<Preparer>> {
        Some(self.preparer.clone())
    }

    fn submit(&mut self, request: SubmitRequest) -> Result<SequenceId, EngineError> {
        request.check()?;
        let prepared = self.preparer.prepare(&request)?;
        self.submit_prepared(request, prepared)
    }

    fn submit_prepared(&mut self, request: SubmitRequest, prepared: Prepared) -> Result<SequenceId, EngineError> {
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
        let sampler = self.sampler(&request, &prompt, prepared)?;
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
        let has_started = self.start(&mut outputs)?;
        if self.under_way.len() > self.executor.ahead() || !has_started {
            self.finish(&mut outputs)?;
        }
        Ok(outputs)
    }

    fn is_idle(&self) -> bool {
        self.scheduler.is_empty() && self.cancelled.is_empty() && self.under_way.is_empty()
    }

    fn occupancy(&self) -> Occupancy {
        self.scheduler.occupancy()
    }
}
