//! The tables of all stores.

use redb::TableDefinition;

/// A table of rows by byte key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Table {
    /// Stands in the journal: never changes, never names another table.
    pub(crate) number: u8,
    pub(crate) name: &'static str,
}

/// Client channels of a proxy.
pub(crate) const CLIENTS: Table = table(0, "clients");
/// Worker channels of a proxy.
pub(crate) const WORKERS: Table = table(1, "workers");
/// Totals at which a receipt of a channel ends, as `contract ‖ total`; the value is the record's number.
pub(crate) const BOUNDARIES: Table = table(2, "boundaries");
/// Per worker contract, the highest statement that the worker signed: what a countersignature may be given for.
pub(crate) const SIGNED: Table = table(3, "signed");
/// Settings, and where a log ends.
pub(crate) const STATE: Table = table(4, "state");
/// Receipts of a client by their id.
pub(crate) const RECEIPTS: Table = table(5, "receipts");
/// Ids of a client's receipts by request.
pub(crate) const REQUESTS: Table = table(6, "requests");
/// What a client or a worker remembers of proxies.
pub(crate) const PROXIES: Table = table(7, "proxies");
/// Statements that a worker signed, by their hash.
pub(crate) const STATEMENTS: Table = table(8, "statements");

/// Every table, by its number.
pub(crate) const TABLES: [Table; 9] = [
    CLIENTS, WORKERS, BOUNDARIES, SIGNED, STATE, RECEIPTS, REQUESTS, PROXIES, STATEMENTS,
];

impl Table {
    /// The table with this number.
    pub(crate) fn numbered(number: u8) -> Option<Self> {
        TABLES.get(usize::from(number)).copied()
    }

    pub(crate) fn definition(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        TableDefinition::new(self.name)
    }
}

const fn table(number: u8, name: &'static str) -> Table {
    Table { number, name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_stands_at_its_number() {
        for table in TABLES {
            assert_eq!(Table::numbered(table.number), Some(table));
        }
        assert_eq!(Table::numbered(TABLES.len() as u8), None);
    }
}
