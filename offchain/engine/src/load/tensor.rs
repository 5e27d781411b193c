//! Numbers of a tensor in a file, turned into f32 when they are read.

use super::mxfp4;
use std::ops::Range;
use std::sync::LazyLock;

/// Rows and columns that share a factor in fp8 weights.
const F8_BLOCK: usize = 128;

/// How a number is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberFormat {
    F32,
    F16,
    Bf16,
    /// Four bits of exponent, three of mantissa, no infinity (arXiv 2209.05433).
    F8E4m3,
    /// A byte that is no number by itself.
    Byte,
}

impl NumberFormat {
    /// Bytes of one number.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::F8E4m3 | Self::Byte => 1,
        }
    }
}

/// A tensor, seen as a matrix whose columns are its last dimension; one with a single dimension is a column.
#[derive(Clone, Copy)]
pub(super) struct Tensor<'a> {
    format: NumberFormat,
    shape: &'a [usize],
    bytes: &'a [u8],
    scales: Scales<'a>,
}

/// Factors of the numbers.
#[derive(Clone, Copy)]
enum Scales<'a> {
    None,
    /// Of fp8 weights: one f32, f16 or bf16 for each block of 128 rows and 128 columns, row after row of blocks.
    Squares(NumberFormat, &'a [u8]),
    /// Of MXFP4: an exponent for each 32 numbers of a row.
    Mxfp4(&'a [u8]),
}

impl<'a> Tensor<'a> {
    /// `bytes` are as many as shape and format say.
    pub(super) fn new(format: NumberFormat, shape: &'a [usize], bytes: &'a [u8]) -> Self {
        Self {
            format,
            shape,
            bytes,
            scales: Scales::None,
        }
    }

    pub(super) fn format(&self) -> NumberFormat {
        self.format
    }

    pub(super) fn shape(&self) -> &'a [usize] {
        self.shape
    }

    /// How many numbers.
    pub(super) fn len(&self) -> usize {
        match self.scales {
            Scales::Mxfp4(_) => self.bytes.len() * 2,
            _ => self.bytes.len() / self.format.bytes(),
        }
    }

    /// Columns as a matrix.
    pub(super) fn columns(&self) -> usize {
        match self.shape {
            [] | [_] => 1,
            [.., blocks, _] if matches!(self.scales, Scales::Mxfp4(_)) => blocks * mxfp4::BLOCK,
            [.., last] => *last,
        }
    }

    /// The shape of the factors of an fp8 matrix of this shape.
    pub(super) fn scales_shape(&self) -> Vec<usize> {
        self.shape.iter().map(|size| size.div_ceil(F8_BLOCK)).collect()
    }

    /// With factors, which have the shape [`Self::scales_shape`].
    pub(super) fn scaled(self, scales: Tensor<'a>) -> Self {
        Self {
            scales: Scales::Squares(scales.format, scales.bytes),
            ..self
        }
    }

    /// A matrix in MXFP4, [.., blocks of a row, bytes of a block], with exponents [.., blocks of a row].
    pub(super) fn mxfp4(self, exponents: Tensor<'a>) -> Self {
        Self {
            scales: Scales::Mxfp4(exponents.bytes),
            ..self
        }
    }

    /// Numbers of one row from some columns on.
    pub(super) fn read(&self, row: usize, columns: Range<usize>, numbers: &mut [f32]) {
        let first = row * self.columns() + columns.start;
        if let Scales::Mxfp4(exponents) = self.scales {
            return mxfp4::decode(self.bytes, exponents, first, numbers);
        }
        decode(self.format, &self.bytes[first * self.format.bytes()..], numbers);
        let Scales::Squares(format, scales) = self.scales else {
            return;
        };
        let first = row / F8_BLOCK * self.columns().div_ceil(F8_BLOCK);
        for (column, number) in columns.zip(numbers) {
            let mut scale = [0.0];
            decode(
                format,
                &scales[(first + column / F8_BLOCK) * format.bytes()..],
                &mut scale,
            );
            *number *= scale[0];
        }
    }
}

/// The first numbers of `bytes`, as many as there is room for.
fn decode(format: NumberFormat, bytes: &[u8], numbers: &mut [f32]) {
    match format {
        NumberFormat::F32 => each(bytes, numbers, f32::from_le_bytes),
        NumberFormat::F16 => each(bytes, numbers, |pair| half::f16::from_le_bytes(pair).to_f32()),
        NumberFormat::Bf16 => each(bytes, numbers, |pair| half::bf16::from_le_bytes(pair).to_f32()),
        NumberFormat::F8E4m3 => each(bytes, numbers, |[byte]| F8_E4M3[usize::from(byte)]),
        NumberFormat::Byte => each(bytes, numbers, |[byte]: [u8; 1]| f32::from(byte)),
    }
}

fn each<const N: usize>(bytes: &[u8], numbers: &mut [f32], decode: impl Fn([u8; N]) -> f32) {
    let (chunks, _) = bytes.as_chunks::<N>();
    for (number, chunk) in numbers.iter_mut().zip(chunks) {
        *number = decode(*chunk);
    }
}

/// All numbers of fp8.
static F8_E4M3: LazyLock<[f32; 256]> = LazyLock::new(|| {
    std::array::from_fn(|byte| {
        let (exponent, mantissa) = (byte >> 3 & 15, (byte & 7) as f32);
        let size = match (exponent, byte & 7) {
            (15, 7) => f32::NAN,
            (0, _) => mantissa / 8.0 * 2.0_f32.powi(-6),
            _ => (1.0 + mantissa / 8.0) * 2.0_f32.powi(exponent as i32 - 7),
        };
        if byte < 128 { size } else { -size }
    })
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_all_formats_are_read() {
        let read = |format, bytes: &[u8], count: usize| {
            let mut numbers = vec![0.0; count];
            decode(format, bytes, &mut numbers);
            numbers
        };
        assert_eq!(read(NumberFormat::F32, &1.5_f32.to_le_bytes(), 1), [1.5]);
        assert_eq!(
            read(NumberFormat::F16, &[0x00, 0x3e, 0x01, 0x00], 2),
            [1.5, 2.0_f32.powi(-24)]
        );
        assert_eq!(read(NumberFormat::Bf16, &[0xc0, 0x3f, 0xc0, 0xbf], 2), [1.5, -1.5]);
        // Zero, the smallest, the largest below a normal one, one, the largest.
        let bytes = [0x00, 0x01, 0x07, 0x38, 0x7e, 0xfe];
        let expected = [0.0, 2.0_f32.powi(-9), 7.0 * 2.0_f32.powi(-9), 1.0, 448.0, -448.0];
        assert_eq!(read(NumberFormat::F8E4m3, &bytes, 6), expected);
        assert!(read(NumberFormat::F8E4m3, &[0x7f], 1)[0].is_nan());
    }

    #[test]
    fn fp8_numbers_are_scaled_by_their_block() {
        let (rows, columns) = (130, 260);
        let bytes = vec![0x38; rows * columns];
        let factors: Vec<u8> = (1..=6_u8).flat_map(|factor| f32::from(factor).to_le_bytes()).collect();
        let (shape, blocks) = ([rows, columns], [2, 3]);
        let tensor = Tensor::new(NumberFormat::F8E4m3, &shape, &bytes);
        assert_eq!(tensor.scales_shape(), blocks);
        let tensor = tensor.scaled(Tensor::new(NumberFormat::F32, &blocks, &factors));
        let mut found = [0.0; 4];
        tensor.read(127, 126..130, &mut found);
        assert_eq!(found, [1.0, 1.0, 2.0, 2.0]);
        tensor.read(128, 254..258, &mut found);
        assert_eq!(found, [5.0, 5.0, 6.0, 6.0]);
    }
}
