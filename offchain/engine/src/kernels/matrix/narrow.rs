//! Products with at most six tokens: the weights are read once, from memory, and used at once.

#![allow(unsafe_code, reason = "vector instructions work on raw pointers")]

use super::lanes::Lanes;
use super::multiply::Product;
use super::strip::{Links, Strip};

/// All panels, as many at a time as the registers hold: a chain alone would wait for its own links. Where the tokens do
/// not fit beside one panel, they take turns while it is in the cache.
///
/// # Safety
/// As [`Lanes`] says; 1 to 6 tokens of a kind of inputs that `K` takes.
pub(super) unsafe fn run<L: Lanes, K: Links>(product: &Product<'_, '_>, count: usize) {
    let tokens = product.input.tokens();
    let turns = turns::<L, K>(tokens);
    let at_once = tokens.div_ceil(turns);
    let most = [4, 2]
        .into_iter()
        .find(|panels| panels * at_once <= K::sums::<L>())
        .unwrap_or(1);
    let (inputs, token_bytes) = product.input.tile(0);
    let mut panel = product.panels.start;
    while panel < product.panels.end {
        let left = product.panels.end - panel;
        let panels = [4, 2].into_iter().find(|panels| *panels <= most.min(left)).unwrap_or(1);
        let weights = product.matrix.panel(panel);
        for token in (0..tokens).step_by(at_once) {
            let strip = Strip {
                product,
                panel,
                token,
                weights: weights.as_ptr(),
                stride: weights.len(),
                inputs: inputs.wrapping_add(token * token_bytes),
                width: tokens,
                count,
                begins: true,
            };
            // SAFETY: a panel has `count` links, and so has the tile.
            unsafe { strip.run::<L, K>(panels, at_once.min(tokens - token)) };
        }
        panel += panels;
    }
}

/// In how many turns the tokens of a tile pass a panel.
pub(super) fn turns<L: Lanes, K: Links>(tokens: usize) -> usize {
    tokens.div_ceil(K::sums::<L>())
}
