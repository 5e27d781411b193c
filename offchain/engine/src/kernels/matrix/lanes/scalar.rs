//! One number after the other: what the others are compared with, and the way of processors that we do not know.

use super::{LANES, Lanes};

/// Plain Rust.
pub(crate) struct Scalar;

impl Lanes for Scalar {
    const ACCUMULATORS: usize = 6;
    type F = [f32; LANES];

    #[inline(always)]
    unsafe fn splat(number: f32) -> Self::F {
        [number; LANES]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::F {
        // SAFETY: 16 numbers, by the trait's contract.
        unsafe { from.cast::<[f32; LANES]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, numbers: Self::F) {
        // SAFETY: 16 numbers, by the trait's contract.
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(numbers) }
    }

    #[inline(always)]
    unsafe fn fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        std::array::from_fn(|lane| a[lane].mul_add(b[lane], c[lane]))
    }

    #[inline(always)]
    unsafe fn bf16_pair(from: *const u16) -> (Self::F, Self::F) {
        // SAFETY: 32 numbers, by the trait's contract.
        let pairs = unsafe { from.cast::<[[u16; 2]; LANES]>().read_unaligned() };
        (
            pairs.map(|pair| f32::from_bits(u32::from(pair[0]) << 16)),
            pairs.map(|pair| f32::from_bits(u32::from(pair[1]) << 16)),
        )
    }
}
