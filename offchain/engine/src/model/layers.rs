//! Small layers.

use crate::error::EngineError;
use crate::load::Weights;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

/// A matrix without bias. Checkpoints store it as [out, in]; a transposed view of that is what the product reads.
pub(super) struct Linear<B: Backend> {
    weight: Tensor<B, 2>,
}

impl<B: Backend> Linear<B> {
    pub(super) fn load(
        weights: &mut Weights,
        name: &str,
        inputs: usize,
        outputs: usize,
        device: &B::Device,
    ) -> Result<Self, EngineError> {
        Ok(Self::of_rows(matrix(weights, name, outputs, inputs, device)?))
    }

    /// A layer whose matrix is given as [out, in].
    pub(super) fn of_rows(rows: Tensor<B, 2>) -> Self {
        Self {
            weight: rows.transpose(),
        }
    }

    pub(super) fn forward(&self, input: Tensor<B, 2>) -> Tensor<B, 2> {
        input.matmul(self.weight.clone())
    }
}

/// Root mean square norm over the last dimension.
pub(super) struct RmsNorm<B: Backend> {
    scale: Tensor<B, 1>,
    epsilon: f64,
}

impl<B: Backend> RmsNorm<B> {
    pub(super) fn load(
        weights: &mut Weights,
        name: &str,
        size: usize,
        epsilon: f64,
        device: &B::Device,
    ) -> Result<Self, EngineError> {
        let numbers = weights.take(name, &[size])?;
        Ok(Self {
            scale: Tensor::from_data(TensorData::new(numbers, [size]), device),
            epsilon,
        })
    }

    pub(super) fn forward<const D: usize>(&self, input: Tensor<B, D>) -> Tensor<B, D> {
        let mean = input.clone().powi_scalar(2).mean_dim(D - 1);
        let normed = input / (mean + self.epsilon).sqrt();
        normed * self.scale.clone().unsqueeze()
    }
}

/// Reads a matrix as it is stored.
pub(super) fn matrix<B: Backend>(
    weights: &mut Weights,
    name: &str,
    rows: usize,
    columns: usize,
    device: &B::Device,
) -> Result<Tensor<B, 2>, EngineError> {
    let numbers = weights.take(name, &[rows, columns])?;
    Ok(Tensor::from_data(TensorData::new(numbers, [rows, columns]), device))
}
