//! Chats side by side in one rectangle.

use super::Plan;
use crate::chat::{Chats, Sample};
use anyhow::Result;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Rows of equal width. What fills short rows stands behind them, where no counted position sees it.
pub(super) struct Batch {
    rows: usize,
    width: usize,
    tokens: Vec<i32>,
    /// Flat positions whose next token is counted.
    places: Vec<i32>,
    /// Those next tokens.
    targets: Vec<i32>,
    /// Tokens without the filling.
    pub(super) used: u64,
}

/// The batches of a round, in random order; each in as many parts as there are threads.
pub(super) fn batches(chats: &Chats<'_>, round: u64, count: usize, plan: &Plan, pad: u32) -> Result<Vec<Vec<Batch>>> {
    let mut samples = chats.round(round, count * plan.chats)?;
    samples.sort_by_key(|sample| sample.tokens.len());
    let parts = |rows| Batch::parts(rows, plan.threads, pad);
    let mut batches: Vec<_> = samples.chunks(plan.chats).map(parts).collect();
    // The chats of a round take the streams from the other end.
    let mut dice = ChaCha8Rng::seed_from_u64(plan.seed);
    dice.set_stream(u64::MAX - round);
    batches.shuffle(&mut dice);
    Ok(batches)
}

impl Batch {
    /// Cuts chats into parts of about the same length.
    pub(super) fn parts(samples: &[Sample], count: usize, pad: u32) -> Vec<Self> {
        let part = |part: usize| samples.iter().skip(part).step_by(count).collect::<Vec<_>>();
        let parts = (0..count).map(part).filter(|samples| !samples.is_empty());
        parts.map(|samples| Self::new(&samples, pad)).collect()
    }

    /// How many tokens are counted.
    pub(super) fn counted(&self) -> usize {
        self.targets.len()
    }

    fn new(samples: &[&Sample], pad: u32) -> Self {
        // The last token of a chat predicts nothing.
        let width = samples.iter().map(|sample| sample.tokens.len() - 1).max().unwrap_or(0);
        let mut batch = Self {
            rows: samples.len(),
            width,
            tokens: Vec::with_capacity(samples.len() * width),
            places: Vec::new(),
            targets: Vec::new(),
            used: 0,
        };
        for (row, sample) in samples.iter().enumerate() {
            let inputs = &sample.tokens[..sample.tokens.len() - 1];
            batch.used += inputs.len() as u64;
            batch.tokens.extend(inputs.iter().map(|token| token.cast_signed()));
            batch.tokens.resize((row + 1) * width, pad.cast_signed());
            for (place, (token, counted)) in sample.tokens.iter().zip(&sample.counted).enumerate().skip(1) {
                if *counted {
                    batch.places.push(index(row * width + place - 1));
                    batch.targets.push(token.cast_signed());
                }
            }
        }
        batch
    }

    /// [rows, width]
    pub(super) fn inputs<B: Backend>(&self, device: &B::Device) -> Tensor<B, 2, Int> {
        Tensor::from_data(TensorData::new(self.tokens.clone(), [self.rows, self.width]), device)
    }

    /// [counted]
    pub(super) fn places<B: Backend>(&self, device: &B::Device) -> Tensor<B, 1, Int> {
        Tensor::from_data(TensorData::new(self.places.clone(), [self.places.len()]), device)
    }

    /// [counted, 1]
    pub(super) fn targets<B: Backend>(&self, device: &B::Device) -> Tensor<B, 2, Int> {
        Tensor::from_data(TensorData::new(self.targets.clone(), [self.targets.len(), 1]), device)
    }
}

fn index(place: usize) -> i32 {
    i32::try_from(place).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_trained_to_give_the_token_after_it() {
        let sample = |tokens: &[u32], counted: &[bool]| Sample {
            tokens: tokens.to_vec(),
            counted: counted.to_vec(),
        };
        let samples = [
            sample(&[5, 6, 7], &[false, false, true]),
            sample(&[1, 2, 3, 4, 5], &[false, true, false, true, true]),
        ];
        let batch = Batch::new(&samples.each_ref(), 9);
        assert_eq!((batch.rows, batch.width, batch.used), (2, 4, 6));
        assert_eq!(batch.tokens, [5, 6, 9, 9, 1, 2, 3, 4]);
        assert_eq!(batch.places, [1, 4, 6, 7]);
        assert_eq!(batch.targets, [7, 2, 4, 5]);
    }
}
