//! The price of an answer: one function, used by whoever computes or checks adjusted tokens.

use cocoon_bindings::Multipliers;
use cocoon_bindings::tokens::{TokenCounts, TokensUsed};
use cocoon_bindings::units::Coefficient;

use crate::limits::MAX_CLASS_TOKENS;

/// Adjusted tokens of raw counts.
///
/// Evaluated in double precision from left to right and truncated, class by class, because peers do it so: exact integer
/// arithmetic differs by one now and then. Parts larger than their whole (`cached > prompt`) leave nothing of the whole
/// instead of a negative number.
pub fn adjust(counts: &TokenCounts, coefficient: Coefficient, multipliers: &Multipliers) -> TokensUsed {
    let adjusted = |tokens: u64, multiplier: u32| {
        let scaled = tokens as f64 * (f64::from(coefficient.get()) * 0.001) * f64::from(multiplier) * 0.0001;
        (scaled as u64).min(MAX_CLASS_TOKENS)
    };
    let prompt = adjusted(counts.prompt.saturating_sub(counts.cached), multipliers.prompt);
    let cached = adjusted(counts.cached, multipliers.cached);
    let completion = adjusted(
        counts.completion.saturating_sub(counts.reasoning),
        multipliers.completion,
    );
    let reasoning = adjusted(counts.reasoning, multipliers.reasoning);
    TokensUsed {
        prompt,
        cached,
        completion,
        reasoning,
        total: prompt + cached + completion + reasoning,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(prompt: u64, cached: u64, completion: u64, reasoning: u64) -> TokenCounts {
        TokenCounts {
            prompt,
            cached,
            completion,
            reasoning,
        }
    }

    fn classes(used: TokensUsed) -> [u64; 5] {
        [used.prompt, used.cached, used.completion, used.reasoning, used.total]
    }

    /// Seen on the wire between deployed nodes.
    #[test]
    fn the_observed_answer_costs_what_was_observed() {
        let used = adjust(
            &counts(34, 11, 100, 10),
            Coefficient::new(1500),
            &Multipliers::default(),
        );
        assert_eq!(classes(used), [34, 16, 135, 15, 200]);
    }

    /// Values computed by hand in double precision; the last two differ from exact arithmetic.
    #[test]
    fn golden_values_of_double_arithmetic() {
        let one = Multipliers::default();
        let of = |tokens, coefficient, multiplier| {
            let multipliers = Multipliers {
                completion: multiplier,
                ..one
            };
            adjust(&counts(0, 0, tokens, 0), Coefficient::new(coefficient), &multipliers).completion
        };
        assert_eq!(of(1000, 1000, 10_000), 1000);
        assert_eq!(of(1, 999, 10_000), 0);
        assert_eq!(of(7, 0, 10_000), 0);
        assert_eq!(of(100, 1000, 25_000), 250);
        assert_eq!(of(100, 1500, 5_000), 75);
    }

    /// Computed in Python (`tests/vectors/gen`); where double precision and exact arithmetic differ is among them.
    #[test]
    fn prices_are_those_of_the_other_implementation() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/vectors/receipts.json")).unwrap();
        let prices = vectors["prices"].as_array().unwrap();
        assert!(!prices.is_empty());
        let names = ["prompt", "cached", "completion", "reasoning", "total"];
        for case in prices {
            let of = |part: &str| names.map(|name| case[part][name].as_u64().unwrap_or(0));
            let [prompt, cached, completion, reasoning, _] = of("counts");
            let multipliers = of("multipliers").map(|number| u32::try_from(number).unwrap());
            let used = adjust(
                &counts(prompt, cached, completion, reasoning),
                Coefficient::new(u32::try_from(case["coefficient"].as_u64().unwrap()).unwrap()),
                &Multipliers {
                    prompt: multipliers[0],
                    cached: multipliers[1],
                    completion: multipliers[2],
                    reasoning: multipliers[3],
                },
            );
            assert_eq!(classes(used), of("used"), "{case}");
        }
    }

    #[test]
    fn parts_larger_than_the_whole_leave_nothing_negative() {
        let used = adjust(&counts(1, 5, 2, 9), Coefficient::new(1000), &Multipliers::default());
        assert_eq!(classes(used), [0, 5, 0, 9, 14]);
    }

    proptest! {
        #[test]
        fn any_counts_give_a_total_that_adds_up(p: u64, k: u64, c: u64, r: u64, coefficient: u32, m in any::<[u32; 4]>()) {
            let multipliers = Multipliers { prompt: m[0], cached: m[1], completion: m[2], reasoning: m[3] };
            prop_assert!(adjust(&counts(p, k, c, r), Coefficient::new(coefficient), &multipliers).adds_up());
        }

        #[test]
        fn adjusted_is_within_one_of_exact_per_class(tokens in 0u64..10_000_000, coefficient in 0u32..100_000, multiplier in 0u32..1_000_000) {
            let multipliers = Multipliers { completion: multiplier, ..Multipliers::default() };
            let used = adjust(&counts(0, 0, tokens, 0), Coefficient::new(coefficient), &multipliers).completion;
            let exact = (u128::from(tokens) * u128::from(coefficient) * u128::from(multiplier) / 10_000_000) as u64;
            prop_assert!(used.abs_diff(exact) <= 1, "{used} {exact}");
        }

        #[test]
        fn more_tokens_never_cost_less(tokens in 0u64..1_000_000, more in 0u64..1000, coefficient in 0u32..100_000) {
            let price = |n| adjust(&counts(n, 0, 0, 0), Coefficient::new(coefficient), &Multipliers::default()).total;
            prop_assert!(price(tokens) <= price(tokens + more));
        }
    }
}
