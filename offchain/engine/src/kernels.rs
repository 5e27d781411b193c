//! Arithmetic on the CPU. Knows slices and threads, nothing of models.
//!
//! **Invariant:** every number of a result is computed in one fixed order of fused multiply-adds, additions and lanes,
//! whatever the vector width of the machine, the number of threads and the number of rows beside it.

mod activation;
mod affinity;
mod attention;
mod buffer;
#[cfg(feature = "cube")]
pub(crate) mod cube;
mod exp;
mod kv_layer;
pub(crate) mod matrix;
mod norm;
mod pool;
mod prefetch;
mod read;
mod rope;
mod shared;
mod vectors;

pub(crate) use activation::{add_scaled, gated};
pub(crate) use attention::{AttentionInputs, attend, score_bytes};
pub(crate) use buffer::{Arena, Buffer, Loan};
pub(crate) use exp::exp;
pub(crate) use kv_layer::KvLayer;
pub(crate) use norm::rms_norm;
pub(crate) use pool::Pool;
pub(crate) use read::read_all;
pub(crate) use rope::rope;
pub(crate) use shared::SharedOut;
