//! Single numbers of packed matrices, in the panels of the CPU: see the layouts of `kernels::matrix`.

use super::numeric::half_to_f32;
use crate::device::WeightFormat;
use cubecl::prelude::*;

/// Words of a block of 32 inputs of a panel of 16 outputs in q8: 8 of scales, 8 times 16 of bytes.
pub(super) const Q8_WORDS: usize = 136;
/// Words of a block of a panel in q4: 8 of scales, 4 times 16 of bytes.
pub(super) const Q4_WORDS: usize = 72;

/// Words of a panel, without the matrix's padding: what the CPU's panels take.
pub(super) fn panel_words(inputs: usize, format: WeightFormat) -> usize {
    match format {
        WeightFormat::F32 => inputs * 16,
        WeightFormat::Bf16 => inputs.div_ceil(2) * 16,
        WeightFormat::Q8 => inputs.div_ceil(32) * Q8_WORDS,
        WeightFormat::Q4 => inputs.div_ceil(32) * Q4_WORDS,
    }
}

/// The number of `output` for `input` as it is stored. `panel` is the words of a panel.
#[cube]
pub(super) fn weight(
    words: &Array<u32>,
    output: usize,
    input: usize,
    panel: usize,
    #[comptime] format: WeightFormat,
) -> f32 {
    let first = output / 16 * panel;
    let lane = output % 16;
    if comptime!(format == WeightFormat::F32) {
        f32::reinterpret(words[first + input * 16 + lane])
    } else if comptime!(format == WeightFormat::Bf16) {
        let pair = words[first + input / 2 * 16 + lane];
        let low = select(input % 2 == 0, pair << 16u32, pair & 0xffff_0000u32);
        f32::reinterpret(low)
    } else if comptime!(format == WeightFormat::Q8) {
        let block = first + input / 32 * Q8_WORDS;
        let four = words[block + 8 + input % 32 / 4 * 16 + lane];
        f32::cast_from(signed_byte(four, (input % 4) as u32)) * scale(words, block, lane)
    } else {
        let block = first + input / 32 * Q4_WORDS;
        let place = input % 16;
        let four = words[block + 8 + place / 4 * 16 + lane];
        let shift = (place % 4 * 8 + input % 32 / 16 * 4) as u32;
        let steps = f32::cast_from((four >> shift) & 15u32) - 8.0;
        steps * scale(words, block, lane)
    }
}

/// Byte `place` of a word, with its sign.
#[cube]
pub(super) fn signed_byte(word: u32, place: u32) -> i32 {
    i32::reinterpret(word << (24u32 - place * 8u32)) >> 24i32
}

/// The scale of an output in a block that begins with 16 of them.
#[cube]
pub(super) fn scale(words: &Array<u32>, block: usize, lane: usize) -> f32 {
    let pair = words[block + lane / 2];
    half_to_f32((pair >> (lane % 2 * 16) as u32) & 0xffffu32)
}
