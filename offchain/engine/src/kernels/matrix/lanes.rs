//! Sixteen numbers side by side, on the instructions that the processor has.
//!
//! **Invariant:** every operation gives the same bits on every implementation. All of them are single operations of
//! IEEE 754 or of integers, rounded once; nothing here adds the lanes of a vector to one another.

#![allow(unsafe_code, reason = "vector instructions work on raw pointers")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon;
pub(crate) use scalar::Scalar;

/// Numbers in a vector.
pub(crate) const LANES: usize = 16;

/// A loop over vectors.
pub(crate) trait Work {
    /// Runs it.
    ///
    /// # Safety
    /// As [`Lanes`] says, and what the work itself requires.
    unsafe fn run<L: Lanes>(self);
}

/// Vectors of 16 numbers.
///
/// # Safety
/// Every function requires that the processor has the implementation's instructions, and that pointers point to 16
/// numbers, or to as many bytes as the function says. No pointer needs alignment.
pub(crate) trait Lanes {
    /// Sums that the loops of f32 and bf16 keep in registers.
    const SUMS: usize;
    /// Integer sums that the loops of q8 and q4 keep in registers.
    const BLOCK_SUMS: usize;
    /// 16 of f32.
    type F: Copy;
    /// Four signed bytes for each of 16 outputs.
    type Bytes: Copy;
    /// 16 integer sums of products of such bytes.
    type ByteSum: Copy;
    /// Four numbers from 0 to 15 for each of 16 outputs.
    type Halves: Copy;
    /// 16 integer sums of at most 32 products each of such numbers.
    type HalfSum: Copy;

    /// Does the work in a function that is compiled for these instructions, and not merged with others: then all
    /// registers are the work's own.
    unsafe fn enter<W: Work>(work: W);

    /// The same number 16 times.
    unsafe fn splat(number: f32) -> Self::F;
    /// Reads.
    unsafe fn load(from: *const f32) -> Self::F;
    /// Writes.
    unsafe fn store(to: *mut f32, numbers: Self::F);
    /// `a * b + c`, rounded once.
    unsafe fn fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// Reads 16 pairs of bf16: the first of each pair, then the second.
    unsafe fn bf16_pair(from: *const u16) -> (Self::F, Self::F);
    /// `a * b`.
    unsafe fn mul(a: Self::F, b: Self::F) -> Self::F;
    /// Reads 16 of f16.
    unsafe fn f16(from: *const u16) -> Self::F;

    /// Reads 64 signed bytes.
    unsafe fn bytes(from: *const i8) -> Self::Bytes;
    /// Where the sums of a block begin whose inputs have the sum `inputs`.
    unsafe fn begin_bytes(inputs: i32) -> Self::ByteSum;
    /// Adds for each output the four products with the bytes of `four`, which are not -128.
    unsafe fn dot_bytes(sum: Self::ByteSum, bytes: Self::Bytes, four: i32) -> Self::ByteSum;
    /// The sums as f32.
    unsafe fn byte_sums(sum: Self::ByteSum) -> Self::F;

    /// Reads the halves of 64 bytes: the lower ones, then the upper ones.
    unsafe fn halves(from: *const u8) -> (Self::Halves, Self::Halves);
    /// Where the sums of a block begin whose inputs have the sum `inputs`.
    unsafe fn begin_halves(inputs: i32) -> Self::HalfSum;
    /// Adds for each output the four products with the bytes of `four`, which are not -128.
    unsafe fn dot_halves(sum: Self::HalfSum, halves: Self::Halves, four: i32) -> Self::HalfSum;
    /// The sums as f32, each half taken for 8 less than it is; `inputs` as at the beginning.
    unsafe fn half_sums(sum: Self::HalfSum, inputs: i32) -> Self::F;
}
