//! Who runs, with how many tokens in each step, in which blocks of the cache. A state machine: no device, no text, no
//! clock; what a step has brought is told to it.
//!
//! A device does its steps in the order in which they are started, and may be given the next before it has done the last.
//! So work counts as computed once it is started: whatever reads or overwrites a block is started later. A token that
//! the device draws may be fed to the next step before anybody here knows it ([`Scheduler::expect`]).
//!
//! Every step lets each running sequence that answers go on by one token and spends what is left of a budget of tokens
//! on prompts, oldest first. Blocks for a prompt are taken when it is admitted, blocks for the answer as it grows; when
//! none is left, the newest running sequence is preempted: its blocks are freed, and its tokens are computed again later,
//! before anything new is admitted. So the oldest always comes to its end, and then the next.

mod entry;
mod pool;
mod prefix;
mod queue;
#[cfg(test)]
mod tests;

pub(crate) use entry::{Aim, NewEntry};

use crate::engine::SequenceId;
use crate::error::EngineError;
use crate::limits::ANSWER_TOKEN_WEIGHT;
use crate::metrics::Occupancy;
use crate::model::Piece;
use crate::payer::Payer;
use entry::Entry;
use pool::BlockPool;
use prefix::BlockHash;
use queue::Queue;
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

/// What a scheduler must keep to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Sequences that run side by side, at least 1.
    pub(crate) max_num_seqs: usize,
    /// Sequences that wait; more are refused.
    pub(crate) max_waiting: usize,
    /// How long a sequence may wait for its first step.
    pub(crate) max_queue_age: Duration,
    /// Tokens of one step. Raised where a block of a prompt would have no room beside the answers.
    pub(crate) step_tokens: usize,
    /// Blocks of the cache: enough for the longest sequence that is ever enqueued.
    pub(crate) blocks: usize,
    /// Positions of a block.
    pub(crate) block_size: usize,
}

/// What to do in a step.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Whose pieces these are, piece by piece.
    pub(crate) ids: Vec<SequenceId>,
    pub(crate) pieces: Vec<Piece>,
    /// For each piece whose token is not known yet, the piece of the step that was started last that draws it; the
    /// piece has a 0 in its place.
    pub(crate) follows: Vec<Option<usize>>,
    /// Sequences that have ended without more being done for them.
    pub(crate) dropped: Vec<(SequenceId, Dropped)>,
}

/// Why a sequence was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// Its deadline has passed.
    Deadline,
    /// It waited too long, or another payer's request needed its place in the queue. It has not run at all.
    Overload,
}

/// The state machine. In turn: [`Scheduler::plan`], start the pieces, [`Scheduler::started`]; for every sequence whose
/// next token the device draws [`Scheduler::expect`], if it is to go on before that is known; when a step is done, for
/// every sequence with a token [`Scheduler::push`] or [`Scheduler::end`].
#[derive(Debug)]
pub(crate) struct Scheduler {
    bounds: Bounds,
    pool: BlockPool,
    queue: Queue,
    /// Preempted sequences, oldest first. All are newer than those that run. One whose next token is still on its way
    /// waits for that too.
    preempted: VecDeque<Entry>,
    /// Oldest first.
    running: Vec<Entry>,
    /// What the next plan has to report.
    dropped: Vec<(SequenceId, Dropped)>,
    occupancy: Occupancy,
}

impl Scheduler {
    pub(crate) fn new(mut bounds: Bounds) -> Self {
        bounds.max_num_seqs = bounds.max_num_seqs.max(1);
        bounds.step_tokens = bounds.step_tokens.max(bounds.max_num_seqs + bounds.block_size);
        Self {
            bounds,
            pool: BlockPool::new(bounds.blocks),
            queue: Queue::default(),
            preempted: VecDeque::new(),
            running: Vec::new(),
            dropped: Vec::new(),
            occupancy: Occupancy::default(),
        }
    }

    /// Refuses before any work is done for a request of `payer` that would find no place.
    pub(crate) fn check_room(&self, payer: Option<Payer>) -> Result<(), EngineError> {
        if self.has_room() || self.queue.can_push_out(payer) {
            return Ok(());
        }
        Err(EngineError::QueueFull {
            limit: self.bounds.max_waiting,
        })
    }

    fn has_room(&self) -> bool {
        let places = self.bounds.max_num_seqs.saturating_sub(self.running.len());
        self.queue.len() + self.preempted.len() < self.bounds.max_waiting.saturating_add(places)
    }

    /// Puts a sequence into the queue; a full queue loses the newest of the payer with most.
    pub(crate) fn enqueue(&mut self, new: NewEntry) {
        if !self.has_room() {
            let lost = self.queue.push_out();
            self.dropped.extend(lost.map(|entry| (entry.id, Dropped::Overload)));
        }
        self.queue.push(Entry::new(new));
    }

    /// Decides what the next step does.
    pub(crate) fn plan(&mut self, now: Duration) -> Plan {
        self.drop_late(now);
        let mut plan = Plan {
            dropped: std::mem::take(&mut self.dropped),
            ..Plan::default()
        };
        let had_to_preempt = self.make_room();
        let mut step = Step {
            budget: self.bounds.step_tokens,
            pending: HashSet::new(),
            cached: 0,
            size: self.bounds.block_size,
        };
        for entry in self.running.iter_mut().filter(|entry| entry.remaining() == 1) {
            step.add(entry, &mut plan);
        }
        for entry in self.running.iter_mut().filter(|entry| entry.remaining() > 1) {
            step.prefill(entry, &mut self.pool, &mut self.queue, &mut plan);
        }
        while !had_to_preempt && step.budget > 0 && self.admit() {
            if let Some(entry) = self.running.last_mut() {
                step.prefill(entry, &mut self.pool, &mut self.queue, &mut plan);
            }
        }
        self.occupancy.step_seqs = plan.pieces.len();
        self.occupancy.step_tokens = self.bounds.step_tokens - step.budget;
        self.occupancy.cached_tokens += step.cached as u64;
        plan
    }

    /// Gives up sequences whose time is over.
    fn drop_late(&mut self, now: Duration) {
        let is_late = |entry: &Entry| entry.deadline.is_some_and(|deadline| deadline <= now);
        let oldest = now.saturating_sub(self.bounds.max_queue_age);
        for entry in self.queue.take_where(|entry| is_late(entry) || entry.arrived < oldest) {
            let why = if is_late(&entry) {
                Dropped::Deadline
            } else {
                Dropped::Overload
            };
            self.dropped.push((entry.id, why));
        }
        let admitted = self.running.iter().chain(&self.preempted);
        let late: Vec<SequenceId> = admitted.filter(|entry| is_late(entry)).map(|entry| entry.id).collect();
        for id in late {
            self.end(id);
            self.dropped.push((id, Dropped::Deadline));
        }
    }

    /// Gives every running sequence the block that its next token needs, from the oldest on; the newest lose theirs where
    /// too few are left. Whether one did.
    fn make_room(&mut self) -> bool {
        let before = self.occupancy.preemptions;
        let mut at = 0;
        while at < self.running.len() {
            if !self.running[at].lacks_block(self.bounds.block_size) {
                at += 1;
            } else if let Some(block) = self.pool.take() {
                self.running[at].give(block);
            } else if let Some(mut newest) = self.running.pop() {
                newest.release(&mut self.pool);
                self.preempted.push_front(newest);
                self.occupancy.preemptions += 1;
            }
        }
        self.occupancy.preemptions > before
    }

    /// Lets the next sequence run if there is a place for it and blocks for all its tokens, with one to spare for each
    /// that runs already. Nobody overtakes: a long one is not starved by short ones.
    fn admit(&mut self) -> bool {
        if self.running.len() >= self.bounds.max_num_seqs {
            return false;
        }
        let (size, spare) = (self.bounds.block_size, self.running.len());
        if let Some(entry) = self.preempted.front_mut() {
            let before = entry.cached();
            if entry.awaits() || entry.admit(&mut self.pool, size, spare).is_none() {
                return false;
            }
            self.occupancy.cached_tokens += (entry.cached() - before) as u64;
            self.running.extend(self.preempted.pop_front());
            return true;
        }
        let Some(first) = self.queue.first() else { return false };
        let Some(cost) = first.admit(&mut self.pool, size, spare) else {
            return false;
        };
        let Some(entry) = self.queue.pop() else { return false };
        self.queue.charge(entry.payer, cost);
        self.occupancy.prompt_tokens += entry.tokens().len() as u64;
        self.occupancy.cached_tokens += entry.cached() as u64;
        self.running.push(entry);
        true
    }

    /// Takes note that the device has been given all pieces of `plan`, and will do them before those of any later plan.
    pub(crate) fn started(&mut self, plan: &Plan) {
        let mut places: HashMap<_, _> = plan.ids.iter().copied().zip(0..).collect();
        for entry in &mut self.running {
            if let Some(place) = places.remove(&entry.id) {
                entry.started(place, &mut self.pool, self.bounds.block_size);
            }
        }
    }

    /// Lets a sequence go on by the token that the step that was started last draws for it, which is pushed when it is
    /// known.
    pub(crate) fn expect(&mut self, id: SequenceId) {
        if let Some(entry) = self.running.iter_mut().find(|entry| entry.id == id) {
            entry.expect();
        }
    }

    /// Adds the token that was chosen for a sequence. It may have been preempted since the step that chose it.
    pub(crate) fn push(&mut self, id: SequenceId, token: u32) {
        let mut admitted = self.running.iter_mut().chain(&mut self.preempted);
        if let Some(entry) = admitted.find(|entry| entry.id == id) {
            entry.push(token, &mut self.pool, self.bounds.block_size);
            self.queue.charge(entry.payer, ANSWER_TOKEN_WEIGHT);
        }
    }

    /// Ends a sequence, wherever it is; its blocks are free at once. Whether it was there.
    pub(crate) fn end(&mut self, id: SequenceId) -> bool {
        self.take_out(id, false)
    }

    /// Ends a sequence whose numbers are not to be trusted: nothing of it stays in the cache.
    pub(crate) fn end_broken(&mut self, id: SequenceId) -> bool {
        self.take_out(id, true)
    }

    fn take_out(&mut self, id: SequenceId, is_broken: bool) -> bool {
        let running = self.running.iter().position(|entry| entry.id == id);
        let preempted = self.preempted.iter().position(|entry| entry.id == id);
        let entry = match (running, preempted) {
            (Some(at), _) => Some(self.running.remove(at)),
            (None, Some(at)) => self.preempted.remove(at),
            (None, None) => return self.queue.remove(id).is_some(),
        };
        let Some(entry) = entry else { return false };
        self.queue.ended(entry.payer);
        entry.end(&mut self.pool, is_broken);
        true
    }

    /// Tokens of a sequence's prompt that the cache had, once it runs.
    pub(crate) fn cached(&self, id: SequenceId) -> usize {
        let mut admitted = self.running.iter().chain(&self.preempted);
        let entry = admitted.find(|entry| entry.id == id);
        entry.map_or(0, Entry::cached)
    }

    /// Whether nothing runs, waits or is to be reported.
    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty() && self.preempted.is_empty() && self.queue.len() == 0 && self.dropped.is_empty()
    }

    /// How places and blocks are used.
    pub(crate) fn occupancy(&self) -> Occupancy {
        Occupancy {
            running: self.running.len(),
            waiting: self.queue.len() + self.preempted.len(),
            kv_blocks: self.pool.len(),
            kv_blocks_used: self.pool.len() - self.pool.free(),
            kv_blocks_cached: self.pool.kept(),
            ..self.occupancy
        }
    }
}

/// A step that is being planned.
struct Step {
    /// Tokens that may still be added.
    budget: usize,
    /// Blocks that this step fills and others will be able to share.
    pending: HashSet<BlockHash>,
    /// Prompt tokens that were found after their sequences had been admitted.
    cached: usize,
    size: usize,
}

impl Step {
    /// Adds what is possible of a prompt, after a look at what others have computed of it since.
    fn prefill(&mut self, entry: &mut Entry, pool: &mut BlockPool, queue: &mut Queue, plan: &mut Plan) {
        let before = entry.cached();
        let saved = entry.catch_up(pool, self.size);
        queue.refund(entry.payer, saved);
        self.cached += entry.cached() - before;
        self.add(entry, plan);
    }

    fn add(&mut self, entry: &mut Entry, plan: &mut Plan) {
        let tokens = entry.plan(self.budget, self.size, &mut self.pending);
        if tokens > 0 {
            self.budget -= tokens;
            let (piece, follows) = entry.piece(self.size);
            plan.ids.push(entry.id);
            plan.pieces.push(piece);
            plan.follows.push(follows);
        }
    }
}
