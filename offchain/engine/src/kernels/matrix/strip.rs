//! The loop around all others' innermost: `P` panels and `T` tokens take their links, from where they begin or were left.

#![allow(unsafe_code, reason = "vector instructions work on raw pointers")]

use super::PANEL;
use super::lanes::{Lanes, Work};
use super::multiply::Product;
use std::marker::PhantomData;

/// The sums of `P` panels and `T` tokens.
pub(super) type Sums<L, const P: usize, const T: usize> = [[<L as Lanes>::F; T]; P];

/// How a weight format adds links to chains.
pub(super) trait Links {
    /// Sums that stay in registers: at most `P * T`.
    fn sums<L: Lanes>() -> usize;

    /// Adds `count` links to every chain: inputs for f32, pairs of them for bf16, blocks for q8 and q4. From one link to
    /// the next, `inputs` goes on by `width` tokens.
    ///
    /// # Safety
    /// As [`Lanes`] says; each of `weights` points to `count` links of a panel, `inputs` to as many of a tile of `width`
    /// tokens, of which the first `T` are meant.
    unsafe fn add<L: Lanes, const P: usize, const T: usize>(
        weights: [*const u8; P],
        inputs: *const u8,
        width: usize,
        count: usize,
        sums: Sums<L, P, T>,
    ) -> Sums<L, P, T>;
}

/// A stretch of inputs for some panels and tokens.
#[derive(Clone, Copy)]
pub(super) struct Strip<'a, 'o> {
    pub(super) product: &'a Product<'a, 'o>,
    pub(super) panel: usize,
    pub(super) token: usize,
    /// Of the first panel, at the first input of the stretch.
    pub(super) weights: *const u8,
    /// Bytes from panel to panel.
    pub(super) stride: usize,
    /// Of the first token, at the first input of the stretch.
    pub(super) inputs: *const u8,
    /// Tokens of the tile.
    pub(super) width: usize,
    pub(super) count: usize,
    /// Whether the chains begin here; else they were left in the output.
    pub(super) begins: bool,
}

impl Strip<'_, '_> {
    /// Runs for `panels` (1, 2, 4) panels and `tokens` (1 to 6) tokens.
    ///
    /// # Safety
    /// As [`Links::add`] says; panels and tokens are among the product's.
    pub(super) unsafe fn run<L: Lanes, K: Links>(self, panels: usize, tokens: usize) {
        // SAFETY: the same contract.
        unsafe {
            match panels {
                4 => self.tokens::<L, K, 4>(tokens),
                2 => self.tokens::<L, K, 2>(tokens),
                _ => self.tokens::<L, K, 1>(tokens),
            }
        }
    }

    unsafe fn tokens<L: Lanes, K: Links, const P: usize>(self, tokens: usize) {
        // SAFETY: the same contract.
        unsafe {
            match tokens {
                6 => self.enter::<L, K, P, 6>(),
                5 => self.enter::<L, K, P, 5>(),
                4 => self.enter::<L, K, P, 4>(),
                3 => self.enter::<L, K, P, 3>(),
                2 => self.enter::<L, K, P, 2>(),
                _ => self.enter::<L, K, P, 1>(),
            }
        }
    }

    unsafe fn enter<L: Lanes, K: Links, const P: usize, const T: usize>(self) {
        // More than the registers hold is never asked for, and need not be compiled.
        if const { P * T == 1 } || P * T <= K::sums::<L>() {
            let (strip, links) = (self, PhantomData);
            // SAFETY: the same contract.
            unsafe { L::enter(Sized::<'_, '_, K, P, T> { strip, links }) }
        }
    }
}

/// A strip whose size is known when it is compiled.
struct Sized<'a, 'o, K, const P: usize, const T: usize> {
    strip: Strip<'a, 'o>,
    links: PhantomData<K>,
}

impl<K: Links, const P: usize, const T: usize> Work for Sized<'_, '_, K, P, T> {
    #[inline(always)]
    unsafe fn run<L: Lanes>(self) {
        let strip = self.strip;
        let mut weights = [strip.weights; P];
        for (place, weights) in weights.iter_mut().enumerate() {
            *weights = weights.wrapping_add(place * strip.stride);
        }
        // SAFETY: the same contract.
        unsafe {
            let sums = if strip.begins {
                begin::<L, P, T>(&strip)
            } else {
                resume::<L, P, T>(&strip)
            };
            let sums = K::add::<L, P, T>(weights, strip.inputs, strip.width, strip.count, sums);
            store::<L, P, T>(&strip, sums);
        }
    }
}

/// Chains begin with the biases.
#[inline(always)]
unsafe fn begin<L: Lanes, const P: usize, const T: usize>(strip: &Strip<'_, '_>) -> Sums<L, P, T> {
    // SAFETY: the instructions are the caller's contract.
    let mut sums = unsafe { [[L::splat(0.0); T]; P] };
    for (place, sums) in sums.iter_mut().enumerate() {
        if let Some(bias) = strip.product.matrix.panel_bias(strip.panel + place) {
            // SAFETY: a panel has 16 biases.
            *sums = unsafe { [L::load(bias.as_ptr()); T] };
        }
    }
    sums
}

/// Reads sums back from the output.
#[inline(always)]
unsafe fn resume<L: Lanes, const P: usize, const T: usize>(strip: &Strip<'_, '_>) -> Sums<L, P, T> {
    // SAFETY: the instructions are the caller's contract.
    let mut sums = unsafe { [[L::splat(0.0); T]; P] };
    for (place, sums) in sums.iter_mut().enumerate() {
        let (column, width) = columns(strip.product, strip.panel + place);
        for (row, sum) in sums.iter_mut().enumerate() {
            let from = strip.product.out.at(strip.token + row, column);
            // SAFETY: `width` numbers of the row are the product's to read and write.
            unsafe {
                if width == PANEL {
                    *sum = L::load(from);
                } else {
                    let mut numbers = [0.0; PANEL];
                    std::ptr::copy_nonoverlapping(from, numbers.as_mut_ptr(), width);
                    *sum = L::load(numbers.as_ptr());
                }
            }
        }
    }
    sums
}

/// Stores sums in the output.
#[inline(always)]
unsafe fn store<L: Lanes, const P: usize, const T: usize>(strip: &Strip<'_, '_>, sums: Sums<L, P, T>) {
    for (place, sums) in sums.iter().enumerate() {
        let (column, width) = columns(strip.product, strip.panel + place);
        for (row, sum) in sums.iter().enumerate() {
            let to = strip.product.out.at(strip.token + row, column);
            // SAFETY: `width` numbers of the row are the product's to read and write.
            unsafe {
                if width == PANEL {
                    L::store(to, *sum);
                } else {
                    let mut numbers = [0.0; PANEL];
                    L::store(numbers.as_mut_ptr(), *sum);
                    std::ptr::copy_nonoverlapping(numbers.as_ptr(), to, width);
                }
            }
        }
    }
}

/// The first column of a panel in the output, and how many it has.
#[inline(always)]
fn columns(product: &Product<'_, '_>, panel: usize) -> (usize, usize) {
    let outputs = product.matrix.outputs();
    (
        (panel - product.panels.start) * PANEL,
        PANEL.min(outputs - panel * PANEL),
    )
}
