//! Counters in the form of the deployed daemons: a total and six rates that decay.

use serde_json::Value;

/// Time constants of the rates, in seconds.
const WINDOWS: [f64; 6] = [1.0, 10.0, 60.0, 600.0, 3600.0, 86_400.0];

/// A total and its recent rates. Times are seconds of any one clock.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counter {
    total: f64,
    /// Exponentially decayed sums, one for each window.
    sums: [f64; WINDOWS.len()],
    at: f64,
}

impl Counter {
    /// Adds at `now`.
    pub fn add(&mut self, amount: f64, now: f64) {
        self.decay(now);
        self.total += amount;
        self.sums.iter_mut().for_each(|sum| *sum += amount);
    }

    /// Everything that was added.
    pub fn total(&self) -> f64 {
        self.total
    }

    /// The decayed rate per second over ten minutes.
    pub fn rate_10m(&self, now: f64) -> f64 {
        self.report(now)[4]
    }

    /// `[total, rate over 1 s, 10 s, 60 s, 600 s, 3600 s, 86400 s]` at `now`.
    pub fn report(&self, now: f64) -> [f64; 7] {
        let mut current = *self;
        current.decay(now);
        let mut report = [current.total; 7];
        for (place, (sum, window)) in report[1..].iter_mut().zip(current.sums.iter().zip(WINDOWS)) {
            *place = sum / window;
        }
        report
    }

    /// The report as `/jsonstats` writes it.
    pub fn json(&self, now: f64) -> Value {
        self.report(now).into_iter().collect()
    }

    /// Takes another counter of the same clock in.
    pub fn absorb(&mut self, other: &Self) {
        let now = self.at.max(other.at);
        let mut other = *other;
        other.decay(now);
        self.decay(now);
        self.total += other.total;
        self.sums
            .iter_mut()
            .zip(other.sums)
            .for_each(|(sum, more)| *sum += more);
    }

    fn decay(&mut self, now: f64) {
        let passed = (now - self.at).max(0.0);
        if passed == 0.0 {
            return;
        }
        for (sum, window) in self.sums.iter_mut().zip(WINDOWS) {
            *sum *= (-passed / window).exp();
        }
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rates_decay_and_totals_stay() {
        let mut counter = Counter::default();
        counter.add(60.0, 100.0);
        let fresh = counter.report(100.0);
        assert_eq!((fresh[0], fresh[1], fresh[3]), (60.0, 60.0, 1.0));
        let later = counter.report(160.0);
        assert_eq!(later[0], 60.0);
        assert!((later[3] - (-1.0f64).exp()).abs() < 1e-9);
        assert!(later[1] < 1e-20);
        assert_eq!(counter.json(100.0).as_array().unwrap().len(), 7);
        assert_eq!(counter.rate_10m(100.0), 0.1);
    }

    #[test]
    fn a_clock_that_goes_back_does_no_harm() {
        let mut counter = Counter::default();
        counter.add(1.0, 100.0);
        counter.add(1.0, 50.0);
        assert_eq!(counter.report(0.0)[0], 2.0);
        assert!(counter.report(0.0).iter().all(|n| n.is_finite()));
    }

    proptest! {
        #[test]
        fn counters_that_are_added_up_report_what_one_would_have(
            events in proptest::collection::vec((0.0f64..1000.0, 0.0f64..10.0, any::<bool>()), 0..40),
        ) {
            let (mut one, mut left, mut right) = (Counter::default(), Counter::default(), Counter::default());
            let mut events = events;
            events.sort_by(|a, b| a.0.total_cmp(&b.0));
            for (at, amount, is_left) in events {
                one.add(amount, at);
                if is_left { left.add(amount, at) } else { right.add(amount, at) };
            }
            left.absorb(&right);
            for (sum, whole) in left.report(1000.0).into_iter().zip(one.report(1000.0)) {
                prop_assert!((sum - whole).abs() <= 1e-9 * whole.abs().max(1.0), "{sum} {whole}");
            }
        }
    }
}
