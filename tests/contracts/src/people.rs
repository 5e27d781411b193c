//! Accounts of people: they have no code, so every coin that reaches them stays countable.

use cocoon_bindings::ton::{Address, HashBytes};

/// Owns the root and proxy contracts.
pub const OWNER: Address = person(0x01);
/// Owns the client contract.
pub const CLIENT_OWNER: Address = person(0x02);
/// Owns the worker contract.
pub const WORKER_OWNER: Address = person(0x03);
/// Submits signed messages and gets the excesses.
pub const EXCESSES: Address = person(0x04);
/// Owns nothing.
pub const ANYONE: Address = person(0x05);
/// Sign for the governor.
pub const SIGNERS: [Address; 3] = [person(0x11), person(0x12), person(0x13)];
/// May pause the governor and cancel proposals.
pub const COUNCIL: [Address; 2] = [person(0x21), person(0x22)];

/// Somebody by number.
pub const fn person(number: u8) -> Address {
    Address::new(0, HashBytes([number; 32]))
}
