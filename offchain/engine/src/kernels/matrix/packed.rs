//! A matrix in panels of 16 outputs.

use super::PANEL;
use super::activations::InputKind;
use super::blocks::BLOCK;
use super::layout::{block_bytes, panel_bytes, read_block, read_row, write_block, write_rows};
use super::memory::{Memory, SharedBytes};
use crate::device::{MatrixRows, WeightFormat};
use crate::error::EngineError;
use crate::kernels::{Pool, SharedOut};
use std::sync::{Mutex, PoisonError};

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
        Self::pack_on(&mut Pool::new(1, false), rows, bias, format)
    }

    /// The same on several threads. What is packed already stays where it is.
    pub(crate) fn pack_on(
        pool: &mut Pool,
        rows: &dyn MatrixRows,
        bias: Option<&[f32]>,
        format: WeightFormat,
    ) -> Result<Self, EngineError> {
        let (outputs, inputs) = (rows.outputs(), rows.inputs());
        let packed = rows.packed().filter(|packed| packed.format == format);
        let memory = match packed.map(|packed| &packed.memory) {
            Some(Memory::Shared(shared)) => Memory::Shared(shared.clone()),
            _ => {
                let mut memory = Memory::zeroed(Self::bytes_for(outputs, inputs, format))?;
                pack_panels(pool, rows, format, 0, memory.bytes_mut())?;
                memory
            }
        };
        let bias = bias.map_or(Vec::new(), |bias| {
            assert_eq!(bias.len(), outputs, "a bias has a number for each output");
            let mut padded = bias.to_vec();
            padded.resize(outputs.div_ceil(PANEL) * PANEL, 0.0);
            padded
        });
        Ok(Self {
            format,
            outputs,
            inputs,
            panel_bytes: panel_bytes(inputs, format),
            memory,
            bias,
        })
    }

    /// A matrix that was packed before, without a bias; `None` if there are not as many bytes as its shape has.
    pub(crate) fn packed_before(
        bytes: SharedBytes,
        outputs: usize,
        inputs: usize,
        format: WeightFormat,
    ) -> Option<Self> {
        let fits = bytes.bytes().len() == Self::bytes_for(outputs, inputs, format);
        fits.then(|| Self {
            format,
            outputs,
            inputs,
            panel_bytes: panel_bytes(inputs, format),
            memory: Memory::Shared(bytes),
            bias: Vec::new(),
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

    /// All panels, as they lie in memory.
    #[cfg(feature = "cube")]
    pub(crate) fn panel_bytes(&self) -> &[u8] {
        self.memory.bytes()
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

    /// The blocks of one row, each as GGUF has it, for q8 and q4; `out` has room for all of them.
    pub(crate) fn gather_blocks(&self, row: usize, out: &mut [u8]) {
        let panel = self.panel(row / PANEL);
        let Some(size) = block_bytes(self.format) else { return };
        for (place, block) in out.chunks_exact_mut(size).enumerate() {
            read_block(panel, row % PANEL, place, block);
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

/// Bytes of the panels that one task packs: enough to be worth waking a thread.
const TASK_BYTES: usize = 128 * 1024;

/// Packs panels from panel `first` on, as many as fill `out`, whose bytes are zeros. Threads share them.
pub(crate) fn pack_panels(
    pool: &mut Pool,
    rows: &dyn MatrixRows,
    format: WeightFormat,
    first: usize,
    out: &mut [u8],
) -> Result<(), EngineError> {
    let panel_bytes = panel_bytes(rows.inputs(), format).max(1);
    let blocks = block_bytes(format).filter(|_| rows.stored_blocks() == Some(format));
    let count = out.len() / panel_bytes;
    let at_once = (TASK_BYTES / panel_bytes).max(1);
    let shared = SharedOut::new(out);
    let failed = Mutex::new(None);
    pool.run(count.div_ceil(at_once), &|task, _| {
        let panels = task * at_once..((task + 1) * at_once).min(count);
        // SAFETY: tasks have no panel in common.
        #[allow(unsafe_code, reason = "threads fill different panels of one matrix")]
        let out = unsafe { shared.part(panels.start * panel_bytes..panels.end * panel_bytes) };
        let out = out.chunks_exact_mut(panel_bytes);
        let packed = match blocks {
            Some(block_bytes) => take_blocks(rows, first + panels.start, out, block_bytes),
            None => round_rows(rows, first + panels.start, out, format),
        };
        if let Err(error) = packed {
            let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
            failed.get_or_insert(error);
        }
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Packs numbers.
fn round_rows<'m>(
    rows: &dyn MatrixRows,
    first_panel: usize,
    panels: impl Iterator<Item = &'m mut [u8]>,
    format: WeightFormat,
) -> Result<(), EngineError> {
    let (outputs, inputs) = (rows.outputs(), rows.inputs());
    let mut buffer = vec![0.0; PANEL.min(outputs) * inputs];
    for (number, panel) in panels.enumerate() {
        let first = (first_panel + number) * PANEL;
        let buffer = &mut buffer[..PANEL.min(outputs - first) * inputs];
        rows.read(first, buffer)?;
        write_rows(panel, buffer, inputs, format);
    }
    Ok(())
}

/// Packs blocks as they are.
fn take_blocks<'m>(
    rows: &dyn MatrixRows,
    first_panel: usize,
    panels: impl Iterator<Item = &'m mut [u8]>,
    block_bytes: usize,
) -> Result<(), EngineError> {
    let (outputs, row_bytes) = (rows.outputs(), rows.inputs().div_ceil(BLOCK) * block_bytes);
    let mut buffer = vec![0; PANEL.min(outputs) * row_bytes];
    for (number, panel) in panels.enumerate() {
        let first = (first_panel + number) * PANEL;
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
