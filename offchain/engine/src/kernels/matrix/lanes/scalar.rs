//! One number after the other: what the others are compared with, and the way of processors that we do not know.

use super::{LANES, Lanes, Work};

/// Plain Rust.
pub(crate) struct Scalar;

impl Lanes for Scalar {
    const SUMS: usize = 6;
    const BLOCK_SUMS: usize = 6;
    type F = [f32; LANES];
    type Bytes = [[i8; 4]; LANES];
    type ByteSum = [i32; LANES];
    type Halves = [[u8; 4]; LANES];
    type HalfSum = [i32; LANES];

    #[inline(never)]
    unsafe fn enter<W: Work>(work: W) {
        // SAFETY: the same contract.
        unsafe { work.run::<Self>() }
    }

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

    #[inline(always)]
    unsafe fn mul(a: Self::F, b: Self::F) -> Self::F {
        std::array::from_fn(|lane| a[lane] * b[lane])
    }

    #[inline(always)]
    unsafe fn f16(from: *const u16) -> Self::F {
        // SAFETY: 16 numbers, by the trait's contract.
        let numbers = unsafe { from.cast::<[u16; LANES]>().read_unaligned() };
        numbers.map(|number| half::f16::from_bits(number).to_f32())
    }

    #[inline(always)]
    unsafe fn bytes(from: *const i8) -> Self::Bytes {
        // SAFETY: 64 bytes, by the trait's contract.
        unsafe { from.cast::<Self::Bytes>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn begin_bytes(_inputs: i32) -> Self::ByteSum {
        [0; LANES]
    }

    #[inline(always)]
    unsafe fn dot_bytes(sum: Self::ByteSum, bytes: Self::Bytes, four: i32) -> Self::ByteSum {
        let four = four.to_ne_bytes().map(u8::cast_signed);
        std::array::from_fn(|lane| sum[lane] + dot(bytes[lane].map(i32::from), four))
    }

    #[inline(always)]
    unsafe fn byte_sums(sum: Self::ByteSum) -> Self::F {
        sum.map(|sum| sum as f32)
    }

    #[inline(always)]
    unsafe fn halves(from: *const u8) -> (Self::Halves, Self::Halves) {
        // SAFETY: 64 bytes, by the trait's contract.
        let bytes = unsafe { from.cast::<[[u8; 4]; LANES]>().read_unaligned() };
        (
            bytes.map(|four| four.map(|byte| byte & 15)),
            bytes.map(|four| four.map(|byte| byte >> 4)),
        )
    }

    #[inline(always)]
    unsafe fn begin_halves(_inputs: i32) -> Self::HalfSum {
        [0; LANES]
    }

    #[inline(always)]
    unsafe fn dot_halves(sum: Self::HalfSum, halves: Self::Halves, four: i32) -> Self::HalfSum {
        let four = four.to_ne_bytes().map(u8::cast_signed);
        std::array::from_fn(|lane| sum[lane] + dot(halves[lane].map(i32::from), four))
    }

    #[inline(always)]
    unsafe fn half_sums(sum: Self::HalfSum, inputs: i32) -> Self::F {
        sum.map(|sum| (sum - 8 * inputs) as f32)
    }
}

fn dot(weights: [i32; 4], inputs: [i8; 4]) -> i32 {
    (0..4).map(|place| weights[place] * i32::from(inputs[place])).sum()
}
