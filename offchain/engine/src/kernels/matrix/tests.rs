//! Every variant against plain Rust bit by bit, and plain Rust against sums in f64.

use super::activations::InputKind;
use super::blocks::{BLOCK, InputBlock};
use super::multiply::multiply_with;
use super::variant::Variant;
use super::{Activations, OutputColumns, PackedMatrix};
use crate::device::rounding::round;
use crate::device::{MatrixRows, WeightFormat};
use crate::error::EngineError;

mod blocks;

/// A matrix in memory.
struct Plain {
    inputs: usize,
    numbers: Vec<f32>,
}

impl MatrixRows for Plain {
    fn outputs(&self) -> usize {
        self.numbers.len() / self.inputs
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn read(&self, first: usize, rows: &mut [f32]) -> Result<(), EngineError> {
        rows.copy_from_slice(&self.numbers[first * self.inputs..][..rows.len()]);
        Ok(())
    }
}

/// Numbers between -1 and 1 that look random: SplitMix64.
fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed;
    std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
    })
    .take(count)
    .collect()
}

/// A shape with its numbers.
struct Case {
    outputs: usize,
    inputs: usize,
    tokens: usize,
    input: Vec<f32>,
    bias: Vec<f32>,
    matrix: PackedMatrix,
}

impl Case {
    fn new(outputs: usize, inputs: usize, tokens: usize, format: WeightFormat) -> Self {
        let plain = Plain {
            inputs,
            numbers: numbers(1, outputs * inputs),
        };
        let bias = numbers(2, outputs);
        Self {
            outputs,
            inputs,
            tokens,
            input: numbers(3, tokens * inputs),
            matrix: PackedMatrix::pack(&plain, (!inputs.is_multiple_of(3)).then_some(&bias), format).unwrap(),
            bias: if !inputs.is_multiple_of(3) {
                bias
            } else {
                vec![0.0; outputs]
            },
        }
    }

    /// The whole product.
    fn product(&self, variant: Variant) -> Vec<f32> {
        let mut out = vec![f32::NAN; self.tokens * self.outputs];
        let columns = OutputColumns::new(&mut out, self.outputs, 0..self.outputs);
        self.panels(variant, 0..self.matrix.panels(), self.prepared(0..self.tokens), columns);
        out
    }

    fn prepared(&self, tokens: std::ops::Range<usize>) -> Activations {
        let mut prepared = Activations::new();
        prepared.prepare(self.matrix.input_kind(), tokens.len(), self.inputs, |token| {
            &self.input[(tokens.start + token) * self.inputs..][..self.inputs]
        });
        prepared
    }

    /// The inputs of a token as products take them.
    fn stored_input(&self, token: usize) -> Vec<f32> {
        let input = &self.input[token * self.inputs..][..self.inputs];
        match self.matrix.input_kind() {
            InputKind::Numbers => input.to_vec(),
            InputKind::Blocks => {
                let blocks = input
                    .chunks(BLOCK)
                    .map(|numbers| (numbers.len(), InputBlock::of(numbers)));
                blocks
                    .flat_map(|(count, block)| {
                        block
                            .bytes
                            .into_iter()
                            .take(count)
                            .map(move |b| block.scale * f32::from(b))
                    })
                    .collect()
            }
        }
    }

    fn panels(
        &self,
        variant: Variant,
        panels: std::ops::Range<usize>,
        prepared: Activations,
        mut columns: OutputColumns<'_>,
    ) {
        multiply_with(variant, &self.matrix, panels, &prepared, &mut columns);
    }
}

const FORMATS: [WeightFormat; 4] = [
    WeightFormat::F32,
    WeightFormat::Bf16,
    WeightFormat::Q8,
    WeightFormat::Q4,
];

/// Outputs around panels, inputs around blocks and stretches, tokens around tiles.
const SHAPES: [(usize, usize, usize); 12] = [
    (1, 1, 1),
    (16, 32, 1),
    (17, 33, 2),
    (40, 64, 3),
    (64, 96, 4),
    (65, 100, 5),
    (80, 128, 6),
    (100, 255, 7),
    (48, 257, 12),
    (31, 544, 17),
    (33, 1030, 23),
    (20, 301, 205),
];

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

#[test]
fn every_variant_gives_the_bits_of_plain_rust() {
    for format in FORMATS {
        for (outputs, inputs, tokens) in SHAPES {
            let case = Case::new(outputs, inputs, tokens, format);
            let plain = bits(&case.product(Variant::Scalar));
            for variant in Variant::available() {
                let found = bits(&case.product(variant));
                assert_eq!(found, plain, "{variant:?} {format:?} {outputs} {inputs} {tokens}");
            }
        }
    }
}

#[test]
fn a_token_alone_gives_the_bits_of_a_token_among_others() {
    for format in FORMATS {
        for (outputs, inputs, tokens) in SHAPES {
            let case = Case::new(outputs, inputs, tokens, format);
            let together = case.product(Variant::detected());
            for token in 0..tokens {
                let mut alone = vec![f32::NAN; outputs];
                let columns = OutputColumns::new(&mut alone, outputs, 0..outputs);
                let prepared = case.prepared(token..token + 1);
                case.panels(Variant::detected(), 0..case.matrix.panels(), prepared, columns);
                let found = &together[token * outputs..][..outputs];
                assert_eq!(
                    bits(&alone),
                    bits(found),
                    "{format:?} {outputs} {inputs} {token} of {tokens}"
                );
            }
        }
    }
}

#[test]
fn parts_of_the_panels_give_the_bits_of_the_whole() {
    for format in FORMATS {
        for (outputs, inputs, tokens) in SHAPES {
            let case = Case::new(outputs, inputs, tokens, format);
            let whole = case.product(Variant::detected());
            let panels = case.matrix.panels();
            for cut in [panels / 3, panels / 2, panels - 1] {
                let (stride, offset) = (outputs + 5, 3);
                let mut out = vec![-7.0; tokens * stride];
                let columns = OutputColumns::new(&mut out, stride, offset..offset + outputs);
                let (left, right) = columns.split_at(cut * super::PANEL);
                case.panels(Variant::detected(), 0..cut, case.prepared(0..tokens), left);
                case.panels(Variant::detected(), cut..panels, case.prepared(0..tokens), right);
                for (row, expected) in out.chunks(stride).zip(whole.chunks(outputs)) {
                    assert_eq!(bits(&row[offset..offset + outputs]), bits(expected), "{format:?} {cut}");
                    assert!(
                        row[..offset]
                            .iter()
                            .chain(&row[offset + outputs..])
                            .all(|kept| *kept == -7.0)
                    );
                }
            }
        }
    }
}

#[test]
fn products_agree_with_sums_in_f64_of_the_stored_numbers() {
    for format in FORMATS {
        for (outputs, inputs, tokens) in SHAPES {
            let case = Case::new(outputs, inputs, tokens, format);
            let found = case.product(Variant::detected());
            let mut row = vec![0.0; inputs];
            for output in 0..outputs {
                case.matrix.gather(output, &mut row);
                for token in 0..tokens {
                    let input = case.stored_input(token);
                    let products = row.iter().zip(&input).map(|(w, x)| f64::from(*w) * f64::from(*x));
                    let expected = f64::from(case.bias[output]) + products.clone().sum::<f64>();
                    let size = f64::from(case.bias[output]).abs() + products.map(f64::abs).sum::<f64>();
                    let difference = (f64::from(found[token * outputs + output]) - expected).abs();
                    let bound = size * (inputs + 4) as f64 * f64::from(f32::EPSILON);
                    assert!(
                        difference <= bound,
                        "{format:?} {outputs} {inputs} {tokens}: {difference} > {bound}"
                    );
                }
            }
        }
    }
}

#[test]
fn stored_rows_are_the_rounded_rows() {
    let (outputs, inputs) = (37, 75);
    let plain = Plain {
        inputs,
        numbers: numbers(4, outputs * inputs),
    };
    let mut row = vec![0.0; inputs];
    for format in FORMATS {
        let matrix = PackedMatrix::pack(&plain, None, format).unwrap();
        assert_eq!(matrix.bytes(), PackedMatrix::bytes_for(outputs, inputs, format));
        for output in 0..outputs {
            matrix.gather(output, &mut row);
            let mut rounded = plain.numbers[output * inputs..][..inputs].to_vec();
            round(&mut rounded, format);
            assert_eq!(row, rounded, "{format:?}");
        }
    }
}

#[test]
fn inputs_that_are_not_finite_stay_visible() {
    for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for format in FORMATS {
            let mut case = Case::new(20, 70, 1, format);
            case.input[40] = bad;
            for variant in Variant::available() {
                assert!(
                    case.product(variant).iter().all(|number| !number.is_finite()),
                    "{format:?} {variant:?}"
                );
            }
        }
    }
}

#[test]
fn zeros_and_the_smallest_numbers_give_finite_products() {
    for small in [0.0, -0.0, f32::from_bits(1), f32::MIN_POSITIVE, 1e-36] {
        for format in FORMATS {
            let mut case = Case::new(20, 70, 1, format);
            case.input.fill(small);
            assert!(
                case.product(Variant::detected())
                    .iter()
                    .all(|number| number.is_finite()),
                "{format:?} {small}"
            );
        }
    }
}
