//! Numbers of a tensor in a file, turned into f32 when they are read.

use super::mxfp4;
use crate::device::WeightFormat;
use crate::kernels::matrix::{BLOCK, Q4_BYTES, Q8_BYTES, read_q4, read_q8};
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
    /// Blocks as GGUF's `q8_0` has them.
    Q8,
    /// Blocks as GGUF's `q4_0` has them.
    Q4,
}

impl NumberFormat {
    /// Numbers that lie in one piece, and its bytes.
    fn piece(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::F8E4m3 | Self::Byte => (1, 1),
            Self::Q8 => (BLOCK, Q8_BYTES),
            Self::Q4 => (BLOCK, Q4_BYTES),
        }
    }

    /// Bytes of a row of so many numbers; `None` if it is not whole blocks.
    pub(super) fn bytes_of_row(self, columns: usize) -> Option<usize> {
        let (numbers, bytes) = self.piece();
        columns
            .is_multiple_of(numbers)
            .then_some(columns / numbers)?
            .checked_mul(bytes)
    }

    /// Blocks that a device may take over as they are.
    pub(super) fn blocks(self) -> Option<WeightFormat> {
        match self {
            Self::Q8 => Some(WeightFormat::Q8),
            Self::Q4 => Some(WeightFormat::Q4),
            _ => None,
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
    /// Rows of a head whose halves lie interleaved.
    interleaved: Option<usize>,
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
            interleaved: None,
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
            _ => {
                let (numbers, bytes) = self.format.piece();
                self.bytes.len() / bytes * numbers
            }
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

    /// With heads of `rows` rows each, an even number: row `i` of the first half of a head lies at `2 i`, row `i` of the
    /// second half at `2 i + 1`.
    pub(super) fn interleaved(self, rows: usize) -> Self {
        Self {
            interleaved: Some(rows),
            ..self
        }
    }

    /// Where a row lies.
    fn place(&self, row: usize) -> usize {
        let Some(rows) = self.interleaved else { return row };
        let (within, half) = (row % rows, rows / 2);
        row - within + 2 * (within % half) + within / half
    }

    /// The blocks of one row as they lie, for a format that has blocks.
    pub(super) fn blocks(&self, row: usize) -> &'a [u8] {
        let (numbers, bytes) = self.format.piece();
        let bytes = self.columns() / numbers * bytes;
        &self.bytes[self.place(row) * bytes..][..bytes]
    }

    /// Numbers of one row from some columns on.
    pub(super) fn read(&self, row: usize, columns: Range<usize>, numbers: &mut [f32]) {
        let first = self.place(row) * self.columns() + columns.start;
        if let Scales::Mxfp4(exponents) = self.scales {
            return mxfp4::decode(self.bytes, exponents, first, numbers);
        }
        decode(self.format, self.bytes, first, numbers);
        let Scales::Squares(format, scales) = self.scales else {
            return;
        };
        let first = row / F8_BLOCK * self.columns().div_ceil(F8_BLOCK);
        for (column, number) in columns.zip(numbers) {
            let mut scale = [0.0];
            decode(format, scales, first + column / F8_BLOCK, &mut scale);
            *number *= scale[0];
        }
    }
}

/// The numbers of `bytes` from `first` on, as many as there is room for.
fn decode(format: NumberFormat, bytes: &[u8], first: usize, numbers: &mut [f32]) {
    let (of_piece, size) = format.piece();
    let bytes = &bytes[first / of_piece * size..];
    match format {
        NumberFormat::F32 => each(bytes, numbers, f32::from_le_bytes),
        NumberFormat::F16 => each(bytes, numbers, |pair| half::f16::from_le_bytes(pair).to_f32()),
        NumberFormat::Bf16 => each(bytes, numbers, |pair| half::bf16::from_le_bytes(pair).to_f32()),
        NumberFormat::F8E4m3 => each(bytes, numbers, |[byte]| F8_E4M3[usize::from(byte)]),
        NumberFormat::Byte => each(bytes, numbers, |[byte]: [u8; 1]| f32::from(byte)),
        NumberFormat::Q8 => each_block(bytes, first % BLOCK, numbers, size, read_q8),
        NumberFormat::Q4 => each_block(bytes, first % BLOCK, numbers, size, read_q4),
    }
}

fn each<const N: usize>(bytes: &[u8], numbers: &mut [f32], decode: impl Fn([u8; N]) -> f32) {
    let (chunks, _) = bytes.as_chunks::<N>();
    for (number, chunk) in numbers.iter_mut().zip(chunks) {
        *number = decode(*chunk);
    }
}

/// `skipped` numbers of the first block are passed over.
fn each_block(bytes: &[u8], skipped: usize, numbers: &mut [f32], size: usize, read: impl Fn(&[u8], &mut [f32; BLOCK])) {
    let (mut rest, mut from, mut block) = (numbers, skipped, [0.0; BLOCK]);
    for bytes in bytes.chunks_exact(size) {
        if rest.is_empty() {
            break;
        }
        read(bytes, &mut block);
        let (own, others) = rest.split_at_mut(rest.len().min(BLOCK - from));
        own.copy_from_slice(&block[from..from + own.len()]);
        (rest, from) = (others, 0);
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
            decode(format, bytes, 0, &mut numbers);
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
    fn blocks_are_read_from_any_number_on() {
        let q8: Vec<u8> = [0x00, 0x38].into_iter().chain(0..32).collect(); // halves
        let q4: Vec<u8> = [0x00, 0x3c]
            .into_iter()
            .chain((0..16).map(|byte| byte << 4 | 15))
            .collect();
        let (q8, q4) = ([&q8[..], &q8].concat(), [&q4[..], &q4].concat());
        let shape = [64];
        for first in 0..64 {
            for count in 0..64 - first {
                let (mut eight, mut four) = (vec![f32::NAN; count], vec![f32::NAN; count]);
                decode(NumberFormat::Q8, &q8, first, &mut eight);
                decode(NumberFormat::Q4, &q4, first, &mut four);
                for (number, (eight, four)) in (first..).zip(eight.iter().zip(&four)) {
                    let place = (number % 32) as f32;
                    assert_eq!(*eight, place / 2.0);
                    assert_eq!(*four, if place < 16.0 { 7.0 } else { place - 24.0 });
                }
            }
        }
        assert_eq!(Tensor::new(NumberFormat::Q8, &shape, &q8).len(), 64);
        assert_eq!(NumberFormat::Q4.bytes_of_row(64), Some(36));
        assert_eq!(NumberFormat::Q4.bytes_of_row(60), None);
    }

    #[test]
    fn interleaved_rows_are_found() {
        let shape = [8, 1];
        let bytes: Vec<u8> = [0, 2, 1, 3, 4, 6, 5, 7]
            .map(|n| f32::from(n as u8))
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect();
        let tensor = Tensor::new(NumberFormat::F32, &shape, &bytes).interleaved(4);
        for row in 0..8 {
            let mut number = [0.0];
            tensor.read(row, 0..1, &mut number);
            assert_eq!(number[0], row as f32);
        }
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
