//! From a spec and a checkpoint to matrices on a device.

use super::source::{Checkpoint, Source};
use super::spec::{LinearSpec, NormSpec};
use crate::device::{Device, WeightFormat};
use crate::error::EngineError;

/// What the layers are loaded with.
pub(super) struct Loader<'a, D: Device> {
    pub(super) device: &'a mut D,
    pub(super) checkpoint: &'a mut dyn Checkpoint,
    /// Of all matrices but routers.
    pub(super) format: WeightFormat,
}

impl<D: Device> Loader<'_, D> {
    pub(super) fn linear(&mut self, spec: &LinearSpec) -> Result<D::Matrix, EngineError> {
        self.linear_in(spec, self.format)
    }

    pub(super) fn linear_in(&mut self, spec: &LinearSpec, format: WeightFormat) -> Result<D::Matrix, EngineError> {
        let bias = match &spec.bias {
            Some(bias) => Some(self.checkpoint.numbers(bias)?),
            None => None,
        };
        let rows = self.checkpoint.matrix(&spec.weight)?;
        self.device.matrix(rows.as_ref(), bias.as_deref(), format)
    }

    pub(super) fn vector(&mut self, source: &Source) -> Result<D::Vector, EngineError> {
        let numbers = self.checkpoint.numbers(source)?;
        self.device.vector(&numbers)
    }

    pub(super) fn norm(&mut self, spec: &NormSpec) -> Result<Norm<D>, EngineError> {
        let mut numbers = self.checkpoint.numbers(&spec.scale)?;
        if spec.plus_one {
            numbers.iter_mut().for_each(|number| *number += 1.0);
        }
        Ok(Norm {
            scale: self.device.vector(&numbers)?,
            epsilon: spec.epsilon,
        })
    }

    pub(super) fn norm_if(&mut self, spec: Option<&NormSpec>) -> Result<Option<Norm<D>>, EngineError> {
        spec.map(|spec| self.norm(spec)).transpose()
    }
}

/// A norm on a device.
pub(super) struct Norm<D: Device> {
    scale: D::Vector,
    epsilon: f32,
}

impl<D: Device> Norm<D> {
    pub(super) fn forward(&self, device: &mut D, input: &D::Tensor) -> D::Tensor {
        device.rms_norm(input, &self.scale, self.epsilon)
    }

    /// Adds `other` to `sum`, then norms it.
    pub(super) fn forward_sum(&self, device: &mut D, sum: &mut D::Tensor, other: &D::Tensor) -> D::Tensor {
        device.add_norm(sum, other, &self.scale, self.epsilon)
    }

    /// Scale and epsilon.
    pub(super) fn parts(&self) -> (&D::Vector, f32) {
        (&self.scale, self.epsilon)
    }
}
