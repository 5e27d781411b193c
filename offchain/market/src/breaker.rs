//! A circuit breaker per worker connection.

use crate::limits::{BREAKER_FAILURES, BREAKER_FIRST_PAUSE, BREAKER_LONGEST_PAUSE};

/// Keeps requests away from a worker that fails again and again; one probe decides when it may serve again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Breaker {
    state: State,
    pause: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Closed { failures: u32 },
    Open { until: f64 },
    Probing,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            state: State::Closed { failures: 0 },
            pause: BREAKER_FIRST_PAUSE.as_secs_f64(),
        }
    }
}

impl Breaker {
    /// Whether a request may go there now.
    pub fn admits(&self, now: f64) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { until } => now >= until,
            State::Probing => false,
        }
    }

    /// A request goes there. After a pause the first one is the probe, and others wait for its end.
    pub fn started(&mut self) {
        if let State::Open { .. } = self.state {
            self.state = State::Probing;
        }
    }

    /// A request ended well.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// A request ended without saying anything about the worker (the client went away).
    pub fn withdrawn(&mut self, now: f64) {
        if self.state == State::Probing {
            self.state = State::Open { until: now };
        }
    }

    /// A request failed by the worker's doing.
    pub fn failed(&mut self, now: f64) {
        let failures = match self.state {
            State::Closed { failures } => failures + 1,
            State::Open { .. } => return,
            State::Probing => BREAKER_FAILURES,
        };
        if failures < BREAKER_FAILURES {
            self.state = State::Closed { failures };
            return;
        }
        self.state = State::Open {
            until: now + self.pause,
        };
        self.pause = (self.pause * 2.0).min(BREAKER_LONGEST_PAUSE.as_secs_f64());
    }

    /// When the pause of an open breaker ends. A closed one and one that awaits its probe have no such time.
    pub fn opens_at(&self) -> Option<f64> {
        match self.state {
            State::Open { until } => Some(until),
            State::Closed { .. } | State::Probing => None,
        }
    }

    /// Whether requests are being kept away.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        (0..BREAKER_FAILURES).for_each(|_| breaker.failed(0.0));
        breaker
    }

    #[test]
    fn three_failures_in_a_row_open_it_and_a_success_between_does_not() {
        let mut breaker = Breaker::default();
        breaker.failed(0.0);
        breaker.failed(0.0);
        breaker.succeeded();
        breaker.failed(0.0);
        assert!(breaker.admits(0.0));
        assert!(!opened().admits(4.9));
    }

    #[test]
    fn one_probe_is_let_through_and_its_end_decides() {
        let mut breaker = opened();
        assert!(breaker.admits(5.0));
        breaker.started();
        assert!(!breaker.admits(5.0));
        let mut well = breaker;
        well.succeeded();
        assert!(well.admits(5.0) && !well.is_open());
        breaker.failed(5.0);
        assert!(!breaker.admits(14.9));
        assert!(breaker.admits(15.0));
    }

    #[test]
    fn a_withdrawn_probe_leaves_room_for_the_next() {
        let mut breaker = opened();
        breaker.started();
        breaker.withdrawn(6.0);
        assert!(breaker.admits(6.0));
    }

    #[test]
    fn the_pause_grows_to_its_bound() {
        let mut breaker = opened();
        let mut now = 0.0;
        for _ in 0..20 {
            now += BREAKER_LONGEST_PAUSE.as_secs_f64();
            assert!(breaker.admits(now));
            breaker.started();
            breaker.failed(now);
        }
    }
}
