//! An in-process chain on a pure-Rust virtual machine: accounts, messages, time, fees, get methods, snapshots.
//!
//! **Invariant:** the chain is a pure function of the messages and times that it was given: no clock, no randomness,
//! no I/O; and no coin appears or vanishes ([`Emulator::books`]).
//!
//! The main type is [`Emulator`]. What it computes (gas, fees, balances, messages, and the hashes of transactions and
//! accounts) is what the public chain would compute.
//!
//! ```
//! use cocoon_bindings::ton::{Address, HashBytes};
//! use cocoon_bindings::units::Nanoton;
//! use cocoon_emulator::{Emulator, NetworkConfig};
//!
//! let mut chain = Emulator::new(&NetworkConfig::spring_2026(), 1_780_000_000).unwrap();
//! let alice = Address::new(0, HashBytes([1; 32]));
//! chain.fund(&alice, Nanoton::from_ton(5)).unwrap();
//! assert_eq!(chain.balance(&alice).unwrap(), Nanoton::from_ton(5));
//! assert!(chain.books().unwrap().balanced());
//! ```

mod account;
mod adopt;
mod books;
mod emulator;
mod error;
mod getter;
mod history;
pub mod journal;
pub mod limits;
mod message;
mod network;
mod outgoing;
mod parity;
#[cfg(test)]
mod reference;
mod report;
mod snapshot;
mod state;
mod tamper;
#[cfg(test)]
mod tests;

pub use account::AccountView;
pub use adopt::AdoptedAccount;
pub use books::Books;
pub use emulator::{Emulator, FAUCET};
pub use error::EmulatorError;
pub use getter::{GetterResult, Method};
pub use message::{BOUNCED_TAG, Message, MessageKind};
pub use network::NetworkConfig;
pub use report::{Action, Compute, Fees, TransactionReport};
pub use snapshot::Snapshot;
pub use state::block_of;
pub use tycho_types::models::{
    AccountStatus, ComputePhaseSkipReason as SkipReason, GasLimitsPrices, MsgForwardPrices, StoragePrices,
};
