//! AVX2 with FMA and F16C: two registers of eight.

use super::Lanes;
use std::arch::x86_64::{
    __m256, __m256i, _mm256_and_si256, _mm256_castsi256_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_slli_epi32, _mm256_storeu_ps,
};

/// Processors from Haswell and Zen on.
pub(crate) struct Avx2;

// SAFETY of the bodies: the instructions and the pointers are the trait's contract.
impl Lanes for Avx2 {
    const ACCUMULATORS: usize = 6;
    type F = [__m256; 2];

    #[inline(always)]
    unsafe fn splat(number: f32) -> Self::F {
        unsafe { [_mm256_set1_ps(number); 2] }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::F {
        unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, numbers: Self::F) {
        unsafe {
            _mm256_storeu_ps(to, numbers[0]);
            _mm256_storeu_ps(to.add(8), numbers[1]);
        }
    }

    #[inline(always)]
    unsafe fn fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
    }

    #[inline(always)]
    unsafe fn bf16_pair(from: *const u16) -> (Self::F, Self::F) {
        unsafe {
            let [low, high]: [__m256i; 2] = [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(16).cast())];
            let upper = _mm256_set1_epi32(0xffff_0000_u32.cast_signed());
            (
                [
                    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(low)),
                    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(high)),
                ],
                [
                    _mm256_castsi256_ps(_mm256_and_si256(low, upper)),
                    _mm256_castsi256_ps(_mm256_and_si256(high, upper)),
                ],
            )
        }
    }
}
