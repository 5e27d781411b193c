//! Blocks for an emulated chain, which has none: a block of the masterchain over a block of the shard, with states, proofs and
//! signatures of validators that are made up. For a lite server to develop and test against.
//!
//! Blocks have the structure of real ones as far as proofs about accounts and ways from block to block go. Their descriptions
//! of messages and transactions are empty: transactions are proven by their hashes, from the account back.

mod build;
mod cells;
mod serve;

pub use build::{Blocks, Consensus, Sealed};
