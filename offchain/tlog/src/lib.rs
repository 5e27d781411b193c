//! The published log of receipts: what a proxy shows of its receipts, and what anybody else does with it (docs/log.md).
//!
//! A log is a folder of files, or a URL under which they are served: tiles of C2SP tlog-tiles, a checkpoint signed with the key
//! that the proxy contract holds, and beside them receipts, workers' signatures and certificates. [`Publisher`] writes one,
//! [`serve::router`] serves it, [`PublishedLog`] reads one from a [`LogSource`], [`Mirror`] copies one, and a [`Witness`] signs
//! that it only grows.
//!
//! **Invariant:** what a [`PublishedLog`] returns was proven against the root of a signed checkpoint; memory does not grow with
//! the log; a checkpoint is in its place only after everything that it covers is durable; a mirror or a witness that has seen one
//! history takes no other.
//!
//! ```
//! # async fn read() -> Result<(), cocoon_tlog::TlogError> {
//! use cocoon_tlog::{Description, PublishedLog, source};
//! use futures_util::StreamExt as _;
//! let source = source("https://proxy.example/log")?;
//! let key = Description::read(source.as_ref()).await?.public_key()?; // Or, better, from the proxy contract.
//! let log = PublishedLog::open(source, key).await?;
//! let mut receipts = std::pin::pin!(log.receipts(0));
//! while let Some(batch) = receipts.next().await {
//!     let (first, receipts) = batch?;
//!     println!("{} receipts from {first} on", receipts.len());
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod bundle;
mod challenges;
mod description;
mod error;
mod folder;
mod http;
pub mod limits;
mod mirror;
mod page;
pub mod paths;
mod proof;
mod published;
mod publisher;
pub mod serve;
mod source;
pub mod witness;
mod writer;

pub use challenges::{Answerer, Compared};
pub use description::{Description, VERSION, parse_key};
pub use error::{TlogError, Who};
pub use folder::{DiskFolder, FolderLock, LogFolder, SharedFolder};
pub use http::HttpSource;
pub use mirror::{Mirror, Mirrored};
pub use page::InclusionPage;
pub use proof::InclusionProof;
pub use published::{Batch, PublishedLog};
pub use publisher::Publisher;
pub use source::{FolderSource, LogSource, SharedSource, source};
pub use witness::{Cosigner, Witness};
pub use writer::{LogWriter, Mark};

#[cfg(test)]
mod tests;
