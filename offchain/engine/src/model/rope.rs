//! Rotary positions.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

/// Cosines and sines for every position of the context.
pub(super) struct Rope<B: Backend> {
    /// [positions, half of the head]
    cos: Tensor<B, 2>,
    sin: Tensor<B, 2>,
    half: usize,
}

impl<B: Backend> Rope<B> {
    /// Computed in f32 in the order in which the reference does it.
    pub(super) fn new(theta: f64, head_dim: usize, positions: usize, device: &B::Device) -> Self {
        let half = head_dim / 2;
        let frequency = |index: usize| 1.0 / (theta as f32).powf((2 * index) as f32 / head_dim as f32);
        let frequencies: Vec<f32> = (0..half).map(frequency).collect();
        let angles: Vec<f32> = (0..positions)
            .flat_map(|position| frequencies.iter().map(move |f| position as f32 * f))
            .collect();
        let table = |function: fn(f32) -> f32| {
            let numbers: Vec<f32> = angles.iter().map(|angle| function(*angle)).collect();
            Tensor::from_data(TensorData::new(numbers, [positions, half]), device)
        };
        Self {
            cos: table(f32::cos),
            sin: table(f32::sin),
            half,
        }
    }

    /// Turns heads [head, token, dimension] whose first token is at `position`.
    pub(super) fn turn(&self, heads: Tensor<B, 3>, position: usize) -> Tensor<B, 3> {
        let [count, tokens, _] = heads.dims();
        let rows = |table: &Tensor<B, 2>| {
            table
                .clone()
                .slice([position..position + tokens, 0..self.half])
                .unsqueeze::<3>()
        };
        let (cos, sin) = (rows(&self.cos), rows(&self.sin));
        let first = heads.clone().slice([0..count, 0..tokens, 0..self.half]);
        let second = heads.slice([0..count, 0..tokens, self.half..2 * self.half]);
        let turned_first = first.clone() * cos.clone() - second.clone() * sin.clone();
        let turned_second = second * cos + first * sin;
        Tensor::cat(vec![turned_first, turned_second], 2)
    }
}
