//! The inputs of a product, laid out for it.
//!
//! Tokens lie in tiles of six, the last one perhaps smaller; within a tile of `t` tokens the numbers of an input lie side
//! by side: [inputs][t], with zeros for one more input where the number of inputs is odd. Blocks likewise: [blocks][t].

#![allow(unsafe_code, reason = "threads write tiles of one buffer")]

use super::TILE;
use super::blocks::{BLOCK, InputBlock};
use crate::device::WeightFormat;
use std::marker::PhantomData;
use std::ops::Range;

/// What the products of a weight format take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InputKind {
    /// f32.
    Numbers,
    /// Blocks of 32 signed bytes with a scale.
    Blocks,
}

impl InputKind {
    /// What a format takes.
    pub(crate) fn of(format: WeightFormat) -> Self {
        match format {
            WeightFormat::F32 | WeightFormat::Bf16 => Self::Numbers,
            WeightFormat::Q8 | WeightFormat::Q4 => Self::Blocks,
        }
    }
}

/// Prepared inputs. The memory is kept from product to product.
pub(crate) struct Activations {
    kind: InputKind,
    tokens: usize,
    inputs: usize,
    numbers: Vec<f32>,
    blocks: Vec<InputBlock>,
}

impl Activations {
    /// Without tokens.
    pub(crate) fn new() -> Self {
        Self {
            kind: InputKind::Numbers,
            tokens: 0,
            inputs: 0,
            numbers: Vec::new(),
            blocks: Vec::new(),
        }
    }

    /// Prepares `tokens` rows of `inputs` numbers each; `row` gives them.
    pub(crate) fn prepare<'r>(
        &mut self,
        kind: InputKind,
        tokens: usize,
        inputs: usize,
        row: impl Fn(usize) -> &'r [f32],
    ) {
        let writer = self.begin(kind, tokens, inputs);
        // SAFETY: nobody else has the writer.
        unsafe { writer.fill(0..writer.tiles(), row) };
    }

    /// Makes room. All tiles must be filled before a product.
    pub(crate) fn begin(&mut self, kind: InputKind, tokens: usize, inputs: usize) -> ActivationWriter<'_> {
        (self.kind, self.tokens, self.inputs) = (kind, tokens, inputs);
        match kind {
            InputKind::Numbers => {
                let size = tokens * padded(inputs);
                if self.numbers.len() < size {
                    self.numbers.resize(size, 0.0);
                }
            }
            InputKind::Blocks => {
                let size = tokens * inputs.div_ceil(BLOCK);
                if self.blocks.len() < size {
                    self.blocks.resize(size, InputBlock::ZERO);
                }
            }
        }
        ActivationWriter {
            kind,
            tokens,
            inputs,
            numbers: self.numbers.as_mut_ptr(),
            blocks: self.blocks.as_mut_ptr(),
            life: PhantomData,
        }
    }

    /// What was prepared.
    pub(crate) fn kind(&self) -> InputKind {
        self.kind
    }

    /// Rows.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens
    }

    /// Numbers of a row.
    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// Where a tile begins, and the bytes from token to token; from link to link it is as many times the tokens of the
    /// tile.
    pub(super) fn tile(&self, tile: usize) -> (*const u8, usize) {
        let first = tile * TILE;
        match self.kind {
            InputKind::Numbers => {
                let numbers = &self.numbers[first * padded(self.inputs)..];
                (numbers.as_ptr().cast(), size_of::<f32>())
            }
            InputKind::Blocks => {
                let blocks = &self.blocks[first * self.inputs.div_ceil(BLOCK)..];
                (blocks.as_ptr().cast(), size_of::<InputBlock>())
            }
        }
    }
}

/// Fills tiles, from several threads if need be.
#[derive(Clone, Copy)]
pub(crate) struct ActivationWriter<'a> {
    kind: InputKind,
    tokens: usize,
    inputs: usize,
    numbers: *mut f32,
    blocks: *mut InputBlock,
    life: PhantomData<&'a mut Activations>,
}

// SAFETY: the pointers are used in `fill` alone, whose contract keeps threads apart.
unsafe impl Send for ActivationWriter<'_> {}
// SAFETY: as above.
unsafe impl Sync for ActivationWriter<'_> {}

impl ActivationWriter<'_> {
    /// Tiles to fill.
    pub(crate) fn tiles(&self) -> usize {
        self.tokens.div_ceil(TILE)
    }

    /// Fills tiles; `row` gives the numbers of a token.
    ///
    /// # Safety
    /// No two calls with a common tile at the same time.
    pub(crate) unsafe fn fill<'r>(&self, tiles: Range<usize>, row: impl Fn(usize) -> &'r [f32]) {
        assert!(tiles.end <= self.tiles(), "there are these tiles");
        for tile in tiles {
            let tokens = tile_tokens(self.tokens, tile);
            match self.kind {
                InputKind::Numbers => {
                    let (first, size) = (tile * TILE * padded(self.inputs), tokens.len() * padded(self.inputs));
                    // SAFETY: `begin` made room for all tiles, and this one is ours by the contract.
                    let to = unsafe { std::slice::from_raw_parts_mut(self.numbers.add(first), size) };
                    interleave(to, tokens, self.inputs, &row);
                }
                InputKind::Blocks => {
                    let of_row = self.inputs.div_ceil(BLOCK);
                    let (first, size) = (tile * TILE * of_row, tokens.len() * of_row);
                    // SAFETY: as above.
                    let to = unsafe { std::slice::from_raw_parts_mut(self.blocks.add(first), size) };
                    quantize(to, tokens, self.inputs, &row);
                }
            }
        }
    }
}

/// Tokens of a tile.
pub(super) fn tile_tokens(tokens: usize, tile: usize) -> Range<usize> {
    tile * TILE..((tile + 1) * TILE).min(tokens)
}

/// Inputs with the zero that makes them even.
fn padded(inputs: usize) -> usize {
    inputs.next_multiple_of(2)
}

fn interleave<'r>(to: &mut [f32], tokens: Range<usize>, inputs: usize, row: &impl Fn(usize) -> &'r [f32]) {
    let width = tokens.len();
    to[inputs * width..].fill(0.0);
    for (place, token) in tokens.enumerate() {
        let numbers = row(token);
        assert_eq!(numbers.len(), inputs, "a row has a number for each input");
        if width == 1 {
            to[..inputs].copy_from_slice(numbers);
        } else {
            for (group, number) in to.chunks_exact_mut(width).zip(numbers) {
                group[place] = *number;
            }
        }
    }
}

fn quantize<'r>(to: &mut [InputBlock], tokens: Range<usize>, inputs: usize, row: &impl Fn(usize) -> &'r [f32]) {
    let width = tokens.len();
    for (place, token) in tokens.enumerate() {
        let numbers = row(token);
        assert_eq!(numbers.len(), inputs, "a row has a number for each input");
        for (group, numbers) in to.chunks_exact_mut(width).zip(numbers.chunks(BLOCK)) {
            group[place] = InputBlock::of(numbers);
        }
    }
}
