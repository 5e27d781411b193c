//! The receipts of a log as rows, for networks that outgrow one machine (docs/audit.md).

mod parquet;
mod rows;
mod statement;
mod thrift;

pub use statement::to_parquet;

use crate::error::AuditError;
use crate::limits::ROWS_OF_A_FILE;
use crate::log::{Log, LogKind};
use crate::run::Audited;
use crate::source::{Entry, Piece};
use cocoon_receipt::tree::{Frontier, leaf_hash};
use cocoon_receipt::{ReceiptId, SignedReceipt};
use parquet::{Column, RowError, Value, Writer};
use serde::Serialize;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Parquet, as DuckDB, Spark and Arrow read it.
    Parquet,
    /// One JSON object a line, with the same members.
    JsonLines,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Receipts.
    pub receipts: u64,
    /// Names of the files in the folder, in the order of the log.
    pub files: Vec<String>,
}

/// A folder that an export is written into.
#[derive(Debug)]
pub struct Export {
    files: Files,
}

impl Export {
    /// Into a folder that is empty or not there.
    pub fn new(out: &Path, format: ExportFormat) -> Result<Self, AuditError> {
        let files = Files::new(out, format)?;
        Ok(Self { files })
    }

    /// Writes the receipts that an audit read, up to the first difference, one row each, into files of a million rows. `progress` is
    /// told how many are written, and of how many. Memory does not grow with the log.
    ///
    /// The log is read a second time for it, from whoever serves it: as many receipts as were audited, each with the id that the log
    /// gives it, under the same root, or nothing is left in the folder.
    pub async fn write(
        self,
        log: &dyn Log,
        audited: &Audited,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Exported, AuditError> {
        let mut files = self.files;
        let (wanted, root) = (audited.report.log.size, audited.report.log.root);
        let mut tree = Frontier::default();
        if wanted == 0 {
            return files.finish();
        }
        let mut source = match log.open(audited.history.key()).await? {
            Ok(source) => source,
            Err(difference) => return Err(other(difference.sentence)),
        };
        let mut signed_by_worker = 0_u64;
        while files.rows < wanted {
            let entries = match source.next().await? {
                Piece::Entries(entries) => entries,
                Piece::Difference(difference) => return Err(other(difference.sentence)),
                Piece::End => return Err(other(format!("it ends after {} of {wanted} receipts", files.rows))),
            };
            for entry in entries {
                if files.rows >= wanted {
                    break;
                }
                let Some((signed, id)) = receipt(entry)? else {
                    continue;
                };
                let proxy = &signed.receipt.statement.proxy;
                let Some(contract) = audited.history.contract(proxy) else {
                    return Err(other(format!("receipt {id} is of another proxy contract, {proxy}")));
                };
                tree.push(leaf_hash(id.0.as_slice()));
                signed_by_worker += u64::from(signed.worker_signature.is_some());
                let row = rows::of(files.rows, &signed, &contract.account.params);
                files.push(row)?;
            }
            progress(files.rows, wanted);
        }
        if tree.root() != root {
            return Err(other(format!(
                "its root over {wanted} receipts is {}, not {root}",
                tree.root()
            )));
        }
        // In a published log signatures stand beside their receipts and do not go away again.
        let audited = audited.report.totals.signed_by_worker;
        if log.kind() == LogKind::Published && signed_by_worker < audited {
            return Err(other(format!(
                "workers signed {signed_by_worker} of its receipts, {audited} before"
            )));
        }
        files.finish()
    }
}

fn other(reason: String) -> AuditError {
    AuditError::OtherLog { reason }
}

/// The receipt of an entry and its id, which must be that of the entry; none when the entry is a signature.
fn receipt(entry: Entry) -> Result<Option<(SignedReceipt, ReceiptId)>, AuditError> {
    match entry {
        Entry::Receipt(signed) => {
            let id = signed.id();
            Ok(Some((signed, id)))
        }
        Entry::Boc { id, boc, signature } => {
            let read = SignedReceipt::from_boc_hashed(&boc);
            let (mut signed, hashes) = read.map_err(|error| other(format!("entry {id} is no receipt: {error}")))?;
            if hashes.id != id {
                return Err(other(format!("entry {id} holds receipt {}", hashes.id)));
            }
            if signed.worker_signature.is_some() {
                return Err(other(format!(
                    "entry {id} carries the worker's signature, which stands beside it"
                )));
            }
            signed.worker_signature = signature;
            Ok(Some((signed, id)))
        }
        Entry::LateSignature(..) => Ok(None),
    }
}

/// A file that is being written under another name, until all of them are.
#[derive(Debug)]
enum Open {
    Parquet(Box<Writer<BufWriter<File>>>),
    JsonLines(BufWriter<File>),
}

#[derive(Debug)]
struct Files {
    folder: PathBuf,
    format: ExportFormat,
    open: Option<Open>,
    names: Vec<String>,
    rows: u64,
}

impl Files {
    fn new(folder: &Path, format: ExportFormat) -> Result<Self, AuditError> {
        let failed = |source| AuditError::File {
            path: folder.to_owned(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        // What lies there would be read as if it were of this export.
        if std::fs::read_dir(folder).map_err(failed)?.next().is_some() {
            return Err(failed(std::io::Error::new(
                std::io::ErrorKind::DirectoryNotEmpty,
                "the folder is not empty",
            )));
        }
        Ok(Self {
            folder: folder.to_owned(),
            format,
            open: None,
            names: Vec::new(),
            rows: 0,
        })
    }

    fn name(&self) -> String {
        let ending = match self.format {
            ExportFormat::Parquet => "parquet",
            ExportFormat::JsonLines => "jsonl",
        };
        format!("receipts-{:05}.{ending}", self.names.len())
    }

    fn part(&self) -> PathBuf {
        self.part_of(&self.name())
    }

    fn part_of(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.part"))
    }

    fn failed(&self) -> impl Fn(std::io::Error) -> AuditError + use<> {
        let path = self.part();
        move |source| AuditError::File {
            path: path.clone(),
            source,
        }
    }

    fn push(&mut self, row: Vec<Value>) -> Result<(), AuditError> {
        if self.open.is_none() {
            let file = File::create(self.part()).map_err(self.failed())?;
            let file = BufWriter::with_capacity(1 << 20, file);
            self.open = Some(match self.format {
                ExportFormat::Parquet => {
                    let writer = Writer::new(file, &rows::COLUMNS).map_err(self.failed())?;
                    Open::Parquet(Box::new(writer))
                }
                ExportFormat::JsonLines => Open::JsonLines(file),
            });
        }
        let failed = self.failed();
        let written = match &mut self.open {
            Some(Open::Parquet(writer)) => writer.push(row),
            Some(Open::JsonLines(file)) => line(file, &rows::COLUMNS, row),
            None => Ok(()),
        };
        written.map_err(|error| match error {
            RowError::Io(source) => failed(source),
            unfit @ RowError::Unfit(_) => failed(std::io::Error::other(unfit.to_string())),
        })?;
        self.rows += 1;
        if self.rows.is_multiple_of(ROWS_OF_A_FILE) {
            self.close()?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), AuditError> {
        let failed = self.failed();
        let file = match self.open.take() {
            None => return Ok(()),
            Some(Open::Parquet(writer)) => writer.finish().map_err(&failed)?,
            Some(Open::JsonLines(file)) => file,
        };
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        let name = self.name();
        self.names.push(name);
        file.sync_all().map_err(failed)
    }

    /// All is well: the files get their names.
    fn finish(mut self) -> Result<Exported, AuditError> {
        self.close()?;
        for (at, name) in self.names.iter().enumerate() {
            let path = self.folder.join(name);
            if let Err(source) = std::fs::rename(self.part_of(name), &path) {
                // Some of the files would be read as if they were all.
                for name in self.names.iter().take(at) {
                    let _ = std::fs::remove_file(self.folder.join(name));
                }
                return Err(AuditError::File { path, source });
            }
        }
        Ok(Exported {
            receipts: self.rows,
            files: std::mem::take(&mut self.names),
        })
    }
}

/// What was not finished is no export.
impl Drop for Files {
    fn drop(&mut self) {
        // The open one comes behind those that are closed. Those that are whole are in no list any more.
        for part in self.names.iter().map(|name| self.part_of(name)).chain([self.part()]) {
            let _ = std::fs::remove_file(part);
        }
    }
}

/// A row as one line of JSON. Amounts are decimal strings, times Unix milliseconds.
fn line(out: &mut BufWriter<File>, columns: &[Column], row: Vec<Value>) -> Result<(), RowError> {
    let members = columns.iter().zip(row).map(|(column, value)| {
        let value = match value {
            Value::Null => serde_json::Value::Null,
            Value::Text(text) => text.into(),
            Value::Number(number) | Value::Time(number) => number.into(),
            Value::Amount(amount) => amount.to_string().into(),
            Value::Flag(flag) => flag.into(),
        };
        (column.name.to_owned(), value)
    });
    let object: serde_json::Map<String, serde_json::Value> = members.collect();
    let text = serde_json::Value::Object(object).to_string();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    Ok(())
}
