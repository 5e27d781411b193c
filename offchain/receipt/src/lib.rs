//! Receipts: what was asked, answered and charged, in cells that each party signs.
//!
//! A worker signs a [`WorkStatement`]; the proxy adds the payer's side, which makes it a [`Receipt`], and signs that with
//! the key that its contract knows, which makes it a [`SignedReceipt`]. What is signed is the representation hash of a
//! cell, so that a contract can check the same bytes. Each receipt names its place in two channels, (client, proxy) and
//! (proxy, worker), and the hash of the one before it, so that a missing, doubled or reordered one is arithmetic.
//!
//! **Invariant:** a [`WorkStatement`] never carries the payer's address; decoding never panics and never accepts trailing
//! data; nothing here reads a clock, a file or randomness.
//!
//! The worker's signature lies beside the receipt, not inside it: the receipt's hash, and so the next link of the client's
//! channel, is known before the worker has answered, and a slow worker delays nobody.
//!
//! ```
//! use cocoon_receipt::channel::{self, ChannelHead, ChannelLink};
//! use cocoon_bindings::ton::HashBytes;
//! let first = ChannelLink { seqno: 1, previous: HashBytes::ZERO, before: 0, after: 40 };
//! let id = HashBytes([7; 32]);
//! let second = ChannelLink { seqno: 2, previous: id, before: 40, after: 55 };
//! let head = channel::verify(ChannelHead::GENESIS, [(first, id), (second, HashBytes([8; 32]))])?;
//! assert_eq!(head.total, 55);
//! # Ok::<(), channel::ChannelFault>(())
//! ```

mod blind;
mod built;
mod cells;
mod challenge;
pub mod channel;
pub mod check;
mod disclosure;
mod ed25519;
mod error;
mod finish;
pub mod limits;
pub mod log;
mod receipt;
pub mod reputation;
mod salted;
mod signed;
mod statement;
pub mod tree;

pub use blind::blind_client;
pub use built::{BuiltReceipt, BuiltStatement};
pub use challenge::{CHALLENGE_BYTES, ChallengeRecord, ChallengeResult, SignedChallenge};
pub use channel::{ChannelHead, ChannelLink};
pub use check::{ClientView, verify_for_client};
pub use disclosure::{Disclosure, DisclosureDocument, DisclosureError};
pub use ed25519::{ContractKey, verifies};
pub use error::ReceiptError;
pub use finish::FinishReason;
pub use receipt::{Hashes, Receipt, ReceiptId};
pub use salted::{SaltedHasher, salted_hash};
pub use signed::{Signature, SignedReceipt};
pub use statement::{Timing, WorkStatement};

#[cfg(test)]
mod golden;
#[cfg(test)]
mod samples;
