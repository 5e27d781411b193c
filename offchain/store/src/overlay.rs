//! Rows that the journal holds and the database does not yet. Whoever reads asks here first.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::journal::Put;
use crate::table::{TABLES, Table};

type RowsByKey = BTreeMap<Box<[u8]>, Box<[u8]>>;

/// The newest rows, by table and key: what is put into the database in the order in which it lies there.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    tables: [RowsByKey; TABLES.len()],
}

/// Rows of the generation of the journal that is being written, over those of the one that a checkpoint moves.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    newest: Layer,
    moving: Arc<Layer>,
}

impl Layer {
    fn put(&mut self, Put { table, key, value }: Put) {
        self.tables[usize::from(table.number)].insert(key, value);
    }

    fn get(&self, table: Table, key: &[u8]) -> Option<&[u8]> {
        self.tables[usize::from(table.number)].get(key).map(|value| &**value)
    }

    fn rows(&self) -> usize {
        self.tables.iter().map(BTreeMap::len).fold(0, usize::saturating_add)
    }

    /// Rows of a table, by key.
    pub(crate) fn table(&self, table: Table) -> impl Iterator<Item = (&[u8], &[u8])> {
        let rows = &self.tables[usize::from(table.number)];
        rows.iter().map(|(key, value)| (&**key, &**value))
    }
}

impl Overlay {
    /// Takes rows; the later one of a key stays.
    pub(crate) fn put(&mut self, puts: impl IntoIterator<Item = Put>) {
        puts.into_iter().for_each(|put| self.newest.put(put));
    }

    /// The newest value of a key, if it is not only in the database.
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Option<&[u8]> {
        self.newest.get(table, key).or_else(|| self.moving.get(table, key))
    }

    /// Rows of a table, the older ones first.
    pub(crate) fn table(&self, table: Table) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.moving.table(table).chain(self.newest.table(table))
    }

    /// Rows that no checkpoint moves yet.
    pub(crate) fn rows(&self) -> usize {
        self.newest.rows()
    }

    /// Whether rows were to be moved and are not in the database yet.
    pub(crate) fn is_moving(&self) -> bool {
        self.moving.rows() > 0
    }

    /// The rows to be moved now; they can be read here until [`Overlay::moved`].
    pub(crate) fn begin_moving(&mut self) -> Arc<Layer> {
        self.moving = Arc::new(std::mem::take(&mut self.newest));
        Arc::clone(&self.moving)
    }

    /// They are in the database.
    pub(crate) fn moved(&mut self) {
        self.moving = Arc::default();
    }
}
