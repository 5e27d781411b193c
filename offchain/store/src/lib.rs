//! Durable state of the runners: one embedded database, its journal, and one append-only receipt log per runner.
//!
//! One write and one sync of the journal make durable what belongs together, records of the log and rows of the database.
//! Checkpoints ([`Checkpoints`]) move it to where it belongs, beside whoever writes; until then the newest rows are read from
//! memory. Opening a store after a crash completes log and database from the journal.
//!
//! The log is plain records with checksums ([`LogReader`]) and may be read while its runner runs; certificates lie beside
//! it as files named by their hash. The database is locked by its runner.
//!
//! **Invariant:** what a write call returned from is on disk; no row counts a receipt that is not in the log or the journal;
//! a reader of the log sees only what is durable; a batch that was acknowledged and is gone while a later one is there keeps
//! the store closed; a flipped byte of the log is an error that names the receipt, never a panic and never skipped.
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

mod checkpoint;
mod client;
mod disk;
mod error;
mod evidence;
mod format;
mod journal;
pub mod limits;
mod log;
mod overlay;
mod proxy;
mod reader;
mod record;
mod row;
mod rows;
mod table;
mod worker;

pub use checkpoint::Checkpoints;
pub use client::{ClientStore, NewReceipt, StoredReceipt};
pub use disk::{Disk, DiskFile, RealDisk, SharedDisk};
pub use error::StoreError;
pub use evidence::EvidenceFolder;
pub use log::ReceiptLog;
pub use proxy::{LogHead, ProxyReader, ProxyStore, ProxyWrite, Recovered, SignedStatement, files};
pub use reader::{LogEntry, LogReader, read_receipts, read_receipts_on};
pub use record::{LogRecord, NewRecord};
pub use worker::{Claim, KeptClaim, ProxyMemory, WorkerStore};

#[cfg(test)]
mod tests;
