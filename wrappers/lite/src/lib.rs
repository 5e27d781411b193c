//! The language of lite servers: messages, the encrypted transport that carries them, and proofs that what a server says of
//! an account is what validators signed. And the other side: blocks with proofs for a chain that has none.
//!
//! **Invariant:** nothing that comes out of [`proof`] was believed: every hash in it follows from a block that the caller
//! trusts. No sockets, no clock, no randomness: bytes in, bytes out.
//!
//! The main functions are [`proof::verify_chain`], from a trusted block to a newer one, and [`proof::verify_account`].
//!
//! ```
//! use cocoon_lite::messages::Request;
//!
//! let bytes = Request::MasterchainInfo.to_bytes();
//! assert_eq!(bytes, [0x2e, 0xe6, 0xb5, 0x89]);
//! assert_eq!(Request::from_bytes(&bytes).unwrap(), Request::MasterchainInfo);
//! ```

pub mod adnl;
pub mod blocks;
mod error;
pub mod limits;
pub mod messages;
pub mod proof;
#[cfg(test)]
mod tests;
mod tl;

pub use error::LiteError;
