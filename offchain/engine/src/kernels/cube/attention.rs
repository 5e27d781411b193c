//! Attention over blocks of cached keys and values: scores, softmax and values in one launch, for prompts and answers
//! alike.
//!
//! A cube has one row and one of its heads. It goes over the positions in chunks of [`UNITS`], counted from position 0:
//! each unit has the score of one position, one chain over the columns of the key; the greatest score and the sum of
//! exponentials are trees; each column of the result is one chain over the positions, ascending, rescaled where a chunk
//! brings a greater score. So a row's numbers depend on its own sequence alone, not on what is computed beside it, on
//! how a prompt was cut, or on where the blocks lie.

use super::numeric::{exp, tanh, tree_max, tree_sum};
use super::rope::BLOCK;
use cubecl::prelude::*;

/// Units of a cube, and positions of a chunk.
pub(super) const UNITS: usize = 128;

/// What attention computes, known when the kernel is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Attention {
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) key_dim: usize,
    pub(crate) value_dim: usize,
    /// Numbers from one value to the next in the cache.
    pub(crate) value_row: usize,
    /// Positions that a row sees; 0: all.
    pub(crate) window: usize,
    pub(crate) softcap: bool,
    pub(crate) sinks: bool,
}

/// The lowest finite number: below every score.
const LOWEST: f32 = -3.402_823_4e38;

/// A cube for every row (x) and head (y).
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its buffers and shapes one by one"
)]
#[cube(launch_unchecked)]
pub(super) fn attend(
    queries: &Array<f32>,
    keys: &Array<f32>,
    values: &Array<f32>,
    rows: &Array<u32>,
    blocks: &Array<u32>,
    sinks: &Array<f32>,
    out: &mut Array<f32>,
    factor: f32,
    cap: f32,
    #[comptime] shape: Attention,
) {
    let row = CUBE_POS_X as usize;
    let head = CUBE_POS_Y as usize;
    let unit = UNIT_POS as usize;
    let (key_dim, value_dim, value_row) = comptime!((shape.key_dim, shape.value_dim, shape.value_row));
    let kv_head = head / comptime!(shape.heads / shape.kv_heads);
    let columns = comptime!(shape.value_dim.div_ceil(UNITS));
    let mut query = SharedMemory::<f32>::new(key_dim);
    let mut scores = SharedMemory::<f32>::new(UNITS);
    let mut room = SharedMemory::<f32>::new(UNITS);
    let mut column = unit;
    while column < key_dim {
        query[column] = queries[(row * comptime!(shape.heads) + head) * key_dim + column];
        column += UNITS;
    }
    let high = rows[2 * row] as usize + 1;
    let first_block = rows[2 * row + 1] as usize;
    let mut low = 0usize.runtime();
    if comptime!(shape.window > 0) {
        if high > comptime!(shape.window) {
            low = high - comptime!(shape.window);
        }
    }
    let mut highest = LOWEST.runtime();
    let mut sum = 0.0f32;
    if comptime!(shape.sinks) {
        highest = sinks[head];
        sum = 1.0f32;
    }
    let mut mixed = Array::<f32>::new(columns);
    #[unroll]
    for part in 0..columns {
        mixed[part] = 0.0f32;
    }
    sync_cube();
    let mut base = low / UNITS * UNITS;
    while base < high {
        let position = base + unit;
        let is_seen = position >= low && position < high;
        let mut score = LOWEST.runtime();
        if is_seen {
            let block = blocks[first_block + position / BLOCK] as usize;
            let first =
                (block * comptime!(shape.kv_heads) + kv_head) * comptime!(shape.key_dim * BLOCK) + position % BLOCK;
            let mut product = 0.0f32;
            for column in 0..key_dim {
                product = fma(query[column], keys[first + column * BLOCK], product);
            }
            score = product * factor;
            if comptime!(shape.softcap) {
                score = cap * tanh(score / cap);
            }
        }
        let greatest = tree_max(score, &mut room, UNITS);
        let next = select(greatest > highest, greatest, highest);
        let mut part = 0.0f32;
        if is_seen {
            part = exp(score - next);
        }
        scores[unit] = part;
        let total = tree_sum(part, &mut room, UNITS);
        let rescale = exp(highest - next);
        sum = fma(sum, rescale, total);
        highest = next;
        let from = select(low > base, low, base);
        let end = base + UNITS;
        let to = select(high < end, high, end);
        #[unroll]
        for part in 0..columns {
            let column = part * UNITS + unit;
            if column < value_dim {
                let mut mix = mixed[part] * rescale;
                let mut position = from;
                while position < to {
                    let block = blocks[first_block + position / BLOCK] as usize;
                    let home = (block * comptime!(shape.kv_heads) + kv_head) * BLOCK;
                    let next_block = (position / BLOCK + 1) * BLOCK;
                    let end = select(to < next_block, to, next_block);
                    while position < end {
                        let value = values[(home + position % BLOCK) * value_row + column];
                        mix = fma(scores[position - base], value, mix);
                        position += 1;
                    }
                }
                mixed[part] = mix;
            }
        }
        base += UNITS;
    }
    #[unroll]
    for part in 0..columns {
        let column = part * UNITS + unit;
        if column < value_dim {
            out[(row * comptime!(shape.heads) + head) * value_dim + column] = mixed[part] / sum;
        }
    }
}
