//! Attention over blocks of cached keys and values.
//!
//! Work comes in tiles: a few rows (a query token and one of its heads) that read the same key head. For a row: each
//! score is one chain over the columns of the key; the greatest score; exponentials, summed in lanes by position modulo
//! [`LANES`] and then in a tree; each column of the result is one chain over the positions, ascending. So a row's
//! numbers do not depend on its tile, on where the blocks lie, or on what came in the same call.
#![allow(unsafe_code, reason = "threads write disjoint rows of one result")]

use super::exp::{exp, tanh};
use super::kv_layer::KvLayer;
use super::pool::Pool;
use super::shared::SharedOut;
use super::vectors::{LANES, tree_sum, widest};
use crate::device::AttentionShape;
use crate::limits::KV_BLOCK;
use crate::model::{BlockId, Span};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Rows that one task does.
const TASK_ROWS: usize = 12;
/// Rows of the greatest tile: as many accumulators as AVX2 has registers for.
const TILE: usize = 6;

/// Bytes that one thread needs for the scores of rows that see so many positions.
pub(crate) fn score_bytes(positions: usize) -> usize {
    (TILE * positions.next_multiple_of(KV_BLOCK)).next_power_of_two() * size_of::<f32>()
}

/// What attention reads. The batch's own keys and values are in the layer already.
pub(crate) struct AttentionInputs<'a> {
    pub(crate) layer: &'a KvLayer,
    pub(crate) shape: &'a AttentionShape,
    /// [rows, heads * key_dim].
    pub(crate) queries: &'a [f32],
    /// For each head a score without a value.
    pub(crate) sinks: Option<&'a [f32]>,
    pub(crate) spans: &'a [Span],
}

/// Fills `out`, [rows, heads * value_dim]. `scratch` has one place for each thread of the pool.
pub(crate) fn attend(pool: &mut Pool, scratch: &[Mutex<Vec<f32>>], inputs: &AttentionInputs<'_>, out: &mut [f32]) {
    let shape = inputs.shape;
    let group = shape.heads / shape.kv_heads;
    let parts = |span: &Span| (span.rows.len() * group).div_ceil(TASK_ROWS);
    let tasks = inputs.spans.iter().map(|span| parts(span) * shape.kv_heads).sum();
    let out = SharedOut::new(out);
    pool.run(tasks, &|task, thread| {
        let mut rest = task;
        for span in inputs.spans {
            let mine = parts(span) * shape.kv_heads;
            if rest >= mine {
                rest -= mine;
                continue;
            }
            // The longest rows first, so that no thread is left with one of them at the end.
            let part = parts(span) - 1 - rest / shape.kv_heads;
            let rows = part * TASK_ROWS..((part + 1) * TASK_ROWS).min(span.rows.len() * group);
            let kv_head = rest % shape.kv_heads;
            let mut scores = scratch[thread].lock().unwrap_or_else(PoisonError::into_inner);
            let mut row = rows.start;
            while row < rows.end {
                let tile = Tile {
                    inputs,
                    span,
                    kv_head,
                    first: row,
                };
                row += match rows.end - row {
                    1 => tile_of_1(&tile, &mut scores, &out),
                    2 | 3 => tile_of_2(&tile, &mut scores, &out),
                    4 | 5 => tile_of_4(&tile, &mut scores, &out),
                    _ => tile_of_6(&tile, &mut scores, &out),
                };
            }
            return;
        }
    });
}

/// Rows from `first` on; row `i` is token `i / group` of the span and head `i % group` of those that read `kv_head`.
struct Tile<'a> {
    inputs: &'a AttentionInputs<'a>,
    span: &'a Span,
    kv_head: usize,
    first: usize,
}

/// One row of a tile.
#[derive(Clone, Copy)]
struct Row<'a> {
    query: &'a [f32],
    sink: Option<f32>,
    /// Positions that it sees: from here …
    low: usize,
    /// … to here, exclusive.
    high: usize,
    /// Where its result begins.
    out: usize,
}

impl<'a> Tile<'a> {
    fn row(&self, index: usize) -> Row<'a> {
        let shape = self.inputs.shape;
        let group = shape.heads / shape.kv_heads;
        let token = (self.first + index) / group;
        let head = self.kv_head * group + (self.first + index) % group;
        let row = self.span.rows.start + token;
        let high = self.span.start + token + 1;
        let query = (row * shape.heads + head) * shape.key_dim;
        Row {
            query: &self.inputs.queries[query..query + shape.key_dim],
            sink: self.inputs.sinks.map(|sinks| sinks[head]),
            low: shape.window.map_or(0, |window| high.saturating_sub(window)),
            high,
            out: (row * shape.heads + head) * shape.value_dim,
        }
    }

    /// The block of a position.
    #[inline(always)]
    fn block(&self, position: usize) -> BlockId {
        self.span.blocks[position / KV_BLOCK]
    }
}

widest! { fn tile_of_1(tile: &Tile<'_>, scores: &mut Vec<f32>, out: &SharedOut<'_>) -> usize = tile_body::<1> }
widest! { fn tile_of_2(tile: &Tile<'_>, scores: &mut Vec<f32>, out: &SharedOut<'_>) -> usize = tile_body::<2> }
widest! { fn tile_of_4(tile: &Tile<'_>, scores: &mut Vec<f32>, out: &SharedOut<'_>) -> usize = tile_body::<4> }
widest! { fn tile_of_6(tile: &Tile<'_>, scores: &mut Vec<f32>, out: &SharedOut<'_>) -> usize = tile_body::<TILE> }

/// Does the first `R` rows of a tile; gives `R`.
#[inline(always)]
fn tile_body<const R: usize>(tile: &Tile<'_>, scores: &mut Vec<f32>, out: &SharedOut<'_>) -> usize {
    let rows: [Row<'_>; R] = std::array::from_fn(|index| tile.row(index));
    let (low, high) = rows.iter().fold((usize::MAX, 0), |(low, high), row| {
        (low.min(row.low), high.max(row.high))
    });
    let base = low / KV_BLOCK * KV_BLOCK;
    let len = high.next_multiple_of(KV_BLOCK) - base;
    if scores.len() < R * len {
        scores.resize((R * len).next_power_of_two(), 0.0);
    }
    let scores = &mut scores[..R * len];
    for position in (base..high).step_by(KV_BLOCK) {
        score_block(tile, &rows, position, &mut scores[position - base..], len);
    }
    let mut factors = [0.0; R];
    for index in 0..R {
        let scores = &mut scores[index * len..(index + 1) * len];
        let row = &rows[index];
        scores[..row.low - base].fill(f32::NEG_INFINITY);
        scores[row.high - base..].fill(f32::NEG_INFINITY);
        factors[index] = 1.0 / exponentials(scores, row.sink);
    }
    let value_dim = tile.inputs.shape.value_dim;
    for column in (0..value_dim).step_by(LANES) {
        let sums = weighted_values(tile, &rows, scores, column, base..high);
        for index in 0..R {
            let columns = column..(column + LANES).min(value_dim);
            // SAFETY: a row and head belong to one task alone.
            let out = unsafe { out.part(rows[index].out + columns.start..rows[index].out + columns.end) };
            for (out, sum) in out.iter_mut().zip(&sums[index]) {
                *out = sum * factors[index];
            }
        }
    }
    R
}

/// The scores of all positions of the block at `position`, for each row `stride` numbers apart.
#[inline(always)]
fn score_block<const R: usize>(
    tile: &Tile<'_>,
    rows: &[Row<'_>; R],
    position: usize,
    scores: &mut [f32],
    stride: usize,
) {
    let shape = tile.inputs.shape;
    let keys = tile.inputs.layer.keys(tile.block(position), tile.kv_head);
    let queries = rows.map(|row| &row.query[..keys.len() / KV_BLOCK]);
    for part in 0..KV_BLOCK / LANES {
        let mut sums = [[0.0_f32; LANES]; R];
        for (column, keys) in keys.chunks_exact(KV_BLOCK).enumerate() {
            let keys = &keys[part * LANES..(part + 1) * LANES];
            for row in 0..R {
                let query = queries[row][column];
                for lane in 0..LANES {
                    sums[row][lane] = query.mul_add(keys[lane], sums[row][lane]);
                }
            }
        }
        for (row, sums) in sums.iter_mut().enumerate() {
            for sum in sums.iter_mut() {
                *sum *= shape.scale;
            }
            if let Some(cap) = shape.softcap {
                for sum in sums.iter_mut() {
                    *sum = cap * tanh(*sum / cap);
                }
            }
            scores[row * stride + part * LANES..][..LANES].copy_from_slice(sums);
        }
    }
}

/// Puts e^(score - greatest) in the place of each score; gives their sum, the sink's included.
#[inline(always)]
fn exponentials(scores: &mut [f32], sink: Option<f32>) -> f32 {
    let (chunks, _) = scores.as_chunks_mut::<LANES>();
    let mut greatest = [f32::NEG_INFINITY; LANES];
    for chunk in chunks.iter() {
        for lane in 0..LANES {
            greatest[lane] = if chunk[lane] > greatest[lane] {
                chunk[lane]
            } else {
                greatest[lane]
            };
        }
    }
    let greatest = greatest
        .iter()
        .fold(sink.unwrap_or(f32::NEG_INFINITY), |one, other| one.max(*other));
    let mut sums = [0.0_f32; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            let value = exp(chunk[lane] - greatest);
            chunk[lane] = value;
            sums[lane] += value;
        }
    }
    tree_sum(sums) + sink.map_or(0.0, |sink| exp(sink - greatest))
}

/// Columns `column .. column + LANES` of the values in `positions`, each row's own with its weights. `positions` begin
/// with a block.
#[inline(always)]
fn weighted_values<const R: usize>(
    tile: &Tile<'_>,
    rows: &[Row<'_>; R],
    weights: &[f32],
    column: usize,
    positions: Range<usize>,
) -> [[f32; LANES]; R] {
    let layer = tile.inputs.layer;
    let stride = layer.value_stride();
    let len = weights.len() / R;
    // Positions that all rows see.
    let all_low = rows.iter().fold(0, |low, row| low.max(row.low));
    let all_high = rows.iter().fold(usize::MAX, |high, row| high.min(row.high));
    let mut sums = [[0.0_f32; LANES]; R];
    for first in positions.clone().step_by(KV_BLOCK) {
        let values = layer.values(tile.block(first), tile.kv_head);
        let end = (first + KV_BLOCK).min(positions.end);
        let all = all_low.clamp(first, end)..all_high.clamp(first, end);
        let all = all.start..all.end.max(all.start);
        let weights = &weights[first - positions.start..];
        for position in first..all.start {
            add_seen(
                &mut sums,
                rows,
                position,
                weights,
                len,
                &values[(position - first) * stride + column..],
                first,
            );
        }
        for position in all.clone() {
            let slot = position - first;
            let values = &values[slot * stride + column..][..LANES];
            for row in 0..R {
                let weight = weights[row * len + slot];
                for lane in 0..LANES {
                    sums[row][lane] = weight.mul_add(values[lane], sums[row][lane]);
                }
            }
        }
        for position in all.end..end {
            add_seen(
                &mut sums,
                rows,
                position,
                weights,
                len,
                &values[(position - first) * stride + column..],
                first,
            );
        }
    }
    sums
}

/// Adds one position's values to the rows that see it.
#[inline(always)]
fn add_seen<const R: usize>(
    sums: &mut [[f32; LANES]; R],
    rows: &[Row<'_>; R],
    position: usize,
    weights: &[f32],
    len: usize,
    values: &[f32],
    first: usize,
) {
    for row in 0..R {
        if (rows[row].low..rows[row].high).contains(&position) {
            let weight = weights[row * len + position - first];
            for lane in 0..LANES {
                sums[row][lane] = weight.mul_add(values[lane], sums[row][lane]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
