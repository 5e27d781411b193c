//! The work on the device, behind the narrow [`Executor`].

mod attention;
mod block;
mod burn_executor;
mod executor;
mod kv_cache;
mod layers;
mod rope;

pub(crate) use burn_executor::BurnExecutor;
pub(crate) use executor::{Executor, Work};
