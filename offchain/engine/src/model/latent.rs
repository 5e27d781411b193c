//! Latent attention of DeepSeek (arXiv 2405.04434, section 2.1), in its absorbed form: the cache has one head, whose
//! keys are the latent and the turned columns side by side and whose values are the latent again. Queries are brought to
//! the latent by the transposed key matrix of their head, and what they gather is turned into values afterwards.

use super::layer::Step;
use super::load::{Loader, Norm};
use super::spec::{LatentQuerySpec, LatentSpec, LinearSpec};
use crate::device::{AttentionShape, CacheShape, Device, RopeHeads};
use crate::error::EngineError;

/// Attention over a latent.
pub(super) struct Latent<D: Device> {
    query: Query<D>,
    key_value: D::Matrix,
    key_value_norm: Norm<D>,
    key_up: Vec<D::Matrix>,
    value_up: Vec<D::Matrix>,
    output: D::Matrix,
    rope: usize,
    /// Columns of a head's query that are not turned.
    nope_dim: usize,
    rope_dim: usize,
    shape: AttentionShape,
}

/// From the state to queries.
enum Query<D: Device> {
    Direct(D::Matrix),
    Narrow {
        down: D::Matrix,
        norm: Norm<D>,
        up: D::Matrix,
    },
}

impl<D: Device> Latent<D> {
    pub(super) fn load(spec: &LatentSpec, loader: &mut Loader<'_, D>) -> Result<Self, EngineError> {
        let query = match &spec.query {
            LatentQuerySpec::Direct(all) => Query::Direct(loader.linear(all)?),
            LatentQuerySpec::Narrow { down, norm, up } => Query::Narrow {
                down: loader.linear(down)?,
                norm: loader.norm(norm)?,
                up: loader.linear(up)?,
            },
        };
        let mut each = |specs: &[LinearSpec]| {
            let matrices = specs.iter().map(|spec| loader.linear(spec));
            matrices.collect::<Result<Vec<_>, _>>()
        };
        let (key_up, value_up) = (each(&spec.key_up)?, each(&spec.value_up)?);
        Ok(Self {
            query,
            key_value: loader.linear(&spec.key_value)?,
            key_value_norm: loader.norm(&spec.key_value_norm)?,
            key_up,
            value_up,
            output: loader.linear(&spec.output)?,
            rope: spec.rope,
            nope_dim: spec.nope_dim,
            rope_dim: spec.rope_dim,
            shape: AttentionShape {
                heads: spec.heads,
                kv_heads: 1,
                key_dim: spec.latent_dim + spec.rope_dim,
                value_dim: spec.latent_dim,
                scale: spec.scale,
                window: None,
                softcap: None,
            },
        })
    }

    pub(super) fn cache_shape(&self) -> CacheShape {
        CacheShape {
            kv_heads: 1,
            key_dim: self.shape.key_dim,
            value_dim: 0,
        }
    }

    pub(super) fn forward(&self, input: &D::Tensor, layer: usize, step: &mut Step<'_, D>) -> D::Tensor {
        let queries = self.queries(input, step);
        let keys = self.keys(input, step);
        let shape = &self.shape;
        let mixed = step
            .device
            .attend(step.cache, layer, shape, &queries, &keys, None, None, step.batch);
        let values = step.device.linear_heads(&mixed, &self.value_up);
        step.device.linear(&values, &self.output)
    }

    /// [rows, heads * (latent + turned)].
    fn queries(&self, input: &D::Tensor, step: &mut Step<'_, D>) -> D::Tensor {
        let heads = self.shape.heads;
        let all = match &self.query {
            Query::Direct(all) => step.device.linear(input, all),
            Query::Narrow { down, norm, up } => {
                let narrow = step.device.linear(input, down);
                let normed = norm.forward(step.device, &narrow);
                step.device.linear(&normed, up)
            }
        };
        let middle = heads * self.nope_dim;
        let nope = step.device.columns(&all, 0..middle);
        let turned = step.device.columns(&all, middle..middle + heads * self.rope_dim);
        let latent = step.device.linear_heads(&nope, &self.key_up);
        let turned = self.turn(turned, heads, step);
        step.device.join_heads(&latent, &turned, heads)
    }

    /// [rows, latent + turned].
    fn keys(&self, input: &D::Tensor, step: &mut Step<'_, D>) -> D::Tensor {
        let all = step.device.linear(input, &self.key_value);
        let latent = step.device.columns(&all, 0..self.shape.value_dim);
        let turned = step.device.columns(&all, self.shape.value_dim..self.shape.key_dim);
        let latent = self.key_value_norm.forward(step.device, &latent);
        let turned = self.turn(turned, 1, step);
        step.device.join_heads(&latent, &turned, 1)
    }

    fn turn(&self, mut tensor: D::Tensor, heads: usize, step: &mut Step<'_, D>) -> D::Tensor {
        let heads = RopeHeads {
            heads,
            stride: self.rope_dim,
            offset: 0,
        };
        step.device.rope(&mut tensor, heads, &step.ropes[self.rope], step.batch);
        tensor
    }
}
