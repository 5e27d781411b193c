//! A matrix in panels of 16 outputs.
//!
//! A panel holds, for f32: for every input the 16 numbers; for bf16: for every pair of inputs the 16 pairs (an odd last
//! input has a zero beside it). Outputs beyond the last are zeros.

use super::PANEL;
use super::activations::InputKind;
use super::memory::Memory;
use crate::device::{MatrixRows, WeightFormat};
use crate::error::EngineError;
use half::bf16;

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
        if matches!(format, WeightFormat::Q8 | WeightFormat::Q4) {
            return Err(EngineError::Device {
                doing: "packing a matrix in this format",
            });
        }
        let (outputs, inputs) = (rows.outputs(), rows.inputs());
        let panel_bytes = panel_bytes(inputs, format);
        let panels = outputs.div_ceil(PANEL);
        let mut memory = Memory::zeroed(panels * panel_bytes)?;
        let mut buffer = vec![0.0; PANEL * inputs];
        for panel in 0..panels {
            let first = panel * PANEL;
            let rows_here = PANEL.min(outputs - first);
            buffer[rows_here * inputs..].fill(0.0);
            rows.read(first, &mut buffer[..rows_here * inputs])?;
            fill_panel(&mut memory, panel, &buffer, inputs, format);
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
        let (panel, lane) = (self.panel(row / PANEL), row % PANEL);
        match self.format {
            WeightFormat::F32 => {
                for (number, of_input) in out.iter_mut().zip(panel.chunks_exact(4 * PANEL)) {
                    let bytes = &of_input[4 * lane..][..4];
                    *number = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                }
            }
            WeightFormat::Bf16 => {
                for (pair, of_pair) in out.chunks_mut(2).zip(panel.chunks_exact(4 * PANEL)) {
                    for (number, bytes) in pair.iter_mut().zip(of_pair[4 * lane..][..4].chunks_exact(2)) {
                        *number = bf16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
                    }
                }
            }
            WeightFormat::Q8 | WeightFormat::Q4 => unreachable!("refused when packed"),
        }
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

fn panel_bytes(inputs: usize, format: WeightFormat) -> usize {
    match format {
        WeightFormat::F32 => inputs * 4 * PANEL,
        WeightFormat::Bf16 => inputs.div_ceil(2) * 4 * PANEL,
        WeightFormat::Q8 | WeightFormat::Q4 => unreachable!("refused when packed"),
    }
}

/// Writes 16 rows into their panel.
fn fill_panel(memory: &mut Memory, panel: usize, rows: &[f32], inputs: usize, format: WeightFormat) {
    match format {
        WeightFormat::F32 => {
            let numbers = &mut memory.f32s_mut()[panel * PANEL * inputs..][..PANEL * inputs];
            for (row, numbers_of_row) in rows.chunks_exact(inputs).enumerate() {
                for (input, number) in numbers_of_row.iter().enumerate() {
                    numbers[input * PANEL + row] = *number;
                }
            }
        }
        WeightFormat::Bf16 => {
            let size = 2 * PANEL * inputs.div_ceil(2);
            let numbers = &mut memory.u16s_mut()[panel * size..][..size];
            for (row, numbers_of_row) in rows.chunks_exact(inputs).enumerate() {
                for (input, number) in numbers_of_row.iter().enumerate() {
                    numbers[(input / 2 * PANEL + row) * 2 + input % 2] = bf16::from_f32(*number).to_bits();
                }
            }
        }
        WeightFormat::Q8 | WeightFormat::Q4 => unreachable!("refused when packed"),
    }
}
