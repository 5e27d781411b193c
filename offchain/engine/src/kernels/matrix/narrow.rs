//! Products with at most six tokens: the weights are read once, from memory, and used at once.

#![allow(unsafe_code, reason = "vector instructions work on raw pointers")]

use super::lanes::Lanes;
use super::multiply::Product;
use super::tile::{begin, links_bf16, links_f32, store};
use crate::device::WeightFormat;

/// All panels, several at a time.
///
/// # Safety
/// As [`Lanes`] says; 1 to 6 tokens.
#[inline(always)]
pub(super) unsafe fn run<L: Lanes>(product: &Product<'_, '_>) {
    // SAFETY: the same contract.
    unsafe {
        match product.input.tokens() {
            1 => tokens::<L, 1>(product),
            2 => tokens::<L, 2>(product),
            3 => tokens::<L, 3>(product),
            4 => tokens::<L, 4>(product),
            5 => tokens::<L, 5>(product),
            _ => tokens::<L, 6>(product),
        }
    }
}

/// As many panels at a time as the registers hold: a chain alone would wait for its own links.
#[inline(always)]
unsafe fn tokens<L: Lanes, const T: usize>(product: &Product<'_, '_>) {
    // SAFETY: the same contract.
    unsafe {
        let mut panel = product.panels.start;
        if 4 * T <= L::ACCUMULATORS {
            panel = panels::<L, 4, T>(product, panel);
        }
        if 2 * T <= L::ACCUMULATORS {
            panel = panels::<L, 2, T>(product, panel);
        }
        panels::<L, 1, T>(product, panel);
    }
}

/// Panels from `panel` on, `P` at a time; the first that is left over.
#[inline(always)]
unsafe fn panels<L: Lanes, const P: usize, const T: usize>(product: &Product<'_, '_>, mut panel: usize) -> usize {
    let (inputs, numbers) = (product.input.inputs(), product.input.numbers(0).as_ptr());
    while product.panels.end - panel >= P {
        let mut weights = [std::ptr::null::<u8>(); P];
        for (place, weights) in weights.iter_mut().enumerate() {
            *weights = product.matrix.panel(panel + place).as_ptr();
        }
        // SAFETY: a panel has as many numbers as its format says, and the tile has `T` tokens.
        unsafe {
            let sums = begin::<L, P, T>(product, panel);
            let sums = match product.matrix.format() {
                WeightFormat::F32 => links_f32::<L, P, T>(cast(weights), numbers, inputs, sums),
                WeightFormat::Bf16 => links_bf16::<L, P, T>(cast(weights), numbers, inputs.div_ceil(2), sums),
                WeightFormat::Q8 | WeightFormat::Q4 => unreachable!("refused when packed"),
            };
            store::<L, P, T>(product, panel, 0, sums);
        }
        panel += P;
    }
    panel
}

/// The same addresses of other numbers.
#[inline(always)]
fn cast<N, const P: usize>(weights: [*const u8; P]) -> [*const N; P] {
    let mut cast = [std::ptr::null(); P];
    for (to, from) in cast.iter_mut().zip(weights) {
        *to = from.cast();
    }
    cast
}
