//! How much a request may cost at most, and how much a client can still reserve.

use cocoon_bindings::Multipliers;
use cocoon_bindings::units::{Coefficient, TokenCount};
use serde::{Deserialize, Serialize};

use crate::error::LedgerError;
use crate::limits::MAX_REQUEST_TOKENS;

/// One open reservation; numbers are never used twice in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ReservationId(pub(crate) u64);

/// Tokens to reserve for a request: what it may cost at the client's price ceiling.
///
/// `query_bytes`, the size of the request, bounds the prompt tokens. As on the deployed network, with one addition: when a
/// class is weighted by more than one, the reservation is weighted by the largest multiplier, else it would not cover the
/// answer. `max_tokens` is taken as it comes: it is refused when absurd, never narrowed.
pub fn amount(
    max_tokens: u64,
    query_bytes: u64,
    max_coefficient: Coefficient,
    multipliers: &Multipliers,
) -> Result<TokenCount, LedgerError> {
    for asked in [max_tokens, query_bytes] {
        if asked > MAX_REQUEST_TOKENS {
            return Err(LedgerError::TooManyTokens {
                asked,
                limit: MAX_REQUEST_TOKENS,
            });
        }
    }
    let Multipliers {
        prompt,
        cached,
        completion,
        reasoning,
    } = *multipliers;
    let largest = prompt.max(cached).max(completion).max(reasoning);
    let weight = (f64::from(largest) * 0.0001).max(1.0);
    let tokens = (max_tokens + query_bytes) as f64 * (f64::from(max_coefficient.get()) * 0.001) * weight;
    Ok(TokenCount::new(tokens as u64))
}

#[cfg(test)]
mod tests {
    use cocoon_bindings::tokens::TokenCounts;
    use proptest::prelude::*;

    use super::*;
    use crate::pricing::adjust;

    #[test]
    fn the_deployed_formula_for_plain_multipliers() {
        let reserve = |max, bytes, coefficient| {
            amount(max, bytes, Coefficient::new(coefficient), &Multipliers::default())
                .unwrap()
                .get()
        };
        assert_eq!(reserve(1000, 392, 4000), 5568);
        assert_eq!(reserve(0, 1, 1500), 1);
        assert_eq!(reserve(10, 10, 0), 0);
    }

    #[test]
    fn a_request_for_absurdly_many_tokens_is_refused_not_narrowed() {
        let plain = Multipliers::default();
        let coefficient = Coefficient::new(1000);
        assert_eq!(
            amount(4_294_967_295, 0, coefficient, &plain).unwrap().get(),
            4_294_967_295
        );
        assert!(matches!(
            amount(u64::MAX, 0, coefficient, &plain),
            Err(LedgerError::TooManyTokens { .. })
        ));
    }

    proptest! {
        #[test]
        fn a_reservation_covers_the_answer(
            prompt in 0u64..100_000, cached in 0u64..100_000, completion in 0u64..100_000, reasoning in 0u64..100_000,
            coefficient in 0u32..10_000, m in any::<[u16; 4]>(),
        ) {
            let [p, k, c, r] = m.map(u32::from);
            let multipliers = Multipliers { prompt: p, cached: k, completion: c, reasoning: r };
            let counts = TokenCounts {
                prompt: prompt.max(cached), cached: cached.min(prompt),
                completion: completion.max(reasoning), reasoning: reasoning.min(completion),
            };
            let coefficient = Coefficient::new(coefficient);
            let reserved = amount(counts.completion, counts.prompt, coefficient, &multipliers).unwrap().get();
            // Four truncations of doubles against one: the last bit may differ.
            prop_assert!(adjust(&counts, coefficient, &multipliers).total <= reserved + 1);
        }
    }
}
