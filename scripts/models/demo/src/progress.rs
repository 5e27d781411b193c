//! Progress on stderr.

use std::time::{Duration, Instant};

/// Pause between two lines.
const PAUSE: Duration = Duration::from_secs(10);

/// Prints a line now and then.
pub(crate) struct Progress {
    steps: u64,
    begin: Instant,
    last: Option<Instant>,
    first_step: u64,
    /// Mean loss since the last line: sum and count.
    losses: (f32, u32),
}

impl Progress {
    pub(crate) fn new(steps: u64) -> Self {
        Self {
            steps,
            begin: Instant::now(),
            last: None,
            first_step: 0,
            losses: (0.0, 0),
        }
    }

    /// After each step; `seen` tokens since the beginning, `left` until the end.
    pub(crate) fn step(&mut self, step: u64, loss: f32, rate: f64, seen: u64, left: Duration) {
        self.losses = (self.losses.0 + loss, self.losses.1 + 1);
        if self.last.is_none() {
            self.first_step = step - 1;
        }
        let due = self.last.is_none_or(|last| last.elapsed() >= PAUSE);
        if !due && step != self.steps {
            return;
        }
        let seconds = self.begin.elapsed().as_secs_f64();
        eprintln!(
            "step {step}/{}  loss {:.4}  rate {rate:.2e}  {:.3} s/step  {:.0} tokens/s  left {}",
            self.steps,
            self.losses.0 / self.losses.1 as f32,
            seconds / (step - self.first_step) as f64,
            seen as f64 / seconds,
            minutes(left),
        );
        self.last = Some(Instant::now());
        self.losses = (0.0, 0);
    }
}

fn minutes(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}
