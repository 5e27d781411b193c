//! One layer of the transformer.

use super::attention::Attention;
use super::batch::Batch;
use super::collective::Collective;
use super::feed_forward::FeedForward;
use super::load::{Loader, Norm};
use super::spec::LayerSpec;
use crate::device::{CacheShape, Device};
use crate::error::EngineError;

/// What a step works with besides the weights.
pub(super) struct Step<'a, D: Device> {
    pub(super) device: &'a mut D,
    /// To the other ranks of the model.
    pub(super) collective: &'a mut dyn Collective<D>,
    pub(super) cache: &'a mut D::Cache,
    pub(super) ropes: &'a [D::Rope],
    pub(super) batch: &'a Batch,
}

/// Attention and feed-forward, each between norms and added to its input.
pub(super) struct Layer<D: Device> {
    attention_norm: Norm<D>,
    attention: Attention<D>,
    after_attention: Option<Norm<D>>,
    feed_norm: Norm<D>,
    feed: FeedForward<D>,
    after_feed: Option<Norm<D>>,
}

impl<D: Device> Layer<D> {
    pub(super) fn load(spec: &LayerSpec, loader: &mut Loader<'_, D>) -> Result<Self, EngineError> {
        Ok(Self {
            attention_norm: loader.norm(&spec.attention_norm)?,
            attention: Attention::load(&spec.attention, loader)?,
            after_attention: loader.norm_if(spec.after_attention.as_ref())?,
            feed_norm: loader.norm(&spec.feed_norm)?,
            feed: FeedForward::load(&spec.feed, loader)?,
            after_feed: loader.norm_if(spec.after_feed.as_ref())?,
        })
    }

    pub(super) fn cache_shape(&self) -> CacheShape {
        self.attention.cache_shape()
    }

    /// Changes `state`, [rows, hidden], by this layer; `number` is the layer's place in the cache. `fed` is what the
    /// layer before has not added to `state` yet, and what this one has not added comes back, so that a device may join
    /// the sum with the norm that follows. Where only some rows of the result are `wanted`, `state` becomes these; for
    /// none it stays unfinished.
    pub(super) fn forward(
        &self,
        state: &mut D::Tensor,
        fed: Option<D::Tensor>,
        number: usize,
        step: &mut Step<'_, D>,
        wanted: Option<&[usize]>,
    ) -> Result<Option<D::Tensor>, EngineError> {
        let normed = match fed {
            Some(fed) => self.attention_norm.forward_sum(step.device, state, &fed),
            None => self.attention_norm.forward(step.device, state),
        };
        let mut attended = self.attention.forward(&normed, number, step);
        drop(normed);
        if let Some(wanted) = wanted {
            if wanted.is_empty() {
                return Ok(None); // keys and values are in the cache, nobody reads more
            }
            attended = step.device.rows(&attended, wanted);
            *state = step.device.rows(state, wanted);
        }
        attended = step.collective.sum(step.device, attended)?;
        if let Some(norm) = &self.after_attention {
            attended = norm.forward(step.device, &attended);
        }
        let normed = self.feed_norm.forward_sum(step.device, state, &attended);
        drop(attended);
        let fed = self.feed.forward(&normed, step.device)?;
        let mut fed = step.collective.sum(step.device, fed)?;
        if let Some(norm) = &self.after_feed {
            fed = norm.forward(step.device, &fed);
        }
        Ok(Some(fed))
    }
}
