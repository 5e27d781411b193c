//! Proofs: that what a server says follows from a block that is trusted.
//!
//! A Merkle proof is a tree of cells with branches cut off; the hash of the whole tree is still known. Cells are read here one
//! by one and no further than needed, because what is not needed was cut off.

pub(crate) mod account;
pub(crate) mod block;
mod link;
pub(crate) mod signatures;

pub use account::{ProvenAccount, verify_account, verify_history};
pub use block::Header;
pub use link::{Reached, verify_chain, verify_link};
