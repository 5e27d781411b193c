//! Logarithms of probabilities, as the model gives them: before penalties, biases, constraints and temperature.

use std::cmp::Ordering;

/// A token with the natural logarithm of its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Logprob {
    pub(crate) token: u32,
    pub(crate) logprob: f32,
}

/// The logarithms of one position.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Logprobs {
    pub(crate) chosen: Logprob,
    /// The likeliest tokens, likeliest first; of equal ones the smaller id first.
    pub(crate) top: Vec<Logprob>,
}

impl Logprobs {
    /// Of the chosen token and the `count` likeliest ones. The logits are finite or minus infinity, and not all of them
    /// are the latter.
    pub(super) fn of(logits: &[f32], chosen: u32, count: usize) -> Self {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum = logits.iter().fold(0.0, |sum, logit| sum + f64::from(logit - max).exp());
        let whole = f64::from(max) + sum.ln();
        let at = |token: u32| {
            let logit = logits.get(token as usize).copied().unwrap_or(f32::NEG_INFINITY);
            let logprob = (f64::from(logit) - whole) as f32;
            Logprob { token, logprob }
        };
        let mut tokens: Vec<u32> = (0u32..).take(logits.len()).collect();
        let likelier = |one: &u32, other: &u32| -> Ordering {
            let logit = |token: &u32| logits[*token as usize];
            logit(other).total_cmp(&logit(one)).then(one.cmp(other))
        };
        if count > 0 && count < tokens.len() {
            tokens.select_nth_unstable_by(count - 1, likelier);
        }
        tokens.truncate(count);
        tokens.sort_unstable_by(likelier);
        Self {
            chosen: at(chosen),
            top: tokens.into_iter().map(at).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithms_are_those_of_the_softmax() {
        let logits = [1.0, 3.0, f32::NEG_INFINITY, 3.0, 2.0];
        let found = Logprobs::of(&logits, 4, 3);
        let whole = (1f64.exp() + 2.0 * 3f64.exp() + 2f64.exp()).ln();
        assert!((f64::from(found.chosen.logprob) - (2.0 - whole)).abs() < 1e-6);
        let tokens: Vec<u32> = found.top.iter().map(|one| one.token).collect();
        assert_eq!(tokens, [1, 3, 4]);
        assert_eq!(found.top[2], found.chosen);
        assert_eq!(Logprobs::of(&logits, 2, 0).chosen.logprob, f32::NEG_INFINITY);
        assert_eq!(Logprobs::of(&logits, 2, 9).top.len(), 5);
    }

    #[test]
    fn probabilities_of_all_tokens_sum_to_one() {
        let logits: Vec<f32> = (0..1000).map(|token| (token as f32 * 0.7).sin() * 40.0).collect();
        let all = Logprobs::of(&logits, 0, logits.len());
        let sum = all.top.iter().fold(0.0, |sum, one| sum + f64::from(one.logprob).exp());
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        assert!(all.top.windows(2).all(|pair| pair[0].logprob >= pair[1].logprob));
    }
}
