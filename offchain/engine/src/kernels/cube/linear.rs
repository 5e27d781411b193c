//! Products with plain fused multiply-adds: an output is one chain over its inputs in ascending order, begun with the
//! bias, whatever the number of rows; in f32 and bf16 the very bits of the CPU.

use super::weights::weight;
use crate::device::WeightFormat;
use cubecl::prelude::*;

/// Units of a cube, each with one output.
pub(super) const UNITS: usize = 64;
/// Inputs that are brought to shared memory at once.
const STEP: usize = 64;

/// Where rows lie in a tensor.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(crate) struct Place {
    /// Of the first number of the first row.
    pub(crate) first: usize,
    /// From one row to the next.
    pub(crate) stride: usize,
}

/// `input * weight^T + bias` for `height` rows in each cube: cube x is 64 outputs, cube y some rows.
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its buffers and shapes one by one"
)]
#[cube(launch_unchecked)]
pub(super) fn linear(
    input: &Array<f32>,
    words: &Array<u32>,
    bias: &Array<f32>,
    out: &mut Array<f32>,
    from: Place,
    to: Place,
    rows: usize,
    outputs: usize,
    inputs: usize,
    panel: usize,
    #[comptime] format: WeightFormat,
    #[comptime] has_bias: bool,
    #[comptime] height: usize,
) {
    let unit = UNIT_POS as usize;
    let output = CUBE_POS_X as usize * UNITS + unit;
    let first_row = CUBE_POS_Y as usize * height;
    let mut staged = SharedMemory::<f32>::new(comptime!(height * STEP));
    let mut sums = Array::<f32>::new(height);
    let mut start = 0.0f32;
    if comptime!(has_bias) {
        if output < outputs {
            start = bias[output];
        }
    }
    #[unroll]
    for row in 0..height {
        sums[row] = start;
    }
    let mut base = 0usize.runtime();
    while base < inputs {
        sync_cube();
        #[unroll]
        for row in 0..height {
            let (place, column) = (first_row + row, base + unit);
            let mut number = 0.0f32;
            if place < rows && column < inputs {
                number = input[from.first + place * from.stride + column];
            }
            staged[row * STEP + unit] = number;
        }
        sync_cube();
        if output < outputs {
            let count = select(inputs - base < STEP, inputs - base, STEP.runtime());
            for column in 0..count {
                let number = weight(words, output, base + column, panel, format);
                #[unroll]
                for row in 0..height {
                    sums[row] = fma(staged[row * STEP + column], number, sums[row]);
                }
            }
        }
        base += STEP;
    }
    if output < outputs {
        #[unroll]
        for row in 0..height {
            if first_row + row < rows {
                out[to.first + (first_row + row) * to.stride + output] = sums[row];
            }
        }
    }
}
