//! The innermost loops, one for each weight format.

#![allow(unsafe_code, reason = "vector instructions work on raw pointers")]
#![allow(clippy::needless_range_loop, reason = "the indices are those of registers")]

use super::PANEL;
use super::blocks::InputBlock;
use super::lanes::Lanes;
use super::layout::{Q4_PANEL, Q8_PANEL, SCALES};
use super::strip::{Links, Sums};
use crate::kernels::prefetch::ask_for_line;

/// How far ahead of a block its panel is asked for, in bytes. A block's sums take so long that the processor itself looks
/// too little ahead: with this the products read as fast as memory gives, without it at five sixths of that.
const AHEAD: usize = 1024;

/// Weights of f32.
pub(super) struct F32;

impl Links for F32 {
    fn sums<L: Lanes>() -> usize {
        L::SUMS
    }

    #[inline(always)]
    unsafe fn add<L: Lanes, const P: usize, const T: usize>(
        weights: [*const u8; P],
        inputs: *const u8,
        width: usize,
        count: usize,
        mut sums: Sums<L, P, T>,
    ) -> Sums<L, P, T> {
        let (mut weights, mut numbers) = (weights, inputs.cast::<f32>());
        // SAFETY: the pointers stay within what the contract names.
        unsafe {
            for _ in 0..count {
                let mut loaded = [L::splat(0.0); P];
                for panel in 0..P {
                    loaded[panel] = L::load(weights[panel].cast());
                    weights[panel] = weights[panel].add(4 * PANEL);
                }
                for token in 0..T {
                    let number = L::splat(*numbers.add(token));
                    for panel in 0..P {
                        sums[panel][token] = L::fma(number, loaded[panel], sums[panel][token]);
                    }
                }
                numbers = numbers.add(width);
            }
        }
        sums
    }
}

/// Weights of bf16.
pub(super) struct Bf16;

impl Links for Bf16 {
    fn sums<L: Lanes>() -> usize {
        L::SUMS
    }

    #[inline(always)]
    unsafe fn add<L: Lanes, const P: usize, const T: usize>(
        weights: [*const u8; P],
        inputs: *const u8,
        width: usize,
        count: usize,
        mut sums: Sums<L, P, T>,
    ) -> Sums<L, P, T> {
        let (mut weights, mut numbers) = (weights, inputs.cast::<f32>());
        // SAFETY: the pointers stay within what the contract names.
        unsafe {
            for _ in 0..count {
                let second_numbers = numbers.add(width);
                for panel in 0..P {
                    let (first, second) = L::bf16_pair(weights[panel].cast());
                    weights[panel] = weights[panel].add(4 * PANEL);
                    for token in 0..T {
                        sums[panel][token] = L::fma(L::splat(*numbers.add(token)), first, sums[panel][token]);
                    }
                    for token in 0..T {
                        sums[panel][token] = L::fma(L::splat(*second_numbers.add(token)), second, sums[panel][token]);
                    }
                }
                numbers = second_numbers.add(width);
            }
        }
        sums
    }
}

/// Weights of q8.
pub(super) struct Q8;

impl Links for Q8 {
    fn sums<L: Lanes>() -> usize {
        L::BLOCK_SUMS
    }

    #[inline(always)]
    unsafe fn add<L: Lanes, const P: usize, const T: usize>(
        mut weights: [*const u8; P],
        inputs: *const u8,
        width: usize,
        count: usize,
        mut sums: Sums<L, P, T>,
    ) -> Sums<L, P, T> {
        let mut inputs = inputs.cast::<InputBlock>();
        // An unrolled loop would be rearranged until it needs more registers than there are.
        let groups = std::hint::black_box(8);
        // SAFETY: the pointers stay within what the contract names.
        unsafe {
            for _ in 0..count {
                let mut products = [[L::begin_bytes(0); T]; P];
                for token in 0..T {
                    let begin = L::begin_bytes((*inputs.add(token)).sum);
                    for panel in 0..P {
                        products[panel][token] = begin;
                    }
                }
                for group in 0..groups {
                    for panel in 0..P {
                        ask_for_line(weights[panel].wrapping_add(AHEAD + SCALES + group * 4 * PANEL));
                        let bytes = L::bytes(weights[panel].add(SCALES + group * 4 * PANEL).cast());
                        for token in 0..T {
                            let four = four(inputs.add(token), group);
                            products[panel][token] = L::dot_bytes(products[panel][token], bytes, four);
                        }
                    }
                }
                for panel in 0..P {
                    ask_for_line(weights[panel].wrapping_add(AHEAD));
                    let scales = L::f16(weights[panel].cast());
                    for token in 0..T {
                        let scale = L::mul(scales, L::splat((*inputs.add(token)).scale));
                        let product = L::byte_sums(products[panel][token]);
                        sums[panel][token] = L::fma(scale, product, sums[panel][token]);
                    }
                    weights[panel] = weights[panel].add(Q8_PANEL);
                }
                inputs = inputs.add(width);
            }
        }
        sums
    }
}

/// Weights of q4.
pub(super) struct Q4;

impl Links for Q4 {
    fn sums<L: Lanes>() -> usize {
        L::BLOCK_SUMS
    }

    #[inline(always)]
    unsafe fn add<L: Lanes, const P: usize, const T: usize>(
        mut weights: [*const u8; P],
        inputs: *const u8,
        width: usize,
        count: usize,
        mut sums: Sums<L, P, T>,
    ) -> Sums<L, P, T> {
        let mut inputs = inputs.cast::<InputBlock>();
        // An unrolled loop would be rearranged until it needs more registers than there are.
        let groups = std::hint::black_box(4);
        // SAFETY: the pointers stay within what the contract names.
        unsafe {
            for _ in 0..count {
                let mut products = [[L::begin_halves(0); T]; P];
                for token in 0..T {
                    let begin = L::begin_halves((*inputs.add(token)).sum);
                    for panel in 0..P {
                        products[panel][token] = begin;
                    }
                }
                for group in 0..groups {
                    for panel in 0..P {
                        ask_for_line(weights[panel].wrapping_add(AHEAD + SCALES + group * 4 * PANEL));
                        let (lower, upper) = L::halves(weights[panel].add(SCALES + group * 4 * PANEL));
                        for token in 0..T {
                            let four = four(inputs.add(token), group);
                            products[panel][token] = L::dot_halves(products[panel][token], lower, four);
                        }
                        for token in 0..T {
                            let four = four(inputs.add(token), group + 4);
                            products[panel][token] = L::dot_halves(products[panel][token], upper, four);
                        }
                    }
                }
                for panel in 0..P {
                    ask_for_line(weights[panel].wrapping_add(AHEAD));
                    let scales = L::f16(weights[panel].cast());
                    for token in 0..T {
                        let scale = L::mul(scales, L::splat((*inputs.add(token)).scale));
                        let product = L::half_sums(products[panel][token], (*inputs.add(token)).sum);
                        sums[panel][token] = L::fma(scale, product, sums[panel][token]);
                    }
                    weights[panel] = weights[panel].add(Q4_PANEL);
                }
                inputs = inputs.add(width);
            }
        }
        sums
    }
}

/// Four inputs of a block.
///
/// # Safety
/// `block` points to a block, and `group` is below 8.
#[inline(always)]
unsafe fn four(block: *const InputBlock, group: usize) -> i32 {
    // SAFETY: 32 bytes are eight groups.
    unsafe { (&raw const (*block).bytes).cast::<i32>().add(group).read_unaligned() }
}
