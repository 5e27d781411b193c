//! The receipts of a log as rows, for networks that outgrow one machine (docs/audit.md).

mod parquet;
mod rows;
mod statement;
mod thrift;

pub use statement::to_parquet;

use crate::error::AuditError;
use crate::limits::ROWS_OF_A_FILE;
use crate::log::Log;
use crate::run::Audited;
use crate::source::{Entry, Piece};
use cocoon_receipt::SignedReceipt;
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
    pub async fn write(
        self,
        log: &dyn Log,
        audited: &Audited,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Exported, AuditError> {
        let mut files = self.files;
        let wanted = audited.report.log.size;
        let mut source = match log.open(audited.history.key()).await? {
            Ok(source) => source,
            // The audit has said what is wrong with it.
            Err(_) => return files.finish(),
        };
        while files.rows < wanted {
            let Piece::Entries(entries) = source.next().await? else {
                break;
            };
            for signed in entries.into_iter().filter_map(receipt) {
                if files.rows >= wanted {
                    break;
                }
                // Receipts of other contracts are a difference: none is left in what the audit has read.
                let Some(contract) = audited.history.contract(&signed.receipt.statement.proxy) else {
                    return files.finish();
                };
                let row = rows::of(files.rows, &signed, &contract.account.params);
                files.push(row)?;
            }
            progress(files.rows, wanted);
        }
        files.finish()
    }
}

/// The receipt of an entry that the audit has read already.
fn receipt(entry: Entry) -> Option<SignedReceipt> {
    match entry {
        Entry::Receipt(signed) => Some(signed),
        Entry::Boc { boc, signature, .. } => {
            let mut signed = SignedReceipt::from_boc(&boc).ok()?;
            signed.worker_signature = signature;
            Some(signed)
        }
        Entry::LateSignature(..) => None,
    }
}

/// A file that is being written under another name.
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
            return Err(failed(std::io::Error::other("the folder is not empty")));
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
        self.folder.join(format!("{}.part", self.name()))
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
        let (part, name) = (self.part(), self.name());
        file.sync_all()
            .and_then(|()| std::fs::rename(part, self.folder.join(&name)))
            .map_err(failed)?;
        self.names.push(name);
        Ok(())
    }

    fn finish(mut self) -> Result<Exported, AuditError> {
        self.close()?;
        Ok(Exported {
            receipts: self.rows,
            files: self.names,
        })
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
