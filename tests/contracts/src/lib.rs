//! Support of the contract tests: a small network on the emulated chain, and what a message to it led to.
//!
//! **Invariant:** after every message that a [`World`] delivers the chain's books are balanced: a test cannot pass
//! while coins appear or vanish.
//!
//! Main types: [`World`], [`Outcome`].
//!
//! ```
//! use cocoon_contract_tests::{World, ton};
//! use cocoon_bindings::{root::LastProxySeqno};
//! let world = World::new();
//! assert_eq!(world.get(&world.root, &LastProxySeqno), 0);
//! assert!(world.balance(&world.root) < ton("1"));
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails in this crate is a test"
)]

pub mod gas;
mod governed;
mod messages;
mod model;
mod names;
mod outcome;
mod people;
pub mod receipts;
mod sequence;
mod trace;
mod world;

pub use governed::{
    ATTACHED, CHANGE_DELAY, CRITICAL_DELAY, DAY, Governed, HOUR, MAX_PAUSE, PAUSE_REST, default_governance,
    with_governor_code,
};
pub use messages::{body, corrupted, query, tokens};
pub use names::Names;
pub use outcome::Outcome;
pub use people::{ANYONE, CLIENT_OWNER, COUNCIL, EXCESSES, OWNER, SIGNERS, WORKER_OWNER, person};
pub use sequence::{Codes, Difference, Sequences, first_difference};
pub use trace::Cast;
pub use world::{FEE, PRICE, START, World, ton};
