//! Mixtures of experts: rows are gathered by expert, all experts run at once, and results are added row by row.
#![allow(unsafe_code, reason = "threads write different rows and columns")]

use super::products::{Product, run};
use super::{CpuDevice, CpuTensor};
use crate::device::by_expert::{ByExpert, Group};
use crate::device::{Activation, Device, Expert, Route};
use crate::kernels::matrix::OutputColumns;
use crate::kernels::{SharedOut, add_scaled};

/// Columns that one task adds up.
const COLUMNS: usize = 256;

impl CpuDevice {
    pub(super) fn mixture(
        &mut self,
        input: &CpuTensor,
        experts: &[Expert<Self>],
        routes: &[Route],
        activation: Activation,
    ) -> CpuTensor {
        let ByExpert { order, places, groups } = ByExpert::of(routes);
        let mut out = self.room(input.rows(), input.width);
        let Some(any) = groups.first() else {
            out.numbers.fill(0.0);
            return out;
        };
        let any = &experts[any.expert];
        let (wide, hidden) = (any.gate_up.outputs(), any.down.outputs());
        let gate_up = self.grouped(
            &groups,
            wide,
            |place| input.row(routes[order[place]].row),
            |group| &experts[group.expert].gate_up,
        );
        let gated = self.gated(gate_up, activation);
        let down = self.grouped(
            &groups,
            hidden,
            |place| gated.row(place),
            |group| &experts[group.expert].down,
        );
        let rows = out.rows();
        let shared = SharedOut::new(&mut out.numbers);
        self.pool.run(hidden.div_ceil(COLUMNS), &|task, _| {
            let columns = task * COLUMNS..((task + 1) * COLUMNS).min(hidden);
            for row in 0..rows {
                // SAFETY: tasks have no column in common, and this part is gone before the next.
                unsafe { shared.part(row * hidden + columns.start..row * hidden + columns.end) }.fill(0.0);
            }
            for (route, place) in routes.iter().zip(&places) {
                let first = route.row * hidden;
                // SAFETY: as above.
                let sum = unsafe { shared.part(first + columns.start..first + columns.end) };
                add_scaled(sum, &down.row(*place)[columns.clone()], route.weight);
            }
        });
        out
    }

    /// Sends the rows of every group through its matrix; the result has the gathered order.
    fn grouped<'r, 'm>(
        &mut self,
        groups: &[Group],
        width: usize,
        row: impl Fn(usize) -> &'r [f32],
        matrix: impl Fn(&Group) -> &'m crate::kernels::matrix::PackedMatrix,
    ) -> CpuTensor {
        let mut out = self.room(groups.last().map_or(0, |group| group.routes.end), width);
        self.make_inputs(groups.len());
        for (group, prepared) in groups.iter().zip(&mut self.inputs) {
            let matrix = matrix(group);
            let first = group.routes.start;
            prepared.prepare(matrix.input_kind(), group.routes.len(), matrix.inputs(), |token| {
                row(first + token)
            });
        }
        let mut rest = &mut *out.numbers;
        let mut products = Vec::with_capacity(groups.len());
        for (group, prepared) in groups.iter().zip(&self.inputs) {
            let (own, others) = rest.split_at_mut(group.routes.len() * width);
            rest = others;
            products.push(Product {
                matrix: matrix(group),
                input: prepared,
                out: OutputColumns::new(own, width, 0..width),
            });
        }
        run(&mut self.pool, &products);
        out
    }
}
