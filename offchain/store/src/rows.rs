//! Rows of one store: a journal that makes them durable, the newest ones in memory, and the database to which checkpoints
//! move them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use redb::{Database, ReadableTable, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::checkpoint::{Checkpoints, Due};
use crate::disk::{Disk, DiskFile, Storage};
use crate::error::StoreError;
use crate::format;
use crate::journal::{Journal, Payload, Place, Put};
use crate::limits::{DATABASE_CACHE_BYTES, MAX_WAITING_JOURNAL_BYTES, MAX_WAITING_ROWS};
use crate::log::ReceiptLog;
use crate::overlay::{Layer, Overlay};
use crate::reader::io;
use crate::table::{TABLES, Table};

/// From where on the journal holds what the database does not.
const JOURNAL: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("journal");
const PLACE: &[u8] = b"place";

/// Rows of one store.
#[derive(Clone)]
pub(crate) struct Rows {
    pub(crate) shared: Arc<Shared>,
}

/// What all handles on one store share.
pub(crate) struct Shared {
    path: PathBuf,
    database: Database,
    /// The file that had the name before its format was changed: its lock turns away whoever opened it by then.
    _replaced: Option<Box<dyn DiskFile>>,
    /// Locked before the overlay.
    journal: Mutex<Journal>,
    overlay: RwLock<Overlay>,
    /// The receipt log, once it is open: synced before the database says that it does not need the journal for it.
    log: Mutex<Option<Arc<dyn DiskFile>>>,
    /// Held during a checkpoint.
    pub(crate) turn: Arc<Mutex<()>>,
    pub(crate) due: Arc<Due>,
}

/// Records that become durable together.
#[derive(Default)]
pub(crate) struct Records {
    /// One after the other.
    pub(crate) bytes: Vec<u8>,
    pub(crate) count: u64,
}

/// Rows that become durable together.
pub(crate) struct Batch<'a> {
    path: &'a Path,
    puts: Vec<Put>,
}

impl Rows {
    /// Opens or creates the database `path` with its journal. Receipts that only the journal has are in `log` when it
    /// returns, and rows that only the journal had are in the database.
    pub(crate) fn open(disk: &dyn Disk, path: &Path, tables: &[Table], log: Option<&Path>) -> Result<Self, StoreError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        // A new database gets its name when it is whole, with its journal.
        let partial = path.with_extension("partial");
        let is_new = !disk.exists(path);
        let at = if is_new { &partial } else { path };
        let file = disk.write(at).map_err(io("open", at))?;
        if !file.try_lock().map_err(io("lock", at))? {
            return Err(StoreError::InUse { path: path.to_owned() });
        }
        // Another start may have put the database of the present format in the place of this file before it was locked, and
        // have ended since: its lock is gone, and what this file holds is old.
        if !file.is_named(at).map_err(io("look for", at))? {
            return Err(StoreError::InUse { path: path.to_owned() });
        }
        // Another start may have given the database its name since; its partial file was the one before this.
        if is_new && disk.exists(path) {
            return Err(StoreError::InUse { path: path.to_owned() });
        }
        if is_new {
            file.set_size(0).map_err(io("truncate", at))?;
        }
        let (file, replaced) = match format::is_old(file.as_ref()).map_err(io("read", at))? {
            true => (format::upgraded(disk, path, file.as_ref())?, Some(file)),
            false => (file, None),
        };
        let database = Database::builder()
            .set_cache_size(DATABASE_CACHE_BYTES)
            // The format before repairs itself in place: a crash within a repair could leave a database that does not open.
            .create_with_file_format_v3(true)
            .create_with_backend(Storage(file))
            .map_err(|error| database_error(path, error))?;
        let mut overlay = Overlay::default();
        let mut records = Completion {
            disk,
            path: log,
            file: None,
        };
        let journal = match place(&database).map_err(|Refused(reason)| database_error(path, reason))? {
            None => Journal::create(disk, folder)?,
            Some(from) => Journal::open(disk, folder, from, |payload| {
                let Payload { log_offset, log, puts } = payload;
                overlay.put(puts);
                records.put(log_offset, &log)
            })?,
        };
        records.sync()?;
        let (from, found) = (journal.next(), overlay.begin_moving());
        let rows = Self {
            shared: Arc::new(Shared {
                path: path.to_owned(),
                database,
                _replaced: replaced,
                journal: Mutex::new(journal),
                overlay: RwLock::new(overlay),
                log: Mutex::default(),
                turn: Arc::default(),
                due: Arc::default(),
            }),
        };
        rows.shared.move_rows(tables, &found, from)?;
        if is_new {
            disk.rename(&partial, path).map_err(io("rename", &partial))?;
            disk.sync_folder(folder).map_err(io("sync", folder))?;
        }
        Ok(rows)
    }

    /// From now on a checkpoint makes this log durable first.
    pub(crate) fn keep_with(&self, log: &ReceiptLog) {
        *lock(&self.shared.log) = Some(log.file());
    }

    /// A batch of rows.
    pub(crate) fn begin(&self) -> Batch<'_> {
        Batch {
            path: &self.shared.path,
            puts: Vec::new(),
        }
    }

    /// Makes rows durable.
    pub(crate) fn commit(&self, batch: Batch<'_>) -> Result<(), StoreError> {
        self.write(batch, None)
    }

    /// Makes rows durable together with records, whose place is the end of the log. They stand there when it returns.
    pub(crate) fn commit_with(
        &self,
        batch: Batch<'_>,
        log: &mut ReceiptLog,
        records: &Records,
    ) -> Result<(), StoreError> {
        self.write(batch, Some((log, records)))
    }

    fn write(&self, batch: Batch<'_>, log: Option<(&mut ReceiptLog, &Records)>) -> Result<(), StoreError> {
        let shared = &self.shared;
        if batch.puts.is_empty() && log.as_ref().is_none_or(|(_, records)| records.count == 0) {
            return Ok(());
        }
        let mut journal = lock(&shared.journal);
        match log {
            Some((log, records)) if records.count > 0 => {
                journal.append(log.length(), &records.bytes, &batch.puts)?;
                // Durable in the journal: whoever reads the log may see them.
                let written = log.write(&records.bytes, records.count);
                written.inspect_err(|_| journal.break_off())?;
            }
            _ => journal.append(0, &[], &batch.puts)?,
        }
        let mut overlay = write(&shared.overlay);
        overlay.put(batch.puts);
        let (bytes, rows) = (journal.bytes(), overlay.rows());
        shared.due.written(bytes, rows);
        drop((overlay, journal));
        // Whoever should make checkpoints does not keep up.
        if bytes > MAX_WAITING_JOURNAL_BYTES || rows > MAX_WAITING_ROWS {
            self.checkpoint()?;
        }
        Ok(())
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, table: Table, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.look(table, key, |row| self.parse(table, key, row))?.transpose()
    }

    /// A row that is not JSON, or not always.
    pub(crate) fn get_bytes(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.look(table, key, <[u8]>::to_vec)
    }

    pub(crate) fn has(&self, table: Table, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.look(table, key, |_| ())?.is_some())
    }

    /// Of each key whether there is a row, with one look into the database.
    pub(crate) fn have(&self, table: Table, keys: &[&[u8]]) -> Result<Vec<bool>, StoreError> {
        let shared = &self.shared;
        let overlay = read(&shared.overlay);
        let mut found: Vec<bool> = keys.iter().map(|key| overlay.get(table, key).is_some()).collect();
        drop(overlay);
        let mut in_database = || -> Result<_, Refused> {
            let open = shared.database.begin_read()?.open_table(table.definition())?;
            for (found, key) in found.iter_mut().zip(keys).filter(|(found, _)| !**found) {
                *found = open.get(*key)?.is_some();
            }
            Ok(())
        };
        in_database().map_err(|Refused(reason)| database_error(&shared.path, reason))?;
        Ok(found)
    }

    fn look<T>(&self, table: Table, key: &[u8], take: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, StoreError> {
        let shared = &self.shared;
        let overlay = read(&shared.overlay);
        if let Some(row) = overlay.get(table, key) {
            return Ok(Some(take(row)));
        }
        drop(overlay);
        let in_database = || -> Result<_, Refused> {
            let open = shared.database.begin_read()?.open_table(table.definition())?;
            Ok(open.get(key)?.map(|row| take(row.value())))
        };
        in_database().map_err(|Refused(reason)| database_error(&shared.path, reason))
    }

    /// Every row of a table, in the order of the keys.
    pub(crate) fn all<T: DeserializeOwned>(&self, table: Table) -> Result<Vec<(Vec<u8>, T)>, StoreError> {
        let shared = &self.shared;
        // Held until the database was read: no checkpoint takes rows out of the overlay meanwhile.
        let overlay = read(&shared.overlay);
        let in_database = || -> Result<_, Refused> {
            let open = shared.database.begin_read()?.open_table(table.definition())?;
            let mut rows = std::collections::BTreeMap::new();
            for row in open.iter()? {
                let (key, value) = row?;
                rows.insert(key.value().to_vec(), value.value().to_vec());
            }
            Ok(rows)
        };
        let mut rows = in_database().map_err(|Refused(reason)| database_error(&shared.path, reason))?;
        rows.extend(overlay.table(table).map(|(key, value)| (key.to_vec(), value.to_vec())));
        drop(overlay);
        let parse = |(key, value): (Vec<u8>, Vec<u8>)| {
            let parsed = self.parse(table, &key, &value)?;
            Ok((key, parsed))
        };
        rows.into_iter().map(parse).collect()
    }

    fn parse<T: DeserializeOwned>(&self, table: Table, key: &[u8], value: &[u8]) -> Result<T, StoreError> {
        // The message of the parser may quote the row; its place is enough.
        let place = |error: serde_json::Error| format!("line {} column {}", error.line(), error.column());
        serde_json::from_slice(value).map_err(|error| self.malformed(table, key, place(error)))
    }

    /// The error of a row that cannot be read.
    pub(crate) fn malformed(&self, table: Table, key: &[u8], reason: impl Into<String>) -> StoreError {
        StoreError::Row {
            path: self.shared.path.clone(),
            table: table.name,
            key: String::from_utf8(key.to_vec()).unwrap_or_else(|_| format!("{key:02x?}")),
            reason: reason.into(),
        }
    }

    /// Moves into the database what only the journal has.
    pub(crate) fn checkpoint(&self) -> Result<(), StoreError> {
        let _turn = lock(&self.shared.turn);
        self.shared.checkpoint()
    }

    /// Whoever makes checkpoints for this store.
    pub(crate) fn checkpoints(&self) -> Checkpoints {
        Checkpoints::new(&self.shared)
    }
}

impl Shared {
    /// Moves into the database what only the journal has. Batches go on meanwhile, in the journal's other file. Only one at
    /// a time: under [`Shared::turn`].
    pub(crate) fn checkpoint(&self) -> Result<(), StoreError> {
        let mut journal = lock(&self.journal);
        journal.check()?;
        let mut overlay = write(&self.overlay);
        if overlay.is_moving() {
            // An earlier one broke off in the middle: its rows are only here and in the file that would be written over next.
            journal.break_off();
            return journal.check();
        }
        self.due.moving();
        if overlay.rows() == 0 {
            return Ok(());
        }
        let from = journal.turn()?;
        let layer = overlay.begin_moving();
        drop((overlay, journal));
        // When it fails the rows stay where they are read, and the journal has them for whoever opens it again.
        let moved = self.move_rows(&[], &layer, from);
        moved.inspect_err(|_| lock(&self.journal).break_off())
    }

    /// Writes rows into the database, which from then on holds everything before `from`.
    fn move_rows(&self, tables: &[Table], layer: &Layer, from: Place) -> Result<(), StoreError> {
        let log = lock(&self.log).clone();
        if let Some(log) = log {
            log.sync().map_err(io("sync the log of", &self.path))?;
        }
        let moved = || -> Result<(), Refused> {
            let mut transaction = self.database.begin_write()?;
            // Whoever opens it after a crash need not read all of it to find what is free. Two syncs instead of one: nobody waits
            // for a checkpoint.
            transaction.set_quick_repair(true);
            for table in tables {
                transaction.open_table(table.definition())?;
            }
            for table in TABLES {
                let mut rows = layer.table(table).peekable();
                if rows.peek().is_some() {
                    let mut open = transaction.open_table(table.definition())?;
                    for (key, value) in rows {
                        open.insert(key, value)?;
                    }
                }
            }
            let bytes = from.to_bytes();
            transaction.open_table(JOURNAL)?.insert(PLACE, &bytes[..])?;
            Ok(transaction.commit()?)
        };
        moved().map_err(|Refused(reason)| database_error(&self.path, reason))?;
        write(&self.overlay).moved();
        Ok(())
    }
}

impl Batch<'_> {
    /// Adds a row.
    pub(crate) fn put<T: Serialize>(&mut self, table: Table, key: &[u8], value: &T) -> Result<(), StoreError> {
        let value = serde_json::to_vec(value).map_err(|error| database_error(self.path, error))?;
        self.put_bytes(table, key, value);
        Ok(())
    }

    /// Adds a row that is not JSON.
    pub(crate) fn put_bytes(&mut self, table: Table, key: &[u8], value: impl Into<Box<[u8]>>) {
        self.puts.push(Put {
            table,
            key: key.into(),
            value: value.into(),
        });
    }
}

/// Records of the journal on their way into the log, which is not open yet.
struct Completion<'a> {
    disk: &'a dyn Disk,
    path: Option<&'a Path>,
    file: Option<Box<dyn DiskFile>>,
}

impl Completion<'_> {
    fn put(&mut self, offset: u64, records: &[u8]) -> Result<(), StoreError> {
        let Some(path) = self.path.filter(|_| !records.is_empty()) else {
            return Ok(());
        };
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(self.disk.write(path).map_err(io("open", path))?),
        };
        let found = file.size().map_err(io("read", path))?;
        if found < offset {
            return Err(StoreError::LogCut {
                path: path.to_owned(),
                found,
                acknowledged: offset,
            });
        }
        file.write_at(offset, records).map_err(io("write", path))
    }

    fn sync(&self) -> Result<(), StoreError> {
        match (&self.file, self.path) {
            (Some(file), Some(path)) => file.sync().map_err(io("sync", path)),
            _ => Ok(()),
        }
    }
}

/// What the database said when it refused: its own error is large.
struct Refused(String);

impl<E: std::fmt::Display> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Where the journal goes on from the database; `None` when the database never had a journal.
fn place(database: &Database) -> Result<Option<Place>, Refused> {
    let open = match database.begin_read()?.open_table(JOURNAL) {
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        open => open?,
    };
    Ok(open.get(PLACE)?.and_then(|row| Place::from_bytes(row.value())))
}

fn database_error(path: &Path, error: impl std::fmt::Display) -> StoreError {
    StoreError::Database {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

/// Each holder changes what is locked in one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
