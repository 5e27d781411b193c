//! Who runs and who waits. No arithmetic, no text: only places and blocks.

use crate::engine::SequenceId;
use crate::error::EngineError;
use crate::options::EngineOptions;
use crate::sequence::Sequence;
use std::collections::VecDeque;

/// The queue and the running sequences, first come first served.
pub(crate) struct Scheduler {
    waiting: VecDeque<Sequence>,
    running: Vec<Sequence>,
    /// Blocks that the running sequences may come to need.
    reserved: usize,
    max_num_seqs: usize,
    max_waiting: usize,
    blocks: usize,
}

impl Scheduler {
    /// For an executor with so many blocks.
    pub(crate) fn new(options: &EngineOptions, blocks: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            running: Vec::new(),
            reserved: 0,
            max_num_seqs: options.max_num_seqs.max(1),
            max_waiting: options.max_waiting,
            blocks,
        }
    }

    /// Refuses before any work is done for a request that would find no place.
    pub(crate) fn check_room(&self) -> Result<(), EngineError> {
        let free = self.max_num_seqs.saturating_sub(self.running.len());
        if self.waiting.len() < self.max_waiting.saturating_add(free) {
            Ok(())
        } else {
            Err(EngineError::QueueFull {
                limit: self.max_waiting,
            })
        }
    }

    /// Puts a sequence at the end of the queue.
    pub(crate) fn enqueue(&mut self, sequence: Sequence) {
        self.waiting.push_back(sequence);
    }

    /// Lets waiting sequences run while there is room. The first one is never overtaken, so a long request is not
    /// starved by short ones.
    pub(crate) fn admit(&mut self) {
        while self.running.len() < self.max_num_seqs {
            let Some(first) = self.waiting.front() else { break };
            let fits = self.reserved + first.reserve() <= self.blocks;
            if !fits && !self.running.is_empty() {
                break;
            }
            let Some(sequence) = self.waiting.pop_front() else {
                break;
            };
            self.reserved += sequence.reserve();
            self.running.push(sequence);
        }
    }

    /// The running sequences, oldest first.
    pub(crate) fn running_mut(&mut self) -> &mut [Sequence] {
        &mut self.running
    }

    /// Takes a sequence out, wherever it is.
    pub(crate) fn remove(&mut self, id: SequenceId) -> Option<Sequence> {
        if let Some(at) = self.running.iter().position(|sequence| sequence.id == id) {
            let sequence = self.running.remove(at);
            self.reserved -= sequence.reserve();
            return Some(sequence);
        }
        let at = self.waiting.iter().position(|sequence| sequence.id == id)?;
        self.waiting.remove(at)
    }

    /// Whether nothing runs and nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }
}
