//! Products with tensor cores: inputs and weights in bf16, sums in f32.
//!
//! **Invariant:** the inputs of a matrix are cut into at most [`SLICES`] slices whose length depends on the matrix alone.
//! Within a slice an output is one chain of 16 by 16 by 16 products; slices are added in ascending order to the bias. Few
//! rows let the slices run side by side, many rows go through them one after another: the sums are the same, so the number
//! of rows changes no bit.
//!
//! Where there are no tensor cores the same kernels run with plain multiplications in their place
//! (`Products::Imitated`), so that all but the instruction itself can be checked on any device.

use super::linear::Place;
use super::staging::{STRIDE, stage_inputs, stage_weights};
use crate::device::WeightFormat;
use cubecl::prelude::*;

/// Slices of the inputs, at most.
pub(super) const SLICES: usize = 8;
/// Units that work on a tile together.
pub(super) const PLANE: usize = 32;
/// Rows of a cube of few rows.
pub(super) const FEW: usize = 16;
/// Rows of a cube of many rows.
pub(super) const MANY: usize = 128;
/// Panels of a cube of many rows.
pub(super) const MANY_PANELS: usize = 4;
/// Units of a cube of many rows: 4 planes along the rows, 2 along the panels, each with 2 by 2 tiles.
pub(super) const MANY_UNITS: usize = 256;

/// Blocks of 32 inputs of a slice.
pub(super) fn slice_blocks(inputs: usize) -> usize {
    inputs.div_ceil(32).div_ceil(SLICES).max(8)
}

/// Slices of a matrix.
pub(super) fn slices(inputs: usize) -> usize {
    inputs.div_ceil(32).div_ceil(slice_blocks(inputs))
}

/// How a kernel is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub(super) format: WeightFormat,
    pub(super) has_bias: bool,
    /// Whether plain multiplications stand for tensor cores.
    pub(super) imitated: bool,
    pub(super) slices: usize,
}

/// An empty sum of a tile.
#[cube]
fn empty_tile() -> cmma::Matrix<f32> {
    cmma::Matrix::<f32>::from_value(
        cmma::MatrixIdent::Accumulator,
        16usize,
        16usize,
        16usize,
        cmma::MatrixLayout::Undefined,
        0.0f32,
    )
}

/// Adds the product of 16 rows and 16 outputs over a block of 32 inputs to a tile.
#[cube]
fn multiply<E: Float>(
    rows: &SharedMemory<E>,
    first_row: usize,
    outputs: &SharedMemory<E>,
    first_output: usize,
    sum: &cmma::Matrix<f32>,
) {
    #[unroll]
    for half in 0..2usize {
        let row = first_row + half * 16;
        let output = first_output + half * 16;
        let one = cmma::Matrix::<E>::from_slice(
            cmma::MatrixIdent::A,
            16usize,
            16usize,
            16usize,
            cmma::MatrixLayout::RowMajor,
            &rows.slice(row, row + 15 * STRIDE + 16),
            STRIDE as u32,
        );
        let other = cmma::Matrix::<E>::from_slice(
            cmma::MatrixIdent::B,
            16usize,
            16usize,
            16usize,
            cmma::MatrixLayout::ColMajor,
            &outputs.slice(output, output + 15 * STRIDE + 16),
            STRIDE as u32,
        );
        cmma::execute::<E, E, f32, f32>(&one, &other, sum, sum);
    }
}

/// The same with plain multiplications: of each tile, number `lane + 32 * i` of its 256 is the `i`-th of a lane.
#[cube]
fn imitate<E: Float>(
    rows: &SharedMemory<E>,
    first_row: usize,
    outputs: &SharedMemory<E>,
    first_output: usize,
    sums: &mut Array<f32>,
    first_sum: usize,
    lane: usize,
) {
    for place in 0..8usize {
        let number = lane + place * PLANE;
        let row = first_row + number / 16 * STRIDE;
        let output = first_output + number % 16 * STRIDE;
        let mut sum = sums[first_sum + place];
        for input in 0..32usize {
            sum = fma(
                f32::cast_from(rows[row + input]),
                f32::cast_from(outputs[output + input]),
                sum,
            );
        }
        sums[first_sum + place] = sum;
    }
}

/// Waits for the units that share staged numbers.
#[cube]
fn sync_tile(#[comptime] imitated: bool) {
    if comptime!(imitated) {
        // Planes of a device without tensor cores may have any width.
        sync_cube();
    } else {
        sync_plane();
    }
}

/// Few rows: cube x is a panel, cube y 16 rows, and every plane has a slice.
#[cube(launch_unchecked)]
pub(super) fn few_rows<E: Float>(
    input: &Array<f32>,
    words: &Array<u32>,
    bias: &Array<f32>,
    out: &mut Array<f32>,
    from: Place,
    to: Place,
    rows: usize,
    outputs: usize,
    inputs: usize,
    panel_words: usize,
    slice_blocks: usize,
    #[comptime] kind: Kind,
) {
    let unit = UNIT_POS as usize;
    let (slice, lane) = (unit / PLANE, unit % PLANE);
    let panel = CUBE_POS_X as usize;
    let first_row = CUBE_POS_Y as usize * FEW;
    let panels = outputs.div_ceil(16);
    let blocks = inputs.div_ceil(32);
    let slices = comptime!(kind.slices);
    let room = slice * comptime!(16 * STRIDE);
    let mut row_room = SharedMemory::<E>::new(comptime!(kind.slices * 16 * STRIDE));
    let mut output_room = SharedMemory::<E>::new(comptime!(kind.slices * 16 * STRIDE));
    let mut parts = SharedMemory::<f32>::new(comptime!(kind.slices * 256));
    let mut tiles = Sequence::<cmma::Matrix<f32>>::new();
    if comptime!(!kind.imitated) {
        tiles.push(empty_tile());
    }
    let mut sums = Array::<f32>::new(8usize);
    if comptime!(kind.imitated) {
        #[unroll]
        for place in 0..8usize {
            sums[place] = 0.0f32;
        }
    }
    for step in 0..slice_blocks {
        let block = slice * slice_blocks + step;
        stage_inputs::<E>(
            input,
            from,
            &mut row_room,
            room,
            first_row,
            rows,
            block,
            inputs,
            lane,
            FEW,
            PLANE,
        );
        stage_weights::<E>(
            words,
            &mut output_room,
            room,
            panel,
            panels,
            panel_words,
            block,
            blocks,
            lane,
            comptime!(kind.format),
            1usize,
            PLANE,
        );
        sync_tile(comptime!(kind.imitated));
        if comptime!(kind.imitated) {
            imitate::<E>(&row_room, room, &output_room, room, &mut sums, 0usize, lane);
        } else {
            multiply::<E>(&row_room, room, &output_room, room, tiles.index(0usize));
        }
        sync_tile(comptime!(kind.imitated));
    }
    if comptime!(kind.imitated) {
        #[unroll]
        for place in 0..8usize {
            parts[slice * 256 + lane + place * PLANE] = sums[place];
        }
    } else {
        cmma::store(
            &mut parts.slice_mut(slice * 256, slice * 256 + 256),
            tiles.index(0usize),
            16u32,
            cmma::MatrixLayout::RowMajor,
        );
    }
    sync_cube();
    let mut number = unit;
    while number < 256 {
        let row = first_row + number / 16;
        let output = panel * 16 + number % 16;
        if row < rows && output < outputs {
            let mut sum = 0.0f32;
            if comptime!(kind.has_bias) {
                sum = bias[output];
            }
            #[unroll]
            for part in 0..slices {
                sum += parts[part * 256 + number];
            }
            out[to.first + row * to.stride + output] = sum;
        }
        number += comptime!(kind.slices * PLANE);
    }
}

/// Many rows: cube x is some rows, cube y some panels; slices come one after another.
#[cube(launch_unchecked)]
pub(super) fn many_rows<E: Float>(
    input: &Array<f32>,
    words: &Array<u32>,
    bias: &Array<f32>,
    out: &mut Array<f32>,
    from: Place,
    to: Place,
    rows: usize,
    outputs: usize,
    inputs: usize,
    panel_words: usize,
    slice_blocks: usize,
    #[comptime] kind: Kind,
) {
    let unit = UNIT_POS as usize;
    let (plane, lane) = (unit / PLANE, unit % PLANE);
    let (plane_row, plane_panel) = (plane / 2 * 2, plane % 2 * 2);
    let first_row = CUBE_POS_X as usize * MANY;
    let first_panel = CUBE_POS_Y as usize * MANY_PANELS;
    let panels = outputs.div_ceil(16);
    let blocks = inputs.div_ceil(32);
    let mut row_room = SharedMemory::<E>::new(comptime!(MANY * STRIDE));
    let mut output_room = SharedMemory::<E>::new(comptime!(MANY_PANELS * 16 * STRIDE));
    let mut parts = SharedMemory::<f32>::new(comptime!(if kind.imitated { 1 } else { MANY_UNITS / PLANE * 256 }));
    let mut tiles = Sequence::<cmma::Matrix<f32>>::new();
    if comptime!(!kind.imitated) {
        #[unroll]
        for _ in 0..4usize {
            tiles.push(empty_tile());
        }
    }
    let mut sums = Array::<f32>::new(32usize);
    let mut totals = Array::<f32>::new(32usize);
    #[unroll]
    for tile in 0..4usize {
        #[unroll]
        for place in 0..8usize {
            let output = (first_panel + plane_panel + tile % 2) * 16 + lane % 16;
            let mut start = 0.0f32;
            if comptime!(kind.has_bias) {
                if output < outputs {
                    start = bias[output];
                }
            }
            totals[tile * 8 + place] = start;
            if comptime!(kind.imitated) {
                sums[tile * 8 + place] = 0.0f32;
            }
        }
    }
    for slice in 0..comptime!(kind.slices) {
        for step in 0..slice_blocks {
            let block = slice * slice_blocks + step;
            if block < blocks {
                stage_inputs::<E>(
                    input,
                    from,
                    &mut row_room,
                    0usize,
                    first_row,
                    rows,
                    block,
                    inputs,
                    unit,
                    MANY,
                    MANY_UNITS,
                );
                stage_weights::<E>(
                    words,
                    &mut output_room,
                    0usize,
                    first_panel,
                    panels,
                    panel_words,
                    block,
                    blocks,
                    unit,
                    comptime!(kind.format),
                    MANY_PANELS,
                    MANY_UNITS,
                );
                sync_cube();
                #[unroll]
                for tile in 0..4usize {
                    let row = (plane_row + tile / 2) * comptime!(16 * STRIDE);
                    let output = (plane_panel + tile % 2) * comptime!(16 * STRIDE);
                    if comptime!(kind.imitated) {
                        imitate::<E>(&row_room, row, &output_room, output, &mut sums, tile * 8, lane);
                    } else {
                        multiply::<E>(&row_room, row, &output_room, output, tiles.index(tile));
                    }
                }
                sync_cube();
            }
        }
        #[unroll]
        for tile in 0..4usize {
            if comptime!(kind.imitated) {
                #[unroll]
                for place in 0..8usize {
                    totals[tile * 8 + place] += sums[tile * 8 + place];
                    sums[tile * 8 + place] = 0.0f32;
                }
            } else {
                sync_plane();
                cmma::store(
                    &mut parts.slice_mut(plane * 256, plane * 256 + 256),
                    tiles.index(tile),
                    16u32,
                    cmma::MatrixLayout::RowMajor,
                );
                cmma::fill::<f32>(tiles.index(tile), 0.0f32);
                sync_plane();
                #[unroll]
                for place in 0..8usize {
                    totals[tile * 8 + place] += parts[plane * 256 + lane + place * PLANE];
                }
            }
        }
    }
    #[unroll]
    for tile in 0..4usize {
        #[unroll]
        for place in 0..8usize {
            let number = lane + place * PLANE;
            let row = first_row + (plane_row + tile / 2) * 16 + number / 16;
            let output = (first_panel + plane_panel + tile % 2) * 16 + number % 16;
            if row < rows && output < outputs {
                out[to.first + row * to.stride + output] = totals[tile * 8 + place];
            }
        }
    }
}
