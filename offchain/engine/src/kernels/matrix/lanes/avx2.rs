//! AVX2 with FMA and F16C: two registers of eight.

use super::{Lanes, Work};
use std::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_loadu_si128, _mm256_abs_epi8, _mm256_add_epi16, _mm256_add_epi32, _mm256_and_si256,
    _mm256_castsi256_ps, _mm256_cvtepi32_ps, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256,
    _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32,
    _mm256_set1_ps, _mm256_setzero_si256, _mm256_sign_epi8, _mm256_slli_epi32, _mm256_srli_epi16, _mm256_storeu_ps,
    _mm256_sub_epi32,
};

/// Processors from Haswell and Zen on.
pub(crate) struct Avx2;

// SAFETY of the bodies: the instructions and the pointers are the trait's contract.
impl Lanes for Avx2 {
    const SUMS: usize = 6;
    const BLOCK_SUMS: usize = 4;
    type F = [__m256; 2];
    type Bytes = [__m256i; 2];
    type ByteSum = [__m256i; 2];
    type Halves = [__m256i; 2];
    /// Of 16 bits, two for each output.
    type HalfSum = [__m256i; 2];

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline(never)]
    unsafe fn enter<W: Work>(work: W) {
        unsafe { work.run::<Self>() }
    }

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

    #[inline(always)]
    unsafe fn mul(a: Self::F, b: Self::F) -> Self::F {
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn f16(from: *const u16) -> Self::F {
        unsafe {
            let from = from.cast::<__m128i>();
            [
                _mm256_cvtph_ps(_mm_loadu_si128(from)),
                _mm256_cvtph_ps(_mm_loadu_si128(from.add(1))),
            ]
        }
    }

    #[inline(always)]
    unsafe fn bytes(from: *const i8) -> Self::Bytes {
        unsafe { [_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(from.add(32).cast())] }
    }

    #[inline(always)]
    unsafe fn begin_bytes(_inputs: i32) -> Self::ByteSum {
        unsafe { [_mm256_setzero_si256(); 2] }
    }

    #[inline(always)]
    unsafe fn dot_bytes(sum: Self::ByteSum, bytes: Self::Bytes, four: i32) -> Self::ByteSum {
        unsafe {
            let four = _mm256_set1_epi32(four);
            [dot_bytes(sum[0], bytes[0], four), dot_bytes(sum[1], bytes[1], four)]
        }
    }

    #[inline(always)]
    unsafe fn byte_sums(sum: Self::ByteSum) -> Self::F {
        unsafe { [_mm256_cvtepi32_ps(sum[0]), _mm256_cvtepi32_ps(sum[1])] }
    }

    #[inline(always)]
    unsafe fn halves(from: *const u8) -> (Self::Halves, Self::Halves) {
        unsafe {
            let lower = _mm256_set1_epi8(15);
            let [one, two] = Self::bytes(from.cast());
            (
                [_mm256_and_si256(one, lower), _mm256_and_si256(two, lower)],
                [
                    _mm256_and_si256(_mm256_srli_epi16::<4>(one), lower),
                    _mm256_and_si256(_mm256_srli_epi16::<4>(two), lower),
                ],
            )
        }
    }

    #[inline(always)]
    unsafe fn begin_halves(_inputs: i32) -> Self::HalfSum {
        unsafe { [_mm256_setzero_si256(); 2] }
    }

    /// A block adds 16 products to each sum of 16 bits: at most 16 * 15 * 127 = 30,480.
    #[inline(always)]
    unsafe fn dot_halves(sum: Self::HalfSum, halves: Self::Halves, four: i32) -> Self::HalfSum {
        unsafe {
            let four = _mm256_set1_epi32(four);
            [
                _mm256_add_epi16(sum[0], _mm256_maddubs_epi16(halves[0], four)),
                _mm256_add_epi16(sum[1], _mm256_maddubs_epi16(halves[1], four)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn half_sums(sum: Self::HalfSum, inputs: i32) -> Self::F {
        unsafe {
            let (ones, eights) = (_mm256_set1_epi16(1), _mm256_set1_epi32(inputs << 3));
            [
                _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_madd_epi16(sum[0], ones), eights)),
                _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_madd_epi16(sum[1], ones), eights)),
            ]
        }
    }
}

/// The instruction multiplies unsigned with signed bytes, so the sign of a weight goes over to the input. A sum of two
/// products is at most 2 * 128 * 127 = 32,512 and never saturates.
#[inline(always)]
unsafe fn dot_bytes(sum: __m256i, bytes: __m256i, four: __m256i) -> __m256i {
    unsafe {
        let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(bytes), _mm256_sign_epi8(four, bytes));
        _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
    }
}
