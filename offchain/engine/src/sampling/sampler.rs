//! The choice of the tokens of one sequence.

use super::choose::choose;
use super::logprobs::Logprobs;
use super::matching::Matching;
use super::params::Sampling;
use super::penalty::Penalties;
use super::random::uniform;
use crate::device::Draw;
use crate::error::EngineError;

/// Chooses the tokens of one sequence, one after another. What it has chosen is its state, so a sequence that is computed
/// again from its tokens goes on with the same sampler.
pub(crate) struct Sampler {
    sampling: Sampling,
    seed: u64,
    penalties: Penalties,
    logprobs: Option<usize>,
    constraint: Option<Constrained>,
}

/// A constraint, and whether it is in force yet.
struct Constrained {
    matching: Matching,
    thinking: Option<Thinking>,
}

/// Reasoning that comes before the part of an answer that a constraint is about.
#[derive(Debug, Clone)]
pub(crate) struct Thinking {
    /// The token that opens it.
    pub(crate) open: u32,
    /// The token that closes it.
    pub(crate) close: u32,
    /// Whether the prompt has opened it; else the first token of the answer may.
    pub(crate) is_open: bool,
    /// Tokens that end an answer: none of them comes before the constraint is met.
    pub(crate) eos: Vec<u32>,
}

/// A token that was chosen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chosen {
    pub(crate) token: u32,
    pub(crate) logprobs: Option<Logprobs>,
    /// Whether the answer's constraint allows nothing more.
    pub(crate) complete: bool,
}

impl Sampler {
    /// A sampler for an answer to `prompt`.
    pub(crate) fn new(sampling: Sampling, seed: u64, prompt: &[u32]) -> Self {
        Self {
            sampling,
            seed,
            penalties: Penalties::of_prompt(prompt),
            logprobs: None,
            constraint: None,
        }
    }

    /// Tells logarithms of probabilities too: of each chosen token and of `top` likeliest ones.
    pub(crate) fn with_logprobs(self, top: Option<usize>) -> Self {
        Self { logprobs: top, ..self }
    }

    /// Chooses only what `matching` allows, after the reasoning if there may be one.
    pub(crate) fn with_constraint(self, matching: Matching, thinking: Option<Thinking>) -> Self {
        let constraint = Some(Constrained { matching, thinking });
        Self { constraint, ..self }
    }

    /// How the token for `position` can be chosen where its logits are; `None` if they are needed here.
    pub(crate) fn draw(&self, position: u64) -> Option<Draw> {
        let sampling = &self.sampling;
        let has_history =
            sampling.repetition_penalty != 1.0 || sampling.frequency_penalty != 0.0 || sampling.presence_penalty != 0.0;
        let is_plain = self.logprobs.is_none() && self.constraint.is_none() && sampling.logit_bias.is_empty();
        (is_plain && !has_history).then(|| Draw {
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            top_k: sampling.top_k,
            min_p: sampling.min_p,
            uniform: uniform(self.seed, position),
        })
    }

    /// Takes note of a token that was chosen by [`Self::draw`].
    pub(crate) fn drawn(&mut self, token: u32) -> Chosen {
        self.penalties.count(token);
        Chosen {
            token,
            logprobs: None,
            complete: false,
        }
    }

    /// Chooses the token for `position`, which counts from the first token of the prompt. `logits` has one number for each
    /// token of the vocabulary.
    pub(crate) fn next(&mut self, position: u64, mut logits: Vec<f32>) -> Result<Chosen, EngineError> {
        let pure = self.logprobs.map(|top| (top, logits.clone()));
        self.penalties.apply(&self.sampling, &mut logits);
        self.sampling.logit_bias.apply(&mut logits);
        if let Some(constraint) = &mut self.constraint {
            constraint.apply(&mut logits)?;
            if logits.iter().all(|logit| *logit == f32::NEG_INFINITY) {
                return Err(constraint.matching.failed());
            }
        }
        let token = choose(&self.sampling, self.seed, position, &logits)?;
        self.penalties.count(token);
        let complete = match &mut self.constraint {
            Some(constraint) => constraint.accept(token)?,
            None => false,
        };
        Ok(Chosen {
            token,
            logprobs: pure.map(|(top, logits)| Logprobs::of(&logits, token, top)),
            complete,
        })
    }
}

impl Constrained {
    fn apply(&mut self, logits: &mut [f32]) -> Result<(), EngineError> {
        match &self.thinking {
            Some(thinking) if thinking.is_open => {
                for token in &thinking.eos {
                    if let Some(logit) = logits.get_mut(*token as usize) {
                        *logit = f32::NEG_INFINITY;
                    }
                }
                Ok(())
            }
            Some(thinking) => self.matching.apply(logits, Some(thinking.open)),
            None => self.matching.apply(logits, None),
        }
    }

    fn accept(&mut self, token: u32) -> Result<bool, EngineError> {
        if let Some(thinking) = &mut self.thinking {
            if thinking.is_open {
                if token == thinking.close {
                    self.thinking = None;
                }
                return Ok(false);
            }
            if token == thinking.open {
                thinking.is_open = true;
                return Ok(false);
            }
            self.thinking = None;
        }
        self.matching.accept(token)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Compiler, Constraint};
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

    #[test]
    fn a_bias_moves_the_choice_and_not_the_logprobs() {
        let sampling = Sampling {
            temperature: 0.0,
            logit_bias: [(2, 100.0), (99, 1.0)].into_iter().collect(),
            ..Sampling::default()
        };
        let logits = vec![2.0, 1.0, 0.0];
        let mut sampler = Sampler::new(sampling, 0, &[]).with_logprobs(Some(1));
        let chosen = sampler.next(0, logits.clone()).unwrap();
        assert_eq!(chosen.token, 2);
        assert_eq!(chosen.logprobs, Some(Logprobs::of(&logits, 2, 1)));
    }

    #[test]
    fn a_constraint_begins_after_the_reasoning() {
        // Tokens: the bytes, then the marks of reasoning and the end.
        let mut words: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
        words.extend(["<t>", "</t>", "<e>"].map(|mark| [&[Compiler::NO_TEXT], mark.as_bytes()].concat()));
        let compiler = Compiler::new(&words, &[258]).unwrap();
        let run = |is_open, wished: &[u32]| {
            let sampling = Sampling {
                temperature: 0.0,
                ..Sampling::default()
            };
            let thinking = Thinking {
                open: 256,
                close: 257,
                is_open,
                eos: vec![258],
            };
            let matching = compiler.compile(&Constraint::choice(["ab"])).unwrap();
            let mut sampler = Sampler::new(sampling, 0, &[]).with_constraint(matching, Some(thinking));
            let mut tokens = Vec::new();
            for (position, wish) in (0..).zip(wished) {
                let mut logits: Vec<f32> = (0u16..259).map(|token| -f32::from(token)).collect();
                logits[*wish as usize] = 10.0;
                let chosen = sampler.next(position, logits).unwrap();
                tokens.push(chosen.token);
                if chosen.complete {
                    break;
                }
            }
            tokens
        };
        let [a, b, x] = [97, 98, 120];
        assert_eq!(run(false, &[x, x, x]), [a, b]);
        assert_eq!(run(false, &[256, x, 257, x, x, x]), [256, x, 257, a, b]);
        assert_eq!(run(true, &[x, 257, 256, x, x]), [x, 257, a, b]);
        assert_eq!(run(true, &[258, 257, x, x]), [0, 257, a, b]);
    }
}
