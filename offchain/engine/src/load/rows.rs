//! A matrix made of tensors of a checkpoint, read a few rows at a time.

use super::tensor::Tensor;
use crate::device::{MatrixRows, WeightFormat};
use crate::error::EngineError;
use crate::kernels::matrix::BLOCK;
use crate::model::Part;

/// Parts one below the other.
pub(super) struct SourceRows<'a> {
    parts: Vec<PartRows<'a>>,
    inputs: usize,
}

/// One part and its tensor.
struct PartRows<'a> {
    /// The first of its rows in the whole.
    first: usize,
    part: Part,
    tensor: Tensor<'a>,
}

impl<'a> SourceRows<'a> {
    /// The tensors have the shapes that the parts say, and all parts have as many columns.
    pub(super) fn new(parts: impl IntoIterator<Item = (Part, Tensor<'a>)>) -> Self {
        let mut first = 0;
        let parts = parts.into_iter().map(|(part, tensor)| {
            let rows = PartRows { first, part, tensor };
            first += rows.part.outputs();
            rows
        });
        let parts: Vec<_> = parts.collect();
        let inputs = parts.first().map_or(0, |rows| rows.part.inputs());
        Self { parts, inputs }
    }
}

impl MatrixRows for SourceRows<'_> {
    fn outputs(&self) -> usize {
        self.parts.last().map_or(0, |rows| rows.first + rows.part.outputs())
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn read(&self, first: usize, rows: &mut [f32]) -> Result<(), EngineError> {
        let end = first + rows.len() / self.inputs.max(1);
        let mut rest = rows;
        for part in &self.parts {
            let from = first.max(part.first);
            let to = end.min(part.first + part.part.outputs());
            if from < to {
                let (own, after) = rest.split_at_mut((to - from) * self.inputs);
                part.read(from - part.first, own);
                rest = after;
            }
        }
        Ok(())
    }

    fn stored_blocks(&self) -> Option<WeightFormat> {
        let mut formats = self.parts.iter().map(|rows| {
            let format = rows.tensor.format().blocks();
            let columns = rows.part.taken_columns();
            let is_whole = columns.start.is_multiple_of(BLOCK) && columns.end.is_multiple_of(BLOCK);
            format.filter(|_| !rows.part.transposed && is_whole)
        });
        let first = formats.next()??;
        formats.all(|format| format == Some(first)).then_some(first)
    }

    fn read_blocks(&self, first: usize, blocks: &mut [u8]) -> Result<(), EngineError> {
        let mut rest = blocks;
        for part in &self.parts {
            let own = part.first..part.first + part.part.outputs();
            for row in first.max(own.start)..own.end {
                let blocks = part.blocks(row - part.first);
                let Some((place, after)) = rest.split_at_mut_checked(blocks.len()) else {
                    return Ok(());
                };
                place.copy_from_slice(blocks);
                rest = after;
            }
        }
        Ok(())
    }
}

impl PartRows<'_> {
    /// The blocks of a row of this part, which is not transposed and whose columns are whole blocks.
    fn blocks(&self, row: usize) -> &[u8] {
        let row = self.part.order.as_ref().map_or(row, |order| order[row]);
        let blocks = self.tensor.blocks(self.part.stored_rows().start + row);
        let size = blocks.len() * BLOCK / self.part.stored_columns().max(1);
        let columns = self.part.taken_columns();
        &blocks[columns.start / BLOCK * size..columns.end / BLOCK * size]
    }

    /// Fills `rows` from row `first` of this part on.
    fn read(&self, first: usize, rows: &mut [f32]) {
        let inputs = self.part.inputs();
        let stored = self.part.stored_rows();
        let place = |row: usize| self.part.order.as_ref().map_or(row, |order| order[row]);
        if !self.part.transposed {
            let columns = self.part.taken_columns();
            for (row, numbers) in (first..).zip(rows.chunks_exact_mut(inputs)) {
                self.tensor.read(stored.start + place(row), columns.clone(), numbers);
            }
            return;
        }
        // Rows of the tensor are columns here: each is read once for all rows that are wanted.
        let count = rows.len() / inputs;
        let columns: Vec<usize> = (first..first + count).map(place).collect();
        let from = columns.iter().copied().min().unwrap_or(0);
        let to = columns.iter().copied().max().map_or(0, |last| last + 1);
        let mut numbers = vec![0.0; to - from];
        for (input, row) in stored.enumerate() {
            self.tensor.read(row, from..to, &mut numbers);
            for (output, column) in columns.iter().enumerate() {
                rows[output * inputs + input] = numbers[column - from];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tensor::NumberFormat;
    use crate::model::Source;

    #[test]
    fn a_part_of_a_matrix_has_the_numbers_of_the_whole() {
        let bytes: Vec<u8> = (0..24_u8).flat_map(|number| f32::from(number).to_le_bytes()).collect();
        let shape = [6, 4];
        let read = |source: &Source| {
            let tensor = || Tensor::new(NumberFormat::F32, &shape, &bytes);
            let rows = SourceRows::new(source.parts.iter().map(|part| (part.clone(), tensor())));
            assert_eq!((rows.outputs(), rows.inputs()), (source.outputs(), source.inputs()));
            let mut numbers = vec![0.0; rows.outputs() * rows.inputs()];
            rows.read(0, &mut numbers).unwrap();
            numbers
        };
        let part = || Part::new("t", &shape);
        for source in [
            Source::from(part()),
            Source::stacked([part().rows(1..4), part().in_order(vec![5, 0, 2])]),
            Source::stacked([
                part().rows(2..5).transposed(),
                part().rows(0..3).transposed().in_order(vec![3, 1]),
            ]),
        ] {
            let (whole, inputs, outputs) = (read(&source), source.inputs(), source.outputs());
            for rows in [vec![0..2, 2..outputs], vec![1..3, 4..outputs], vec![3..5, 0..1]] {
                for columns in [0..inputs, 1..3, 2..inputs] {
                    let chosen = source.with_outputs(&rows).with_inputs(&columns);
                    let expected: Vec<f32> = rows
                        .iter()
                        .cloned()
                        .flatten()
                        .flat_map(|row| whole[row * inputs..][columns.clone()].to_vec())
                        .collect();
                    assert_eq!(read(&chosen), expected, "{rows:?} {columns:?}");
                    if columns.len() < 2 {
                        continue;
                    }
                    // A part of a part.
                    let again = chosen.with_inputs(&(1..2)).with_outputs(&[1..2, 0..1]);
                    assert_eq!(read(&again), [expected[columns.len() + 1], expected[1]]);
                }
            }
        }
    }

    #[test]
    fn some_columns_of_blocks_are_taken_over_if_they_are_whole_blocks() {
        // Two rows of three blocks.
        let bytes: Vec<u8> = (0..6_u8).flat_map(|block| [block; 34]).collect();
        let shape = [2, 96];
        let rows = |columns: std::ops::Range<usize>| {
            let tensor = Tensor::new(NumberFormat::Q8, &shape, &bytes);
            SourceRows::new([(Part::new("t", &shape).with_inputs(columns), tensor)])
        };
        assert_eq!(rows(32..96).stored_blocks(), Some(WeightFormat::Q8));
        let mut found = vec![0; 4 * 34];
        rows(32..96).read_blocks(0, &mut found).unwrap();
        let expected: Vec<u8> = [1, 2, 4, 5].into_iter().flat_map(|block| [block; 34]).collect();
        assert_eq!(found, expected);
        assert_eq!(rows(16..96).stored_blocks(), None);
    }

    #[test]
    fn parts_are_read_across_their_borders() {
        // A tensor of two matrices [3, 2], and one of one matrix [2, 3].
        let bytes: Vec<u8> = (0..12_u8).flat_map(|number| f32::from(number).to_le_bytes()).collect();
        let (two, one) = ([2, 3, 2], [2, 3]);
        let two = || Tensor::new(NumberFormat::F32, &two, &bytes);
        let one = Tensor::new(NumberFormat::F32, &one, &bytes[..24]);
        let rows = SourceRows::new([
            (Part::new("two", &[2, 3, 2]).rows(3..6), two()),
            (
                Part::new("two", &[2, 3, 2])
                    .rows(0..2)
                    .transposed()
                    .in_order(vec![1, 0]),
                two(),
            ),
            (Part::new("one", &[2, 3]).transposed(), one),
        ]);
        assert_eq!((rows.outputs(), rows.inputs()), (8, 2));
        let expected = [
            [6.0, 7.0],
            [8.0, 9.0],
            [10.0, 11.0], // the second matrix
            [1.0, 3.0],
            [0.0, 2.0], // columns of the first two rows, the last one first
            [0.0, 3.0],
            [1.0, 4.0],
            [2.0, 5.0], // columns of the other tensor
        ];
        for first in 0..8 {
            for count in 1..=8 - first {
                let mut found = vec![0.0; count * 2];
                rows.read(first, &mut found).unwrap();
                assert_eq!(found, expected[first..first + count].concat(), "{first} {count}");
            }
        }
    }
}
