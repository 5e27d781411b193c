//! AVX-512 with VNNI: one register of sixteen.

use super::{Lanes, Work};
use std::arch::x86_64::{
    __m512, __m512i, _mm256_loadu_si256, _mm512_and_si512, _mm512_castsi512_ps, _mm512_cvtepi32_ps, _mm512_cvtph_ps,
    _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mul_ps, _mm512_set1_epi8,
    _mm512_set1_epi32, _mm512_set1_ps, _mm512_slli_epi32, _mm512_srli_epi16, _mm512_storeu_ps, _mm512_xor_si512,
};

/// Processors from Ice Lake and Zen 4 on.
pub(crate) struct Avx512;

// The instruction for sums of bytes multiplies unsigned with signed ones. So weights are taken for 128 more than they
// are, and halves are 8 more, and sums begin with what that is too much.
//
// SAFETY of the bodies: the instructions and the pointers are the trait's contract.
impl Lanes for Avx512 {
    const SUMS: usize = 24;
    const BLOCK_SUMS: usize = 12;
    type F = __m512;
    type Bytes = __m512i;
    type ByteSum = __m512i;
    type Halves = __m512i;
    type HalfSum = __m512i;

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma,f16c")]
    #[inline(never)]
    unsafe fn enter<W: Work>(work: W) {
        unsafe { work.run::<Self>() }
    }

    #[inline(always)]
    unsafe fn splat(number: f32) -> Self::F {
        unsafe { _mm512_set1_ps(number) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::F {
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, numbers: Self::F) {
        unsafe { _mm512_storeu_ps(to, numbers) }
    }

    #[inline(always)]
    unsafe fn fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn bf16_pair(from: *const u16) -> (Self::F, Self::F) {
        unsafe {
            let pairs = _mm512_loadu_si512(from.cast());
            let upper = _mm512_set1_epi32(0xffff_0000_u32.cast_signed());
            (
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(pairs)),
                _mm512_castsi512_ps(_mm512_and_si512(pairs, upper)),
            )
        }
    }

    #[inline(always)]
    unsafe fn mul(a: Self::F, b: Self::F) -> Self::F {
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn f16(from: *const u16) -> Self::F {
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
    }

    #[inline(always)]
    unsafe fn bytes(from: *const i8) -> Self::Bytes {
        unsafe { _mm512_xor_si512(_mm512_loadu_si512(from.cast()), _mm512_set1_epi8(i8::MIN)) }
    }

    #[inline(always)]
    unsafe fn begin_bytes(inputs: i32) -> Self::ByteSum {
        unsafe { _mm512_set1_epi32(-128 * inputs) }
    }

    #[inline(always)]
    unsafe fn dot_bytes(sum: Self::ByteSum, bytes: Self::Bytes, four: i32) -> Self::ByteSum {
        unsafe { _mm512_dpbusd_epi32(sum, bytes, _mm512_set1_epi32(four)) }
    }

    #[inline(always)]
    unsafe fn byte_sums(sum: Self::ByteSum) -> Self::F {
        unsafe { _mm512_cvtepi32_ps(sum) }
    }

    #[inline(always)]
    unsafe fn halves(from: *const u8) -> (Self::Halves, Self::Halves) {
        unsafe {
            let (bytes, lower) = (_mm512_loadu_si512(from.cast()), _mm512_set1_epi8(15));
            (
                _mm512_and_si512(bytes, lower),
                _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), lower),
            )
        }
    }

    #[inline(always)]
    unsafe fn begin_halves(inputs: i32) -> Self::HalfSum {
        unsafe { _mm512_set1_epi32(-8 * inputs) }
    }

    #[inline(always)]
    unsafe fn dot_halves(sum: Self::HalfSum, halves: Self::Halves, four: i32) -> Self::HalfSum {
        unsafe { _mm512_dpbusd_epi32(sum, halves, _mm512_set1_epi32(four)) }
    }

    #[inline(always)]
    unsafe fn half_sums(sum: Self::HalfSum, _inputs: i32) -> Self::F {
        unsafe { _mm512_cvtepi32_ps(sum) }
    }
}
