//! How the next token is chosen from the logits.

mod bias;
mod choose;
mod constraint;
mod logprobs;
mod matching;
mod params;
mod penalty;
mod preparer;
mod random;
mod sampler;

pub use bias::LogitBias;
#[cfg(test)]
pub(crate) use choose::choose_drawn;
pub(crate) use constraint::bounded_blanks;
pub use constraint::{Constraint, MadeGrammar};
pub(crate) use logprobs::{Logprob, Logprobs};
pub(crate) use matching::Compiler;
pub use params::{Sampling, SamplingWish};
pub use preparer::{Prepared, Preparer};
pub(crate) use sampler::{Sampler, Thinking};
