//! Which numbers of a checkpoint make up a matrix.
use crate::device::MatrixRows;
use crate::error::EngineError;
use std::ops::Range;

/// A matrix made of tensors of a checkpoint, one below the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// All have the same number of columns.
    pub(crate) parts: Vec<Part>,
}

/// Some rows of one tensor. The tensor is seen as a matrix whose columns are its last dimension; one with a single
/// dimension is a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its name.
    pub(crate) tensor: String,
    /// The shape that it must have.
    pub(crate) shape: Vec<usize>,
    /// First, these rows are taken; `None` for all.
    pub(crate) rows: Option<Range<usize>>,
    /// Then rows and columns change places.
    pub(crate) transposed: bool,
    /// Then row `i` of the result is row `order[i]` of what is there.
    pub(crate) order: Option<Vec<usize>>,
    /// Then only these columns stay; never together with `transposed`, which has them in `rows`.
    pub(crate) columns: Option<Range<usize>>,
}

impl Part {
    /// All of a tensor, as it lies in the checkpoint.
    pub(crate) fn new(tensor: impl Into<String>, shape: &[usize]) -> Self {
        Self {
            tensor: tensor.into(),
            shape: shape.to_vec(),
            rows: None,
            transposed: false,
            order: None,
            columns: None,
        }
    }

    /// Only these rows of it.
    pub(crate) fn rows(self, rows: Range<usize>) -> Self {
        Self {
            rows: Some(rows),
            ..self
        }
    }

    /// With rows and columns changed.
    pub(crate) fn transposed(self) -> Self {
        Self {
            transposed: true,
            ..self
        }
    }

    /// With its rows in this order.
    pub(crate) fn in_order(self, order: Vec<usize>) -> Self {
        Self {
            order: Some(order),
            ..self
        }
    }

    /// Columns of the tensor as a matrix.
    pub(crate) fn stored_columns(&self) -> usize {
        match self.shape.as_slice() {
            [] | [_] => 1,
            [.., last] => *last,
        }
    }

    /// The rows that are taken.
    pub(crate) fn stored_rows(&self) -> Range<usize> {
        let all = self.shape.iter().product::<usize>() / self.stored_columns().max(1);
        self.rows.clone().unwrap_or(0..all)
    }

    /// Rows of the result.
    pub(crate) fn outputs(&self) -> usize {
        match (&self.order, self.transposed) {
            (Some(order), _) => order.len(),
            (None, true) => self.stored_columns(),
            (None, false) => self.stored_rows().len(),
        }
    }

    /// The columns of the tensor that are taken where rows and columns keep their places.
    pub(crate) fn taken_columns(&self) -> Range<usize> {
        self.columns.clone().unwrap_or(0..self.stored_columns())
    }

    /// Columns of the result.
    pub(crate) fn inputs(&self) -> usize {
        if self.transposed {
            self.stored_rows().len()
        } else {
            self.taken_columns().len()
        }
    }

    /// Only these rows of the result.
    pub(crate) fn with_outputs(self, outputs: Range<usize>) -> Self {
        if outputs == (0..self.outputs()) {
            return self;
        }
        match (&self.order, self.transposed) {
            (Some(order), _) => {
                let order = order[outputs].to_vec();
                self.in_order(order)
            }
            (None, true) => self.in_order(outputs.collect()),
            (None, false) => {
                let rows = within(self.stored_rows(), outputs);
                self.rows(rows)
            }
        }
    }

    /// Only these columns of the result.
    pub(crate) fn with_inputs(self, inputs: Range<usize>) -> Self {
        if inputs == (0..self.inputs()) {
            return self;
        }
        if self.transposed {
            let rows = within(self.stored_rows(), inputs);
            return self.rows(rows);
        }
        Self {
            columns: Some(within(self.taken_columns(), inputs)),
            ..self
        }
    }
}

/// `part`, counted from the begin of `whole`, counted from where `whole` is counted from.
fn within(whole: Range<usize>, part: Range<usize>) -> Range<usize> {
    whole.start + part.start..whole.start + part.end
}

impl From<Part> for Source {
    fn from(part: Part) -> Self {
        Self { parts: vec![part] }
    }
}

impl Source {
    /// Tensors one below the other.
    pub(crate) fn stacked(parts: impl IntoIterator<Item = Part>) -> Self {
        Self {
            parts: parts.into_iter().collect(),
        }
    }

    /// Rows.
    pub(crate) fn outputs(&self) -> usize {
        self.parts.iter().map(Part::outputs).sum()
    }

    /// Columns.
    pub(crate) fn inputs(&self) -> usize {
        self.parts.first().map_or(0, Part::inputs)
    }

    /// Only these rows, one range below the other.
    pub(crate) fn with_outputs(&self, ranges: &[Range<usize>]) -> Self {
        let mut chosen = Vec::new();
        for range in ranges {
            let mut first = 0;
            for part in &self.parts {
                let end = first + part.outputs();
                let (from, to) = (range.start.max(first), range.end.min(end));
                if from < to {
                    chosen.push(part.clone().with_outputs(from - first..to - first));
                }
                first = end;
            }
        }
        Self { parts: chosen }
    }

    /// Only these columns.
    pub(crate) fn with_inputs(&self, inputs: &Range<usize>) -> Self {
        let parts = self.parts.iter().cloned();
        Self::stacked(parts.map(|part| part.with_inputs(inputs.clone())))
    }
}

/// Where tensors come from.
pub(crate) trait Checkpoint {
    /// The matrix. Its tensors must be there and have their shapes.
    fn matrix(&mut self, source: &Source) -> Result<Box<dyn MatrixRows + '_>, EngineError>;
    /// Says that a tensor, or with `.*` at its end all whose names begin so, is rightly not read.
    fn pass_over(&mut self, tensor: &str);

    /// All numbers of the matrix, row after row.
    fn numbers(&mut self, source: &Source) -> Result<Vec<f32>, EngineError> {
        let rows = self.matrix(source)?;
        let mut numbers = vec![0.0; source.outputs() * source.inputs()];
        rows.read(0, &mut numbers)?;
        Ok(numbers)
    }
}

/// A matrix in memory, for tests.
#[cfg(test)]
pub(crate) struct HostRows {
    inputs: usize,
    numbers: Vec<f32>,
}

#[cfg(test)]
impl HostRows {
    /// `numbers` are whole rows of `inputs` each.
    pub(crate) fn new(inputs: usize, numbers: Vec<f32>) -> Self {
        Self { inputs, numbers }
    }
}

#[cfg(test)]
impl MatrixRows for HostRows {
    fn outputs(&self) -> usize {
        self.numbers.len() / self.inputs.max(1)
    }

    fn inputs(&self) -> usize {
        self.inputs
    }

    fn read(&self, first: usize, rows: &mut [f32]) -> Result<(), EngineError> {
        let from = first * self.inputs;
        rows.copy_from_slice(&self.numbers[from..from + rows.len()]);
        Ok(())
    }
}
