//! Products with more than six tokens: a stretch of a panel stays in the first cache while all tiles pass by it.

#![allow(unsafe_code, reason = "vector instructions work on raw pointers")]

use super::activations::tile_tokens;
use super::lanes::Lanes;
use super::multiply::Product;
use super::tile::{begin, links_f32, resume, store};
use super::{PANEL, TILE};
use crate::device::WeightFormat;

/// Inputs of a stretch: 16 KiB of f32 for a panel.
const STRETCH: usize = 256;

/// Tiles that pass before the next panel, so that their inputs come from the second cache.
const TILES: usize = 32;

/// All panels, stretch by stretch; between stretches the sums lie in the output.
///
/// # Safety
/// As [`Lanes`] says.
#[inline(always)]
pub(super) unsafe fn run<L: Lanes>(product: &Product<'_, '_>) {
    let inputs = product.input.inputs();
    let tiles = product.input.tokens().div_ceil(TILE);
    let mut unpacked = [0.0; STRETCH * PANEL];
    for first_tile in (0..tiles).step_by(TILES) {
        for first in (0..inputs).step_by(STRETCH) {
            let stretch = STRETCH.min(inputs - first);
            for panel in product.panels.clone() {
                // SAFETY: a panel has as many numbers as its format says.
                unsafe {
                    let weights = product.matrix.panel(panel).as_ptr();
                    let weights = match product.matrix.format() {
                        WeightFormat::F32 => weights.cast::<f32>().add(first * PANEL),
                        WeightFormat::Bf16 => {
                            let pairs = weights.cast::<u16>().add(first * PANEL);
                            unpack_bf16::<L>(pairs, stretch.div_ceil(2), unpacked.as_mut_ptr());
                            unpacked.as_ptr()
                        }
                        WeightFormat::Q8 | WeightFormat::Q4 => unreachable!("refused when packed"),
                    };
                    for tile in first_tile..(first_tile + TILES).min(tiles) {
                        pass::<L>(product, panel, tile, first, stretch, weights);
                    }
                }
            }
        }
    }
}

/// `pairs` pairs of inputs of a panel as f32.
#[inline(always)]
unsafe fn unpack_bf16<L: Lanes>(mut from: *const u16, pairs: usize, mut to: *mut f32) {
    // SAFETY: `from` has this many pairs, and `to` room for them: a stretch is even.
    unsafe {
        for _ in 0..pairs {
            let (first, second) = L::bf16_pair(from);
            L::store(to, first);
            L::store(to.add(PANEL), second);
            (from, to) = (from.add(2 * PANEL), to.add(2 * PANEL));
        }
    }
}

/// One tile passes a stretch of a panel.
#[inline(always)]
unsafe fn pass<L: Lanes>(
    product: &Product<'_, '_>,
    panel: usize,
    tile: usize,
    first: usize,
    stretch: usize,
    weights: *const f32,
) {
    // SAFETY: the same contract.
    unsafe {
        match tile_tokens(product.input.tokens(), tile).len() {
            1 => pass_tokens::<L, 1>(product, panel, tile, first, stretch, weights),
            2 => pass_tokens::<L, 2>(product, panel, tile, first, stretch, weights),
            3 => pass_tokens::<L, 3>(product, panel, tile, first, stretch, weights),
            4 => pass_tokens::<L, 4>(product, panel, tile, first, stretch, weights),
            5 => pass_tokens::<L, 5>(product, panel, tile, first, stretch, weights),
            _ => pass_tokens::<L, 6>(product, panel, tile, first, stretch, weights),
        }
    }
}

#[inline(always)]
unsafe fn pass_tokens<L: Lanes, const T: usize>(
    product: &Product<'_, '_>,
    panel: usize,
    tile: usize,
    first: usize,
    stretch: usize,
    weights: *const f32,
) {
    let numbers = product.input.numbers(tile).as_ptr();
    // SAFETY: the tile has `T` tokens, whose inputs from `first` on are `stretch` at least.
    unsafe {
        let sums = match first {
            0 => begin::<L, 1, T>(product, panel),
            _ => resume::<L, 1, T>(product, panel, tile * TILE),
        };
        let sums = links_f32::<L, 1, T>([weights], numbers.add(first * T), stretch, sums);
        store::<L, 1, T>(product, panel, tile * TILE, sums);
    }
}
