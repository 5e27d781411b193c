//! Brings parts of inputs and weights to shared memory as numbers that tensor cores take.
//!
//! There, rows and outputs are [`STRIDE`] numbers apart, of which the first 32 are a block of inputs.

use super::linear::Place;
use super::numeric::round_to_bf16;
use super::weights::{Q4_WORDS, Q8_WORDS, scale, signed_byte};
use crate::device::WeightFormat;
use cubecl::prelude::*;

/// From one row or output to the next, in numbers: more than a block, so that rows lie in different banks.
pub(super) const STRIDE: usize = 40;

/// Rows of inputs, from `first_row` on, of one block, rounded to bf16; zeros beyond the last row and the last input.
/// `unit` of `units` does its share.
#[cube]
pub(super) fn stage_inputs<E: Float>(
    input: &Array<f32>,
    from: Place,
    staged: &mut SharedMemory<E>,
    room: usize,
    first_row: usize,
    rows: usize,
    block: usize,
    inputs: usize,
    unit: usize,
    #[comptime] height: usize,
    #[comptime] units: usize,
) {
    let column = unit % 32;
    let input_column = block * 32 + column;
    #[unroll]
    for part in 0..comptime!(height * 32 / units) {
        let row = part * comptime!(units / 32) + unit / 32;
        let mut number = 0.0f32;
        if first_row + row < rows && input_column < inputs {
            number = input[from.first + (first_row + row) * from.stride + input_column];
        }
        staged[room + row * STRIDE + column] = E::cast_from(round_to_bf16(number));
    }
}

/// A block of inputs of `panels` panels from `first_panel` on; zeros where the matrix has no such block or panel.
#[cube]
pub(super) fn stage_weights<E: Float>(
    words: &Array<u32>,
    staged: &mut SharedMemory<E>,
    room: usize,
    first_panel: usize,
    all_panels: usize,
    panel_words: usize,
    block: usize,
    blocks: usize,
    unit: usize,
    #[comptime] format: WeightFormat,
    #[comptime] panels: usize,
    #[comptime] units: usize,
) {
    let block_words = comptime!(match format {
        WeightFormat::Q8 => 128,
        WeightFormat::Q4 => 64,
        _ => 256,
    });
    #[unroll]
    for part in 0..comptime!((panels * block_words).div_ceil(units)) {
        let place = part * units + unit;
        let panel = place / block_words;
        let word = place % block_words;
        let (group, lane) = (word / 16, word % 16);
        if panel < panels {
            let to = room + (panel * 16 + lane) * STRIDE;
            let is_there = first_panel + panel < all_panels && block < blocks;
            let first = (first_panel + panel) * panel_words;
            if comptime!(format == WeightFormat::Bf16) {
                // A panel ends with its last pair of inputs, in the middle of a block perhaps.
                let mut pair = 0u32;
                if is_there && (block * 16 + group) * 16 < panel_words {
                    pair = words[first + block * 256 + word];
                }
                staged[to + group * 2] = E::cast_from(f32::reinterpret(pair << 16u32));
                staged[to + group * 2 + 1] = E::cast_from(f32::reinterpret(pair & 0xffff_0000u32));
            } else if comptime!(format == WeightFormat::Q8) {
                let mut four = 0u32;
                let mut factor = 0.0f32;
                if is_there {
                    four = words[first + block * Q8_WORDS + 8 + word];
                    factor = scale(words, first + block * Q8_WORDS, lane);
                }
                #[unroll]
                for byte in 0..4usize {
                    let number = f32::cast_from(signed_byte(four, byte as u32)) * factor;
                    staged[to + group * 4 + byte] = E::cast_from(round_to_bf16(number));
                }
            } else {
                let mut four = 0u32;
                let mut factor = 0.0f32;
                if is_there {
                    four = words[first + block * Q4_WORDS + 8 + word];
                    factor = scale(words, first + block * Q4_WORDS, lane);
                }
                #[unroll]
                for byte in 0..4usize {
                    let both = four >> (byte as u32 * 8u32);
                    let low = (f32::cast_from(both & 15u32) - 8.0) * factor;
                    let high = (f32::cast_from((both >> 4u32) & 15u32) - 8.0) * factor;
                    staged[to + group * 4 + byte] = E::cast_from(round_to_bf16(low));
                    staged[to + 16 + group * 4 + byte] = E::cast_from(round_to_bf16(high));
                }
            }
        }
    }
}
