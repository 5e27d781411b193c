//! Blocks of weights and of inputs.

use super::super::blocks::{BLOCK, InputBlock, Q4_BYTES, Q8_BYTES, read_q4, read_q8};
use super::super::multiply::multiply_with;
use super::super::variant::Variant;
use super::super::{Activations, OutputColumns, PackedMatrix};
use super::numbers;
use crate::device::{MatrixRows, WeightFormat};
use crate::error::EngineError;

/// Blocks of any bytes: also those that no rounding gives, as -128 and negative scales.
struct Stored {
    format: WeightFormat,
    outputs: usize,
    inputs: usize,
    blocks: Vec<u8>,
}

impl Stored {
    fn new(format: WeightFormat, outputs: usize, inputs: usize) -> Self {
        let size = if format == WeightFormat::Q8 { Q8_BYTES } else { Q4_BYTES };
        let count = outputs * inputs / BLOCK;
        let mut blocks: Vec<u8> = numbers(6, count * size)
            .iter()
            .map(|number| (number * 127.5) as i8 as u8)
            .collect();
        for (number, block) in blocks.chunks_exact_mut(size).enumerate() {
            let scale = if number % 2 == 0 { 0.25 } else { -0.5 };
            block[..2].copy_from_slice(&half::f16::from_f32(scale).to_le_bytes());
            match number % 4 {
                0 => block[2..].fill(0x80),
                1 => block[2..].fill(if format == WeightFormat::Q8 { 0x7f } else { 0xff }),
                _ => {}
            }
        }
        Self {
            format,
            outputs,
            inputs,
            blocks,
        }
    }

    fn row(&self, row: usize) -> Vec<f32> {
        let (mut numbers, bytes) = ([0.0; BLOCK], self.blocks.len() / self.outputs);
        let blocks = self.blocks[row * bytes..][..bytes].chunks_exact(bytes / (self.inputs / BLOCK));
        let read = if self.format == WeightFormat::Q8 {
            read_q8
        } else {
            read_q4
        };
        blocks
            .flat_map(|block| {
                read(block, &mut numbers);
                numbers
            })
            .collect()
    }
}

impl MatrixRows for Stored {
    fn outputs(&self) -> usize {
        self.outputs
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn read(&self, _first: usize, _rows: &mut [f32]) -> Result<(), EngineError> {
        Err(EngineError::NotANumber)
    }

    fn stored_blocks(&self) -> Option<WeightFormat> {
        Some(self.format)
    }

    fn read_blocks(&self, first: usize, blocks: &mut [u8]) -> Result<(), EngineError> {
        blocks.copy_from_slice(&self.blocks[first * self.blocks.len() / self.outputs..][..blocks.len()]);
        Ok(())
    }
}

#[test]
fn stored_blocks_are_taken_over_and_never_overflow() {
    let (outputs, inputs, tokens) = (35, 96, 8);
    for format in [WeightFormat::Q8, WeightFormat::Q4] {
        let stored = Stored::new(format, outputs, inputs);
        let matrix = PackedMatrix::pack(&stored, None, format).unwrap();
        // Inputs as far from zero as bytes go, with every sign.
        let input: Vec<f32> = numbers(7, tokens * inputs)
            .iter()
            .map(|number| number.signum())
            .collect();
        let mut row = vec![0.0; inputs];
        for variant in Variant::available() {
            let mut prepared = Activations::new();
            prepared.prepare(matrix.input_kind(), tokens, inputs, |token| {
                &input[token * inputs..][..inputs]
            });
            let mut out = vec![0.0; tokens * outputs];
            let mut columns = OutputColumns::new(&mut out, outputs, 0..outputs);
            multiply_with(variant, &matrix, 0..matrix.panels(), &prepared, &mut columns);
            for output in 0..outputs {
                matrix.gather(output, &mut row);
                assert_eq!(row, stored.row(output));
                for token in 0..tokens {
                    let products = row.iter().zip(&input[token * inputs..]).map(|(w, x)| f64::from(w * x));
                    let expected = products.sum::<f64>();
                    let difference = (f64::from(out[token * outputs + output]) - expected).abs();
                    assert!(difference <= 0.01, "{variant:?} {format:?}: {difference} of {expected}");
                }
            }
        }
    }
}

#[test]
fn quantized_inputs_are_near_and_know_their_sum() {
    for numbers in numbers(5, 320).chunks(BLOCK) {
        let block = InputBlock::of(numbers);
        assert_eq!(block.sum, block.bytes.iter().map(|byte| i32::from(*byte)).sum::<i32>());
        assert_eq!(block.bytes.iter().map(|byte| byte.unsigned_abs()).max(), Some(127));
        for (byte, number) in block.bytes.iter().zip(numbers) {
            assert!((f32::from(*byte) * block.scale - number).abs() <= block.scale * 0.5001);
        }
    }
}
