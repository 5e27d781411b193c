//! How the next token is chosen from the logits.

mod choose;
mod params;
mod penalty;
mod random;

pub(crate) use choose::choose;
pub use params::{Sampling, SamplingWish};
pub(crate) use penalty::Penalties;
