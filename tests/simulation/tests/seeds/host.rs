//! One life of a node, from start to crash. Whatever the node does outside itself counts, and at one of these acts it may die,
//! or any number of polls of its tasks later: so every place where a task waits is a place where the node may end. From then on
//! nothing that it does has an effect.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cocoon_ratls::Clock;

use crate::trace;

/// The virtual time, Unix milliseconds.
#[derive(Debug)]
pub(crate) struct Time(AtomicU64);

impl Time {
    pub(crate) fn new(unix_ms: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(unix_ms)))
    }

    pub(crate) fn ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for Time {
    fn now(&self) -> u64 {
        self.ms() / 1000
    }

    fn now_ms(&self) -> u64 {
        self.ms()
    }
}

/// A life.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) ip: IpAddr,
    time: Arc<Time>,
    is_dead: AtomicBool,
    acts_left: AtomicI64,
    /// Polls of its tasks after the last act.
    polls_left: AtomicI64,
    is_dying: AtomicBool,
    /// Whoever counts the polls.
    counter: Mutex<Option<Waker>>,
}

impl Life {
    pub(crate) fn new(ip: IpAddr, time: &Arc<Time>) -> Arc<Self> {
        Arc::new(Self {
            ip,
            time: Arc::clone(time),
            is_dead: AtomicBool::new(false),
            acts_left: AtomicI64::new(i64::MAX),
            polls_left: AtomicI64::new(0),
            is_dying: AtomicBool::new(false),
            counter: Mutex::default(),
        })
    }

    /// Has it die at its `acts`-th act from now (at once where that is none), or `polls` polls of its tasks after it.
    pub(crate) fn doom(&self, acts: i64, polls: i64) {
        self.polls_left.store(polls, Ordering::Relaxed);
        self.acts_left.store(acts, Ordering::Relaxed);
        if acts == 0 {
            self.begin_to_die();
        }
    }

    /// Takes back what it was doomed to, unless it is over.
    pub(crate) fn spare(&self) {
        self.acts_left.store(i64::MAX, Ordering::Relaxed);
        self.is_dying.store(false, Ordering::Relaxed);
    }

    pub(crate) fn kill(&self) {
        self.is_dead.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Relaxed)
    }

    /// Does something outside the node, unless this is where it dies.
    pub(crate) fn act(&self, what: &str) -> io::Result<()> {
        trace::note(self.time.ms(), (self.ip, what));
        let is_dying = self.is_dying.load(Ordering::Relaxed);
        if !is_dying && self.acts_left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            self.begin_to_die();
        }
        self.live()
    }

    fn begin_to_die(&self) {
        if self.polls_left.load(Ordering::Relaxed) <= 0 {
            return self.kill();
        }
        self.is_dying.store(true, Ordering::Relaxed);
        let counter = self.counter.lock().unwrap_or_else(PoisonError::into_inner).take();
        counter.into_iter().for_each(Waker::wake);
    }

    /// Lets the node's tasks run for a while, or until it dies between two of their polls. To be waited for on a runtime that
    /// looks at it after each poll of a task. While polls are counted the clock stands.
    pub(crate) async fn run(&self, time: Duration) {
        let mut end = pin!(tokio::time::sleep(time));
        std::future::poll_fn(|cx| {
            if self.is_dying.load(Ordering::Relaxed) {
                return self.count(cx);
            }
            *self.counter.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
            end.as_mut().poll(cx)
        })
        .await;
    }

    /// One poll of a task is over.
    fn count(&self, cx: &Context<'_>) -> Poll<()> {
        if self.polls_left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            self.is_dying.store(false, Ordering::Relaxed);
            self.kill();
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether it lives.
    pub(crate) fn live(&self) -> io::Result<()> {
        match self.is_dead() {
            true => Err(io::Error::other("the node has died")),
            false => Ok(()),
        }
    }
}
