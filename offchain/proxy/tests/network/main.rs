//! The proxy between scripted peers on an emulated chain.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod administration;
mod anchoring;
mod bounds;
mod challenges;
mod contexts;
mod countersigning;
mod proofs;
mod publishing;
mod quotes;
mod recovery;
mod requests;
mod revocation;
mod routing;
mod support;
mod winding;
