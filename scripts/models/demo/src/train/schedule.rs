//! The rate of learning over a training.

use super::Plan;
use std::f64::consts::PI;
use std::time::Duration;

/// Steps until the highest rate is reached.
const WARM_UP: u64 = 150;
/// Lowest rate, as a part of the highest.
const FLOOR: f64 = 0.02;

/// Rises evenly, then falls as half a cosine. With a budget of time the fall follows whichever of steps and time is
/// nearer to its end, so that a slow machine also ends at the lowest rate. Only a training that its steps end can be
/// repeated number by number.
pub(super) struct Schedule {
    steps: u64,
    budget: Option<Duration>,
    rate: f64,
}

impl Schedule {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            steps: plan.steps,
            budget: plan.budget,
            rate: plan.rate,
        }
    }

    /// Whether the budget allows another step.
    pub(super) fn has_time(&self, spent: Duration) -> bool {
        self.budget.is_none_or(|budget| spent < budget)
    }

    /// The rate of step `step`, counted from zero.
    pub(super) fn rate(&self, step: u64, spent: Duration) -> f64 {
        if step < WARM_UP {
            return self.rate * (step + 1) as f64 / WARM_UP as f64;
        }
        let fall = (1.0 + (PI * self.part(step, spent)).cos()) / 2.0;
        self.rate * (FLOOR + (1.0 - FLOOR) * fall)
    }

    /// Time until the end, after `step` steps of which this run began at `first` and took `now`.
    pub(super) fn left(&self, step: u64, first: u64, spent: Duration, now: Duration) -> Duration {
        let done = (step - first).max(1);
        let by_steps = now.mul_f64((self.steps - step) as f64 / done as f64);
        match self.budget {
            Some(budget) => by_steps.min(budget.saturating_sub(spent + now)),
            None => by_steps,
        }
    }

    /// How far it is, from 0 to 1.
    fn part(&self, step: u64, spent: Duration) -> f64 {
        let by_steps = step as f64 / self.steps as f64;
        let by_time = self
            .budget
            .map_or(0.0, |budget| spent.as_secs_f64() / budget.as_secs_f64());
        by_steps.max(by_time).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_then_falls_to_its_floor() {
        let schedule = Schedule {
            steps: 1000,
            budget: None,
            rate: 1.0,
        };
        let rates: Vec<f64> = (0..1000).map(|step| schedule.rate(step, Duration::ZERO)).collect();
        assert!(rates[..WARM_UP as usize].is_sorted());
        assert!(rates[WARM_UP as usize..].is_sorted_by(|left, right| left >= right));
        assert!((rates[999] - FLOOR).abs() < 1e-3);
    }

    #[test]
    fn a_slow_machine_ends_at_the_floor_too() {
        let schedule = Schedule {
            steps: 1000,
            budget: Some(Duration::from_secs(60)),
            rate: 1.0,
        };
        assert!((schedule.rate(400, Duration::from_secs(60)) - FLOOR).abs() < 1e-9);
        assert!(!schedule.has_time(Duration::from_secs(60)));
        assert_eq!(
            schedule.left(400, 0, Duration::ZERO, Duration::from_secs(40)),
            Duration::from_secs(20)
        );
    }
}
