//! One life of a node, from start to crash. Whatever the node does outside itself counts, and at one of these acts it may die:
//! from then on nothing that it does has an effect.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

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
}

impl Life {
    pub(crate) fn new(ip: IpAddr, time: &Arc<Time>) -> Arc<Self> {
        Arc::new(Self {
            ip,
            time: Arc::clone(time),
            is_dead: AtomicBool::new(false),
            acts_left: AtomicI64::new(i64::MAX),
        })
    }

    /// Has it die at its `acts`-th act from now.
    pub(crate) fn doom(&self, acts: i64) {
        self.acts_left.store(acts, Ordering::Relaxed);
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
        if self.acts_left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            self.kill();
        }
        self.live()
    }

    /// Whether it lives.
    pub(crate) fn live(&self) -> io::Result<()> {
        match self.is_dead() {
            true => Err(io::Error::other("the node has died")),
            false => Ok(()),
        }
    }
}
