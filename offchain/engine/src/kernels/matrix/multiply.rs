//! One product, on the instructions at hand.

#![allow(unsafe_code, reason = "functions for instructions that were detected at run time")]

use super::blocks::BLOCK;
#[cfg(target_arch = "aarch64")]
use super::lanes::Neon;
#[cfg(target_arch = "x86_64")]
use super::lanes::{Avx2, Avx512};
use super::lanes::{Lanes, Scalar};
use super::links::{Bf16, F32, Q4, Q8};
use super::variant::Variant;
use crate::device::WeightFormat;

use super::{Activations, OutputColumns, PANEL, PackedMatrix, TILE, narrow, wide};
use std::ops::Range;

/// `input * matrix^T + bias` for the outputs of some panels. `out` has a row for each token and exactly the columns of
/// these outputs.
pub(crate) fn multiply(matrix: &PackedMatrix, panels: Range<usize>, input: &Activations, out: &mut OutputColumns<'_>) {
    multiply_with(Variant::detected(), matrix, panels, input, out);
}

/// The same on given instructions, which the processor must have.
pub(crate) fn multiply_with(
    variant: Variant,
    matrix: &PackedMatrix,
    panels: Range<usize>,
    input: &Activations,
    out: &mut OutputColumns<'_>,
) {
    assert!(variant.is_available(), "the processor has the instructions");
    assert!(
        panels.start <= panels.end && panels.end <= matrix.panels(),
        "the matrix has these panels"
    );
    let outputs = panels.start * PANEL..(panels.end * PANEL).min(matrix.outputs());
    assert_eq!(out.width(), outputs.len(), "a column for each output");
    assert_eq!(out.rows(), input.tokens(), "a row for each token");
    assert_eq!(input.inputs(), matrix.inputs(), "inputs of the matrix");
    if input.tokens() == 0 {
        return;
    }
    assert_eq!(input.kind(), matrix.input_kind(), "inputs as the format takes them");
    let product = Product {
        matrix,
        panels,
        input,
        out,
    };
    on(variant, product);
}

/// What is done on some instructions.
pub(super) trait Task {
    /// Does it.
    ///
    /// # Safety
    /// The processor has the instructions.
    unsafe fn run<L: Lanes>(self);
}

/// Does a task on instructions that the processor must have.
pub(super) fn on(variant: Variant, task: impl Task) {
    assert!(variant.is_available(), "the processor has the instructions");
    // SAFETY: it has.
    unsafe {
        match variant {
            Variant::Scalar => task.run::<Scalar>(),
            #[cfg(target_arch = "x86_64")]
            Variant::Avx2 => task.run::<Avx2>(),
            #[cfg(target_arch = "x86_64")]
            Variant::Avx512 => task.run::<Avx512>(),
            #[cfg(target_arch = "aarch64")]
            Variant::Neon => task.run::<Neon>(),
        }
    }
}

/// What is to be computed. Shapes fit.
pub(super) struct Product<'a, 'o> {
    pub(super) matrix: &'a PackedMatrix,
    pub(super) panels: Range<usize>,
    pub(super) input: &'a Activations,
    pub(super) out: &'a OutputColumns<'o>,
}

impl Task for Product<'_, '_> {
    unsafe fn run<L: Lanes>(self) {
        let product = &self;
        let inputs = product.input.inputs();
        // SAFETY: the same contract; the shapes were checked.
        unsafe {
            match (product.matrix.format(), product.input.tokens() <= TILE) {
                (WeightFormat::F32, true) => narrow::run::<L, F32>(product, inputs),
                (WeightFormat::F32, false) => wide::run::<L, F32>(product, 1),
                (WeightFormat::Bf16, true) => narrow::run::<L, Bf16>(product, inputs.div_ceil(2)),
                (WeightFormat::Bf16, false) => wide::run_bf16::<L>(product),
                (WeightFormat::Q8, true) => narrow::run::<L, Q8>(product, inputs.div_ceil(BLOCK)),
                (WeightFormat::Q8, false) => wide::run::<L, Q8>(product, BLOCK),
                (WeightFormat::Q4, true) => narrow::run::<L, Q4>(product, inputs.div_ceil(BLOCK)),
                (WeightFormat::Q4, false) => wide::run::<L, Q4>(product, BLOCK),
            }
        }
    }
}
