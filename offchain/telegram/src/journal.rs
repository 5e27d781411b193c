//! What users have spent, on disk: one line of JSON for each thing that happened, synced before it counts. No text is in it.
//!
//! At a start the file is read, requests of which the end is not written are taken to have cost all that they may, and the file
//! is written anew with the sums of the day.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::budget::Budgets;
use crate::error::TelegramError;
use crate::limits::MAX_JOURNAL_BYTES;

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
        let new = folder.join("budgets.jsonl.new");
        let file = write_anew(&new, &budgets).map_err(failed("written"))?;
        std::fs::rename(&new, &path).map_err(failed("replaced"))?;
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed("synced"))?;
        let journal = Self {
            path,
            file,
            is_broken: false,
            _lock: lock,
        };
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
        let written = lines(records)
            .and_then(|lines| self.file.write_all(&lines))
            .and_then(|()| self.file.sync_data());
        self.is_broken = written.is_err();
        written.map_err(|source| TelegramError::Journal {
            path: self.path.clone(),
            what: "written",
            source,
        })
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

fn write_anew(path: &Path, budgets: &Budgets) -> io::Result<File> {
    let (day, spent, seen) = budgets.settled();
    let spent = spent
        .into_iter()
        .map(|(user, nanoton)| Record::Spent { user, day, nanoton });
    let seen = seen.into_iter().map(|update| Record::Seen { update });
    let records: Vec<Record> = spent.chain(seen).collect();
    let mut file = private(path, true)?;
    file.write_all(&lines(&records)?)?;
    file.sync_all()?;
    Ok(file)
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record() -> impl Strategy<Value = Record> {
        prop_oneof![
            (0i64..20).prop_map(|update| Record::Seen { update }),
            (0i64..20, 0i64..4, 1u64..3, 0u64..99).prop_map(|(update, user, day, nanoton)| Record::Began {
                update,
                user,
                day,
                nanoton
            }),
            (0i64..20, 0u64..99).prop_map(|(update, nanoton)| Record::Ended { update, nanoton }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_bot_that_was_killed_knows_what_was_spent_and_takes_the_worst_of_what_ran(
            records in proptest::collection::vec(record(), 0..40), cut in 0usize..30,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut expected = Budgets::default();
            {
                let (mut journal, empty) = Journal::open(folder.path()).unwrap();
                prop_assert_eq!(empty, Budgets::default());
                journal.append(&records).unwrap();
            }
            for record in &records {
                record.apply(&mut expected);
            }
            expected.settle_all();
            // A line that was being written when the machine stopped.
            let half = &br#"{"ended":{"update":1,"nanoton":5}}"#[..cut];
            let mut file = OpenOptions::new().append(true).open(folder.path().join("budgets.jsonl")).unwrap();
            file.write_all(half).unwrap();
            for _ in 0..2 {
                let (_journal, found) = Journal::open(folder.path()).unwrap();
                for user in 0..4 {
                    prop_assert_eq!(found.used(user, 2), expected.used(user, 2));
                }
                for update in 0..20 {
                    prop_assert_eq!(found.is_seen(update), expected.is_seen(update));
                }
            }
        }
    }

    #[test]
    fn one_bot_at_a_time_has_a_folder_and_a_broken_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let open = Journal::open(folder.path()).unwrap();
        assert!(matches!(Journal::open(folder.path()), Err(TelegramError::InUse { .. })));
        drop(open);
        std::fs::write(folder.path().join("budgets.jsonl"), "{\"seen\":{\"update\":1}}\nno\n").unwrap();
        let error = Journal::open(folder.path()).unwrap_err();
        assert!(matches!(error, TelegramError::JournalLine { line: 2, .. }), "{error}");
    }
}
