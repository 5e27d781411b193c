//! NEON: four registers of four.

use super::{LANES, Lanes, Work};
use std::arch::aarch64::{
    float32x4_t, int8x16_t, int32x4_t, vandq_u8, vandq_u32, vcvtq_f32_s32, vdupq_n_f32, vdupq_n_s8, vdupq_n_s32,
    vdupq_n_u8, vdupq_n_u32, vfmaq_f32, vget_low_s8, vld1q_f32, vld1q_s8, vld1q_u8, vld1q_u32, vmull_high_s8, vmull_s8,
    vmulq_f32, vpadalq_s16, vpaddq_s16, vreinterpretq_f32_u32, vreinterpretq_s8_s32, vreinterpretq_s8_u8, vshlq_n_u32,
    vshrq_n_u8, vst1q_f32, vsubq_s32,
};

/// Every 64-bit Arm processor.
pub(crate) struct Neon;

// SAFETY of the bodies: the instructions and the pointers are the trait's contract.
impl Lanes for Neon {
    const SUMS: usize = 6;
    const BLOCK_SUMS: usize = 4;
    type F = [float32x4_t; 4];
    type Bytes = [int8x16_t; 4];
    type ByteSum = [int32x4_t; 4];
    type Halves = [int8x16_t; 4];
    type HalfSum = [int32x4_t; 4];

    #[target_feature(enable = "neon")]
    #[inline(never)]
    unsafe fn enter<W: Work>(work: W) {
        unsafe { work.run::<Self>() }
    }

    #[inline(always)]
    unsafe fn splat(number: f32) -> Self::F {
        unsafe { [vdupq_n_f32(number); 4] }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::F {
        unsafe {
            [
                vld1q_f32(from),
                vld1q_f32(from.add(4)),
                vld1q_f32(from.add(8)),
                vld1q_f32(from.add(12)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, numbers: Self::F) {
        unsafe {
            vst1q_f32(to, numbers[0]);
            vst1q_f32(to.add(4), numbers[1]);
            vst1q_f32(to.add(8), numbers[2]);
            vst1q_f32(to.add(12), numbers[3]);
        }
    }

    #[inline(always)]
    unsafe fn fma(a: Self::F, b: Self::F, mut c: Self::F) -> Self::F {
        for part in 0..4 {
            c[part] = unsafe { vfmaq_f32(c[part], a[part], b[part]) };
        }
        c
    }

    #[inline(always)]
    unsafe fn bf16_pair(from: *const u16) -> (Self::F, Self::F) {
        unsafe {
            let (mut first, mut second) = (Self::splat(0.0), Self::splat(0.0));
            for part in 0..4 {
                let pairs = vld1q_u32(from.cast::<u32>().add(4 * part));
                first[part] = vreinterpretq_f32_u32(vshlq_n_u32::<16>(pairs));
                second[part] = vreinterpretq_f32_u32(vandq_u32(pairs, vdupq_n_u32(0xffff_0000)));
            }
            (first, second)
        }
    }

    #[inline(always)]
    unsafe fn mul(mut a: Self::F, b: Self::F) -> Self::F {
        for part in 0..4 {
            a[part] = unsafe { vmulq_f32(a[part], b[part]) };
        }
        a
    }

    #[inline(always)]
    unsafe fn f16(from: *const u16) -> Self::F {
        let mut numbers = [0.0; LANES];
        for (lane, number) in numbers.iter_mut().enumerate() {
            *number = half::f16::from_bits(unsafe { from.add(lane).read_unaligned() }).to_f32();
        }
        unsafe { Self::load(numbers.as_ptr()) }
    }

    #[inline(always)]
    unsafe fn bytes(from: *const i8) -> Self::Bytes {
        unsafe {
            [
                vld1q_s8(from),
                vld1q_s8(from.add(16)),
                vld1q_s8(from.add(32)),
                vld1q_s8(from.add(48)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn begin_bytes(_inputs: i32) -> Self::ByteSum {
        unsafe { [vdupq_n_s32(0); 4] }
    }

    /// A sum of two products is at most 2 * 128 * 127 = 32,512.
    #[inline(always)]
    unsafe fn dot_bytes(mut sum: Self::ByteSum, bytes: Self::Bytes, four: i32) -> Self::ByteSum {
        unsafe {
            let four = vreinterpretq_s8_s32(vdupq_n_s32(four));
            for part in 0..4 {
                // [o0: 01, o0: 23, o1: ...] of outputs 0 and 1, and of outputs 2 and 3.
                let lower = vmull_s8(vget_low_s8(bytes[part]), vget_low_s8(four));
                let upper = vmull_high_s8(bytes[part], four);
                let pairs = vpaddq_s16(lower, upper);
                sum[part] = vpadalq_s16(sum[part], pairs);
            }
        }
        sum
    }

    #[inline(always)]
    unsafe fn byte_sums(sum: Self::ByteSum) -> Self::F {
        unsafe {
            [
                vcvtq_f32_s32(sum[0]),
                vcvtq_f32_s32(sum[1]),
                vcvtq_f32_s32(sum[2]),
                vcvtq_f32_s32(sum[3]),
            ]
        }
    }

    #[inline(always)]
    unsafe fn halves(from: *const u8) -> (Self::Halves, Self::Halves) {
        unsafe {
            let (mut lower, mut upper) = ([vdupq_n_s8(0); 4], [vdupq_n_s8(0); 4]);
            for part in 0..4 {
                let bytes = vld1q_u8(from.add(16 * part));
                lower[part] = vreinterpretq_s8_u8(vandq_u8(bytes, vdupq_n_u8(15)));
                upper[part] = vreinterpretq_s8_u8(vshrq_n_u8::<4>(bytes));
            }
            (lower, upper)
        }
    }

    #[inline(always)]
    unsafe fn begin_halves(_inputs: i32) -> Self::HalfSum {
        unsafe { [vdupq_n_s32(0); 4] }
    }

    #[inline(always)]
    unsafe fn dot_halves(sum: Self::HalfSum, halves: Self::Halves, four: i32) -> Self::HalfSum {
        unsafe { Self::dot_bytes(sum, halves, four) }
    }

    #[inline(always)]
    unsafe fn half_sums(mut sum: Self::HalfSum, inputs: i32) -> Self::F {
        unsafe {
            for part in &mut sum {
                *part = vsubq_s32(*part, vdupq_n_s32(inputs << 3));
            }
            Self::byte_sums(sum)
        }
    }
}
