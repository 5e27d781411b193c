//! How the next token is chosen from the logits.

mod choose;
mod params;
mod penalty;
mod random;
mod sampler;

pub use params::{Sampling, SamplingWish};
pub(crate) use sampler::Sampler;
