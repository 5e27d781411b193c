//! Routes sorted by expert, for devices that send all rows of an expert through it at once.

use super::Route;
use std::ops::Range;

/// Routes to one expert: they lie side by side in the gathered order.
pub(super) struct Group {
    pub(super) expert: usize,
    pub(super) routes: Range<usize>,
}

/// The gathered order: routes of one expert side by side, experts ascending.
pub(super) struct ByExpert {
    /// Numbers of routes.
    pub(super) order: Vec<usize>,
    /// Where in `order` each route lies.
    pub(super) places: Vec<usize>,
    pub(super) groups: Vec<Group>,
}

impl ByExpert {
    /// Sorts routes; those of one expert stay in their order.
    pub(super) fn of(routes: &[Route]) -> Self {
        let mut order: Vec<usize> = (0..routes.len()).collect();
        order.sort_by_key(|route| routes[*route].expert);
        let mut groups: Vec<Group> = Vec::new();
        let mut places = vec![0; routes.len()];
        for (place, route) in order.iter().enumerate() {
            places[*route] = place;
            let expert = routes[*route].expert;
            match groups.last_mut() {
                Some(group) if group.expert == expert => group.routes.end += 1,
                _ => groups.push(Group {
                    expert,
                    routes: place..place + 1,
                }),
            }
        }
        Self { order, places, groups }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_of_an_expert_lie_side_by_side_in_their_order() {
        let experts = [3, 0, 3, 7, 0];
        let routes: Vec<Route> = (0..)
            .zip(experts)
            .map(|(row, expert)| Route {
                row,
                expert,
                weight: 1.0,
            })
            .collect();
        let sorted = ByExpert::of(&routes);
        assert_eq!(sorted.order, [1, 4, 0, 2, 3]);
        assert_eq!(sorted.places, [2, 0, 3, 4, 1]);
        let groups: Vec<_> = sorted
            .groups
            .iter()
            .map(|group| (group.expert, group.routes.clone()))
            .collect();
        assert_eq!(groups, [(0, 0..2), (3, 2..4), (7, 4..5)]);
    }
}
