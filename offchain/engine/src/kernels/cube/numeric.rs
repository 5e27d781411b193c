//! Functions of numbers inside kernels.

use cubecl::prelude::*;

/// e^x: the reduction and the polynomial of the CPU.
#[cube]
pub(super) fn exp(x: f32) -> f32 {
    let bounded = select(x > 88.0, 88.0f32, x);
    // Not by adding and taking away a large number, as the CPU does it: shader compilers take that for nothing.
    let powers = f32::floor(fma(bounded, 1.442_695f32, 0.5f32));
    let rest = fma(-powers, 0.693_359_4f32, bounded);
    let rest = fma(-powers, -2.121_944_4e-4f32, rest);
    let series = fma(1.987_569_1e-4f32, rest, 1.398_2e-3f32);
    let series = fma(series, rest, 8.333_452e-3f32);
    let series = fma(series, rest, 4.166_579_6e-2f32);
    let series = fma(series, rest, 1.666_666_5e-1f32);
    let series = fma(series, rest, 0.5f32);
    let value = fma(series * rest, rest, rest) + 1.0;
    let exponent = i32::cast_from(select(x < -87.0, 0.0f32, powers)) + 127i32;
    let power = f32::reinterpret(u32::reinterpret(exponent) << 23u32);
    select(x < -87.0, 0.0f32, value * power)
}

/// 1 / (1 + e^-x).
#[cube]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The hyperbolic tangent, absolutely within 2e-7.
#[cube]
pub(super) fn tanh(x: f32) -> f32 {
    let x = select(x > 40.0, 40.0f32, x);
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

/// An f16 in the lower half of `bits`, exactly.
#[cube]
pub(super) fn half_to_f32(bits: u32) -> f32 {
    let magnitude = bits & 0x7fffu32;
    let normal = f32::reinterpret((magnitude << 13u32) + 0x3800_0000u32);
    // Below the normal numbers: steps of 2^-24.
    let small = f32::cast_from(magnitude) * 5.960_464_5e-8f32;
    let value = select(magnitude < 0x400u32, small, normal);
    select((bits & 0x8000u32) == 0u32, value, -value)
}

/// `x` rounded to the nearest bf16, ties to even; what is infinite, or a number in no bit that a bf16 lacks, stays as it is.
#[cube]
pub(super) fn round_to_bf16(x: f32) -> f32 {
    let bits = u32::reinterpret(x);
    let even = (bits >> 16u32) & 1u32;
    let rounded = (bits + 0x7fffu32 + even) & 0xffff_0000u32;
    let is_number = (bits & 0x7f80_0000u32) != 0x7f80_0000u32;
    f32::reinterpret(select(is_number, rounded, bits & 0xffff_0000u32))
}

/// The sum of one number of each of the cube's `units`, a power of two, in a tree; every unit gets it.
#[cube]
pub(super) fn tree_sum(number: f32, room: &mut SharedMemory<f32>, #[comptime] units: usize) -> f32 {
    let unit = UNIT_POS as usize;
    sync_cube();
    room[unit] = number;
    sync_cube();
    let mut half = comptime!(units / 2).runtime();
    while half > 0 {
        if unit < half {
            room[unit] = room[unit] + room[unit + half];
        }
        sync_cube();
        half /= 2;
    }
    room[0]
}

/// The greatest of one number of each of the cube's `units`, a power of two; every unit gets it.
#[cube]
pub(super) fn tree_max(number: f32, room: &mut SharedMemory<f32>, #[comptime] units: usize) -> f32 {
    let unit = UNIT_POS as usize;
    sync_cube();
    room[unit] = number;
    sync_cube();
    let mut half = comptime!(units / 2).runtime();
    while half > 0 {
        if unit < half {
            let (one, other) = (room[unit], room[unit + half]);
            room[unit] = select(other > one, other, one);
        }
        sync_cube();
        half /= 2;
    }
    room[0]
}
