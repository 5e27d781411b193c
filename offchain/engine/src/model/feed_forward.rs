//! The feed-forward of one layer: one for all tokens, or experts chosen for each.

use super::load::Loader;
use super::spec::{ExpertsSpec, FeedSpec, GatedSpec, Routing};
use crate::device::{Activation, Device, Expert, Route, WeightFormat};
use crate::error::EngineError;

/// One of the kinds of feed-forward.
pub(super) enum FeedForward<D: Device> {
    Dense(Gated<D>),
    Experts(Experts<D>),
}

/// `down(activation(gate) * up)`.
pub(super) struct Gated<D: Device> {
    gate_up: D::Matrix,
    down: D::Matrix,
    activation: Activation,
}

/// Some experts of many for each token.
pub(super) struct Experts<D: Device> {
    router: D::Matrix,
    /// Added to scores where experts are chosen.
    correction: Option<Vec<f32>>,
    experts: Vec<Expert<D>>,
    /// The expert of all tokens.
    shared: Option<Gated<D>>,
    activation: Activation,
    routing: Routing,
    per_token: usize,
}

impl<D: Device> FeedForward<D> {
    pub(super) fn load(spec: &FeedSpec, loader: &mut Loader<'_, D>) -> Result<Self, EngineError> {
        match spec {
            FeedSpec::Dense(spec) => Ok(Self::Dense(Gated::load(spec, loader)?)),
            FeedSpec::Experts(spec) => Ok(Self::Experts(Experts::load(spec, loader)?)),
        }
    }

    pub(super) fn forward(&self, input: &D::Tensor, device: &mut D) -> Result<D::Tensor, EngineError> {
        match self {
            Self::Dense(gated) => Ok(gated.forward(input, device)),
            Self::Experts(experts) => experts.forward(input, device),
        }
    }
}

impl<D: Device> Gated<D> {
    fn load(spec: &GatedSpec, loader: &mut Loader<'_, D>) -> Result<Self, EngineError> {
        Ok(Self {
            gate_up: loader.linear(&spec.gate_up)?,
            down: loader.linear(&spec.down)?,
            activation: spec.activation,
        })
    }

    fn forward(&self, input: &D::Tensor, device: &mut D) -> D::Tensor {
        let gate_up = device.linear(input, &self.gate_up);
        let gated = device.gated(gate_up, self.activation);
        device.linear(&gated, &self.down)
    }
}

impl<D: Device> Experts<D> {
    fn load(spec: &ExpertsSpec, loader: &mut Loader<'_, D>) -> Result<Self, EngineError> {
        let expert = |spec: &GatedSpec, loader: &mut Loader<'_, D>| {
            Ok::<_, EngineError>(Expert {
                gate_up: loader.linear(&spec.gate_up)?,
                down: loader.linear(&spec.down)?,
            })
        };
        Ok(Self {
            // A small change of its scores sends a token to another expert.
            router: loader.linear_in(&spec.router, WeightFormat::F32)?,
            experts: spec
                .experts
                .iter()
                .map(|spec| expert(spec, loader))
                .collect::<Result<_, _>>()?,
            correction: match &spec.correction {
                Some(correction) => Some(loader.checkpoint.numbers(correction)?),
                None => None,
            },
            shared: match &spec.shared {
                Some(shared) => Some(Gated::load(shared, loader)?),
                None => None,
            },
            activation: spec.experts.first().map_or(Activation::Silu, |spec| spec.activation),
            routing: spec.routing,
            per_token: spec.per_token,
        })
    }

    fn forward(&self, input: &D::Tensor, device: &mut D) -> Result<D::Tensor, EngineError> {
        let scores = device.linear(input, &self.router);
        let scores = device.host(scores)?;
        let mut routes = Vec::new();
        for (row, scores) in scores.chunks_exact(self.experts.len()).enumerate() {
            let chosen = self.routing.choose(scores, self.correction.as_deref(), self.per_token);
            routes.extend(chosen.into_iter().map(|(expert, weight)| Route { row, expert, weight }));
        }
        let mut sum = device.experts(input, &self.experts, &routes, self.activation);
        if let Some(shared) = &self.shared {
            let shared = shared.forward(input, device);
            device.add(&mut sum, &shared);
        }
        Ok(sum)
    }
}
