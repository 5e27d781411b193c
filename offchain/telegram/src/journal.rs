//! What users have spent, on disk: one line of JSON for each thing that happened, synced before it counts. No text is in it.
//!
//! At a start the file is read, requests of which the end is not written are taken to have cost all that they may, and the file
//! is written anew with the sums of the day. It is written anew as well whenever it has grown well beyond what it says; then
//! requests that run stay open.

mod anew;

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::budget::Budgets;
use crate::error::TelegramError;
use crate::limits::{JOURNAL_SLACK_BYTES, MAX_JOURNAL_BYTES};

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) enum Record {
    /// An update was taken up that costs nothing.
    #[serde(rename = "seen")]
    Seen { update: i64 },
    /// A request may cost so much.
    #[serde(rename = "began")]
    Began {
        update: i64,
        user: i64,
        day: u64,
        nanoton: u64,
    },
    /// It has cost so much.
    #[serde(rename = "ended")]
    Ended { update: i64, nanoton: u64 },
    /// What a user had spent on a day when the file was written anew.
    #[serde(rename = "spent")]
    Spent { user: i64, day: u64, nanoton: u64 },
}

impl Record {
    fn apply(self, budgets: &mut Budgets) {
        match self {
            Self::Seen { update } => budgets.see(update),
            Self::Began {
                update,
                user,
                day,
                nanoton,
            } => budgets.reserve(update, user, day, nanoton),
            Self::Ended { update, nanoton } => {
                budgets.settle(update, nanoton);
            }
            Self::Spent { user, day, nanoton } => budgets.restore(day, user, nanoton),
        }
    }
}

/// The open file. One process at a time has it.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    /// Set when a write failed: half a line may stand there, and nothing may follow it.
    is_broken: bool,
    /// Bytes of the file.
    bytes: u64,
    /// Beyond so many bytes it is written anew.
    due_at: u64,
    /// See [`JOURNAL_SLACK_BYTES`].
    slack: u64,
    /// Held as long as this is.
    _lock: File,
}

impl Journal {
    /// Opens the journal of a folder, which is made if it is not there, and gives what it says.
    pub(crate) fn open(folder: &Path) -> Result<(Self, Budgets), TelegramError> {
        let path = folder.join("budgets.jsonl");
        let failed = |what| {
            let path = path.clone();
            move |source| TelegramError::Journal { path, what, source }
        };
        std::fs::create_dir_all(folder).map_err(failed("made"))?;
        let lock = private(&folder.join("lock"), false).map_err(failed("locked"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                let path = folder.to_path_buf();
                return Err(TelegramError::InUse { path });
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(failed("locked")(error)),
        }
        let mut budgets = read(&path)?;
        budgets.settle_all();
        let new = anew::write(&anew::beside(&path), &budgets).map_err(failed("written"))?;
        anew::put_in_place(&path).map_err(failed("replaced"))?;
        let mut journal = Self {
            path,
            file: new.file,
            is_broken: false,
            bytes: 0,
            due_at: 0,
            slack: JOURNAL_SLACK_BYTES,
            _lock: lock,
        };
        journal.is_new(new.bytes);
        Ok((journal, budgets))
    }

    /// Writes records; when this returns they are on disk.
    pub(crate) fn append(&mut self, records: &[Record]) -> Result<(), TelegramError> {
        if records.is_empty() {
            return Ok(());
        }
        if self.is_broken {
            return Err(TelegramError::Lost);
        }
        let written = lines(records).and_then(|lines| {
            self.file.write_all(&lines)?;
            self.file.sync_data()?;
            Ok(as_u64(lines.len()))
        });
        self.is_broken = written.is_err();
        self.bytes = self
            .bytes
            .saturating_add(written.map_err(|source| self.failed("written", source))?);
        match self.bytes > self.due_at {
            true => self.compact(),
            false => Ok(()),
        }
    }

    /// Writes the file anew, as it stands on disk. Until it is in its place the old one is, and goes on if that fails.
    fn compact(&mut self) -> Result<(), TelegramError> {
        let beside = anew::beside(&self.path);
        let written = read(&self.path)
            .and_then(|budgets| anew::write(&beside, &budgets).map_err(|source| self.failed("written anew", source)));
        let new = match written {
            Ok(new) => new,
            Err(error) => {
                tracing::warn!(%error, hint = error.hint(), "the journal grows on, it could not be written anew");
                self.due_at = self.bytes.saturating_add(self.slack);
                return Ok(());
            }
        };
        if let Err(source) = anew::put_in_place(&self.path) {
            // Which of both files a restart would find is not known: nothing may follow in either.
            self.is_broken = true;
            return Err(self.failed("replaced", source));
        }
        tracing::debug!(before = self.bytes, after = new.bytes, "the journal was written anew");
        self.file = new.file;
        self.is_new(new.bytes);
        Ok(())
    }

    /// The file has just been written anew, with so many bytes.
    fn is_new(&mut self, bytes: u64) {
        self.bytes = bytes;
        self.due_at = bytes.saturating_mul(2).saturating_add(self.slack);
    }

    fn failed(&self, what: &'static str, source: io::Error) -> TelegramError {
        let path = self.path.clone();
        TelegramError::Journal { path, what, source }
    }
}

fn lines(records: &[Record]) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for record in records {
        serde_json::to_writer(&mut lines, record)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// A file that only its owner can read: it says who asks, and how much.
fn private(path: &Path, is_new: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(is_new);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Reads all whole lines. The last one may be cut: then its record never counted.
fn read(path: &Path) -> Result<Budgets, TelegramError> {
    let failed = |what| {
        move |source| TelegramError::Journal {
            path: path.to_path_buf(),
            what,
            source,
        }
    };
    let mut budgets = Budgets::default();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(budgets),
        Err(error) => return Err(failed("opened")(error)),
    };
    if file.metadata().map_err(failed("read"))?.len() > MAX_JOURNAL_BYTES {
        return Err(failed("read")(io::Error::other("it is too large")));
    }
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        reader.read_until(b'\n', &mut line).map_err(failed("read"))?;
        if !line.ends_with(b"\n") {
            break;
        }
        let record: Record = serde_json::from_slice(&line).map_err(|_| TelegramError::JournalLine {
            path: path.to_path_buf(),
            line: number,
        })?;
        record.apply(&mut budgets);
    }
    Ok(budgets)
}

#[cfg(test)]
mod tests;
