//! The price of a worker that follows its load.

use cocoon_bindings::units::Coefficient;

/// How a price follows the share of a worker's slots that is in use. Between [`Self::low`] and [`Self::high`] it stays, so
/// that a load that swings a little moves nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PriceRule {
    /// Least price.
    pub floor: Coefficient,
    /// Highest price; not below the least.
    pub ceiling: Coefficient,
    /// Share below which the price falls, from 0 to 1.
    pub low: f64,
    /// Share above which the price rises, below 1 and not below [`Self::low`].
    pub high: f64,
    /// Most that one move changes, as a part of the price: above 0 and at most 1.
    pub step: f64,
}

impl PriceRule {
    /// The price after a while in which `load` of the slots were in use, from 0 to 1. A move is in proportion to how far
    /// the load is outside of the band, is never more than [`Self::step`], and at least one thousandth of the network's
    /// price, so that no price is stuck by rounding. A load that is no number moves nothing.
    #[must_use]
    pub fn next(&self, price: Coefficient, load: f64) -> Coefficient {
        let price = price
            .get()
            .clamp(self.floor.get(), self.ceiling.get().max(self.floor.get()));
        let load = load.clamp(0.0, 1.0);
        // With bounds as documented no divisor is zero where it is used.
        let pull = match load {
            load if load > self.high => (load - self.high) / (1.0 - self.high),
            load if load < self.low => (load - self.low) / self.low,
            _ => 0.0,
        };
        if pull == 0.0 || !pull.is_finite() {
            return Coefficient::new(price);
        }
        let size = (f64::from(price) * self.step * pull.abs()).max(1.0) as u32;
        let moved = if pull > 0.0 {
            price.saturating_add(size).min(self.ceiling.get())
        } else {
            price.saturating_sub(size)
        };
        Coefficient::new(moved.max(self.floor.get()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULE: PriceRule = PriceRule {
        floor: Coefficient::new(500),
        ceiling: Coefficient::new(4000),
        low: 0.4,
        high: 0.8,
        step: 0.1,
    };

    fn next(price: u32, load: f64) -> u32 {
        RULE.next(Coefficient::new(price), load).get()
    }

    #[test]
    fn a_full_worker_rises_by_a_step_an_idle_one_falls_and_between_the_bounds_nothing_moves() {
        assert_eq!((next(1000, 1.0), next(1000, 0.0)), (1100, 900));
        assert_eq!((next(1000, 0.9), next(1000, 0.2)), (1050, 950));
        assert_eq!([0.4, 0.6, 0.8, f64::NAN].map(|load| next(1000, load)), [1000; 4]);
        assert_eq!((next(3990, 1.0), next(510, 0.0)), (4000, 500));
        assert_eq!((next(9, 0.6), next(9000, 0.6)), (500, 4000));
    }

    fn rules() -> impl Strategy<Value = PriceRule> {
        (0u32..5000, 0u32..5000, 0.0..0.99_f64, 0.0..0.99_f64, 0.001..1.0_f64).prop_map(|(a, b, c, d, step)| {
            PriceRule {
                floor: Coefficient::new(a.min(b)),
                ceiling: Coefficient::new(a.max(b)),
                low: c.min(d),
                high: c.max(d),
                step,
            }
        })
    }

    proptest! {
        #[test]
        fn a_price_stays_in_its_bounds_and_moves_no_more_than_a_step(
            rule in rules(), price in 0u32..1_000_000_000, load in -1.0..2.0_f64,
        ) {
            let from = price.clamp(rule.floor.get(), rule.ceiling.get());
            let to = rule.next(Coefficient::new(price), load).get();
            prop_assert!((rule.floor.get()..=rule.ceiling.get()).contains(&to));
            prop_assert!(f64::from(to.abs_diff(from)) <= (f64::from(from) * rule.step).max(1.0));
        }

        #[test]
        fn more_load_never_gives_a_lower_price(
            rule in rules(), price in 0u32..6000, one in 0.0..1.0_f64, other in 0.0..1.0_f64,
        ) {
            let price = Coefficient::new(price);
            prop_assert!(rule.next(price, one.min(other)) <= rule.next(price, one.max(other)));
        }

        #[test]
        fn a_load_that_stays_outside_of_the_band_leads_to_a_bound_and_one_inside_nowhere(
            rule in rules(), price in 0u32..6000,
        ) {
            let after = |load: f64| (0..6000).fold(Coefficient::new(price), |price, _| rule.next(price, load));
            prop_assert_eq!(after(1.0), rule.ceiling);
            if rule.low > 0.0 {
                prop_assert_eq!(after(0.0), rule.floor);
            }
            let inside = rule.next(Coefficient::new(price), (rule.low + rule.high) / 2.0).get();
            prop_assert_eq!(inside, price.clamp(rule.floor.get(), rule.ceiling.get()));
        }
    }
}
