//! An engine on a thread of its own.

use crate::card::ModelCard;
use crate::engine::{Engine, FinishReason, SequenceId, StepOutput};
use crate::error::EngineError;
use crate::limits::CONSTRAINT_STACK_BYTES;
use crate::metrics::{EngineLoad, Histogram, Occupancy};
use crate::request::SubmitRequest;
use crate::sampling::{Prepared, Preparer};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a thread without work looks for cancelled tickets; new requests wake it at once.
const IDLE_LOOK: Duration = Duration::from_millis(200);

/// What a request hears about.
#[derive(Debug)]
#[non_exhaustive]
pub enum EngineEvent {
    /// A step brought something; the last one has a finish reason.
    Output(StepOutput),
    /// The request was refused or the engine failed; nothing follows.
    Failed(EngineError),
}

/// Called on the engine's thread: must not block. Dropped without a last event if the engine dies.
pub type Sink = Box<dyn FnMut(EngineEvent) + Send>;

/// The way to an engine that runs on its own thread. Clones share it; the thread ends with the last of them.
#[derive(Clone)]
pub struct EngineHandle {
    sender: SyncSender<Submission>,
    /// To the thread that prepares what takes long and hands it on, if the engine has such a part.
    slow: Option<SyncSender<Submission>>,
    card: Arc<ModelCard>,
    active: Arc<AtomicUsize>,
    alive: Arc<AtomicBool>,
    figures: Arc<Mutex<Figures>>,
    queue: usize,
}

/// What the thread tells of itself after each step.
#[derive(Clone, Copy, Default)]
struct Figures {
    occupancy: Occupancy,
    time_to_first_token: Histogram,
    inter_token_latency: Histogram,
}

/// Holds a request: dropping it cancels the request.
#[derive(Debug)]
pub struct Ticket {
    cancelled: Arc<AtomicBool>,
}

impl Ticket {
    /// A ticket, and the flag that says whether it was given up.
    pub(crate) fn new() -> (Self, Arc<AtomicBool>) {
        let cancelled = Arc::new(AtomicBool::new(false));
        (
            Self {
                cancelled: cancelled.clone(),
            },
            cancelled,
        )
    }

    /// Ends the request; its sink still gets a last event.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.cancel();
    }
}

struct Submission {
    request: SubmitRequest,
    sink: Sink,
    cancelled: Arc<AtomicBool>,
    at: Instant,
    prepared: Prepared,
}

impl Submission {
    /// Tells that nothing will come of it.
    fn refuse(mut self, active: &AtomicUsize, error: EngineError) {
        active.fetch_sub(1, Ordering::AcqRel);
        (self.sink)(EngineEvent::Failed(error));
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }
}

impl EngineHandle {
    /// Starts a thread for `engine` with a queue of `queue` requests that it has not looked at yet.
    pub fn spawn(engine: Box<dyn Engine>, queue: usize) -> Result<Self, EngineError> {
        let (sender, receiver) = sync_channel(queue);
        let active = Arc::default();
        let slow = engine
            .preparer()
            .map(|preparer| spawn_preparing(preparer, queue, sender.clone(), &active));
        let handle = Self {
            sender,
            slow: slow.transpose()?,
            card: Arc::new(engine.card().clone()),
            active,
            alive: Arc::new(AtomicBool::new(true)),
            figures: Arc::default(),
            queue,
        };
        let (active, alive) = (handle.active.clone(), AliveFlag(handle.alive.clone()));
        let figures = handle.figures.clone();
        let run = move || {
            let _alive = alive;
            Driver {
                engine,
                receiver,
                live: HashMap::new(),
                active,
                figures: Figures::default(),
                published: figures,
            }
            .run();
        };
        start("engine", run)?;
        Ok(handle)
    }

    /// What model this is.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// Hands a request over. Errors that need the model (a prompt that is too long) come through `sink`.
    pub fn submit(&self, request: SubmitRequest, sink: Sink) -> Result<Ticket, EngineError> {
        request.check()?;
        let (ticket, cancelled) = Ticket::new();
        let submission = Submission {
            request,
            sink,
            cancelled,
            at: Instant::now(),
            prepared: Prepared::default(),
        };
        let slow = self.slow.as_ref().filter(|_| Preparer::is_needed(&submission.request));
        self.active.fetch_add(1, Ordering::AcqRel);
        match slow.unwrap_or(&self.sender).try_send(submission) {
            Ok(()) => Ok(ticket),
            Err(error) => {
                self.active.fetch_sub(1, Ordering::AcqRel);
                Err(match error {
                    TrySendError::Full(_) => EngineError::QueueFull { limit: self.queue },
                    TrySendError::Disconnected(_) => EngineError::Stopped,
                })
            }
        }
    }

    /// How busy the engine is.
    pub fn load(&self) -> EngineLoad {
        let figures = *self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        EngineLoad {
            occupancy: figures.occupancy,
            time_to_first_token: figures.time_to_first_token,
            inter_token_latency: figures.inter_token_latency,
            active: self.active.load(Ordering::Acquire),
            is_alive: self.alive.load(Ordering::Acquire),
        }
    }
}

/// Starts the thread that prepares submissions one after the other and hands them on to `next`. It ends when nobody can
/// send it any more.
fn spawn_preparing(
    preparer: Arc<Preparer>,
    queue: usize,
    next: SyncSender<Submission>,
    active: &Arc<AtomicUsize>,
) -> Result<SyncSender<Submission>, EngineError> {
    let (sender, receiver) = sync_channel::<Submission>(queue);
    let active = active.clone();
    let run = move || {
        for mut submission in receiver {
            if submission.is_cancelled() {
                submission.refuse(&active, EngineError::Cancelled);
                continue;
            }
            match preparer.prepare(&submission.request) {
                Ok(prepared) => submission.prepared = prepared,
                Err(error) => {
                    submission.refuse(&active, error);
                    continue;
                }
            }
            if let Err(SendError(submission)) = next.send(submission) {
                submission.refuse(&active, EngineError::Stopped);
            }
        }
    };
    start("constraints", run)?;
    Ok(sender)
}

/// Starts a thread on which constraints may be compiled or followed.
fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), EngineError> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    let started = thread.stack_size(CONSTRAINT_STACK_BYTES).spawn(run);
    started.map(drop).map_err(|_| EngineError::Device {
        doing: "starting its thread",
    })
}

/// The next submission that is there; a thread without work waits a moment for one.
pub(crate) fn next_submission<T>(receiver: &Receiver<T>, is_idle: bool) -> Result<T, TryRecvError> {
    if !is_idle {
        return receiver.try_recv();
    }
    receiver.recv_timeout(IDLE_LOOK).map_err(|error| match error {
        RecvTimeoutError::Timeout => TryRecvError::Empty,
        RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
    })
}

/// Says that the thread is dead, however it died.
pub(crate) struct AliveFlag(pub(crate) Arc<AtomicBool>);

impl Drop for AliveFlag {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

struct Driver {
    engine: Box<dyn Engine>,
    receiver: Receiver<Submission>,
    live: HashMap<SequenceId, Live>,
    active: Arc<AtomicUsize>,
    figures: Figures,
    published: Arc<Mutex<Figures>>,
}

struct Live {
    sink: Sink,
    cancelled: Arc<AtomicBool>,
    /// When the request was submitted, or its last token came.
    since: Instant,
    has_tokens: bool,
}

impl Driver {
    fn run(&mut self) {
        while self.take_submissions() {
            let cancelled = self
                .live
                .iter()
                .filter(|(_, live)| live.cancelled.load(Ordering::Acquire));
            let cancelled: Vec<SequenceId> = cancelled.map(|(id, _)| *id).collect();
            cancelled.into_iter().for_each(|id| self.engine.cancel(id));
            match self.engine.step() {
                Ok(outputs) => self.deliver_all(outputs),
                Err(error) => return self.fail(error),
            }
        }
    }

    /// Takes all requests that are there; without work waits for one. False when nobody can send any more.
    fn take_submissions(&mut self) -> bool {
        loop {
            match next_submission(&self.receiver, self.engine.is_idle()) {
                Ok(submission) => self.take(submission),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return !self.engine.is_idle(),
            }
        }
    }

    fn take(&mut self, submission: Submission) {
        if submission.is_cancelled() {
            return submission.refuse(&self.active, EngineError::Cancelled);
        }
        let Submission {
            request,
            mut sink,
            cancelled,
            at,
            prepared,
        } = submission;
        match self.engine.submit_prepared(request, prepared) {
            Ok(id) => {
                let live = Live {
                    sink,
                    cancelled,
                    since: at,
                    has_tokens: false,
                };
                self.live.insert(id, live);
            }
            Err(error) => {
                self.active.fetch_sub(1, Ordering::AcqRel);
                sink(EngineEvent::Failed(error));
            }
        }
    }

    /// The figures are out before the outputs, so that whoever has seen its last output finds itself counted.
    fn deliver_all(&mut self, outputs: Vec<StepOutput>) {
        let now = Instant::now();
        for output in outputs.iter().filter(|output| !output.tokens.is_empty()) {
            let Some(live) = self.live.get_mut(&output.id) else {
                continue;
            };
            let passed = now.saturating_duration_since(std::mem::replace(&mut live.since, now));
            if std::mem::replace(&mut live.has_tokens, true) {
                self.figures.inter_token_latency.record(passed);
            } else {
                self.figures.time_to_first_token.record(passed);
            }
        }
        self.figures.occupancy = self.engine.occupancy();
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = self.figures;
        outputs.into_iter().for_each(|output| self.deliver(output));
    }

    fn deliver(&mut self, output: StepOutput) {
        let id = output.id;
        let last = output.finish_reason.is_some();
        if last {
            self.active.fetch_sub(1, Ordering::AcqRel);
        }
        if let Some(live) = self.live.get_mut(&id) {
            match output.finish_reason {
                Some(FinishReason::Failed) => (live.sink)(EngineEvent::Failed(EngineError::NotANumber)),
                Some(FinishReason::Unmatched) => (live.sink)(EngineEvent::Failed(EngineError::ConstraintTooComplex)),
                Some(FinishReason::Overloaded) => (live.sink)(EngineEvent::Failed(EngineError::Overloaded)),
                _ => (live.sink)(EngineEvent::Output(output)),
            }
        }
        if last {
            self.live.remove(&id);
        }
    }

    /// The device is in an unknown state: everybody hears so and the thread ends.
    fn fail(&mut self, error: EngineError) {
        let mut first = Some(error);
        for (_, mut live) in self.live.drain() {
            (live.sink)(EngineEvent::Failed(first.take().unwrap_or(EngineError::Stopped)));
        }
        self.active.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
