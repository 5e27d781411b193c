//! Access to the chain: one trait with several backends, the runner's wallet, and typed views of the contracts.
//!
//! **Invariant:** nothing is sent twice. A wallet message is repeated only with the same seqno, and a new one is made
//! only when the chain says what became of the last.
//!
//! The main type is the trait [`ChainClient`]; backends are [`EmulatedChain`] (a chain in this process, also from a
//! saved one) and [`HttpApi`] (a server with the public HTTP API).

mod client;
mod emulated;
mod error;
mod http;
pub mod limits;
#[cfg(test)]
mod tests;
mod view;
mod wallet;

pub use client::{
    AccountState, ChainClient, SharedChain, Transaction, TransactionId, call_get_method, history, transactions_after,
};
pub use cocoon_emulator::{AccountStatus, GetterResult, Message, MessageKind};
pub use emulated::EmulatedChain;
pub use error::{ChainError, Retry, Who};
pub use http::HttpApi;
pub use view::{ClientAccount, ProxyAccount, RootView, WorkerAccount, watch_root};
pub use wallet::{NodeWallet, SignedMessage, WalletView, wallet_seqno};
