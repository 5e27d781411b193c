//! Mixtures of experts: rows are gathered by expert, each expert takes its rows, and results are added row by row in
//! the order of the routes.

use super::{CubeDevice, CubeTensor, whole};
use crate::device::by_expert::{ByExpert, Group};
use crate::device::{Activation, Expert, Route};
use crate::kernels::cube::{GpuMatrix, Memory, Part};
use cubecl::Runtime;

impl<R: Runtime> CubeDevice<R> {
    pub(super) fn mixture(
        &mut self,
        input: &CubeTensor,
        experts: &[Expert<Self>],
        routes: &[Route],
        activation: Activation,
    ) -> CubeTensor {
        let ByExpert { order, places, groups } = ByExpert::of(routes);
        let places: Vec<u32> = places.into_iter().map(|place| place as u32).collect();
        assert!(
            routes.is_sorted_by_key(|route| route.row) && routes.iter().all(|route| route.row < input.rows),
            "routes come row by row"
        );
        let mut starts = vec![0; input.rows + 1];
        for route in routes {
            starts[route.row + 1] += 1;
        }
        for row in 0..input.rows {
            starts[row + 1] += starts[row];
        }
        let gathered: Vec<u32> = order.iter().map(|route| routes[*route].row as u32).collect();
        let gathered = self.gpu.words(&gathered);
        let gathered = self.gpu.gather(&input.memory, &gathered, input.width);
        let (wide, narrow) = groups.first().map_or((0, input.width), |group| {
            (experts[group.expert].gate_up.outputs, experts[group.expert].down.inputs)
        });
        let gate_up = self.grouped(&groups, &gathered, |group| &experts[group.expert].gate_up, wide);
        let gated = self.gpu.gated(&gate_up, narrow, activation);
        let down = self.grouped(&groups, &gated, |group| &experts[group.expert].down, input.width);
        let weights: Vec<f32> = routes.iter().map(|route| route.weight).collect();
        let memory = self.gpu.mix(
            &down,
            &self.gpu.words(&starts),
            &self.gpu.words(&places),
            &self.gpu.numbers(&weights),
            input.width,
        );
        Self::tensor_of(memory, input.width)
    }

    /// Sends the rows of every group through its matrix, each with as many outputs; the result has the gathered order.
    fn grouped<'m>(
        &self,
        groups: &[Group],
        input: &Memory,
        matrix: impl Fn(&Group) -> &'m GpuMatrix,
        outputs: usize,
    ) -> Memory {
        let all = groups.last().map_or(0, |group| group.routes.end);
        let out = self.gpu.room(all * outputs);
        for group in groups {
            let matrix = matrix(group);
            let part = |width: usize| Part {
                first: group.routes.start * width,
                ..whole(width)
            };
            let (from, to) = (part(matrix.inputs), part(outputs));
            self.gpu.linear((input, from), matrix, (&out, to), group.routes.len());
        }
        out
    }
}
