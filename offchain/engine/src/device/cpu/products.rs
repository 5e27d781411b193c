//! Products, shared by threads.
#![allow(unsafe_code, reason = "threads fill different tiles and write different columns")]

use super::{CpuDevice, CpuTensor};
use crate::kernels::Pool;
use crate::kernels::matrix::{Activations, OutputColumns, PANEL, PackedMatrix, multiply};
use std::ops::Range;

/// Multiplications that one thread alone does faster than it could wake another.
const ALONE: usize = 64 * 1024;

/// One product of several that run at once.
pub(super) struct Product<'a> {
    pub(super) matrix: &'a PackedMatrix,
    pub(super) input: &'a Activations,
    pub(super) out: OutputColumns<'a>,
}

impl CpuDevice {
    /// `input * weight^T + bias`.
    pub(super) fn product(&mut self, input: &CpuTensor, weight: &PackedMatrix) -> CpuTensor {
        let mut out = self.room(input.rows(), weight.outputs());
        if self.inputs.is_empty() {
            self.inputs.push(Activations::new());
        }
        let writer = self.inputs[0].begin(weight.input_kind(), input.rows(), input.width);
        let tiles = writer.tiles();
        let at_once = if input.numbers.len() <= super::ALONE { tiles } else { 1 };
        self.pool.run(tiles.div_ceil(at_once.max(1)), &|task, _| {
            let tiles = task * at_once..((task + 1) * at_once).min(tiles);
            // SAFETY: tasks have no tile in common.
            unsafe { writer.fill(tiles, |row| input.row(row)) };
        });
        let product = Product {
            matrix: weight,
            input: &self.inputs[0],
            out: OutputColumns::new(&mut out.numbers, weight.outputs(), 0..weight.outputs()),
        };
        run(&mut self.pool, &[product]);
        out
    }

    /// Columns `h * inputs ..` through `weights[h]`.
    pub(super) fn products_of_heads(&mut self, input: &CpuTensor, weights: &[PackedMatrix]) -> CpuTensor {
        let width = weights.iter().map(PackedMatrix::outputs).sum();
        let mut out = self.room(input.rows(), width);
        self.make_inputs(weights.len());
        let mut from = 0;
        for (weight, prepared) in weights.iter().zip(&mut self.inputs) {
            let columns = from..from + weight.inputs();
            prepared.prepare(weight.input_kind(), input.rows(), weight.inputs(), |row| {
                &input.row(row)[columns.clone()]
            });
            from = columns.end;
        }
        let mut rest = OutputColumns::new(&mut out.numbers, width, 0..width);
        let mut products = Vec::with_capacity(weights.len());
        for (weight, prepared) in weights.iter().zip(&self.inputs) {
            let (own, others) = rest.split_at(weight.outputs());
            rest = others;
            products.push(Product {
                matrix: weight,
                input: prepared,
                out: own,
            });
        }
        run(&mut self.pool, &products);
        out
    }

    /// Makes sure that as many inputs can be prepared at once.
    pub(super) fn make_inputs(&mut self, count: usize) {
        if self.inputs.len() < count {
            self.inputs.resize_with(count, Activations::new);
        }
    }
}

/// Computes products, each cut into stretches of panels.
pub(super) fn run(pool: &mut Pool, products: &[Product<'_>]) {
    let work =
        |product: &Product<'_>| product.matrix.panels() * PANEL * product.matrix.inputs() * product.input.tokens();
    let all: usize = products.iter().map(work).sum();
    // Enough stretches that a thread which is held up leaves little to the end.
    let stretches = (all / ALONE).clamp(1, if pool.threads() == 1 { 1 } else { pool.threads() * 8 });
    let share = all.div_ceil(stretches).max(1);
    let cuts: Vec<(usize, Range<usize>)> = products
        .iter()
        .enumerate()
        .flat_map(|(number, product)| {
            let (panels, work) = (product.matrix.panels(), work(product));
            // Four panels at a time are multiplied fastest.
            let at_once = (panels * share).div_ceil(work.max(1)).min(panels).next_multiple_of(4);
            (0..panels)
                .step_by(at_once.max(1))
                .map(move |first| (number, first..(first + at_once).min(panels)))
        })
        .collect();
    pool.run(cuts.len(), &|task, _| {
        let (number, panels) = cuts[task].clone();
        let product = &products[number];
        let columns = panels.start * PANEL..(panels.end * PANEL).min(product.matrix.outputs());
        // SAFETY: cuts of a product have no panel in common, and products no column.
        let mut out = unsafe { product.out.part(columns) };
        multiply(product.matrix, panels, product.input, &mut out);
    });
}
