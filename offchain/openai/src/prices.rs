//! What tokens cost, and which price of a worker a caller's ceiling allows.

use serde::{Deserialize, Serialize};

use crate::limits::PRICED_TOKENS;

/// Of a coefficient: 1000 is the network's price.
const COEFFICIENT_ONE: u128 = 1000;
/// Of a weight of a class of tokens.
const WEIGHT_ONE: u128 = 10_000;

/// What a million tokens of each class cost, nanoton, rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prices {
    /// Prompt tokens that are computed.
    pub prompt: u64,
    /// Prompt tokens that come from a cache.
    pub cached: u64,
    /// Generated tokens that are part of the answer.
    pub completion: u64,
    /// Generated tokens of reasoning.
    pub reasoning: u64,
}

/// What a network charges: nanoton for one token, and weights of the four classes in ten-thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tariff {
    /// Nanoton for one adjusted token at coefficient 1000.
    pub price_per_token: u128,
    /// Weight of a prompt token that is computed.
    pub prompt: u32,
    /// Weight of a prompt token that comes from a cache.
    pub cached: u32,
    /// Weight of a generated token of the answer.
    pub completion: u32,
    /// Weight of a generated token of reasoning.
    pub reasoning: u32,
}

/// Most that a million tokens of a class may cost, nanoton; `None` where the caller sets no ceiling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MaxPrices {
    /// Prompt tokens that are computed.
    pub prompt: Option<u64>,
    /// Prompt tokens that come from a cache.
    pub cached: Option<u64>,
    /// Generated tokens that are part of the answer.
    pub completion: Option<u64>,
    /// Generated tokens of reasoning.
    pub reasoning: Option<u64>,
}

impl Tariff {
    /// What tokens cost at a worker. A price beyond what a number holds is told as the largest one.
    pub fn at(&self, coefficient: u32) -> Prices {
        let price = |weight: u32| {
            let price = self.of_million(weight)?.checked_mul(u128::from(coefficient))?;
            u64::try_from(price.div_ceil(COEFFICIENT_ONE * WEIGHT_ONE)).ok()
        };
        let price = |weight| price(weight).unwrap_or(u64::MAX);
        Prices {
            prompt: price(self.prompt),
            cached: price(self.cached),
            completion: price(self.completion),
            reasoning: price(self.reasoning),
        }
    }

    /// The highest coefficient at which no class costs more than its ceiling; `None` if every one does not.
    pub fn max_coefficient(&self, ceilings: &MaxPrices) -> Option<u32> {
        let classes = [
            (self.prompt, ceilings.prompt),
            (self.cached, ceilings.cached),
            (self.completion, ceilings.completion),
            (self.reasoning, ceilings.reasoning),
        ];
        let highest = classes.into_iter().filter_map(|(weight, ceiling)| {
            let ceiling = u128::from(ceiling?).checked_mul(COEFFICIENT_ONE * WEIGHT_ONE);
            let highest = match self.of_million(weight) {
                // Free at any coefficient.
                Some(0) => return None,
                // Beyond every ceiling, except at coefficient 0.
                None => 0,
                Some(price) => ceiling.unwrap_or(u128::MAX) / price,
            };
            Some(u32::try_from(highest).unwrap_or(u32::MAX))
        });
        highest.min()
    }

    /// Times a million, and times both units.
    fn of_million(&self, weight: u32) -> Option<u128> {
        let weighed = self.price_per_token.checked_mul(u128::from(weight))?;
        weighed.checked_mul(u128::from(PRICED_TOKENS))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tariff(price_per_token: u128) -> Tariff {
        Tariff {
            price_per_token,
            prompt: 10_000,
            cached: 1_000,
            completion: 80_000,
            reasoning: 80_000,
        }
    }

    #[test]
    fn prices_follow_from_weight_and_coefficient() {
        let prices = tariff(20).at(1500);
        assert_eq!((prices.prompt, prices.cached), (30_000_000, 3_000_000));
        assert_eq!(prices.completion, 240_000_000);
        assert_eq!(tariff(u128::MAX).at(1).prompt, u64::MAX);
    }

    #[test]
    fn the_strictest_ceiling_counts() {
        let ceiling = |prompt, completion| MaxPrices {
            prompt,
            completion,
            ..MaxPrices::default()
        };
        let highest = |ceilings| tariff(20).max_coefficient(&ceilings);
        assert_eq!(highest(ceiling(None, None)), None);
        assert_eq!(highest(ceiling(Some(30_000_000), None)), Some(1500));
        assert_eq!(highest(ceiling(Some(30_000_000), Some(159_999_999))), Some(999));
        assert_eq!(highest(ceiling(Some(0), None)), Some(0));
        assert_eq!(tariff(0).max_coefficient(&ceiling(Some(0), None)), None);
        assert_eq!(
            tariff(u128::MAX).max_coefficient(&ceiling(Some(u64::MAX), None)),
            Some(0)
        );
    }

    proptest! {
        #[test]
        fn what_a_ceiling_allows_costs_no_more_and_the_next_does(price in 1u128..1 << 40, ceiling in any::<u64>()) {
            let tariff = tariff(price);
            let ceilings = MaxPrices { prompt: Some(ceiling), ..MaxPrices::default() };
            let highest = tariff.max_coefficient(&ceilings).unwrap();
            prop_assert!(tariff.at(highest).prompt <= ceiling);
            if let Some(next) = highest.checked_add(1) {
                prop_assert!(tariff.at(next).prompt > ceiling || tariff.at(next).prompt == u64::MAX);
            }
        }

        #[test]
        fn no_numbers_overflow(price in any::<u128>(), weight in any::<u32>(), coefficient in any::<u32>(), ceiling in any::<u64>()) {
            let tariff = Tariff { price_per_token: price, prompt: weight, cached: weight, completion: weight, reasoning: weight };
            let _ = tariff.at(coefficient);
            let all = Some(ceiling);
            let _ = tariff.max_coefficient(&MaxPrices { prompt: all, cached: all, completion: all, reasoning: all });
        }
    }
}
