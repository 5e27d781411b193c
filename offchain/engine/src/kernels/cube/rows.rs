//! What happens to rows one by one: norms, sums, gates, columns, rows of other tensors.

use super::numeric::{sigmoid, tanh, tree_sum};
use super::weights::weight;
use crate::device::WeightFormat;
use cubecl::prelude::*;

/// Which function stands between the halves of a gated feed-forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Gate {
    Silu,
    GeluTanh,
    ClampedSwiglu,
}

/// Root mean square norm of groups of `size` columns, a cube for each; with `adds`, `other` is added to `input` first,
/// and the sum stays there.
#[cube(launch_unchecked)]
pub(super) fn rms_norm(
    input: &mut Array<f32>,
    other: &Array<f32>,
    scale: &Array<f32>,
    out: &mut Array<f32>,
    groups: usize,
    size: usize,
    epsilon: f32,
    #[comptime] adds: bool,
    #[comptime] units: usize,
) {
    let group = CUBE_POS;
    if group < groups {
        let mut room = SharedMemory::<f32>::new(units);
        let first = group * size;
        let mut squares = 0.0f32;
        let mut column = UNIT_POS as usize;
        while column < size {
            let mut number = input[first + column];
            if comptime!(adds) {
                number += other[first + column];
                input[first + column] = number;
            }
            squares = fma(number, number, squares);
            column += units;
        }
        let mean = tree_sum(squares, &mut room, units) / f32::cast_from(size as u32);
        let factor = 1.0 / f32::sqrt(mean + epsilon);
        let mut column = UNIT_POS as usize;
        while column < size {
            out[first + column] = input[first + column] * factor * scale[column];
            column += units;
        }
    }
}

/// `sum += other`.
#[cube(launch_unchecked)]
pub(super) fn add(sum: &mut Array<f32>, other: &Array<f32>, count: usize) {
    if ABSOLUTE_POS < count {
        sum[ABSOLUTE_POS] += other[ABSOLUTE_POS];
    }
}

/// `input *= factor`.
#[cube(launch_unchecked)]
pub(super) fn scale(input: &mut Array<f32>, factor: f32, count: usize) {
    if ABSOLUTE_POS < count {
        input[ABSOLUTE_POS] *= factor;
    }
}

/// The second half of the columns of `gate_up`, scaled by the first through a function. `width` is the half, `count`
/// the numbers of the result.
#[cube(launch_unchecked)]
pub(super) fn gated(
    gate_up: &Array<f32>,
    out: &mut Array<f32>,
    width: usize,
    count: usize,
    alpha: f32,
    limit: f32,
    #[comptime] kind: Gate,
) {
    if ABSOLUTE_POS < count {
        let (row, column) = (ABSOLUTE_POS / width, ABSOLUTE_POS % width);
        let gate = gate_up[row * 2 * width + column];
        let up = gate_up[row * 2 * width + width + column];
        out[ABSOLUTE_POS] = if comptime!(kind == Gate::Silu) {
            gate * sigmoid(gate) * up
        } else if comptime!(kind == Gate::GeluTanh) {
            let cube = 0.044_715 * gate * gate * gate;
            0.5 * gate * (1.0 + tanh(0.797_884_6 * (gate + cube))) * up
        } else {
            let gate = select(gate > limit, limit, gate);
            let up = select(up > limit, limit, up);
            let up = select(up < -limit, -limit, up);
            gate * sigmoid(alpha * gate) * (up + 1.0)
        };
    }
}

/// Columns from `first` on: `width` of `stride`.
#[cube(launch_unchecked)]
pub(super) fn columns(
    input: &Array<f32>,
    out: &mut Array<f32>,
    first: usize,
    width: usize,
    stride: usize,
    count: usize,
) {
    if ABSOLUTE_POS < count {
        out[ABSOLUTE_POS] = input[ABSOLUTE_POS / width * stride + first + ABSOLUTE_POS % width];
    }
}

/// Head by head `left` columns of `one`, then `right` of `other`.
#[cube(launch_unchecked)]
pub(super) fn join_heads(
    one: &Array<f32>,
    other: &Array<f32>,
    out: &mut Array<f32>,
    left: usize,
    right: usize,
    count: usize,
) {
    if ABSOLUTE_POS < count {
        let both = left + right;
        let (head, column) = (ABSOLUTE_POS / both, ABSOLUTE_POS % both);
        if column < left {
            out[ABSOLUTE_POS] = one[head * left + column];
        } else {
            out[ABSOLUTE_POS] = other[head * right + column - left];
        }
    }
}

/// Rows of `input` by their numbers.
#[cube(launch_unchecked)]
pub(super) fn gather(input: &Array<f32>, rows: &Array<u32>, out: &mut Array<f32>, width: usize, count: usize) {
    if ABSOLUTE_POS < count {
        let row = rows[ABSOLUTE_POS / width] as usize;
        out[ABSOLUTE_POS] = input[row * width + ABSOLUTE_POS % width];
    }
}

/// Stands before the number of a chosen token.
pub(crate) const CHOSEN: u32 = 0x8000_0000;

/// Rows of a packed matrix, which has `all`, by their numbers; one from [`CHOSEN`] on is the number of a place in
/// `chosen` that has the row, and what is no row there gives the first.
#[cube(launch_unchecked)]
pub(super) fn embed(
    words: &Array<u32>,
    rows: &Array<u32>,
    chosen: &Array<u32>,
    out: &mut Array<f32>,
    width: usize,
    panel: usize,
    all: usize,
    count: usize,
    #[comptime] format: WeightFormat,
    #[comptime] follows: bool,
) {
    if ABSOLUTE_POS < count {
        let mut row = rows[ABSOLUTE_POS / width];
        if comptime!(follows) {
            if row >= 0x8000_0000u32 {
                row = chosen[(row & 0x7fff_ffffu32) as usize];
                if row >= all as u32 {
                    row = 0u32;
                }
            }
        }
        out[ABSOLUTE_POS] = weight(words, row as usize, ABSOLUTE_POS % width, panel, format);
    }
}

/// For every row the results of its experts, each by its weight, in the order of the routes: the routes of a row are
/// those from `starts[row]` to `starts[row + 1]`, and the result of a route lies in row `places[route]` of `parts`.
#[cube(launch_unchecked)]
pub(super) fn mix(
    parts: &Array<f32>,
    starts: &Array<u32>,
    places: &Array<u32>,
    weights: &Array<f32>,
    out: &mut Array<f32>,
    width: usize,
    count: usize,
) {
    if ABSOLUTE_POS < count {
        let (row, column) = (ABSOLUTE_POS / width, ABSOLUTE_POS % width);
        let mut sum = 0.0f32;
        let mut route = starts[row] as usize;
        let end = starts[row + 1] as usize;
        while route < end {
            sum = fma(weights[route], parts[places[route] as usize * width + column], sum);
            route += 1;
        }
        out[ABSOLUTE_POS] = sum;
    }
}
