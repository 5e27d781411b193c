//! The choice of one token. Ties go to the smaller token id and sums run in one fixed order, so that the choice is
//! the same on every machine that has the same logits.

use super::params::Sampling;
use super::random::uniform;
use crate::error::EngineError;
use std::cmp::Ordering;

/// A token that may be chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
    token: u32,
    logit: f32,
}

/// Chooses the token for `position` of the sequence; penalties are applied already.
pub(super) fn choose(sampling: &Sampling, seed: u64, position: u64, logits: &[f32]) -> Result<u32, EngineError> {
    choose_at(sampling, || uniform(seed, position), logits)
}

/// What a device that has the logits chooses.
#[cfg(test)]
pub(crate) fn choose_drawn(draw: &crate::device::Draw, logits: &[f32]) -> Option<u32> {
    let sampling = Sampling {
        temperature: draw.temperature,
        top_p: draw.top_p,
        top_k: draw.top_k,
        min_p: draw.min_p,
        ..Sampling::default()
    };
    choose_at(&sampling, || draw.uniform, logits).ok()
}

/// `uniform` is the random number in [0, 1), if one is needed.
fn choose_at(sampling: &Sampling, uniform: impl FnOnce() -> f64, logits: &[f32]) -> Result<u32, EngineError> {
    let best = likeliest(logits).ok_or(EngineError::NotANumber)?;
    if sampling.temperature == 0.0 || sampling.top_k == 1 {
        return Ok(best.token);
    }
    let candidates = keep(sampling, best, logits);
    let weights: Vec<f64> = candidates
        .iter()
        .map(|candidate| weight(sampling, best, candidate))
        .collect();
    let total = sum(&weights);
    let target = uniform() * total;
    let mut passed = 0.0;
    for (candidate, weight) in candidates.iter().zip(&weights) {
        passed += weight;
        if target < passed {
            return Ok(candidate.token);
        }
    }
    // Reached only by rounding in the sum.
    Ok(candidates.last().map_or(best.token, |candidate| candidate.token))
}

/// The greatest logit; `None` if one is not a number or all are minus infinity.
fn likeliest(logits: &[f32]) -> Option<Candidate> {
    let mut best: Option<Candidate> = None;
    for (token, logit) in (0u32..).zip(logits.iter().copied()) {
        if logit.is_nan() || logit == f32::INFINITY {
            return None;
        }
        if best.is_none_or(|best| logit > best.logit) {
            best = Some(Candidate { token, logit });
        }
    }
    best.filter(|best| best.logit > f32::NEG_INFINITY)
}

/// Probability relative to the likeliest token.
fn weight(sampling: &Sampling, best: Candidate, candidate: &Candidate) -> f64 {
    (f64::from(candidate.logit - best.logit) / f64::from(sampling.temperature)).exp()
}

/// Applies min_p, top_k and top_p. What is left is in order of token id if nothing had to be sorted, else likeliest
/// first.
fn keep(sampling: &Sampling, best: Candidate, logits: &[f32]) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = (0u32..)
        .zip(logits.iter().copied())
        .map(|(token, logit)| Candidate { token, logit })
        .filter(|candidate| candidate.logit > f32::NEG_INFINITY)
        .collect();
    if sampling.min_p > 0.0 {
        candidates.retain(|candidate| weight(sampling, best, candidate) >= f64::from(sampling.min_p));
    }
    let top_k = sampling.top_k as usize;
    if top_k > 0 && top_k < candidates.len() {
        candidates.select_nth_unstable_by(top_k - 1, likelier);
        candidates.truncate(top_k);
        candidates.sort_unstable_by(likelier);
    }
    if sampling.top_p < 1.0 {
        candidates.sort_unstable_by(likelier);
        let weights: Vec<f64> = candidates
            .iter()
            .map(|candidate| weight(sampling, best, candidate))
            .collect();
        let enough = f64::from(sampling.top_p) * sum(&weights);
        let mut passed = 0.0;
        let kept = weights.iter().take_while(|weight| {
            let more = passed < enough;
            passed += **weight;
            more
        });
        let kept = kept.count().max(1);
        candidates.truncate(kept);
    }
    candidates
}

fn likelier(one: &Candidate, other: &Candidate) -> Ordering {
    other.logit.total_cmp(&one.logit).then(one.token.cmp(&other.token))
}

fn sum(weights: &[f64]) -> f64 {
    weights.iter().fold(0.0, |sum, weight| sum + weight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens_drawn(sampling: &Sampling, logits: &[f32]) -> Vec<u32> {
        let mut drawn: Vec<u32> = (0..2000)
            .map(|position| choose(sampling, 3, position, logits).unwrap())
            .collect();
        drawn.sort_unstable();
        drawn.dedup();
        drawn
    }

    #[test]
    fn greedy_takes_the_first_of_equal_logits() {
        let sampling = Sampling {
            temperature: 0.0,
            ..Sampling::default()
        };
        assert_eq!(choose(&sampling, 9, 9, &[0.0, 2.0, 2.0]).unwrap(), 1);
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        let sampling = Sampling::default();
        for logits in [
            vec![f32::NAN, 1.0],
            vec![f32::INFINITY],
            vec![f32::NEG_INFINITY],
            vec![],
        ] {
            assert!(matches!(choose(&sampling, 0, 0, &logits), Err(EngineError::NotANumber)));
        }
    }

    #[test]
    fn top_k_top_p_and_min_p_leave_only_the_likely_tokens() {
        let logits = [0.0, 3.0, 2.0, 1.0];
        assert_eq!(tokens_drawn(&Sampling::default(), &logits), [0, 1, 2, 3]);
        assert_eq!(
            tokens_drawn(
                &Sampling {
                    top_k: 2,
                    ..Sampling::default()
                },
                &logits
            ),
            [1, 2]
        );
        // Probabilities: 0.644, 0.237, 0.087, 0.032.
        assert_eq!(
            tokens_drawn(
                &Sampling {
                    top_p: 0.6,
                    ..Sampling::default()
                },
                &logits
            ),
            [1]
        );
        assert_eq!(
            tokens_drawn(
                &Sampling {
                    top_p: 0.7,
                    ..Sampling::default()
                },
                &logits
            ),
            [1, 2]
        );
        assert_eq!(
            tokens_drawn(
                &Sampling {
                    min_p: 0.1,
                    ..Sampling::default()
                },
                &logits
            ),
            [1, 2, 3]
        );
        assert_eq!(
            tokens_drawn(
                &Sampling {
                    top_k: 3,
                    top_p: 0.7,
                    ..Sampling::default()
                },
                &logits
            ),
            [1, 2]
        );
    }

    #[test]
    fn a_token_that_is_ruled_out_is_never_drawn() {
        let never = f32::NEG_INFINITY;
        let logits = [never, -90.0, never, 0.0, never];
        assert_eq!(tokens_drawn(&Sampling::default(), &logits), [3]);
        let sampling = Sampling {
            top_k: 4,
            top_p: 0.999,
            ..Sampling::default()
        };
        assert_eq!(tokens_drawn(&sampling, &logits), [3]);
        assert_eq!(choose(&Sampling::default(), 0, 0, &[never, never, 1.0]).unwrap(), 2);
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let logits = [0.0, 1.0];
        let sampling = Sampling {
            temperature: 0.5,
            ..Sampling::default()
        };
        let ones = (0..20_000)
            .filter(|position| choose(&sampling, 5, *position, &logits).unwrap() == 1)
            .count();
        let expected = 1.0 / (1.0 + (-2.0f64).exp());
        assert!((ones as f64 / 20_000.0 - expected).abs() < 0.01, "{ones}");
    }

    proptest! {
        #[test]
        fn a_draw_is_always_a_token_and_always_the_same(
            logits in prop::collection::vec(-30.0f32..30.0, 1..200),
            seed: u64, position: u64,
            temperature in 0.0f32..2.0, top_p in 0.01f32..1.0, top_k in 0u32..250, min_p in 0.0f32..1.0,
        ) {
            let sampling = Sampling { temperature, top_p, top_k, min_p, ..Sampling::default() };
            let token = choose(&sampling, seed, position, &logits).unwrap();
            prop_assert!((token as usize) < logits.len());
            prop_assert_eq!(choose(&sampling, seed, position, &logits).unwrap(), token);
        }
    }
}
