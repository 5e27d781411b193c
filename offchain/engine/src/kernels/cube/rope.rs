//! Rotary positions: heads of a tensor, or everything between the product of queries, keys and values and attention.

use super::numeric::tree_sum;
use cubecl::prelude::*;

/// Positions of a block of the cache.
pub(super) const BLOCK: usize = crate::limits::KV_BLOCK;

/// Turns heads in place, in the way of GPT-NeoX: head `h` begins at column `h * stride + offset` of a row of `width`.
/// `rows` has two numbers for every row, of which the first is its position; `count` is the pairs of all rows.
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its buffers and shapes one by one"
)]
#[cube(launch_unchecked)]
pub(super) fn rope(
    heads: &mut Array<f32>,
    rows: &Array<u32>,
    cos: &Array<f32>,
    sin: &Array<f32>,
    width: usize,
    count_heads: usize,
    stride: usize,
    offset: usize,
    half: usize,
    count: usize,
) {
    if ABSOLUTE_POS < count {
        let column = ABSOLUTE_POS % half;
        let head = ABSOLUTE_POS / half % count_heads;
        let row = ABSOLUTE_POS / half / count_heads;
        let angle = rows[2 * row] as usize * half + column;
        let place = row * width + head * stride + offset + column;
        let (one, other) = (heads[place], heads[place + half]);
        let (cos, sin) = (cos[angle], sin[angle]);
        heads[place] = one * cos - other * sin;
        heads[place + half] = other * cos + one * sin;
    }
}

/// The slot of a row in the cache: its block times the block's positions, and its position in it. `rows` has for every
/// row its position and where the blocks of its sequence begin in `blocks`.
#[cube]
fn slot(rows: &Array<u32>, blocks: &Array<u32>, row: usize) -> (usize, usize) {
    let position = rows[2 * row] as usize;
    let block = blocks[rows[2 * row + 1] as usize + position / BLOCK] as usize;
    (block, position % BLOCK)
}

/// Writes one number of a key and, where values are columns of keys, of a value.
#[cube(launch_unchecked)]
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its buffers and shapes one by one"
)]
pub(super) fn write(
    from: &Array<f32>,
    rows: &Array<u32>,
    blocks: &Array<u32>,
    room: &mut Array<f32>,
    kv_heads: usize,
    dim: usize,
    count: usize,
    #[comptime] transposed: bool,
) {
    if ABSOLUTE_POS < count {
        let column = ABSOLUTE_POS % dim;
        let head = ABSOLUTE_POS / dim % kv_heads;
        let row = ABSOLUTE_POS / dim / kv_heads;
        let (block, position) = slot(rows, blocks, row);
        let first = (block * kv_heads + head) * dim * BLOCK;
        let place = if comptime!(transposed) {
            column * BLOCK + position
        } else {
            position * dim + column
        };
        room[first + place] = from[ABSOLUTE_POS];
    }
}

/// What is done with heads on their way to attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Placing {
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) dim: usize,
    /// Columns that turn, halved; 0: none.
    pub(crate) half: usize,
    pub(crate) query_norm: bool,
    pub(crate) key_norm: bool,
}

/// Norms and turns the heads of queries and keys and writes keys and values to the cache, all in one: a cube for every
/// row and head of `all`, [rows, (heads + 2 * kv_heads) * dim].
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its buffers and shapes one by one"
)]
#[cube(launch_unchecked)]
pub(super) fn place(
    all: &Array<f32>,
    rows: &Array<u32>,
    blocks: &Array<u32>,
    query_scale: &Array<f32>,
    key_scale: &Array<f32>,
    cos: &Array<f32>,
    sin: &Array<f32>,
    queries: &mut Array<f32>,
    keys: &mut Array<f32>,
    values: &mut Array<f32>,
    query_epsilon: f32,
    key_epsilon: f32,
    #[comptime] shape: Placing,
    #[comptime] units: usize,
) {
    let row = CUBE_POS_X as usize;
    let head = CUBE_POS_Y as usize;
    let unit = UNIT_POS as usize;
    let dim = comptime!(shape.dim);
    let first = (row * comptime!(shape.heads + 2 * shape.kv_heads) + head) * dim;
    let is_query = head < comptime!(shape.heads);
    let is_value = head >= comptime!(shape.heads + shape.kv_heads);
    let mut numbers = SharedMemory::<f32>::new(dim);
    let mut room = SharedMemory::<f32>::new(units);
    let mut squares = 0.0f32;
    let mut column = unit;
    while column < dim {
        let number = all[first + column];
        numbers[column] = number;
        squares = fma(number, number, squares);
        column += units;
    }
    if comptime!(shape.query_norm || shape.key_norm) {
        let mean = tree_sum(squares, &mut room, units) / comptime!(shape.dim as f32);
        let mut column = unit;
        while column < dim {
            if comptime!(shape.query_norm) {
                if is_query {
                    let factor = 1.0 / f32::sqrt(mean + query_epsilon);
                    numbers[column] = numbers[column] * factor * query_scale[column];
                }
            }
            if comptime!(shape.key_norm) {
                if !is_query && !is_value {
                    let factor = 1.0 / f32::sqrt(mean + key_epsilon);
                    numbers[column] = numbers[column] * factor * key_scale[column];
                }
            }
            column += units;
        }
    }
    sync_cube();
    let (block, position) = slot(rows, blocks, row);
    let mut column = unit;
    while column < dim {
        let mut number = numbers[column];
        if comptime!(shape.half > 0) {
            if !is_value && column < comptime!(2 * shape.half) {
                let angle = rows[2 * row] as usize * comptime!(shape.half) + column % comptime!(shape.half);
                if column < comptime!(shape.half) {
                    number = number * cos[angle] - numbers[column + comptime!(shape.half)] * sin[angle];
                } else {
                    number = number * cos[angle] + numbers[column - comptime!(shape.half)] * sin[angle];
                }
            }
        }
        if is_query {
            queries[(row * comptime!(shape.heads) + head) * dim + column] = number;
        } else if is_value {
            let head = head - comptime!(shape.heads + shape.kv_heads);
            let first = (block * comptime!(shape.kv_heads) + head) * comptime!(shape.dim * BLOCK);
            values[first + position * dim + column] = number;
        } else {
            let head = head - comptime!(shape.heads);
            let first = (block * comptime!(shape.kv_heads) + head) * comptime!(shape.dim * BLOCK);
            keys[first + column * BLOCK + position] = number;
        }
        column += units;
    }
}
