//! Threads that share the tasks of one operation, then spin a moment for the next and sleep.
#![allow(
    unsafe_code,
    reason = "workers borrow the operation of the caller, who waits for them"
)]

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

/// How long an idle worker spins before it sleeps: longer than the work between two operations of a step.
const SPIN: Duration = Duration::from_micros(60);
/// In [`Gate::state`]: the workers inside.
const INSIDE: u64 = 0xffff_ffff;
/// In [`Gate::state`]: workers may enter. The bits above count the operations.
const OPEN: u64 = 1 << 32;
const OPERATION: u64 = 1 << 33;

/// One operation: what to do for a task, by which thread.
type Job = &'static (dyn Fn(usize, usize) + Sync);

/// A value on cache lines of its own.
#[repr(align(128))]
struct Apart<T>(T);

struct Gate {
    /// Operation number, open or closed, workers inside.
    state: Apart<AtomicU64>,
    /// The next task that nobody has taken.
    next: Apart<AtomicUsize>,
    /// Written by the caller while the gate is closed and nobody is inside; read by workers inside.
    job: UnsafeCell<Option<(Job, usize)>>,
    ending: AtomicBool,
    panicked: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `job` is guarded by `state` as said there.
unsafe impl Sync for Gate {}
// SAFETY: a job is Sync, so it may be called from any thread.
unsafe impl Send for Gate {}

struct Worker {
    asleep: Arc<Apart<AtomicBool>>,
    thread: Thread,
    handle: Option<JoinHandle<()>>,
}

/// A caller and its workers. Which thread does a task is left to chance; no result may depend on it.
pub(crate) struct Pool {
    gate: Arc<Gate>,
    workers: Vec<Worker>,
}

impl Pool {
    /// A pool of `threads` threads, the caller being one of them. Threads that the system refuses are done without.
    /// With `pin`, each worker stays on one of the processors that this process may use, where the platform allows it.
    pub(crate) fn new(threads: usize, pin: bool) -> Self {
        Self::with(threads, pin.then_some(0))
    }

    /// A pool whose workers stay on the processors behind the `first` of those that this process may use.
    pub(crate) fn pinned(threads: usize, first: usize) -> Self {
        Self::with(threads, Some(first))
    }

    fn with(threads: usize, pin: Option<usize>) -> Self {
        let gate = Arc::new(Gate {
            state: Apart(AtomicU64::new(0)),
            next: Apart(AtomicUsize::new(0)),
            job: UnsafeCell::new(None),
            ending: AtomicBool::new(false),
            panicked: Mutex::new(None),
        });
        let workers = (1..threads.max(1)).map_while(|number| {
            let asleep = Arc::new(Apart(AtomicBool::new(false)));
            let (gate, flag) = (gate.clone(), asleep.clone());
            let body = move || {
                if let Some(first) = pin {
                    super::affinity::stay_on(first + number);
                }
                gate.work(number, &flag.0);
            };
            let builder = std::thread::Builder::new().name(format!("engine-cpu-{number}"));
            builder.spawn(body).ok().map(|handle| Worker {
                asleep,
                thread: handle.thread().clone(),
                handle: Some(handle),
            })
        });
        let workers = workers.collect();
        Self { gate, workers }
    }

    /// How many threads there are, the caller included.
    pub(crate) fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `job` once with each task from 0 to `tasks` and the number of the thread that runs it, and returns when all
    /// are done. A panic of a task goes on in the caller, once no thread runs a task any more.
    pub(crate) fn run<'a>(&mut self, tasks: usize, job: &'a (dyn Fn(usize, usize) + Sync + 'a)) {
        if tasks <= 1 || self.workers.is_empty() {
            (0..tasks).for_each(|task| job(task, 0));
            return;
        }
        // SAFETY: the job is forgotten below before this function returns, and nobody is inside then.
        let job: Job = unsafe { std::mem::transmute::<&'a (dyn Fn(usize, usize) + Sync + 'a), Job>(job) };
        let gate = &*self.gate;
        gate.next.0.store(0, Ordering::Relaxed);
        // SAFETY: the gate is closed and nobody is inside; `&mut self` keeps other callers away.
        unsafe { *gate.job.get() = Some((job, tasks)) };
        gate.state.0.fetch_add(OPERATION | OPEN, Ordering::SeqCst);
        for worker in self.workers.iter().take(tasks - 1) {
            if worker.asleep.0.swap(false, Ordering::SeqCst) {
                worker.thread.unpark();
            }
        }
        gate.take_tasks(job, tasks, 0);
        gate.state.0.fetch_and(!OPEN, Ordering::SeqCst);
        let mut looks = 0_u32;
        while gate.state.0.load(Ordering::Acquire) & INSIDE != 0 {
            looks = looks.saturating_add(1);
            if looks < 10_000 {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        // SAFETY: closed, and nobody is inside.
        unsafe { *gate.job.get() = None };
        let panicked = gate.panicked.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panicked) = panicked {
            resume_unwind(panicked);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.gate.ending.store(true, Ordering::SeqCst);
        for worker in &mut self.workers {
            worker.thread.unpark();
            if let Some(handle) = worker.handle.take() {
                // A worker catches the panics of its tasks, so it ends in order.
                let _ = handle.join();
            }
        }
    }
}

impl Gate {
    /// The life of a worker.
    fn work(&self, number: usize, asleep: &AtomicBool) {
        let mut done = 0;
        let mut idle_since = Instant::now();
        while !self.ending.load(Ordering::SeqCst) {
            if let Some(operation) = self.enter(done) {
                // SAFETY: we are inside, so the caller does not write it.
                if let Some((job, tasks)) = unsafe { *self.job.get() } {
                    self.take_tasks(job, tasks, number);
                }
                self.state.0.fetch_sub(1, Ordering::Release);
                done = operation;
                idle_since = Instant::now();
            } else if idle_since.elapsed() < SPIN {
                (0..32).for_each(|_| std::hint::spin_loop());
            } else {
                asleep.store(true, Ordering::SeqCst);
                let state = self.state.0.load(Ordering::SeqCst);
                if (state & OPEN == 0 || state / OPERATION == done) && !self.ending.load(Ordering::SeqCst) {
                    std::thread::park();
                }
                asleep.store(false, Ordering::SeqCst);
                idle_since = Instant::now();
            }
        }
    }

    /// Goes inside when an operation other than `done` is open; gives its number.
    fn enter(&self, done: u64) -> Option<u64> {
        let mut state = self.state.0.load(Ordering::Acquire);
        while state & OPEN != 0 && state / OPERATION != done {
            let inside = self
                .state
                .0
                .compare_exchange_weak(state, state + 1, Ordering::AcqRel, Ordering::Acquire);
            match inside {
                Ok(_) => return Some(state / OPERATION),
                Err(now) => state = now,
            }
        }
        None
    }

    /// Does tasks until none is left.
    fn take_tasks(&self, job: Job, tasks: usize, thread: usize) {
        let all = AssertUnwindSafe(|| {
            loop {
                let task = self.next.0.fetch_add(1, Ordering::Relaxed);
                if task >= tasks {
                    break;
                }
                job(task, thread);
            }
        });
        if let Err(panicked) = catch_unwind(all) {
            // The tasks that nobody has begun are dropped.
            self.next.0.store(tasks, Ordering::Relaxed);
            let mut place = self.panicked.lock().unwrap_or_else(PoisonError::into_inner);
            place.get_or_insert(panicked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once_for_any_number_of_threads() {
        for threads in 1..=5 {
            let mut pool = Pool::new(threads, false);
            for tasks in (0..40).chain([1000]) {
                let counts: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                pool.run(tasks, &|task, thread| {
                    assert!(thread < threads);
                    counts[task].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn a_pool_wakes_after_it_slept() {
        let mut pool = Pool::new(3, true);
        for _ in 0..5 {
            std::thread::sleep(SPIN * 20);
            let threads_seen = Mutex::new(std::collections::HashSet::new());
            // Every task waits until all threads have one, so a thread that sleeps on would hang the test.
            let arrived = AtomicUsize::new(0);
            pool.run(3, &|_, thread| {
                arrived.fetch_add(1, Ordering::SeqCst);
                while arrived.load(Ordering::SeqCst) < 3 {
                    std::thread::yield_now();
                }
                threads_seen.lock().unwrap().insert(thread);
            });
            assert_eq!(threads_seen.lock().unwrap().len(), 3);
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        let mut pool = Pool::new(3, false);
        for bad in [0, 7, 99] {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                pool.run(100, &|task, _| assert_ne!(task, bad, "this task is bad"));
            }));
            assert!(outcome.is_err());
            let sum = AtomicUsize::new(0);
            pool.run(100, &|task, _| {
                sum.fetch_add(task, Ordering::Relaxed);
            });
            assert_eq!(sum.into_inner(), 4950);
        }
    }
}
