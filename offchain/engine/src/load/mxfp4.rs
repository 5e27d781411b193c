//! MXFP4 (OCP Microscaling Formats 1.0): blocks of 32 numbers of four bits that share an exponent. GPT-OSS stores a matrix
//! `name` [.., columns] as `name_blocks` [.., columns / 32, 16] and `name_scales` [.., columns / 32], both of bytes.

/// Numbers of a block.
pub(super) const BLOCK: usize = 32;

/// Of an exponent.
const BIAS: i32 = 127;

/// By the low three bits; the fourth is the sign.
const SIZES: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];

/// Where the numbers lie.
pub(super) fn blocks_name(tensor: &str) -> String {
    format!("{tensor}_blocks")
}

/// Where the exponents lie.
pub(super) fn exponents_name(tensor: &str) -> String {
    format!("{tensor}_scales")
}

/// The shape of the blocks of a tensor of this shape; `None` if its rows are not whole blocks.
pub(super) fn stored_shape(shape: &[usize]) -> Option<Vec<usize>> {
    let (columns, rows) = shape.split_last()?;
    let blocks = [columns / BLOCK, BLOCK / 2];
    (columns.is_multiple_of(BLOCK) && !rows.is_empty()).then(|| [rows, &blocks].concat())
}

/// The numbers from `first` on. The low half of a byte comes before the high one.
pub(super) fn decode(blocks: &[u8], exponents: &[u8], first: usize, numbers: &mut [f32]) {
    for (index, number) in (first..).zip(numbers) {
        let half = blocks[index / 2] >> (4 * (index % 2)) & 15;
        let size = SIZES[usize::from(half & 7)];
        let sign = if half & 8 == 0 { 1.0 } else { -1.0 };
        *number = sign * size * power_of_two(exponents[index / BLOCK]);
    }
}

/// 2^(exponent - 127), as the bits of an f32. 255 is not a number.
fn power_of_two(exponent: u8) -> f32 {
    match i32::from(exponent) - BIAS {
        -127 => f32::from_bits(1 << 22), // below the normal numbers
        128 => f32::NAN,
        _ => f32::from_bits(u32::from(exponent) << 23),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_bytes_are_scaled_by_their_block() {
        let mut blocks = [0; 32];
        (blocks[0], blocks[1], blocks[16]) = (0x72, 0xf9, 0x5c);
        let mut numbers = [1.0; 36];
        decode(&blocks, &[127, 129], 0, &mut numbers);
        assert_eq!(numbers[..5], [1.0, 6.0, -0.5, -6.0, 0.0]);
        assert_eq!(numbers[31..35], [0.0, -8.0, 12.0, 0.0]);
        decode(&blocks, &[126, 126], 3, &mut numbers[..1]);
        assert_eq!(numbers[0], -3.0);
    }

    #[test]
    fn exponents_are_powers_of_two() {
        for exponent in 0..255 {
            let expected = 2.0_f64.powi(i32::from(exponent) - 127);
            assert_eq!(f64::from(power_of_two(exponent)), expected, "{exponent}");
        }
        assert!(power_of_two(255).is_nan());
    }

    #[test]
    fn rows_are_whole_blocks() {
        assert_eq!(stored_shape(&[4, 6, 64]), Some(vec![4, 6, 2, 16]));
        assert_eq!(stored_shape(&[4, 6, 60]), None);
        assert_eq!(stored_shape(&[64]), None);
    }
}
