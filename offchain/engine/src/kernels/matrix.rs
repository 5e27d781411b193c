//! Products with the matrices of a model.
//!
//! A matrix is packed once ([`PackedMatrix`]): in panels of 16 outputs whose numbers lie side by side. The inputs of a
//! product are prepared once ([`Activations`]), and serve every matrix that needs the same [`InputKind`]. [`multiply`]
//! then computes any range of panels for all tokens, so that threads share a product by its panels.
//!
//! **Invariant:** an output is one chain over its inputs in ascending order, begun with the bias. In f32 and bf16 a
//! link is a fused multiply-add; in q8 and q4 it is a block of 32 inputs, whose integer sum is exact:
//! `sum = fma(scale of weights * scale of inputs, integer sum, sum)`. So neither the number of tokens nor the range of
//! panels nor the instructions of the processor change a bit.

mod activations;
mod blocks;
mod lanes;
mod layout;
mod links;
mod memory;
mod multiply;
mod narrow;
mod output;
mod packed;
mod peak;
mod strip;
#[cfg(test)]
mod tests;
mod variant;
mod wide;

pub(crate) use activations::Activations;
pub(crate) use blocks::{BLOCK, Q4_BYTES, Q8_BYTES, read_q4, read_q8};
pub(crate) use memory::SharedBytes;
pub(crate) use multiply::multiply;
pub(crate) use output::OutputColumns;
pub(crate) use packed::{PackedMatrix, pack_panels};
pub(crate) use peak::multiply_adds;

/// Outputs of a panel.
pub(crate) const PANEL: usize = lanes::LANES;

/// Tokens whose inputs lie interleaved.
pub(crate) const TILE: usize = 6;
