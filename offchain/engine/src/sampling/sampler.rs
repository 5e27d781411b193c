//! The choice of the tokens of one sequence.

use super::choose::choose;
use super::params::Sampling;
use super::penalty::Penalties;
use crate::error::EngineError;

/// Chooses the tokens of one sequence, one after another. What it has chosen is its state, so a sequence that is computed
/// again from its tokens goes on with the same sampler.
pub(crate) struct Sampler {
    sampling: Sampling,
    seed: u64,
    penalties: Penalties,
}

/// A token that was chosen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chosen {
    pub(crate) token: u32,
}

impl Sampler {
    /// A sampler for an answer to `prompt`.
    pub(crate) fn new(sampling: Sampling, seed: u64, prompt: &[u32]) -> Self {
        Self {
            sampling,
            seed,
            penalties: Penalties::of_prompt(prompt),
        }
    }

    /// Chooses the token for `position`, which counts from the first token of the prompt. `logits` has one number for each
    /// token of the vocabulary.
    pub(crate) fn next(&mut self, position: u64, mut logits: Vec<f32>) -> Result<Chosen, EngineError> {
        self.penalties.apply(&self.sampling, &mut logits);
        let token = choose(&self.sampling, self.seed, position, &logits)?;
        self.penalties.count(token);
        Ok(Chosen { token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_is_penalised_from_then_on() {
        let sampling = Sampling {
            temperature: 0.0,
            presence_penalty: 1.5,
            ..Sampling::default()
        };
        let mut sampler = Sampler::new(sampling, 0, &[0]);
        let logits = vec![2.0, 1.0, 0.0];
        let tokens: Vec<u32> = (1..4)
            .map(|position| sampler.next(position, logits.clone()).unwrap().token)
            .collect();
        assert_eq!(tokens, [0, 1, 0]);
    }
}
