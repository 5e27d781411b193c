//! The innermost loops: `P` panels times `T` tokens, whose sums stay in registers.

#![allow(unsafe_code, reason = "vector instructions work on raw pointers")]

use super::PANEL;
use super::lanes::Lanes;
use super::multiply::Product;

/// The sums of `P` panels and `T` tokens.
pub(super) type Sums<L, const P: usize, const T: usize> = [[<L as Lanes>::F; T]; P];

/// Where chains begin: with the biases.
///
/// # Safety
/// As [`Lanes`] says.
#[inline(always)]
pub(super) unsafe fn begin<L: Lanes, const P: usize, const T: usize>(
    product: &Product<'_, '_>,
    panel: usize,
) -> Sums<L, P, T> {
    // SAFETY: the instructions are the caller's contract.
    let mut sums = unsafe { [[L::splat(0.0); T]; P] };
    for (place, sums) in sums.iter_mut().enumerate() {
        if let Some(bias) = product.matrix.panel_bias(panel + place) {
            // SAFETY: a panel has 16 biases.
            *sums = unsafe { [L::load(bias.as_ptr()); T] };
        }
    }
    sums
}

/// Reads sums back that were stored before.
///
/// # Safety
/// As [`Lanes`] says; `panel` and the `P - 1` after it are among the product's, `token` and the `T - 1` after it too.
#[inline(always)]
pub(super) unsafe fn resume<L: Lanes, const P: usize, const T: usize>(
    product: &Product<'_, '_>,
    panel: usize,
    token: usize,
) -> Sums<L, P, T> {
    // SAFETY: the instructions are the caller's contract.
    let mut sums = unsafe { [[L::splat(0.0); T]; P] };
    for (place, sums) in sums.iter_mut().enumerate() {
        let (column, width) = columns(product, panel + place);
        for (row, sum) in sums.iter_mut().enumerate() {
            let from = product.out.at(token + row, column);
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

/// Stores sums.
///
/// # Safety
/// As for [`resume`].
#[inline(always)]
pub(super) unsafe fn store<L: Lanes, const P: usize, const T: usize>(
    product: &Product<'_, '_>,
    panel: usize,
    token: usize,
    sums: Sums<L, P, T>,
) {
    for (place, sums) in sums.iter().enumerate() {
        let (column, width) = columns(product, panel + place);
        for (row, sum) in sums.iter().enumerate() {
            let to = product.out.at(token + row, column);
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

/// Adds `inputs` links of f32 weights to every chain. `numbers` is [inputs][T].
///
/// # Safety
/// As [`Lanes`] says; each of `weights` points to `inputs` times 16 numbers, `numbers` to `inputs * T`.
#[inline(always)]
pub(super) unsafe fn links_f32<L: Lanes, const P: usize, const T: usize>(
    mut weights: [*const f32; P],
    mut numbers: *const f32,
    inputs: usize,
    mut sums: Sums<L, P, T>,
) -> Sums<L, P, T> {
    // SAFETY: the pointers stay within what the contract names.
    unsafe {
        for _ in 0..inputs {
            let mut loaded = [L::splat(0.0); P];
            for panel in 0..P {
                loaded[panel] = L::load(weights[panel]);
                weights[panel] = weights[panel].add(PANEL);
            }
            for token in 0..T {
                let number = L::splat(*numbers.add(token));
                for panel in 0..P {
                    sums[panel][token] = L::fma(number, loaded[panel], sums[panel][token]);
                }
            }
            numbers = numbers.add(T);
        }
    }
    sums
}

/// Adds `pairs` times two links of bf16 weights to every chain. `numbers` is [2 * pairs][T].
///
/// # Safety
/// As [`Lanes`] says; each of `weights` points to `pairs` times 16 pairs, `numbers` to `2 * pairs * T` numbers.
#[inline(always)]
pub(super) unsafe fn links_bf16<L: Lanes, const P: usize, const T: usize>(
    mut weights: [*const u16; P],
    mut numbers: *const f32,
    pairs: usize,
    mut sums: Sums<L, P, T>,
) -> Sums<L, P, T> {
    // SAFETY: the pointers stay within what the contract names.
    unsafe {
        for _ in 0..pairs {
            for panel in 0..P {
                let (first, second) = L::bf16_pair(weights[panel]);
                weights[panel] = weights[panel].add(2 * PANEL);
                for token in 0..T {
                    let sum = L::fma(L::splat(*numbers.add(token)), first, sums[panel][token]);
                    sums[panel][token] = L::fma(L::splat(*numbers.add(T + token)), second, sum);
                }
            }
            numbers = numbers.add(2 * T);
        }
    }
    sums
}
