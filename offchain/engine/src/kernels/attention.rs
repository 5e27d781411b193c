//! Attention over blocks of cached keys and values.
//!
//! A row is a query token and one of its heads. Rows that read the same key head go in tiles of a few. For a row: each
//! score is one chain over the columns of the key; the greatest score; exponentials, summed in lanes by position modulo
//! [`LANES`] and then in a tree; each column of the result is one chain over the positions, ascending. So a row's
//! numbers do not depend on its tile, on where the blocks lie, or on what came in the same call.
#![allow(unsafe_code, reason = "threads write disjoint rows of one result")]

mod values;

use self::values::value_block;
use super::exp::{exp, tanh};
use super::kv_layer::KvLayer;
use super::pool::Pool;
use super::prefetch::{self, ask_for};
use super::shared::SharedOut;
use super::vectors::{LANES, tree_sum, widest};
use crate::device::AttentionShape;
use crate::limits::KV_BLOCK;
use crate::model::Span;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Rows of a task when there are many: they read a block of keys and values while it is in the nearest cache.
const TASK_ROWS: usize = 24;
/// Rows of the greatest tile: as many accumulators as AVX2 has registers for.
const TILE: usize = 6;

/// Bytes that one thread needs for the scores of rows that see so many positions.
pub(crate) fn score_bytes(positions: usize) -> usize {
    (TASK_ROWS * positions.next_multiple_of(KV_BLOCK)).next_power_of_two() * size_of::<f32>()
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
    let rows: usize = inputs.spans.iter().map(|span| span.rows.len() * shape.heads).sum();
    let task_rows = if rows < 4 * TASK_ROWS * pool.threads() {
        TILE
    } else {
        TASK_ROWS
    };
    let parts = |span: &Span| (span.rows.len() * group).div_ceil(task_rows);
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
            let task = Task {
                inputs,
                span,
                kv_head: rest % shape.kv_heads,
                rows: part * task_rows..((part + 1) * task_rows).min(span.rows.len() * group),
            };
            let mut scores = scratch[thread].lock().unwrap_or_else(PoisonError::into_inner);
            attend_rows(&task, &mut scores, &out);
            return;
        }
    });
}

/// Rows that read `kv_head`: row `i` is token `i / group` of the span and head `i % group` of those that read it.
struct Task<'a> {
    inputs: &'a AttentionInputs<'a>,
    span: &'a Span,
    kv_head: usize,
    rows: Range<usize>,
}

/// One row.
struct Row<'a> {
    query: &'a [f32],
    sink: Option<f32>,
    /// Positions that it sees: from here …
    low: usize,
    /// … to here, exclusive.
    high: usize,
    out: &'a mut [f32],
}

impl<'a> Task<'a> {
    #[inline(always)]
    fn row(&self, index: usize, out: &SharedOut<'a>) -> Row<'a> {
        let shape = self.inputs.shape;
        let group = shape.heads / shape.kv_heads;
        let head = self.kv_head * group + index % group;
        let row = self.span.rows.start + index / group;
        let high = self.span.start + index / group + 1;
        let (query, result) = (
            (row * shape.heads + head) * shape.key_dim,
            (row * shape.heads + head) * shape.value_dim,
        );
        Row {
            query: &self.inputs.queries[query..query + shape.key_dim],
            sink: self.inputs.sinks.map(|sinks| sinks[head]),
            low: shape.window.map_or(0, |window| high.saturating_sub(window)),
            high,
            // SAFETY: a row and head belong to one task alone.
            out: unsafe { out.part(result..result + shape.value_dim) },
        }
    }
}

widest! {
    fn attend_rows(task: &Task<'_>, scores: &mut Vec<f32>, out: &SharedOut<'_>) = attend_rows_body
}

#[inline(always)]
fn attend_rows_body(task: &Task<'_>, scores: &mut Vec<f32>, out: &SharedOut<'_>) {
    let shape = task.inputs.shape;
    let mut rows: Vec<Row<'_>> = task.rows.clone().map(|index| task.row(index, out)).collect();
    let (low, high) = rows.iter().fold((usize::MAX, 0), |(low, high), row| {
        (low.min(row.low), high.max(row.high))
    });
    let base = low / KV_BLOCK * KV_BLOCK;
    let len = high.next_multiple_of(KV_BLOCK) - base;
    if scores.len() < rows.len() * len {
        scores.resize((rows.len() * len).next_power_of_two(), 0.0);
    }
    let layer = task.inputs.layer;
    let block = |position: usize| task.span.blocks[position / KV_BLOCK];
    for position in (base..high).step_by(KV_BLOCK) {
        let keys = layer.keys(block(position), task.kv_head);
        let mut next = match position + KV_BLOCK {
            next if next < high => layer.keys(block(next), task.kv_head),
            _ => layer.values(block(base), task.kv_head),
        };
        let mut first = 0;
        while let Some(height) = tile_height(rows.len() - first) {
            let scores = &mut scores[first * len + position - base..];
            match &mut rows[first..first + height] {
                [one] => score_block([one], position, shape, keys, next, scores, len),
                [one, two] => score_block([one, two], position, shape, keys, next, scores, len),
                [one, two, three, four] => {
                    score_block([one, two, three, four], position, shape, keys, next, scores, len)
                }
                [one, two, three, four, five, six] => {
                    score_block(
                        [one, two, three, four, five, six],
                        position,
                        shape,
                        keys,
                        next,
                        scores,
                        len,
                    );
                }
                _ => {}
            }
            first += height;
            next = &[];
        }
    }
    let mut factors = [0.0; TASK_ROWS];
    for ((row, scores), factor) in rows.iter_mut().zip(scores.chunks_exact_mut(len)).zip(&mut factors) {
        scores[..row.low - base].fill(f32::NEG_INFINITY);
        scores[row.high - base..].fill(f32::NEG_INFINITY);
        *factor = 1.0 / exponentials(scores, row.sink);
        row.out.fill(0.0);
    }
    for position in (base..high).step_by(KV_BLOCK) {
        let values = layer.values(block(position), task.kv_head);
        let stride = layer.value_stride();
        let mut next: &[f32] = match position + KV_BLOCK {
            next if next < high => layer.values(block(next), task.kv_head),
            _ => &[],
        };
        let mut first = 0;
        while let Some(height) = tile_height(rows.len() - first) {
            let weights = &scores[first * len + position - base..];
            match &mut rows[first..first + height] {
                [one] => value_block([one], position, weights, len, values, next, stride),
                [one, two] => value_block([one, two], position, weights, len, values, next, stride),
                [one, two, three, four] => {
                    value_block([one, two, three, four], position, weights, len, values, next, stride);
                }
                [one, two, three, four, five, six] => {
                    value_block(
                        [one, two, three, four, five, six],
                        position,
                        weights,
                        len,
                        values,
                        next,
                        stride,
                    );
                }
                _ => {}
            }
            first += height;
            next = &[];
        }
    }
    for (row, factor) in rows.iter_mut().zip(factors) {
        row.out.iter_mut().for_each(|number| *number *= factor);
    }
}

/// Rows of the next tile when so many are left: a height that the matches above know.
#[inline(always)]
fn tile_height(left: usize) -> Option<usize> {
    match left {
        0 => None,
        1 => Some(1),
        2 | 3 => Some(2),
        4 | 5 => Some(4),
        _ => Some(TILE),
    }
}

/// Whether some row sees a position of the block at `position`.
#[inline(always)]
fn seen<const R: usize>(rows: &[&mut Row<'_>; R], position: usize) -> bool {
    let mut seen = false;
    for row in rows {
        seen |= row.low < position + KV_BLOCK && row.high > position;
    }
    seen
}

/// The scores of all positions of a block, for each row `stride` numbers apart; asks for `next` meanwhile.
#[inline(always)]
fn score_block<const R: usize>(
    rows: [&mut Row<'_>; R],
    position: usize,
    shape: &AttentionShape,
    keys: &[f32],
    next: &[f32],
    scores: &mut [f32],
    stride: usize,
) {
    if !seen(&rows, position) {
        return;
    }
    let queries = rows.map(|row| row.query);
    for part in 0..KV_BLOCK / LANES {
        let mut sums = products(keys, queries, part, next);
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

/// Products of queries with the keys of lanes `part * LANES ..` of a block; asks for the same lines of `next`.
#[inline(always)]
fn products<const R: usize>(keys: &[f32], queries: [&[f32]; R], part: usize, next: &[f32]) -> [[f32; LANES]; R] {
    let (keys, _) = keys.as_chunks::<KV_BLOCK>();
    let queries = queries.map(|query| &query[..keys.len()]);
    let mut sums = [[0.0_f32; LANES]; R];
    for (column, keys) in keys.iter().enumerate() {
        let keys = &keys.as_chunks::<LANES>().0[part];
        ask_for(next, (column * KV_BLOCK + part * LANES) / prefetch::LINE);
        for row in 0..R {
            let query = queries[row][column];
            for lane in 0..LANES {
                sums[row][lane] = query.mul_add(keys[lane], sums[row][lane]);
            }
        }
    }
    sums
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

#[cfg(test)]
mod tests;
