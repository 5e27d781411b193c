//! Arithmetic on GPUs: kernels in CubeCL, for any of its runtimes, and the calls that start them. Knows buffers and
//! shapes, nothing of models.
//!
//! **Invariant:** as on the CPU, every number is computed in one fixed order, whatever is computed beside it.
#![allow(unsafe_code, reason = "a launch takes the caller's word for the lengths of buffers")]
#![allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its buffers and shapes one by one"
)]
#![allow(
    clippy::collapsible_if,
    clippy::assign_op_pattern,
    clippy::approx_constant,
    clippy::manual_is_multiple_of,
    reason = "the language of kernels has less than Rust: no chains of `let` and `if`, no operators on shared memory, no \
              `is_multiple_of`; and a constant is the one that the CPU has"
)]

mod attention;
mod choose;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
#[cfg(all(test, feature = "cuda"))]
pub(crate) mod cuda_text;
mod gpu;
mod linear;
mod numeric;
mod rope;
mod rows;
mod staging;
mod steps;
mod tensor_cores;
#[cfg(all(test, feature = "wgpu"))]
pub(crate) mod testing;
mod weights;

pub(crate) use choose::NOT_A_NUMBER;
#[cfg(all(test, feature = "wgpu"))]
pub(crate) use gpu::Products;
pub(crate) use gpu::{Gpu, Memory};
pub(crate) use rows::CHOSEN;
pub(crate) use steps::{GpuCache, GpuMatrix, GpuRows, Heads, Part};
