//! Progress on stderr.

use std::time::{Duration, Instant};

/// Pause between two lines.
const PAUSE: Duration = Duration::from_secs(10);

/// Where a training stands after a step.
pub(crate) struct Stand {
    pub(crate) step: u64,
    pub(crate) loss: f32,
    pub(crate) rate: f64,
    /// Steps, tokens and time of this run.
    pub(crate) steps: u64,
    pub(crate) tokens: u64,
    pub(crate) spent: Duration,
    /// Time until the end.
    pub(crate) left: Duration,
}

/// Prints a line now and then.
pub(crate) struct Progress {
    steps: u64,
    last: Option<Instant>,
    /// Losses since the last line: sum and count.
    losses: (f32, u32),
}

impl Progress {
    /// Of a training of `steps` steps.
    pub(crate) fn new(steps: u64) -> Self {
        Self {
            steps,
            last: None,
            losses: (0.0, 0),
        }
    }

    /// After each step.
    pub(crate) fn step(&mut self, stand: &Stand) {
        self.losses = (self.losses.0 + stand.loss, self.losses.1 + 1);
        let due = self.last.is_none_or(|last| last.elapsed() >= PAUSE);
        if !due && stand.step != self.steps {
            return;
        }
        let seconds = stand.spent.as_secs_f64();
        eprintln!(
            "step {}/{}  loss {:.4}  rate {:.2e}  {:.3} s/step  {:.0} tokens/s  left {}",
            stand.step,
            self.steps,
            self.losses.0 / self.losses.1 as f32,
            stand.rate,
            seconds / stand.steps as f64,
            stand.tokens as f64 / seconds,
            minutes(stand.left),
        );
        self.last = Some(Instant::now());
        self.losses = (0.0, 0);
    }
}

fn minutes(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}
