//! Blocks of 32 numbers with a common scale: those of weights, as GGUF has them, and those of inputs.
//!
//! A block of `q8_0` is an f16 scale and 32 signed bytes; one of `q4_0` is an f16 scale and 16 bytes, of which byte `i`
//! has number `i` in its lower half and number `i + 16` in its upper half, each more by 8 than it means.

use half::f16;

/// Numbers of a block.
pub(crate) const BLOCK: usize = 32;

/// Bytes of a block of `q8_0`.
pub(crate) const Q8_BYTES: usize = 2 + BLOCK;

/// Bytes of a block of `q4_0`.
pub(crate) const Q4_BYTES: usize = 2 + BLOCK / 2;

/// 32 inputs of a product.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct InputBlock {
    /// What a byte is multiplied with.
    pub(super) scale: f32,
    /// Of the bytes.
    pub(super) sum: i32,
    pub(super) bytes: [i8; BLOCK],
}

impl InputBlock {
    pub(super) const ZERO: Self = Self {
        scale: 0.0,
        sum: 0,
        bytes: [0; BLOCK],
    };

    /// The nearest bytes between -127 and 127. Zeros stand for numbers beyond the 32nd. If a number is not finite the
    /// scale is not a number, and so is every product.
    #[inline]
    pub(super) fn of(numbers: &[f32]) -> Self {
        let mut block = Self::ZERO;
        let mut padded = [0.0; BLOCK];
        padded[..numbers.len()].copy_from_slice(numbers);
        // Without the sign the order of f32 is that of their bits, and what is not finite is above all.
        let largest = padded
            .iter()
            .fold(0, |largest, number| number.to_bits().wrapping_shl(1).max(largest));
        let largest = f32::from_bits(largest >> 1);
        if !largest.is_finite() {
            block.scale = f32::NAN;
            return block;
        }
        block.scale = largest / 127.0;
        // A scale below the normal numbers has no inverse worth the name.
        let inverse = if block.scale >= f32::MIN_POSITIVE {
            1.0 / block.scale
        } else {
            0.0
        };
        for (byte, number) in block.bytes.iter_mut().zip(padded) {
            *byte = nearest(number * inverse);
            block.sum += i32::from(*byte);
        }
        block
    }
}

/// The nearest integer, ties to even, of a number between -128 and 127: above 2^23 an f32 has no places behind the
/// point, and its lowest byte is that of the integer.
#[inline(always)]
fn nearest(number: f32) -> i8 {
    const ABOVE: f32 = 12_582_912.0; // 1.5 * 2^23
    let [lowest, ..] = (number + ABOVE).to_bits().to_le_bytes();
    lowest.cast_signed()
}

/// Writes a block of `q8_0` as `device::rounding` defines it.
pub(super) fn write_q8(numbers: &[f32; BLOCK], block: &mut [u8]) {
    let largest = numbers
        .iter()
        .fold(0.0, |largest: f32, number| largest.max(number.abs()));
    let inverse = write_scale(largest / 127.0, block);
    for (byte, number) in block[2..].iter_mut().zip(numbers) {
        *byte = ((number * inverse).round() as i8).cast_unsigned();
    }
}

/// Writes a block of `q4_0` as `device::rounding` defines it: the number that is farthest from zero becomes -8.
pub(super) fn write_q4(numbers: &[f32; BLOCK], block: &mut [u8]) {
    let farthest = numbers.iter().fold(0.0, |farthest: f32, number| {
        if number.abs() > farthest.abs() {
            *number
        } else {
            farthest
        }
    });
    let inverse = write_scale(farthest / -8.0, block);
    let half = |number: f32| (number * inverse + 8.5).floor().clamp(0.0, 15.0) as u8;
    for (place, byte) in block[2..].iter_mut().enumerate() {
        *byte = half(numbers[place]) | half(numbers[place + BLOCK / 2]) << 4;
    }
}

/// Writes a scale; gives the inverse of the exact one.
fn write_scale(exact: f32, block: &mut [u8]) -> f32 {
    block[..2].copy_from_slice(&f16::from_f32(exact).to_le_bytes());
    if exact == 0.0 { 0.0 } else { 1.0 / exact }
}

/// The numbers of a block of `q8_0`.
pub(crate) fn read_q8(block: &[u8], numbers: &mut [f32; BLOCK]) {
    let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
    for (number, byte) in numbers.iter_mut().zip(&block[2..]) {
        *number = scale * f32::from(byte.cast_signed());
    }
}

/// The numbers of a block of `q4_0`.
pub(crate) fn read_q4(block: &[u8], numbers: &mut [f32; BLOCK]) {
    let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
    for (place, byte) in block[2..].iter().enumerate() {
        numbers[place] = scale * (f32::from(byte & 15) - 8.0);
        numbers[place + BLOCK / 2] = scale * (f32::from(byte >> 4) - 8.0);
    }
}
