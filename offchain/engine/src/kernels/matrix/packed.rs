//! A matrix in panels of 16 outputs.

use super::PANEL;
use super::activations::InputKind;
use super::blocks::BLOCK;
use super::layout::{block_bytes, panel_bytes, read_row, write_block, write_rows};
use super::memory::Memory;
use crate::device::{MatrixRows, WeightFormat};
use crate::error::EngineError;

/// A matrix, [outputs, inputs], with an optional bias.
pub(crate) struct PackedMatrix {
    format: WeightFormat,
    outputs: usize,
    inputs: usize,
    panel_bytes: usize,
    memory: Memory,
    /// For every output of every panel; empty without a bias.
    bias: Vec<f32>,
}

impl PackedMatrix {
    /// Reads a matrix and packs it. `bias` has one number for each output.
    pub(crate) fn pack(rows: &dyn MatrixRows, bias: Option<&[f32]>, format: WeightFormat) -> Result<Self, EngineError> {
        let (outputs, inputs) = (rows.outputs(), rows.inputs());
        let (panels, panel_bytes) = (outputs.div_ceil(PANEL), panel_bytes(inputs, format));
        let mut memory = Memory::zeroed(panels * panel_bytes)?;
        let panels_of_memory = memory.bytes_mut().chunks_exact_mut(panel_bytes.max(1));
        match block_bytes(format).filter(|_| rows.stored_blocks() == Some(format)) {
            Some(block_bytes) => take_blocks(rows, panels_of_memory, block_bytes)?,
            None => round_rows(rows, panels_of_memory, format)?,
        }
        let bias = bias.map_or(Vec::new(), |bias| {
            assert_eq!(bias.len(), outputs, "a bias has a number for each output");
            let mut padded = bias.to_vec();
            padded.resize(panels * PANEL, 0.0);
            padded
        });
        Ok(Self {
            format,
            outputs,
            inputs,
            panel_bytes,
            memory,
            bias,
        })
    }

    /// Bytes of memory that a matrix of this shape takes, without its bias.
    pub(crate) fn bytes_for(outputs: usize, inputs: usize, format: WeightFormat) -> usize {
        outputs.div_ceil(PANEL) * panel_bytes(inputs, format)
    }

    /// Rows.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Columns.
    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// How the numbers are stored.
    pub(crate) fn format(&self) -> WeightFormat {
        self.format
    }

    /// Panels of 16 outputs, the last one perhaps not full.
    pub(crate) fn panels(&self) -> usize {
        self.outputs.div_ceil(PANEL)
    }

    /// Bytes of memory without the bias.
    pub(crate) fn bytes(&self) -> usize {
        self.memory.bytes().len()
    }

    /// What inputs must be prepared as.
    pub(crate) fn input_kind(&self) -> InputKind {
        InputKind::of(self.format)
    }

    /// One row as it is stored: `out` has as many numbers as the matrix has inputs.
    pub(crate) fn gather(&self, row: usize, out: &mut [f32]) {
        assert!(row < self.outputs, "the matrix has this row");
        assert_eq!(out.len(), self.inputs, "a row has a number for each input");
        read_row(self.panel(row / PANEL), row % PANEL, out, self.format);
    }

    /// The bytes of a panel.
    pub(super) fn panel(&self, panel: usize) -> &[u8] {
        &self.memory.bytes()[panel * self.panel_bytes..][..self.panel_bytes]
    }

    /// The biases of a panel.
    pub(super) fn panel_bias(&self, panel: usize) -> Option<&[f32]> {
        self.bias.get(panel * PANEL..(panel + 1) * PANEL)
    }
}

/// Packs numbers.
fn round_rows<'m>(
    rows: &dyn MatrixRows,
    panels: impl Iterator<Item = &'m mut [u8]>,
    format: WeightFormat,
) -> Result<(), EngineError> {
    let (outputs, inputs) = (rows.outputs(), rows.inputs());
    let mut buffer = vec![0.0; PANEL.min(outputs) * inputs];
    for (number, panel) in panels.enumerate() {
        let first = number * PANEL;
        let buffer = &mut buffer[..PANEL.min(outputs - first) * inputs];
        rows.read(first, buffer)?;
        write_rows(panel, buffer, inputs, format);
    }
    Ok(())
}

/// Packs blocks as they are.
fn take_blocks<'m>(
    rows: &dyn MatrixRows,
    panels: impl Iterator<Item = &'m mut [u8]>,
    block_bytes: usize,
) -> Result<(), EngineError> {
    let (outputs, row_bytes) = (rows.outputs(), rows.inputs().div_ceil(BLOCK) * block_bytes);
    let mut buffer = vec![0; PANEL.min(outputs) * row_bytes];
    for (number, panel) in panels.enumerate() {
        let first = number * PANEL;
        let buffer = &mut buffer[..PANEL.min(outputs - first) * row_bytes];
        rows.read_blocks(first, buffer)?;
        for (lane, row) in buffer.chunks_exact(row_bytes).enumerate() {
            for (place, block) in row.chunks_exact(block_bytes).enumerate() {
                write_block(panel, lane, place, block);
            }
        }
    }
    Ok(())
}
