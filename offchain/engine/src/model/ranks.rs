//! One model on several devices, each with a thread and a [`Shard`] of the weights.

#[cfg(test)]
mod tests;

use super::batch::{Piece, Wanted};
use super::collective::SharedMemory;
use super::executor::{Executor, NOTHING_STARTED, Outcome, StepWork};
use super::shard::Shard;
use super::source::Checkpoint;
use super::spec::ModelSpec;
use super::transformer::{LoadOptions, Transformer};
use crate::device::Device;
use crate::error::EngineError;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

type Results = Result<Vec<Option<Vec<f32>>>, EngineError>;

/// An executor over ranks. After an error of one of them it does nothing more.
pub(crate) struct Ranks {
    ranks: Vec<Rank>,
    /// What the pieces want of the step that is under way.
    wanted: Option<Vec<Wanted>>,
    blocks: usize,
}

/// The way to one rank's thread, which ends when it gets no more steps.
struct Rank {
    steps: Option<SyncSender<Arc<[Piece]>>>,
    results: Receiver<Results>,
    thread: Option<JoinHandle<()>>,
}

impl Ranks {
    /// Puts one shard on each device, by rank. A model that cannot be cut into so many is refused.
    pub(crate) fn load<D: Device>(
        spec: &ModelSpec,
        checkpoint: &mut dyn Checkpoint,
        devices: Vec<D>,
        options: LoadOptions,
    ) -> Result<Self, EngineError> {
        let shards = Shard::all(devices.len());
        let group = SharedMemory::group(devices.len(), spec.embedding.inputs());
        let mut ranks = Vec::with_capacity(devices.len());
        for ((shard, device), member) in shards.zip(devices).zip(group) {
            let leave = member.leave_at_end();
            let mut part = Transformer::load_shard(spec, shard, checkpoint, device, Box::new(member), options)?;
            let (steps, next) = sync_channel::<Arc<[Piece]>>(1);
            let (done, results) = sync_channel(1);
            let body = move || {
                // Also when the device panics.
                let _leave = leave;
                while let Ok(pieces) = next.recv() {
                    let result = part.run(&pieces);
                    let is_failed = result.is_err();
                    if done.send(result).is_err() || is_failed {
                        return;
                    }
                }
            };
            let thread = std::thread::Builder::new().name(format!("engine-rank-{}", shard.rank));
            let thread = thread.spawn(body).map_err(|_| EngineError::Device {
                doing: "starting the thread of a rank",
            })?;
            ranks.push(Rank {
                steps: Some(steps),
                results,
                thread: Some(thread),
            });
        }
        Ok(Self {
            ranks,
            wanted: None,
            blocks: options.blocks,
        })
    }
}

impl Executor for Ranks {
    fn blocks(&self) -> usize {
        self.blocks
    }

    fn start(&mut self, work: StepWork<'_>) -> Result<(), EngineError> {
        let shared: Arc<[Piece]> = work.pieces.into();
        self.wanted = Some(work.pieces.iter().map(|piece| piece.wanted).collect());
        for rank in &self.ranks {
            if let Some(steps) = &rank.steps {
                // A thread that is gone has left its group, and its results end below.
                let _ = steps.send(shared.clone());
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Outcome>, EngineError> {
        let wanted = self.wanted.take().ok_or(NOTHING_STARTED)?;
        let gone = || EngineError::Device {
            doing: "running a rank",
        };
        let results = self.ranks.iter();
        let results: Vec<Results> = results
            .map(|rank| rank.results.recv().unwrap_or_else(|_| Err(gone())))
            .collect();
        if results.iter().any(Result::is_err) {
            return Err(cause(results).unwrap_or_else(gone));
        }
        let mut parts: Vec<_> = results.into_iter().flatten().map(Vec::into_iter).collect();
        let merged = wanted.into_iter().map(|wanted| {
            let own: Vec<Vec<f32>> = parts.iter_mut().filter_map(|part| part.next().flatten()).collect();
            match wanted {
                Wanted::Nothing => Outcome::Nothing,
                // Each rank has its tokens of the vocabulary.
                Wanted::Logits => Outcome::Numbers(own.concat()),
                // Each rank has all of them.
                Wanted::States => own.into_iter().next().map_or(Outcome::Nothing, Outcome::Numbers),
            }
        });
        Ok(merged.collect())
    }
}

/// What went wrong first: the error of a rank that did not wait for another.
fn cause(results: Vec<Results>) -> Option<EngineError> {
    let is_waiting =
        |error: &EngineError| matches!(error, EngineError::Device { doing } if *doing == SharedMemory::WAITING);
    let errors: Vec<EngineError> = results.into_iter().filter_map(Result::err).collect();
    let (waiting, others): (Vec<_>, Vec<_>) = errors.into_iter().partition(is_waiting);
    others.into_iter().chain(waiting).next()
}

impl Drop for Ranks {
    fn drop(&mut self) {
        for rank in &mut self.ranks {
            rank.steps = None;
        }
        for thread in self.ranks.iter_mut().filter_map(|rank| rank.thread.take()) {
            // One that panicked has said so already.
            let _ = thread.join();
        }
    }
}
