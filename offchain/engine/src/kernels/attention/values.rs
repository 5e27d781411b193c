//! The second half of attention: values times the weights that the scores gave.

use super::{Row, seen};
use crate::kernels::prefetch::ask_for;
use crate::kernels::vectors::LANES;
use crate::limits::KV_BLOCK;

/// Adds the values of a block, each times its weight, to the results of the rows; `weights` of a row are `len` after
/// those of the row before. Asks for `next` meanwhile.
#[inline(always)]
pub(super) fn value_block<const R: usize>(
    mut rows: [&mut Row<'_>; R],
    position: usize,
    weights: &[f32],
    len: usize,
    values: &[f32],
    next: &[f32],
    stride: usize,
) {
    if !seen(&rows, position) {
        return;
    }
    // Slots that all rows see, and those before and after that only some see.
    let (mut low, mut high) = (0, KV_BLOCK);
    for row in &rows {
        low = low.max(row.low.saturating_sub(position));
        high = high.min(row.high.saturating_sub(position));
    }
    let low = low.min(KV_BLOCK);
    let high = high.max(low);
    let value_dim = rows[0].out.len();
    for column in (0..value_dim).step_by(LANES) {
        let columns = column..(column + LANES).min(value_dim);
        let mut sums = [[0.0_f32; LANES]; R];
        for (sums, row) in sums.iter_mut().zip(&rows) {
            sums[..columns.len()].copy_from_slice(&row.out[columns.clone()]);
        }
        for slot in 0..low {
            add_seen(
                &mut sums,
                &rows,
                position,
                slot,
                weights,
                len,
                &values[slot * stride + column..],
            );
        }
        let mut weights_seen = [weights; R];
        for (row, weights) in weights_seen.iter_mut().enumerate() {
            *weights = &weights[row * len + low..row * len + high];
        }
        // As many lines as there are steps, in their order.
        let next = next.get(column * KV_BLOCK..).unwrap_or(&[]);
        sums = weighted(
            sums,
            weights_seen,
            &values[low * stride..high * stride],
            stride,
            column,
            next,
        );
        for slot in high..KV_BLOCK {
            add_seen(
                &mut sums,
                &rows,
                position,
                slot,
                weights,
                len,
                &values[slot * stride + column..],
            );
        }
        for (sums, row) in sums.iter().zip(&mut rows) {
            row.out[columns.clone()].copy_from_slice(&sums[..columns.len()]);
        }
    }
}

/// The first lanes of a slice that has as many at least.
#[inline(always)]
fn lanes(numbers: &[f32]) -> &[f32; LANES] {
    &numbers.as_chunks::<LANES>().0[0]
}

/// Adds to each row's sums its weights times columns `column ..` of the values, which lie `stride` apart; asks for a
/// line of `next` with each of them.
#[inline(always)]
fn weighted<const R: usize>(
    mut sums: [[f32; LANES]; R],
    weights: [&[f32]; R],
    values: &[f32],
    stride: usize,
    column: usize,
    next: &[f32],
) -> [[f32; LANES]; R] {
    let count = weights[0].len();
    let weights = weights.map(|weights| &weights[..count]);
    for (slot, values) in values.chunks_exact(stride).take(count).enumerate() {
        let values = lanes(&values[column..]);
        ask_for(next, slot);
        for row in 0..R {
            let weight = weights[row][slot];
            for lane in 0..LANES {
                sums[row][lane] = weight.mul_add(values[lane], sums[row][lane]);
            }
        }
    }
    sums
}

/// Adds one slot's values to the rows that see it.
#[inline(always)]
fn add_seen<const R: usize>(
    sums: &mut [[f32; LANES]; R],
    rows: &[&mut Row<'_>; R],
    position: usize,
    slot: usize,
    weights: &[f32],
    len: usize,
    values: &[f32],
) {
    for row in 0..R {
        if rows[row].low <= position + slot && position + slot < rows[row].high {
            let values = lanes(values);
            let weight = weights[row * len + slot];
            for lane in 0..LANES {
                sums[row][lane] = weight.mul_add(values[lane], sums[row][lane]);
            }
        }
    }
}
