//! What a weight format costs: a model against the same model in another format, on a text.

use super::LoadedModel;
use super::progress::Progress;
use crate::error::EngineError;
use crate::limits::KV_BLOCK;
use crate::model::{BlockId, Executor, Piece, Wanted};
use std::fmt;

/// Tokens of a window: each begins without what was before.
const WINDOW: usize = 256;

/// Windows that run side by side, so that a step reads the weights once for all.
const SIDE_BY_SIDE: usize = 16;

/// How a model does on a text, and how near it is to a reference.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Quality {
    /// Predicted tokens.
    pub tokens: usize,
    /// exp of the mean negative logarithm of the probability that the reference gave to the next token.
    pub reference_perplexity: f64,
    /// The same of the model.
    pub perplexity: f64,
    /// Kullback-Leibler divergence from the reference's distribution to the model's, mean over the tokens, in nats.
    pub mean_divergence: f64,
    /// The largest divergence.
    pub max_divergence: f64,
    /// Part of the tokens for which both have the same likeliest token, 0 to 1.
    pub same_choice: f64,
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "perplexity {:.4} (reference {:.4}), divergence {:.6} nats (at most {:.4}), same choice {:.2} % of {} tokens",
            self.perplexity,
            self.reference_perplexity,
            self.mean_divergence,
            self.max_divergence,
            100.0 * self.same_choice,
            self.tokens
        )
    }
}

impl LoadedModel {
    /// Runs both models over `text` and compares what they predict. The text needs two tokens at least.
    pub fn quality_against(&mut self, reference: &mut Self, text: &str) -> Result<Quality, EngineError> {
        self.quality_with(reference, text, &mut |_| {})
    }

    /// The same; `progress` is in tokens. Both models need the same vocabulary.
    pub fn quality_with(
        &mut self,
        reference: &mut Self,
        text: &str,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Quality, EngineError> {
        let tokens = self.parts.tokenizer.encode(text)?;
        let positions = self.parts.card.max_model_len.min(reference.parts.card.max_model_len);
        let windows: Vec<&[u32]> = tokens
            .chunks(WINDOW.min(positions))
            .filter(|window| window.len() > 1)
            .collect();
        compare(reference.executor.as_mut(), self.executor.as_mut(), &windows, progress)
    }
}

/// Predicts every token but the first of each window by both.
fn compare(
    reference: &mut dyn Executor,
    model: &mut dyn Executor,
    windows: &[&[u32]],
    progress: &mut dyn FnMut(Progress),
) -> Result<Quality, EngineError> {
    let longest = windows
        .iter()
        .map(|window| window.len())
        .max()
        .ok_or(EngineError::EmptyPrompt)?;
    let blocks = longest.div_ceil(KV_BLOCK);
    let fitting = reference.blocks().min(model.blocks()) / blocks;
    let side_by_side = fitting.min(SIDE_BY_SIDE);
    if side_by_side == 0 {
        let limit = reference.blocks().min(model.blocks()) * KV_BLOCK;
        return Err(EngineError::ContextLength { tokens: longest, limit });
    }
    let mut sums = Sums::default();
    let total = windows.iter().map(|window| window.len() as u64 - 1).sum();
    for windows in windows.chunks(side_by_side) {
        for position in 0..longest - 1 {
            let (pieces, next): (Vec<Piece>, Vec<u32>) = windows
                .iter()
                .enumerate()
                .filter(|(_, window)| position + 1 < window.len())
                .map(|(place, window)| (piece(window, position, place * blocks), window[position + 1]))
                .unzip();
            if pieces.is_empty() {
                break;
            }
            let done = sums.tokens as u64;
            progress(Progress { done, total });
            let (expected, found) = (reference.run(&pieces)?, model.run(&pieces)?);
            for ((expected, found), next) in expected.into_iter().zip(found).zip(next) {
                let (Some(expected), Some(found)) = (expected, found) else {
                    return Err(EngineError::NotANumber);
                };
                sums.add(&expected, &found, next as usize)?;
            }
        }
    }
    progress(Progress { done: total, total });
    Ok(sums.quality())
}

/// One token of a window whose blocks begin with block `first`.
fn piece(window: &[u32], position: usize, first: usize) -> Piece {
    let blocks = first..first + position / KV_BLOCK + 1;
    Piece {
        tokens: vec![window[position]],
        start: position,
        blocks: blocks
            .filter_map(|block| u32::try_from(block).ok())
            .map(BlockId)
            .collect(),
        wanted: Wanted::Logits,
    }
}

#[derive(Default)]
struct Sums {
    tokens: usize,
    same: usize,
    reference: f64,
    model: f64,
    divergence: f64,
    max_divergence: f64,
}

impl Sums {
    fn add(&mut self, expected: &[f32], found: &[f32], next: usize) -> Result<(), EngineError> {
        let (expected, found) = (log_probabilities(expected)?, log_probabilities(found)?);
        let (Some(of_reference), Some(of_model)) = (expected.get(next), found.get(next)) else {
            return Err(EngineError::NotANumber);
        };
        self.tokens += 1;
        self.reference -= of_reference;
        self.model -= of_model;
        self.same += usize::from(likeliest(&expected) == likeliest(&found));
        let parts = expected.iter().zip(&found).map(|(p, q)| p.exp() * (p - q));
        // Rounding may give a little less than nothing.
        let divergence = parts.sum::<f64>().max(0.0);
        self.divergence += divergence;
        self.max_divergence = self.max_divergence.max(divergence);
        Ok(())
    }

    fn quality(&self) -> Quality {
        let tokens = self.tokens as f64;
        Quality {
            tokens: self.tokens,
            reference_perplexity: (self.reference / tokens).exp(),
            perplexity: (self.model / tokens).exp(),
            mean_divergence: self.divergence / tokens,
            max_divergence: self.max_divergence,
            same_choice: self.same as f64 / tokens,
        }
    }
}

/// Natural logarithms of the softmax.
fn log_probabilities(logits: &[f32]) -> Result<Vec<f64>, EngineError> {
    if logits.is_empty() || logits.iter().any(|logit| !logit.is_finite()) {
        return Err(EngineError::NotANumber);
    }
    let largest = logits
        .iter()
        .fold(f64::MIN, |largest, logit| largest.max(f64::from(*logit)));
    let all: f64 = logits.iter().map(|logit| (f64::from(*logit) - largest).exp()).sum();
    let shift = largest + all.ln();
    Ok(logits.iter().map(|logit| f64::from(*logit) - shift).collect())
}

fn likeliest(log_probabilities: &[f64]) -> Option<usize> {
    let numbered = log_probabilities.iter().enumerate();
    numbered
        .max_by(|one, other| one.1.total_cmp(other.1))
        .map(|(token, _)| token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::WeightFormat;
    use crate::{EngineOptions, load_model, tiny};

    /// Text that the tiny model knows in part.
    const TEXT: &str = "<|im_start|>user\nWhat is Cocoon?<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n\
        Cocoon is a network for private inference of language models. Hello! How can I help you today?";

    fn loaded(weight_format: WeightFormat) -> LoadedModel {
        let folder = tempfile::tempdir().unwrap();
        tiny::write_to(folder.path()).unwrap();
        let options = EngineOptions {
            weight_format,
            ..EngineOptions::default()
        };
        load_model(folder.path(), options).unwrap()
    }

    #[test]
    fn a_model_is_no_further_from_itself_than_nothing() {
        let (mut one, mut other) = (loaded(WeightFormat::F32), loaded(WeightFormat::F32));
        let quality = one.quality_against(&mut other, TEXT).unwrap();
        assert!(quality.tokens > 30);
        assert_eq!(quality.perplexity, quality.reference_perplexity);
        assert_eq!((quality.mean_divergence, quality.same_choice), (0.0, 1.0));
        let mut seen = Vec::new();
        one.quality_with(&mut other, TEXT, &mut |progress| seen.push(progress))
            .unwrap();
        assert!(seen.is_sorted_by_key(|progress| progress.done) && seen.len() > 2);
        let total = quality.tokens as u64;
        assert_eq!(seen.last(), Some(&Progress { done: total, total }));
    }

    #[test]
    fn fewer_bits_are_further_away() {
        let mut reference = loaded(WeightFormat::F32);
        let mut divergence = |format| {
            let quality = loaded(format).quality_against(&mut reference, TEXT).unwrap();
            quality.mean_divergence
        };
        let (bf16, q8, q4) = (
            divergence(WeightFormat::Bf16),
            divergence(WeightFormat::Q8),
            divergence(WeightFormat::Q4),
        );
        // The checkpoint holds bf16.
        assert_eq!(bf16, 0.0);
        assert!(0.0 < q8 && q8 < q4, "{q8} {q4}");
        assert!(q8 < 0.01, "{q8}");
    }

    #[test]
    fn known_distributions_give_known_numbers() {
        let mut sums = Sums::default();
        // Halves against one and three quarters; the next token is the second.
        sums.add(&[0.0, 0.0], &[0.0, 3.0_f32.ln()], 1).unwrap();
        let quality = sums.quality();
        assert!((quality.reference_perplexity - 2.0).abs() < 1e-6);
        assert!((quality.perplexity - 4.0 / 3.0).abs() < 1e-6);
        let divergence = 0.5 * (0.5_f64 / 0.25).ln() + 0.5 * (0.5_f64 / 0.75).ln();
        assert!((quality.mean_divergence - divergence).abs() < 1e-6);
    }

    #[test]
    fn a_text_of_one_token_is_refused() {
        let (mut one, mut other) = (loaded(WeightFormat::F32), loaded(WeightFormat::F32));
        assert!(matches!(
            one.quality_against(&mut other, "<|im_start|>"),
            Err(EngineError::EmptyPrompt)
        ));
    }
}
