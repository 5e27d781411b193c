//! What can go wrong with files.

use std::path::PathBuf;

use cocoon_ledger::LedgerError;
use cocoon_receipt::ReceiptError;

/// A failure of the store. Nothing of it is the peer's fault, except evidence that is too large.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file could not be read or written.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Another process has the database open.
    #[error("{path} is in use by another process")]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// The database refused.
    #[error("database {path}: {reason}")]
    Database {
        /// The database.
        path: PathBuf,
        /// What it said.
        reason: String,
    },
    /// A database of an earlier version could not be brought to the present format. It is as it was.
    #[error("database {path} is of an earlier version and cannot be upgraded: {reason}")]
    Upgrade {
        /// The database.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A stored row does not parse.
    #[error("database {path}: row {key} of {table} does not parse: {reason}")]
    Row {
        /// The database.
        path: PathBuf,
        /// Which table.
        table: &'static str,
        /// Which row.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// A record of the receipt log is damaged.
    #[error("receipt log {path}: record {index} (receipt {receipt}) at byte {offset} is damaged: {reason}")]
    Damaged {
        /// The log.
        path: PathBuf,
        /// Number of the record, from 0.
        index: u64,
        /// Id of the receipt as far as it can be read.
        receipt: String,
        /// Where the record starts.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The file is not a receipt log.
    #[error("{path} is not a receipt log of this version")]
    NotALog {
        /// The file.
        path: PathBuf,
    },
    /// The receipt log is shorter than what was acknowledged.
    #[error("receipt log {path} holds {found} bytes, {acknowledged} were acknowledged")]
    LogCut {
        /// The log.
        path: PathBuf,
        /// Size of the file.
        found: u64,
        /// Size that the database knows.
        acknowledged: u64,
    },
    /// The receipts in the log do not form the channels that the database holds.
    #[error("receipt log {path}, record {index} (receipt {receipt}): {reason}")]
    Inconsistent {
        /// The log.
        path: PathBuf,
        /// Number of the record, from 0.
        index: u64,
        /// Id of the receipt.
        receipt: String,
        /// What contradicts.
        reason: String,
    },
    /// A file of the journal is missing or something else.
    #[error("{path} is not the journal of the database beside it")]
    NoJournal {
        /// The file.
        path: PathBuf,
    },
    /// The journal does not continue the database: something that was acknowledged is gone.
    #[error("journal {path}, batch {sequence}: {reason}")]
    Journal {
        /// The file.
        path: PathBuf,
        /// Number of the batch that is not there as it should be.
        sequence: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// A voucher was asked for that is not the sum of receipts.
    #[error("no receipt in the log ends at {tokens} tokens for contract {contract}")]
    NotBacked {
        /// Contract that the voucher is for.
        contract: String,
        /// Cumulative tokens asked for.
        tokens: u64,
    },
    /// Evidence is larger than any certificate.
    #[error("certificate of {bytes} bytes exceeds {limit}")]
    EvidenceTooLarge {
        /// Its size.
        bytes: usize,
        /// [`crate::limits::MAX_EVIDENCE_BYTES`].
        limit: usize,
    },
    /// A receipt does not parse.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// The ledger refused what the log says.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl StoreError {
    /// Whether trying again may help: only for a busy database.
    pub fn may_retry(&self) -> bool {
        matches!(self, Self::InUse { .. })
    }

    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "check permissions and free space",
            Self::InUse { .. } => "stop the other process; one store belongs to one runner",
            Self::Damaged { .. } | Self::LogCut { .. } | Self::Inconsistent { .. } => {
                "the log was changed after it was written: restore it from a copy, do not edit it"
            }
            Self::NoJournal { .. } | Self::Journal { .. } => {
                "database, journal and receipt log belong together: restore the newest copy of all of them"
            }
            Self::Upgrade { .. } => {
                "keep a copy of the store; see that there is space for a second copy of the database beside it"
            }
            Self::NotALog { .. } => "check the path",
            Self::NotBacked { .. } => "the database and the log disagree: run `cocoon audit` before anything else",
            _ => "restore the store from a copy",
        }
    }
}
