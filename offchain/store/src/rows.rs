//! JSON rows in one embedded database.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, ReadableTable, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::disk::{Disk, Storage};
use crate::error::StoreError;
use crate::reader::io;

/// A table of JSON rows by byte key.
pub(crate) type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// One embedded database.
#[derive(Clone)]
pub(crate) struct Rows {
    path: PathBuf,
    database: Arc<Database>,
}

/// Rows to be written together.
pub(crate) struct Batch<'a> {
    rows: &'a Rows,
    transaction: WriteTransaction,
}

impl Rows {
    pub(crate) fn open(disk: &dyn Disk, path: &Path, tables: &[Table]) -> Result<Self, StoreError> {
        let is_new = !disk.exists(path);
        let file = disk.write(path).map_err(io("open", path))?;
        if !file.try_lock().map_err(io("lock", path))? {
            return Err(StoreError::InUse { path: path.to_owned() });
        }
        let database = Database::builder()
            .create_with_backend(Storage(file))
            .map_err(|error| database_error(path, error))?;
        let rows = Self {
            path: path.to_owned(),
            database: Arc::new(database),
        };
        let batch = rows.begin()?;
        for table in tables {
            batch
                .transaction
                .open_table(*table)
                .map_err(|error| database_error(path, error))?;
        }
        batch.commit()?;
        // Of a file that is new a crash may leave what is in it without its name.
        if is_new && let Some(folder) = path.parent() {
            disk.sync_folder(folder).map_err(io("sync", folder))?;
        }
        Ok(rows)
    }

    pub(crate) fn begin(&self) -> Result<Batch<'_>, StoreError> {
        let transaction = self
            .database
            .begin_write()
            .map_err(|error| database_error(&self.path, error))?;
        Ok(Batch {
            rows: self,
            transaction,
        })
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, table: Table, key: &[u8]) -> Result<Option<T>, StoreError> {
        let transaction = self
            .database
            .begin_read()
            .map_err(|error| database_error(&self.path, error))?;
        let open = transaction
            .open_table(table)
            .map_err(|error| database_error(&self.path, error))?;
        let row = open.get(key).map_err(|error| database_error(&self.path, error))?;
        row.map(|row| self.parse(table, key, row.value())).transpose()
    }

    pub(crate) fn has(&self, table: Table, key: &[u8]) -> Result<bool, StoreError> {
        let transaction = self
            .database
            .begin_read()
            .map_err(|error| database_error(&self.path, error))?;
        let open = transaction
            .open_table(table)
            .map_err(|error| database_error(&self.path, error))?;
        Ok(open
            .get(key)
            .map_err(|error| database_error(&self.path, error))?
            .is_some())
    }

    pub(crate) fn all<T: DeserializeOwned>(&self, table: Table) -> Result<Vec<(Vec<u8>, T)>, StoreError> {
        let transaction = self
            .database
            .begin_read()
            .map_err(|error| database_error(&self.path, error))?;
        let open = transaction
            .open_table(table)
            .map_err(|error| database_error(&self.path, error))?;
        let rows = open.iter().map_err(|error| database_error(&self.path, error))?;
        rows.map(|row| {
            let (key, value) = row.map_err(|error| database_error(&self.path, error))?;
            let parsed = self.parse(table, key.value(), value.value())?;
            Ok((key.value().to_vec(), parsed))
        })
        .collect()
    }

    fn parse<T: DeserializeOwned>(&self, table: Table, key: &[u8], value: &[u8]) -> Result<T, StoreError> {
        serde_json::from_slice(value).map_err(|error| StoreError::Row {
            path: self.path.clone(),
            table: table_name(table),
            key: String::from_utf8(key.to_vec()).unwrap_or_else(|_| format!("{key:02x?}")),
            // The message of the parser may quote the row; its place is enough.
            reason: format!("line {} column {}", error.line(), error.column()),
        })
    }
}

impl Batch<'_> {
    pub(crate) fn put<T: Serialize>(&self, table: Table, key: &[u8], value: &T) -> Result<(), StoreError> {
        let path = &self.rows.path;
        let bytes = serde_json::to_vec(value).map_err(|error| database_error(path, error))?;
        let mut open = self
            .transaction
            .open_table(table)
            .map_err(|error| database_error(path, error))?;
        open.insert(key, bytes.as_slice())
            .map_err(|error| database_error(path, error))?;
        Ok(())
    }

    /// Durable when it returns.
    pub(crate) fn commit(self) -> Result<(), StoreError> {
        self.transaction
            .commit()
            .map_err(|error| database_error(&self.rows.path, error))
    }
}

fn table_name(table: Table) -> &'static str {
    match redb::TableHandle::name(&table) {
        "clients" => "clients",
        "workers" => "workers",
        "receipts" => "receipts",
        "requests" => "requests",
        "boundaries" => "boundaries",
        "proxies" => "proxies",
        "statements" => "statements",
        _ => "state",
    }
}

fn database_error(path: &Path, error: impl std::fmt::Display) -> StoreError {
    StoreError::Database {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
