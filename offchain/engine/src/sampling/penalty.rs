//! Penalties for tokens that were there before.

use super::params::Sampling;
use std::collections::BTreeMap;

/// How often each token has appeared. Ordered maps, so that the arithmetic has one order.
#[derive(Clone, Default)]
pub(super) struct Penalties {
    in_answer: BTreeMap<u32, u32>,
    in_prompt: BTreeMap<u32, ()>,
}

impl Penalties {
    pub(super) fn of_prompt(tokens: &[u32]) -> Self {
        Self {
            in_answer: BTreeMap::new(),
            in_prompt: tokens.iter().map(|token| (*token, ())).collect(),
        }
    }

    /// Counts a token of the answer.
    pub(super) fn count(&mut self, token: u32) {
        *self.in_answer.entry(token).or_default() += 1;
    }

    /// Changes the logits.
    pub(super) fn apply(&self, sampling: &Sampling, logits: &mut [f32]) {
        if sampling.repetition_penalty != 1.0 {
            let only_prompt = self
                .in_prompt
                .keys()
                .filter(|token| !self.in_answer.contains_key(token));
            for token in only_prompt.chain(self.in_answer.keys()) {
                if let Some(logit) = logits.get_mut(*token as usize) {
                    let penalty = sampling.repetition_penalty;
                    *logit = if *logit > 0.0 {
                        *logit / penalty
                    } else {
                        *logit * penalty
                    };
                }
            }
        }
        if sampling.frequency_penalty != 0.0 || sampling.presence_penalty != 0.0 {
            for (token, count) in &self.in_answer {
                if let Some(logit) = logits.get_mut(*token as usize) {
                    *logit -= sampling.frequency_penalty * *count as f32 + sampling.presence_penalty;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequency_counts_presence_does_not_and_the_prompt_is_free_of_both() {
        let mut penalties = Penalties::of_prompt(&[0]);
        penalties.count(1);
        penalties.count(1);
        let sampling = Sampling {
            frequency_penalty: 0.5,
            presence_penalty: 0.25,
            ..Sampling::default()
        };
        let mut logits = vec![1.0, 1.0, 1.0];
        penalties.apply(&sampling, &mut logits);
        assert_eq!(logits, [1.0, -0.25, 1.0]);
    }

    #[test]
    fn repetition_lowers_positive_and_negative_logits_once() {
        let mut penalties = Penalties::of_prompt(&[0, 1, 1]);
        penalties.count(0);
        let sampling = Sampling {
            repetition_penalty: 2.0,
            ..Sampling::default()
        };
        let mut logits = vec![1.0, -1.0, 1.0];
        penalties.apply(&sampling, &mut logits);
        assert_eq!(logits, [0.5, -2.0, 1.0]);
    }
}
