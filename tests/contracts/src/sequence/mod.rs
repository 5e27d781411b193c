//! Random sequences of messages through the chain and the model.

mod asks;
mod asks_of_root;
mod compare;
mod difference;
mod exits;
mod govern;
mod ledger;
mod net;
mod rng;
mod run;
mod setup;
mod step;

pub use difference::{Difference, Sequences, first_difference};
pub use setup::Codes;
