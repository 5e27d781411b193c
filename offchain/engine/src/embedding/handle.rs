//! An embedder on a thread of its own.

use super::queue::{Entry, Planned, Queue};
use super::{Embedder, Embedding, EmbeddingInput, check_number};
use crate::card::ModelCard;
use crate::error::EngineError;
use crate::handle::{AliveFlag, Ticket, next_submission};
use crate::metrics::{EngineLoad, Histogram, Occupancy};
use crate::payer::Payer;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// One request for vectors.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EmbeddingRequest {
    /// What is turned into vectors.
    pub inputs: Vec<EmbeddingInput>,
    /// Only the first numbers of each vector, for models whose vectors may be cut.
    pub dimensions: Option<usize>,
    /// Whose share of the engine this takes.
    pub payer: Option<Payer>,
    /// When the vectors are worth nothing any more.
    pub deadline: Option<Instant>,
}

impl EmbeddingRequest {
    /// Whole vectors, for nobody in particular.
    pub fn new(inputs: Vec<EmbeddingInput>) -> Self {
        Self {
            inputs,
            dimensions: None,
            payer: None,
            deadline: None,
        }
    }
}

/// Called once on the embedder's thread: must not block. Dropped without a call if the request is given up or the thread
/// dies.
pub type EmbeddingSink = Box<dyn FnOnce(Result<Vec<Embedding>, EngineError>) + Send>;

/// The way to an embedder that runs on its own thread. Clones share it; the thread ends with the last of them.
#[derive(Clone)]
pub struct EmbedderHandle {
    sender: SyncSender<Submission>,
    card: Arc<ModelCard>,
    active: Arc<AtomicUsize>,
    alive: Arc<AtomicBool>,
    figures: Arc<Mutex<Figures>>,
    queue: usize,
}

#[derive(Clone, Copy, Default)]
struct Figures {
    occupancy: Occupancy,
    answer_time: Histogram,
}

struct Submission {
    request: EmbeddingRequest,
    live: Live,
}

/// What is kept of a request beside its place in the queue.
struct Live {
    inputs: Vec<Vec<u32>>,
    dimensions: Option<usize>,
    done: Vec<Embedding>,
    deadline: Option<Instant>,
    at: Instant,
    sink: EmbeddingSink,
    cancelled: Arc<AtomicBool>,
    /// Given back when this is dropped, however the request ends.
    _active: Active,
}

struct Active(Arc<AtomicUsize>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl EmbedderHandle {
    /// Starts a thread for `embedder` with a queue of `queue` requests that it has not looked at yet.
    pub fn spawn(embedder: Embedder, queue: usize) -> Result<Self, EngineError> {
        let (sender, receiver) = sync_channel(queue);
        let handle = Self {
            sender,
            card: Arc::new(embedder.card().clone()),
            active: Arc::default(),
            alive: Arc::new(AtomicBool::new(true)),
            figures: Arc::default(),
            queue,
        };
        let (alive, published) = (AliveFlag(handle.alive.clone()), handle.figures.clone());
        let run = move || {
            let _alive = alive;
            Driver {
                queue: Queue::new(embedder.bounds),
                embedder,
                receiver,
                live: HashMap::new(),
                next_id: 0,
                started: Instant::now(),
                figures: Figures::default(),
                published,
            }
            .run();
        };
        let thread = std::thread::Builder::new().name("embedder".to_owned());
        thread.spawn(run).map_err(|_| EngineError::Device {
            doing: "starting its thread",
        })?;
        Ok(handle)
    }

    /// What model this is.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// Hands a request over. Errors that need the model (a text that is too long) come through `sink`.
    pub fn submit(&self, request: EmbeddingRequest, sink: EmbeddingSink) -> Result<Ticket, EngineError> {
        check_number(&request.inputs)?;
        let (ticket, cancelled) = Ticket::new();
        self.active.fetch_add(1, Ordering::AcqRel);
        let live = Live {
            inputs: Vec::new(),
            dimensions: request.dimensions,
            done: Vec::new(),
            deadline: request.deadline,
            at: Instant::now(),
            sink,
            cancelled,
            _active: Active(self.active.clone()),
        };
        match self.sender.try_send(Submission { request, live }) {
            Ok(()) => Ok(ticket),
            Err(TrySendError::Full(_)) => Err(EngineError::QueueFull { limit: self.queue }),
            Err(TrySendError::Disconnected(_)) => Err(EngineError::Stopped),
        }
    }

    /// How busy the embedder is. The time to the first token is that to the vectors; there is none between tokens.
    pub fn load(&self) -> EngineLoad {
        let figures = *self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        EngineLoad {
            active: self.active.load(Ordering::Acquire),
            is_alive: self.alive.load(Ordering::Acquire),
            occupancy: figures.occupancy,
            time_to_first_token: figures.answer_time,
            inter_token_latency: Histogram::default(),
        }
    }
}

struct Driver {
    embedder: Embedder,
    receiver: Receiver<Submission>,
    queue: Queue,
    live: HashMap<u64, Live>,
    next_id: u64,
    /// Where the queue's time begins.
    started: Instant,
    figures: Figures,
    published: Arc<Mutex<Figures>>,
}

impl Driver {
    fn run(&mut self) {
        while self.take_submissions() {
            self.drop_ended();
            let blocks = self.embedder.executor.blocks();
            let plan = self.queue.plan(self.embedder.step_tokens, blocks);
            let result = self.step(&plan);
            self.publish(&plan);
            match result {
                Ok(finished) => finished.into_iter().for_each(|id| self.finish(id)),
                Err(error) => return self.fail(error),
            }
        }
    }

    /// Takes all requests that are there; without work waits for one. False when nobody can send any more.
    fn take_submissions(&mut self) -> bool {
        loop {
            match next_submission(&self.receiver, self.queue.is_empty()) {
                Ok(submission) => self.take(submission),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return !self.queue.is_empty(),
            }
        }
    }

    fn take(&mut self, Submission { request, mut live }: Submission) {
        let tokens = |inputs: &[EmbeddingInput]| inputs.iter().map(|input| self.embedder.tokens(input)).collect();
        match self.queue.check_room().and_then(|()| tokens(&request.inputs)) {
            Ok(inputs) => live.inputs = inputs,
            Err(error) => return (live.sink)(Err(error)),
        }
        let id = self.next_id;
        self.next_id += 1;
        self.queue.push(Entry {
            id,
            payer: request.payer,
            lengths: live.inputs.iter().map(Vec::len).collect(),
            arrived: live.at.saturating_duration_since(self.started),
            deadline: live
                .deadline
                .map(|deadline| deadline.saturating_duration_since(self.started)),
            begun: 0,
        });
        self.live.insert(id, live);
    }

    /// Forgets who was given up, and tells who came too late.
    fn drop_ended(&mut self) {
        let given_up = |(_, live): &(&u64, &Live)| live.cancelled.load(Ordering::Acquire);
        let given_up: Vec<u64> = self.live.iter().filter(given_up).map(|(id, _)| *id).collect();
        for id in given_up {
            self.queue.remove(id);
            self.live.remove(&id);
        }
        for id in self.queue.drop_late(self.started.elapsed()) {
            if let Some(live) = self.live.remove(&id) {
                (live.sink)(Err(EngineError::Overloaded));
            }
        }
    }

    /// Computes what was planned; the requests that have all their vectors now. A request whose vectors cannot be made
    /// ends here.
    fn step(&mut self, plan: &[Planned]) -> Result<Vec<u64>, EngineError> {
        let inputs: Vec<&[u32]> = plan
            .iter()
            .filter_map(|planned| Some(self.live.get(&planned.id)?.inputs.get(planned.input)?.as_slice()))
            .collect();
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let first = plan.first().and_then(|planned| self.live.get(&planned.id));
        let (cancelled, deadline) = (
            first.map(|live| live.cancelled.clone()),
            first.and_then(|live| live.deadline),
        );
        let goes_on = || {
            let is_cancelled = cancelled.as_ref().is_some_and(|flag| flag.load(Ordering::Acquire));
            !is_cancelled && deadline.is_none_or(|deadline| Instant::now() < deadline)
        };
        let pools = self.embedder.pools(&inputs, goes_on)?;
        let mut finished = Vec::new();
        for (pool, planned) in pools.into_iter().zip(plan) {
            let Some(live) = self.live.get_mut(&planned.id) else {
                continue;
            };
            match self.embedder.finish(pool, planned.tokens, live.dimensions) {
                Ok(embedding) => live.done.push(embedding),
                Err(error) => {
                    self.queue.remove(planned.id);
                    if let Some(live) = self.live.remove(&planned.id) {
                        (live.sink)(Err(error));
                    }
                    continue;
                }
            }
            if live.done.len() == live.inputs.len() {
                self.queue.remove(planned.id);
                finished.push(planned.id);
            }
        }
        Ok(finished)
    }

    /// The figures are out before the vectors, so that whoever has them finds itself counted.
    fn publish(&mut self, plan: &[Planned]) {
        let (running, waiting) = self.queue.counts();
        let tokens: usize = plan.iter().map(|planned| planned.tokens).sum();
        let occupancy = &mut self.figures.occupancy;
        occupancy.running = running;
        occupancy.waiting = waiting;
        occupancy.kv_blocks = self.embedder.executor.blocks();
        occupancy.prompt_tokens += tokens as u64;
        occupancy.step_seqs = plan.len();
        occupancy.step_tokens = tokens;
        for live in self.live.values().filter(|live| live.done.len() == live.inputs.len()) {
            self.figures.answer_time.record(live.at.elapsed());
        }
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = self.figures;
    }

    fn finish(&mut self, id: u64) {
        if let Some(live) = self.live.remove(&id) {
            let Live {
                done, sink, _active, ..
            } = live;
            // Nobody who has the vectors finds the request counted as active.
            drop(_active);
            sink(Ok(done));
        }
    }

    /// The device is in an unknown state: everybody hears so and the thread ends.
    fn fail(&mut self, error: EngineError) {
        let mut first = Some(error);
        for (_, live) in self.live.drain() {
            (live.sink)(Err(first.take().unwrap_or(EngineError::Stopped)));
        }
    }
}

#[cfg(test)]
mod tests;
