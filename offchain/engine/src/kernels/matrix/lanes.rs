//! Sixteen numbers side by side, on the instructions that the processor has.
//!
//! **Invariant:** every operation gives the same bits on every implementation. All of them are single operations of
//! IEEE 754 or of integers, rounded once; nothing here adds the lanes of a vector to one another.

#![allow(unsafe_code, reason = "vector instructions work on raw pointers")]

#[cfg(target_arch = "x86_64")]
mod avx2;
mod scalar;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
pub(crate) use scalar::Scalar;

/// Numbers in a vector.
pub(crate) const LANES: usize = 16;

/// Vectors of 16 numbers.
///
/// # Safety
/// Every function requires that the processor has the implementation's instructions, and that pointers point to 16
/// numbers (`bf16_pair`: 32, `f16`: 16 of two bytes). No pointer needs alignment.
pub(crate) trait Lanes {
    /// Vectors that a loop can keep in registers while it has two more at hand.
    const ACCUMULATORS: usize;
    /// 16 of f32.
    type F: Copy;

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
}
