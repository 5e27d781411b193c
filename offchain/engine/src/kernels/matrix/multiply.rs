//! One product, on the instructions at hand.

#![allow(unsafe_code, reason = "functions for instructions that were detected at run time")]

#[cfg(target_arch = "x86_64")]
use super::lanes::Avx2;
use super::lanes::{Lanes, Scalar};
use super::{Activations, OutputColumns, PANEL, PackedMatrix, TILE, Variant, narrow, wide};
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
    assert_eq!(input.kind(), matrix.input_kind(), "inputs as the format takes them");
    let product = Product {
        matrix,
        panels,
        input,
        out,
    };
    match variant {
        // SAFETY: plain Rust runs everywhere.
        Variant::Scalar => unsafe { run::<Scalar>(&product) },
        // SAFETY: the processor has the instructions, as was checked.
        #[cfg(target_arch = "x86_64")]
        Variant::Avx2 => unsafe { run_avx2(&product) },
    }
}

/// What is to be computed. Shapes fit.
pub(super) struct Product<'a, 'o> {
    pub(super) matrix: &'a PackedMatrix,
    pub(super) panels: Range<usize>,
    pub(super) input: &'a Activations,
    pub(super) out: &'a OutputColumns<'o>,
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn run_avx2(product: &Product<'_, '_>) {
    // SAFETY: the instructions are those of `Avx2`.
    unsafe { run::<Avx2>(product) }
}

#[inline(always)]
unsafe fn run<L: Lanes>(product: &Product<'_, '_>) {
    // SAFETY: the processor has the instructions, and the shapes fit: both by the caller.
    unsafe {
        if product.input.tokens() <= TILE {
            narrow::run::<L>(product);
        } else {
            wide::run::<L>(product);
        }
    }
}
