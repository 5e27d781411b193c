//! Models as data, and the one transformer that runs them on any [`crate::device::Device`] behind the narrow
//! [`Executor`].
//!
//! To add a family: one file in `families/` that turns its config.json into a [`ModelSpec`].

mod attention;
mod batch;
mod collective;
mod config;
mod executor;
mod families;
mod feed_forward;
mod flight;
mod latent;
mod layer;
mod load;
mod ranks;
mod rope;
mod routing;
mod shard;
mod source;
mod spec;
mod transformer;

pub(crate) use batch::{Batch, BlockId, Piece, Span, Wanted};
pub(crate) use collective::{Alone, Collective};
pub(crate) use config::{Config, token_ids};
pub(crate) use executor::{Executor, Outcome, StepWork};
pub(crate) use families::model_spec;
pub(crate) use ranks::Ranks;
pub(crate) use shard::Shard;
#[cfg(test)]
pub(crate) use source::HostRows;
pub(crate) use source::{Checkpoint, Part, Source};
pub(crate) use spec::ModelSpec;
pub(crate) use transformer::{LoadOptions, Transformer};
