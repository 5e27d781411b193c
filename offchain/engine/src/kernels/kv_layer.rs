//! Keys and values of one layer, in blocks of positions.

use super::buffer::Buffer;
use super::vectors::LANES;
use crate::device::CacheShape;
use crate::limits::KV_BLOCK;
use crate::model::BlockId;

/// The blocks of a layer.
///
/// In a block, for each key head, keys lie transposed, [key_dim, KV_BLOCK], so that scores of neighbouring positions are
/// computed side by side; values lie as they come, [KV_BLOCK, value row], each row filled up to whole vectors. Where the
/// values are columns of the keys, the keys are kept both ways.
pub(crate) struct KvLayer {
    keys: Buffer,
    values: Buffer,
    shape: CacheShape,
    /// Numbers from one value to the next.
    value_row: usize,
}

impl KvLayer {
    /// Room for `blocks` blocks. Takes memory as it is written.
    pub(crate) fn new(shape: CacheShape, blocks: usize) -> Self {
        let value_row = Self::value_row(&shape);
        Self {
            keys: Buffer::zeroed(blocks * shape.kv_heads * shape.key_dim * KV_BLOCK),
            values: Buffer::zeroed(blocks * shape.kv_heads * value_row * KV_BLOCK),
            shape,
            value_row,
        }
    }

    /// Bytes of one block of a layer of this shape.
    pub(crate) fn block_bytes(shape: &CacheShape) -> usize {
        shape.kv_heads * (shape.key_dim + Self::value_row(shape)) * KV_BLOCK * size_of::<f32>()
    }

    fn value_row(shape: &CacheShape) -> usize {
        let columns = match shape.value_dim {
            0 => shape.key_dim,
            own => own,
        };
        columns.next_multiple_of(LANES)
    }

    /// Numbers from one value to the next in [`KvLayer::values`].
    pub(super) fn value_stride(&self) -> usize {
        self.value_row
    }

    /// The transposed keys of a head in a block.
    #[inline(always)]
    pub(super) fn keys(&self, block: BlockId, head: usize) -> &[f32] {
        let len = self.shape.key_dim * KV_BLOCK;
        let first = (block.0 as usize * self.shape.kv_heads + head) * len;
        &self.keys[first..first + len]
    }

    /// The values of a head in a block.
    #[inline(always)]
    pub(super) fn values(&self, block: BlockId, head: usize) -> &[f32] {
        let len = self.value_row * KV_BLOCK;
        let first = (block.0 as usize * self.shape.kv_heads + head) * len;
        &self.values[first..first + len]
    }

    /// Writes the keys and values of consecutive positions from `start` on: as many rows as `keys` has.
    pub(crate) fn write(&mut self, start: usize, blocks: &[BlockId], keys: &[f32], values: Option<&[f32]>) {
        let CacheShape {
            kv_heads,
            key_dim,
            value_dim,
        } = self.shape;
        let key_width = kv_heads * key_dim;
        let (values, value_dim) = match values {
            Some(values) => (values, value_dim),
            None => (keys, key_dim),
        };
        let rows = keys.len() / key_width;
        let mut row = 0;
        while row < rows {
            let position = start + row;
            let (block, slot) = (blocks[position / KV_BLOCK].0 as usize, position % KV_BLOCK);
            let run = (KV_BLOCK - slot).min(rows - row);
            for head in 0..kv_heads {
                let home = block * kv_heads + head;
                let first = home * key_dim * KV_BLOCK;
                let to = &mut self.keys[first..first + key_dim * KV_BLOCK];
                let from = &keys[row * key_width + head * key_dim..];
                for column in 0..key_dim {
                    let slots = &mut to[column * KV_BLOCK + slot..][..run];
                    for (place, slot) in slots.iter_mut().enumerate() {
                        *slot = from[place * key_width + column];
                    }
                }
                for place in 0..run {
                    let first = (home * KV_BLOCK + slot + place) * self.value_row;
                    let from = ((row + place) * kv_heads + head) * value_dim;
                    self.values[first..first + value_dim].copy_from_slice(&values[from..from + value_dim]);
                }
            }
            row += run;
        }
    }
}
