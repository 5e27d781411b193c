//! The chain's time: the system's, shifted, or only what it was told.

use std::time::{SystemTime, UNIX_EPOCH};

/// Where the chain's time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The system's clock; `/control/advance` shifts it.
    System,
    /// Starts here (seconds since 1970) and moves only when told, so that runs repeat exactly.
    Manual(u32),
}

impl Clock {
    /// The time of a chain that starts now.
    pub(crate) fn start(self) -> u32 {
        match self {
            Self::System => system(),
            Self::Manual(start) => start,
        }
    }
}

/// The running clock: how far the chain is ahead of the system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ahead {
    clock: Clock,
    seconds: u32,
}

impl Ahead {
    /// The clock of a chain whose time is `now`: a chain that was advanced stays ahead.
    pub(crate) fn of(clock: Clock, now: u32) -> Self {
        let seconds = match clock {
            Clock::System => now.saturating_sub(system()),
            Clock::Manual(_) => 0,
        };
        Self { clock, seconds }
    }

    /// The chain's time, given what it was last.
    pub(crate) fn now(self, last: u32) -> u32 {
        match self.clock {
            Clock::System => last.max(system().saturating_add(self.seconds)),
            Clock::Manual(_) => last,
        }
    }
}

fn system() -> u32 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(elapsed.as_secs()).unwrap_or(u32::MAX)
}
