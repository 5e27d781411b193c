//! Which experts a token goes through.

use super::spec::{ExpertScores, LimitedRouting, Routing};
use crate::kernels::exp;

impl Routing {
    /// The best experts, best first and the lower number first among equals, with their weights. `correction` is added
    /// to scores where experts are chosen, not where they are weighted.
    pub(super) fn choose(self, scores: &[f32], correction: Option<&[f32]>, count: usize) -> Vec<(usize, f32)> {
        if let Self::Limited(limited) = self {
            return limited.choose(scores, correction, count);
        }
        let order = best(scores, 0..scores.len(), count);
        let highest = order.first().map_or(0.0, |best| scores[*best]);
        let part = |expert: &usize| exp(scores[*expert] - highest);
        let chosen: f32 = order.iter().map(part).sum();
        let sum = match self {
            Self::SoftmaxThenBest { normed: false } => (0..scores.len()).map(|expert| part(&expert)).sum(),
            _ => chosen,
        };
        order.iter().map(|expert| (*expert, part(expert) / sum)).collect()
    }
}

impl LimitedRouting {
    fn choose(self, scores: &[f32], correction: Option<&[f32]>, count: usize) -> Vec<(usize, f32)> {
        let weights: Vec<f32> = match self.scores {
            ExpertScores::Softmax => {
                let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let parts: Vec<f32> = scores.iter().map(|score| exp(score - highest)).collect();
                let sum: f32 = parts.iter().sum();
                parts.into_iter().map(|part| part / sum).collect()
            }
            ExpertScores::Sigmoid => scores.iter().map(|score| 1.0 / (1.0 + exp(-score))).collect(),
        };
        let corrected: Vec<f32> = match correction {
            Some(correction) => weights
                .iter()
                .zip(correction)
                .map(|(weight, more)| weight + more)
                .collect(),
            None => weights.clone(),
        };
        let size = scores.len() / self.groups;
        let of_group = |group: usize| group * size..(group + 1) * size;
        let group_scores: Vec<f32> = (0..self.groups)
            .map(|group| {
                let members = best(&corrected, of_group(group), self.scores.members_that_count());
                members.into_iter().map(|expert| corrected[expert]).sum()
            })
            .collect();
        let mut groups = best(&group_scores, 0..self.groups, self.groups_per_token);
        groups.sort_unstable();
        let chosen = best(&corrected, groups.into_iter().flat_map(of_group), count);
        let sum: f32 = match self.normed {
            true => chosen.iter().map(|expert| weights[*expert]).sum::<f32>() + 1e-20,
            false => 1.0,
        };
        let weight = |expert: usize| weights[expert] / sum * self.factor;
        chosen.into_iter().map(|expert| (expert, weight(expert))).collect()
    }
}

impl ExpertScores {
    /// How many of a group's experts say what the group is worth.
    fn members_that_count(self) -> usize {
        match self {
            Self::Softmax => 1,
            Self::Sigmoid => 2,
        }
    }
}

/// The highest of some scores, highest first, the earlier first among equals.
fn best(scores: &[f32], among: impl Iterator<Item = usize>, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = among.collect();
    order.sort_by(|one, other| scores[*other].total_cmp(&scores[*one]));
    order.truncate(count);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: &[(usize, f32)], expected: &[(usize, f32)]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-6,
                "{found:?}"
            );
        }
    }

    #[test]
    fn the_best_experts_get_their_softmax() {
        let scores = [0.0, 2.0_f32.ln(), 5.0_f32.ln(), 2.0_f32.ln()];
        let all = Routing::SoftmaxThenBest { normed: false };
        near(&all.choose(&scores, None, 2), &[(2, 0.5), (1, 0.2)]);
        for routing in [Routing::SoftmaxThenBest { normed: true }, Routing::BestThenSoftmax] {
            near(&routing.choose(&scores, None, 2), &[(2, 5.0 / 7.0), (1, 2.0 / 7.0)]);
        }
    }

    #[test]
    fn only_experts_of_the_best_groups_are_chosen() {
        let routing = |scores, normed| {
            Routing::Limited(LimitedRouting {
                scores,
                groups: 3,
                groups_per_token: 1,
                normed,
                factor: 2.0,
            })
        };
        // Groups of two. By softmax the group with the best expert wins, though its other one is the worst of all.
        let scores = [3.0, 3.0, 4.0, 1.0, 2.0, 3.0].map(f32::ln);
        let softmax = routing(ExpertScores::Softmax, false);
        near(&softmax.choose(&scores, None, 2), &[(2, 0.5), (3, 0.125)]);
        // By sigmoid the group with the best two wins; sigmoid(ln 3) = 3/4.
        let sigmoid = routing(ExpertScores::Sigmoid, false);
        near(&sigmoid.choose(&scores, None, 2), &[(0, 1.5), (1, 1.5)]);
        let normed = routing(ExpertScores::Sigmoid, true);
        near(&normed.choose(&scores, None, 2), &[(0, 1.0), (1, 1.0)]);
        // The correction chooses the last group, and is in no weight: sigmoid(ln 2) = 2/3.
        let correction = [0.0, 0.0, 0.0, 0.0, 0.2, 0.2];
        near(
            &sigmoid.choose(&scores, Some(&correction), 2),
            &[(5, 1.5), (4, 4.0 / 3.0)],
        );
    }
}
