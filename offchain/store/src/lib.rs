//! Durable state of the runners: one embedded database and one append-only receipt log per runner.
//!
//! The log is plain records with checksums ([`LogReader`]) and may be read while its runner runs; certificates lie beside
//! it as files named by their hash. The database is locked by its runner.
//!
//! **Invariant:** what a write call returned from is on disk; a receipt is in the log before any row counts it; a flipped
//! byte is an error that names the receipt, never a panic and never skipped.
//!
//! Main types: [`ProxyStore`], [`ClientStore`], [`WorkerStore`], [`LogReader`].
//!
//! ```
//! let folder = tempfile::tempdir()?;
//! let (store, recovered) = cocoon_store::ProxyStore::open(folder.path())?;
//! assert_eq!(recovered.receipts, 0);
//! assert_eq!(store.log().iter()?.count(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod disk;
mod error;
mod evidence;
pub mod limits;
mod log;
mod proxy;
mod reader;
mod record;
mod rows;
mod worker;

pub use client::{ClientStore, StoredReceipt};
pub use disk::{Disk, DiskFile, RealDisk, SharedDisk};
pub use error::StoreError;
pub use evidence::EvidenceFolder;
pub use log::ReceiptLog;
pub use proxy::{ProxyReader, ProxyStore, ProxyWrite, Recovered, SignedStatement, files};
pub use reader::{LogEntry, LogReader, read_receipts, read_receipts_on};
pub use record::LogRecord;
pub use worker::{Claim, KeptClaim, ProxyMemory, WorkerStore};

#[cfg(test)]
mod tests;
