//! Attention of one layer.

use super::latent::Latent;
use super::layer::Step;
use super::load::{Loader, Norm};
use super::spec::{AttentionSpec, GroupedSpec};
use crate::device::{AttentionShape, CacheShape, Device, GroupedHeads};
use crate::error::EngineError;

/// One of the kinds of attention.
pub(super) enum Attention<D: Device> {
    Grouped(Grouped<D>),
    Latent(Latent<D>),
}

/// Query heads in groups that share a head of keys and values.
pub(super) struct Grouped<D: Device> {
    query_key_value: D::Matrix,
    output: D::Matrix,
    query_norm: Option<Norm<D>>,
    key_norm: Option<Norm<D>>,
    sinks: Option<D::Vector>,
    rope: Option<usize>,
    shape: AttentionShape,
}

impl<D: Device> Attention<D> {
    pub(super) fn load(spec: &AttentionSpec, loader: &mut Loader<'_, D>) -> Result<Self, EngineError> {
        match spec {
            AttentionSpec::Grouped(spec) => Ok(Self::Grouped(Grouped::load(spec, loader)?)),
            AttentionSpec::Latent(spec) => Ok(Self::Latent(Latent::load(spec, loader)?)),
        }
    }

    pub(super) fn cache_shape(&self) -> CacheShape {
        match self {
            Self::Grouped(grouped) => CacheShape {
                kv_heads: grouped.shape.kv_heads,
                key_dim: grouped.shape.key_dim,
                value_dim: grouped.shape.value_dim,
            },
            Self::Latent(latent) => latent.cache_shape(),
        }
    }

    pub(super) fn forward(&self, input: &D::Tensor, layer: usize, step: &mut Step<'_, D>) -> D::Tensor {
        match self {
            Self::Grouped(grouped) => grouped.forward(input, layer, step),
            Self::Latent(latent) => latent.forward(input, layer, step),
        }
    }
}

impl<D: Device> Grouped<D> {
    fn load(spec: &GroupedSpec, loader: &mut Loader<'_, D>) -> Result<Self, EngineError> {
        Ok(Self {
            query_key_value: loader.linear(&spec.query_key_value)?,
            output: loader.linear(&spec.output)?,
            query_norm: loader.norm_if(spec.query_norm.as_ref())?,
            key_norm: loader.norm_if(spec.key_norm.as_ref())?,
            sinks: spec.sinks.as_ref().map(|sinks| loader.vector(sinks)).transpose()?,
            rope: spec.rope,
            shape: AttentionShape {
                heads: spec.heads,
                kv_heads: spec.kv_heads,
                key_dim: spec.head_dim,
                value_dim: spec.head_dim,
                scale: spec.scale,
                window: spec.window,
                softcap: spec.softcap,
            },
        })
    }

    fn forward(&self, input: &D::Tensor, layer: usize, step: &mut Step<'_, D>) -> D::Tensor {
        let all = step.device.linear(input, &self.query_key_value);
        let heads = GroupedHeads {
            query_norm: self.query_norm.as_ref().map(Norm::parts),
            key_norm: self.key_norm.as_ref().map(Norm::parts),
            rope: self.rope.map(|rope| &step.ropes[rope]),
            sinks: self.sinks.as_ref(),
        };
        let mixed = step
            .device
            .attend_grouped(step.cache, layer, &self.shape, all, &heads, step.batch);
        step.device.linear(&mixed, &self.output)
    }
}
