//! Access to the chain: one trait with several backends, the runner's wallet, and typed views of the contracts.
//!
//! **Invariant:** nothing is sent twice. A wallet message is repeated only with the same seqno, and a new one is made
//! only when the chain says what became of the last.
//!
//! The main type is the trait [`ChainClient`]; backends are [`EmulatedChain`] (a chain in this process, also from a
//! saved one), [`HttpApi`] (a server with the public HTTP API, version 2 or 3), [`LiteClient`] (a
//! lite server, of which nothing is believed that it does not prove), and [`ChainPool`] (several servers, of which
//! the best is asked).

mod client;
mod emulated;
mod error;
mod http;
pub mod limits;
mod lite;
mod pool;
#[cfg(test)]
mod tests;
mod view;
mod wallet;

pub use client::{
    AccountState, ChainClient, ChainHead, SharedChain, Transaction, TransactionId, call_get_method, history,
    transactions_after,
};
pub use cocoon_emulator::{AccountStatus, GetterResult, Message, MessageKind};
pub use cocoon_lite::messages::BlockId;
pub use cocoon_web::Roots;
pub use emulated::EmulatedChain;
pub use error::{ChainError, Retry, Who};
pub use http::{ApiKey, Endpoint, HttpApi};
pub use lite::{GlobalConfig, LiteClient, LiteServer};
pub use pool::{ChainPool, EndpointReport};
pub use view::{ClientAccount, MAINNET, ProxyAccount, RootView, TESTNET, WorkerAccount, global_id, watch_root};
pub use wallet::{NodeWallet, SignedMessage, WalletView, wallet_seqno};
