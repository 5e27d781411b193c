//! Products with more than six tokens: a stretch of a panel stays in the first cache while all tiles pass by it.

#![allow(unsafe_code, reason = "vector instructions work on raw pointers")]

use super::activations::tile_tokens;
use super::blocks::BLOCK;
use super::lanes::{Lanes, Work};
use super::layout::panel_bytes;
use super::links::F32;
use super::multiply::Product;
use super::strip::{Links, Strip};
use super::{PANEL, TILE, narrow};
use crate::device::WeightFormat;

/// Inputs of a stretch: 24 KiB of f32 for a panel.
const STRETCH: usize = 384;

/// Tiles that pass before the next panel, so that their inputs come from the second cache.
const TILES: usize = 32;

/// Panels that tiles pass at once, where there are registers for it.
const PANELS: usize = 2;

/// The product of a format whose links are of `inputs_of_link` inputs.
///
/// # Safety
/// As [`Lanes`] says; inputs of the kind that `K` takes.
pub(super) unsafe fn run<L: Lanes, K: Links>(product: &Product<'_, '_>, inputs_of_link: usize) {
    let format = product.matrix.format();
    // SAFETY: a stretch begins with a link.
    unsafe {
        stretches::<L, K>(product, inputs_of_link, |panel, _, first, _| {
            let weights = product.matrix.panel(panel);
            (weights[panel_bytes(first, format)..].as_ptr(), weights.len())
        });
    }
}

/// The product of bf16: every stretch is unpacked to f32.
///
/// # Safety
/// As for [`run`].
pub(super) unsafe fn run_bf16<L: Lanes>(product: &Product<'_, '_>) {
    let mut unpacked = [0.0_f32; PANELS * STRETCH * PANEL];
    // SAFETY: a stretch begins with a pair and fits its part of `unpacked`.
    unsafe {
        stretches::<L, F32>(product, 1, |panel, panels, first, inputs| {
            for (place, to) in unpacked.chunks_exact_mut(STRETCH * PANEL).take(panels).enumerate() {
                let from = &product.matrix.panel(panel + place)[panel_bytes(first, WeightFormat::Bf16)..];
                L::enter(Unpack {
                    from: from.as_ptr().cast(),
                    to: to.as_mut_ptr(),
                    pairs: inputs.div_ceil(2),
                });
            }
            (unpacked.as_ptr().cast(), STRETCH * PANEL * size_of::<f32>())
        });
    }
}

/// All panels, stretch by stretch; between stretches the sums lie in the output. `weights` is given a panel, how many
/// from there on, the first input and how many, and gives where their weights begin and the bytes from panel to panel.
unsafe fn stretches<L: Lanes, K: Links>(
    product: &Product<'_, '_>,
    inputs_of_link: usize,
    mut weights: impl FnMut(usize, usize, usize, usize) -> (*const u8, usize),
) {
    let (tokens, all_inputs) = (product.input.tokens(), product.input.inputs());
    let tiles = tokens.div_ceil(TILE);
    let at_once = TILE.div_ceil(narrow::turns::<L, K>(TILE));
    let most = if PANELS * at_once <= K::sums::<L>() { PANELS } else { 1 };
    for first_tile in (0..tiles).step_by(TILES) {
        for first in (0..all_inputs).step_by(STRETCH) {
            let stretch = STRETCH.min(all_inputs - first);
            let mut panel = product.panels.start;
            while panel < product.panels.end {
                let panels = most.min(product.panels.end - panel);
                let (weights, stride) = weights(panel, panels, first, stretch);
                for tile in first_tile..(first_tile + TILES).min(tiles) {
                    let of_tile = tile_tokens(tokens, tile);
                    let (inputs, token_bytes) = product.input.tile(tile);
                    let link = first / inputs_of_link;
                    let inputs = inputs.wrapping_add(link * of_tile.len() * token_bytes);
                    for token in of_tile.clone().step_by(at_once) {
                        let strip = Strip {
                            product,
                            panel,
                            token,
                            weights,
                            stride,
                            inputs: inputs.wrapping_add((token - of_tile.start) * token_bytes),
                            width: of_tile.len(),
                            count: stretch.div_ceil(inputs_of_link),
                            begins: first == 0,
                        };
                        // SAFETY: the panels have this stretch, and so has the tile.
                        unsafe { strip.run::<L, K>(panels, at_once.min(of_tile.end - token)) };
                    }
                }
                panel += panels;
            }
        }
    }
}

/// Brings pairs of bf16 to f32.
struct Unpack {
    from: *const u16,
    to: *mut f32,
    pairs: usize,
}

impl Work for Unpack {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let (mut from, mut to) = (self.from, self.to);
        // SAFETY: `from` has this many pairs of a panel, and `to` room for them: a stretch is even.
        unsafe {
            for _ in 0..self.pairs {
                let (first, second) = L::bf16_pair(from);
                L::store(to, first);
                L::store(to.add(PANEL), second);
                (from, to) = (from.add(2 * PANEL), to.add(2 * PANEL));
            }
        }
    }
}

const _: () = assert!(STRETCH.is_multiple_of(BLOCK), "a stretch begins with a block");
