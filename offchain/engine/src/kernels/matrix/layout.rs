//! Where the numbers of a panel lie.
//!
//! - f32: for every input, the 16 numbers.
//! - bf16: for every pair of inputs, 16 pairs; an odd last input has a zero beside it.
//! - q8: for every block of 32 inputs, 16 scales in f16, then for every four inputs 16 times their four bytes.
//! - q4: as q8, but the four bytes have inputs `4 g ..` of the block in their lower halves and inputs `16 + 4 g ..` in
//!   their upper halves: 16 scales, then four times 16 times four bytes.
//!
//! Inputs beyond the last of a block are zeros, as are outputs beyond the last of the matrix.

use super::PANEL;
use super::blocks::{BLOCK, Q4_BYTES, Q8_BYTES, read_q4, read_q8, write_q4, write_q8};
use crate::device::WeightFormat;
use half::bf16;

/// Bytes of a block of all outputs of a panel.
pub(super) const Q8_PANEL: usize = PANEL * Q8_BYTES;

/// Bytes of a block of all outputs of a panel.
pub(super) const Q4_PANEL: usize = PANEL * Q4_BYTES;

/// Bytes of the scales that a block of a panel begins with.
pub(super) const SCALES: usize = 2 * PANEL;

/// Bytes of a panel.
pub(super) fn panel_bytes(inputs: usize, format: WeightFormat) -> usize {
    match format {
        WeightFormat::F32 => inputs * 4 * PANEL,
        WeightFormat::Bf16 => inputs.div_ceil(2) * 4 * PANEL,
        WeightFormat::Q8 => inputs.div_ceil(BLOCK) * Q8_PANEL,
        WeightFormat::Q4 => inputs.div_ceil(BLOCK) * Q4_PANEL,
    }
}

/// Bytes of a block of one output, for the formats that have blocks.
pub(super) fn block_bytes(format: WeightFormat) -> Option<usize> {
    match format {
        WeightFormat::F32 | WeightFormat::Bf16 => None,
        WeightFormat::Q8 => Some(Q8_BYTES),
        WeightFormat::Q4 => Some(Q4_BYTES),
    }
}

/// Rounds 32 numbers to a block.
type WriteBlock = fn(&[f32; BLOCK], &mut [u8]);

/// Puts whole rows of `inputs` numbers into their panel.
pub(super) fn write_rows(panel: &mut [u8], rows: &[f32], inputs: usize, format: WeightFormat) {
    match format {
        WeightFormat::F32 => {
            for (input, place) in panel.chunks_exact_mut(4 * PANEL).enumerate() {
                for (row, place) in rows.chunks_exact(inputs).zip(place.chunks_exact_mut(4)) {
                    place.copy_from_slice(&row[input].to_le_bytes());
                }
            }
        }
        WeightFormat::Bf16 => {
            for (pair, place) in panel.chunks_exact_mut(4 * PANEL).enumerate() {
                for (row, place) in rows.chunks_exact(inputs).zip(place.chunks_exact_mut(4)) {
                    for (number, place) in row[2 * pair..].iter().zip(place.chunks_exact_mut(2)) {
                        place.copy_from_slice(&bf16::from_f32(*number).to_le_bytes());
                    }
                }
            }
        }
        WeightFormat::Q8 | WeightFormat::Q4 => {
            let (size, write): (usize, WriteBlock) = match format {
                WeightFormat::Q8 => (Q8_BYTES, write_q8),
                _ => (Q4_BYTES, write_q4),
            };
            let block = &mut [0; Q8_BYTES][..size];
            for (lane, row) in rows.chunks_exact(inputs).enumerate() {
                for (place, numbers) in row.chunks(BLOCK).enumerate() {
                    let mut padded = [0.0; BLOCK];
                    padded[..numbers.len()].copy_from_slice(numbers);
                    write(&padded, block);
                    write_block(panel, lane, place, block);
                }
            }
        }
    }
}

/// Puts a block of one output into its panel: its scale among the scales, its bytes by fours.
pub(super) fn write_block(panel: &mut [u8], lane: usize, place: usize, block: &[u8]) {
    let of_panel = &mut panel[place * PANEL * block.len()..][..PANEL * block.len()];
    let (scale, bytes) = block.split_at(2);
    let (scales, groups) = of_panel.split_at_mut(SCALES);
    scales[2 * lane..][..2].copy_from_slice(scale);
    for (four, group) in bytes.chunks_exact(4).zip(groups.chunks_exact_mut(4 * PANEL)) {
        group[4 * lane..][..4].copy_from_slice(four);
    }
}

/// The reverse of [`write_block`].
pub(super) fn read_block(panel: &[u8], lane: usize, place: usize, block: &mut [u8]) {
    let of_panel = &panel[place * PANEL * block.len()..][..PANEL * block.len()];
    let (scale, bytes) = block.split_at_mut(2);
    let (scales, groups) = of_panel.split_at(SCALES);
    scale.copy_from_slice(&scales[2 * lane..][..2]);
    for (four, group) in bytes.chunks_exact_mut(4).zip(groups.chunks_exact(4 * PANEL)) {
        four.copy_from_slice(&group[4 * lane..][..4]);
    }
}

/// The numbers of a row as they are stored.
pub(super) fn read_row(panel: &[u8], lane: usize, row: &mut [f32], format: WeightFormat) {
    match format {
        WeightFormat::F32 => {
            for (number, place) in row.iter_mut().zip(panel.chunks_exact(4 * PANEL)) {
                let bytes = &place[4 * lane..][..4];
                *number = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
        }
        WeightFormat::Bf16 => {
            for (pair, place) in row.chunks_mut(2).zip(panel.chunks_exact(4 * PANEL)) {
                for (number, bytes) in pair.iter_mut().zip(place[4 * lane..][..4].chunks_exact(2)) {
                    *number = bf16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
                }
            }
        }
        WeightFormat::Q8 | WeightFormat::Q4 => {
            let (mut block, mut numbers) = ([0; Q8_BYTES], [0.0; BLOCK]);
            for (place, row) in row.chunks_mut(BLOCK).enumerate() {
                if format == WeightFormat::Q8 {
                    read_block(panel, lane, place, &mut block);
                    read_q8(&block, &mut numbers);
                } else {
                    read_block(panel, lane, place, &mut block[..Q4_BYTES]);
                    read_q4(&block[..Q4_BYTES], &mut numbers);
                }
                row.copy_from_slice(&numbers[..row.len()]);
            }
        }
    }
}
