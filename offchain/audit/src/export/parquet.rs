//! Parquet files: rows in groups, each column of a group as one page, numbers as they are, texts by a dictionary where they repeat.
//!
//! Written here because the crates for it bring Arrow or Thrift with them, for what is a footer and two kinds of pages. Nothing is
//! compressed. Readers: `scripts/ci/parquet/run` compares what DuckDB and Arrow read with the export's other form.

mod pages;

use super::thrift::{Compact, Element};
use crate::limits::ROWS_OF_A_GROUP;
use std::io::{self, Write};

use pages::{PLAIN, RLE, RLE_DICTIONARY, Values};

const MAGIC: &[u8; 4] = b"PAR1";

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// UTF-8.
    Text,
    /// A whole number from 0 to 2^63 - 1.
    Number,
    /// Milliseconds since 1970, UTC.
    Time,
    /// A whole number of at most 38 digits.
    Amount,
    /// Yes or no.
    Flag,
}

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Whether a row may lack it.
    pub(crate) is_optional: bool,
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Text(String),
    Number(u64),
    Time(u64),
    Amount(u128),
    Flag(bool),
}

/// Why a row cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RowError {
    #[error("column {0}: its value is of another kind, or larger than the column")]
    Unfit(&'static str),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct Writer<W> {
    out: W,
    offset: u64,
    columns: Vec<Values>,
    rows: usize,
    total: u64,
    groups: Vec<Group>,
}

/// What the footer says of a group.
#[derive(Debug)]
struct Group {
    rows: usize,
    chunks: Vec<Chunk>,
}

#[derive(Debug)]
struct Chunk {
    dictionary: Option<u64>,
    data: u64,
    end: u64,
    values: usize,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    pub(crate) fn new(mut out: W, columns: &[Column]) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        Ok(Self {
            out,
            offset: MAGIC.len() as u64,
            columns: columns.iter().copied().map(Values::new).collect(),
            rows: 0,
            total: 0,
            groups: Vec::new(),
        })
    }

    /// Adds a row: one value for each column.
    pub(crate) fn push(&mut self, row: Vec<Value>) -> Result<(), RowError> {
        if row.len() != self.columns.len() {
            return Err(RowError::Unfit("of another number"));
        }
        for (values, value) in self.columns.iter_mut().zip(row) {
            values.push(value)?;
        }
        self.rows += 1;
        self.total += 1;
        if self.rows >= ROWS_OF_A_GROUP {
            self.flush()?;
        }
        Ok(())
    }

    /// Ends the file.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        if self.rows > 0 {
            self.flush()?;
        }
        let footer = self.footer();
        self.out.write_all(&footer)?;
        let length = u32::try_from(footer.len()).map_err(io::Error::other)?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(MAGIC)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut chunks = Vec::with_capacity(self.columns.len());
        for values in &mut self.columns {
            let (dictionary, page) = values.pages()?;
            let start = self.offset;
            let mut data = start;
            if let Some(dictionary) = &dictionary {
                self.out.write_all(dictionary)?;
                data += dictionary.len() as u64;
            }
            self.out.write_all(&page)?;
            self.offset = data + page.len() as u64;
            chunks.push(Chunk {
                dictionary: dictionary.map(|_| start),
                data,
                end: self.offset,
                values: self.rows,
            });
            values.clear();
        }
        let rows = std::mem::take(&mut self.rows);
        self.groups.push(Group { rows, chunks });
        Ok(())
    }

    fn footer(&self) -> Vec<u8> {
        let mut footer = Compact::default();
        footer.int(1, 1);
        footer.list(2, Element::Struct, self.columns.len() + 1);
        footer.open();
        footer.text(4, "schema");
        footer.int(5, i32::try_from(self.columns.len()).unwrap_or(i32::MAX));
        footer.end();
        for values in &self.columns {
            values.column.describe(&mut footer);
        }
        footer.long(3, signed(self.total));
        footer.list(4, Element::Struct, self.groups.len());
        for group in &self.groups {
            footer.open();
            footer.list(1, Element::Struct, group.chunks.len());
            for (chunk, values) in group.chunks.iter().zip(&self.columns) {
                chunk.describe(values.column, &mut footer);
            }
            let bytes = group
                .chunks
                .iter()
                .fold(0, |sum: u64, chunk| sum.saturating_add(chunk.size()));
            footer.long(2, signed(bytes));
            footer.long(3, signed(group.rows as u64));
            footer.end();
        }
        footer.text(6, concat!("cocoon ", env!("CARGO_PKG_VERSION")));
        footer.finish()
    }
}

/// A size or offset, none of which is near the end of the numbers.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Column {
    /// Number of the physical type.
    fn physical(self) -> i32 {
        match self.kind {
            Kind::Flag => 0,
            Kind::Number | Kind::Time => 2,
            Kind::Text => 6,
            Kind::Amount => 7,
        }
    }

    /// As an element of the schema, with the type in the old and in the new form.
    fn describe(self, footer: &mut Compact) {
        footer.open();
        footer.int(1, self.physical());
        if self.kind == Kind::Amount {
            footer.int(2, 16);
        }
        footer.int(3, i32::from(self.is_optional));
        footer.text(4, self.name);
        match self.kind {
            Kind::Text => {
                footer.int(6, 0);
                footer.begin(10);
                footer.begin(1);
                footer.end();
                footer.end();
            }
            Kind::Amount => {
                footer.int(6, 5);
                footer.int(7, 0);
                footer.int(8, 38);
                footer.begin(10);
                footer.begin(5);
                footer.int(1, 0);
                footer.int(2, 38);
                footer.end();
                footer.end();
            }
            Kind::Time => {
                footer.int(6, 9);
                footer.begin(10);
                footer.begin(8);
                footer.flag(1, true);
                footer.begin(2);
                footer.begin(1);
                footer.end();
                footer.end();
                footer.end();
                footer.end();
            }
            Kind::Number => {
                footer.begin(10);
                footer.begin(10);
                footer.byte(1, 64);
                footer.flag(2, true);
                footer.end();
                footer.end();
            }
            Kind::Flag => {}
        }
        footer.end();
    }
}

impl Chunk {
    fn start(&self) -> u64 {
        self.dictionary.unwrap_or(self.data)
    }

    fn size(&self) -> u64 {
        self.end.saturating_sub(self.start())
    }

    fn describe(&self, column: Column, footer: &mut Compact) {
        footer.open();
        footer.long(2, signed(self.start()));
        footer.begin(3);
        footer.int(1, column.physical());
        let encodings: &[i32] = match self.dictionary {
            Some(_) => &[PLAIN, RLE, RLE_DICTIONARY],
            None => &[PLAIN, RLE],
        };
        footer.list(2, Element::Int, encodings.len());
        encodings.iter().for_each(|encoding| footer.int_element(*encoding));
        footer.list(3, Element::Text, 1);
        footer.string(column.name);
        // Not compressed.
        footer.int(4, 0);
        footer.long(5, signed(self.values as u64));
        footer.long(6, signed(self.size()));
        footer.long(7, signed(self.size()));
        footer.long(9, signed(self.data));
        if let Some(dictionary) = self.dictionary {
            footer.long(11, signed(dictionary));
        }
        footer.end();
        footer.end();
    }
}

#[cfg(test)]
mod tests;
