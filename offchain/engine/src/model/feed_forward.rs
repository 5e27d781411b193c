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
    experts: Vec<Expert<D>>,
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
            let chosen = self.routing.choose(scores, self.per_token);
            routes.extend(chosen.into_iter().map(|(expert, weight)| Route { row, expert, weight }));
        }
        Ok(device.experts(input, &self.experts, &routes, self.activation))
    }
}

impl Routing {
    /// The best experts, best first and the lower number first among equals, with their weights.
    fn choose(self, scores: &[f32], count: usize) -> Vec<(usize, f32)> {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|one, other| scores[*other].total_cmp(&scores[*one]));
        order.truncate(count);
        let best = order.first().map_or(0.0, |best| scores[*best]);
        let part = |expert: &usize| (scores[*expert] - best).exp();
        let chosen: f32 = order.iter().map(part).sum();
        let sum = match self {
            Self::SoftmaxThenBest { normed: false } => (0..scores.len()).map(|expert| part(&expert)).sum(),
            Self::SoftmaxThenBest { normed: true } | Self::BestThenSoftmax => chosen,
        };
        order.iter().map(|expert| (*expert, part(expert) / sum)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_experts_get_their_softmax() {
        let scores = [0.0, 2.0_f32.ln(), 5.0_f32.ln(), 2.0_f32.ln()];
        let near = |found: Vec<(usize, f32)>, expected: [(usize, f32); 2]| {
            assert_eq!(found.len(), 2);
            for (found, expected) in found.iter().zip(expected) {
                assert!(
                    found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-6,
                    "{found:?}"
                );
            }
        };
        near(
            Routing::SoftmaxThenBest { normed: false }.choose(&scores, 2),
            [(2, 0.5), (1, 0.2)],
        );
        for routing in [Routing::SoftmaxThenBest { normed: true }, Routing::BestThenSoftmax] {
            near(routing.choose(&scores, 2), [(2, 5.0 / 7.0), (1, 2.0 / 7.0)]);
        }
    }
}
