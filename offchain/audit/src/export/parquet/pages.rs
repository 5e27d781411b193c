//! The values of a column on their way into pages, and the bytes of pages.

use super::{Column, Kind, RowError, Value};
use crate::export::thrift::{Compact, varint};
use crate::limits::AMOUNT_LIMIT;
use std::collections::HashMap;
use std::io;

pub(super) const PLAIN: i32 = 0;
pub(super) const RLE: i32 = 3;
pub(super) const RLE_DICTIONARY: i32 = 8;

/// The values of one column of a group.
#[derive(Debug)]
pub(super) struct Values {
    pub(super) column: Column,
    /// Whether each row has a value, for columns that rows may lack.
    present: Vec<bool>,
    /// Fixed values, one after the other.
    plain: Vec<u8>,
    flags: Vec<bool>,
    /// Texts by their number, and the number of each value.
    texts: Vec<String>,
    numbers: HashMap<String, u32>,
    places: Vec<u32>,
}

impl Values {
    pub(super) fn new(column: Column) -> Self {
        Self {
            column,
            present: Vec::new(),
            plain: Vec::new(),
            flags: Vec::new(),
            texts: Vec::new(),
            numbers: HashMap::new(),
            places: Vec::new(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.present.clear();
        self.plain.clear();
        self.flags.clear();
        self.texts.clear();
        self.numbers.clear();
        self.places.clear();
    }

    pub(super) fn push(&mut self, value: Value) -> Result<(), RowError> {
        let unfit = RowError::Unfit(self.column.name);
        if self.column.is_optional {
            self.present.push(value != Value::Null);
        }
        match (self.column.kind, value) {
            (_, Value::Null) if self.column.is_optional => {}
            (Kind::Text, Value::Text(text)) => self.text(text),
            (Kind::Number, Value::Number(number)) | (Kind::Time, Value::Time(number)) => {
                let number = i64::try_from(number).map_err(|_| unfit)?;
                self.plain.extend_from_slice(&number.to_le_bytes());
            }
            (Kind::Amount, Value::Amount(amount)) if amount < AMOUNT_LIMIT => {
                self.plain.extend_from_slice(&amount.to_be_bytes());
            }
            (Kind::Flag, Value::Flag(flag)) => self.flags.push(flag),
            _ => return Err(unfit),
        }
        Ok(())
    }

    fn text(&mut self, text: String) {
        let next = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(text).or_insert_with_key(|text| {
            self.texts.push(text.clone());
            next
        });
        self.places.push(number);
    }

    /// The dictionary's page, if there is one, and the page of values, each with its header.
    pub(super) fn pages(&self) -> io::Result<(Option<Vec<u8>>, Vec<u8>)> {
        let mut data = Vec::new();
        if self.column.is_optional {
            let levels = runs(&self.present);
            data.extend_from_slice(&u32::try_from(levels.len()).map_err(io::Error::other)?.to_le_bytes());
            data.extend_from_slice(&levels);
        }
        let rows = match (self.column.is_optional, self.column.kind) {
            (true, _) => self.present.len(),
            (false, Kind::Text) => self.places.len(),
            (false, Kind::Flag) => self.flags.len(),
            (false, Kind::Amount) => self.plain.len() / 16,
            (false, Kind::Number | Kind::Time) => self.plain.len() / 8,
        };
        let repeats = self.column.kind == Kind::Text && self.texts.len() <= self.places.len() / 2;
        let mut dictionary = None;
        match self.column.kind {
            Kind::Text if repeats => {
                let texts: Vec<u8> = self.texts.iter().flat_map(|text| plain_text(text)).collect();
                dictionary = Some(page(Page::Dictionary, self.texts.len(), &texts)?);
                packed(&self.places, self.texts.len(), &mut data);
            }
            Kind::Text => {
                let texts = self.places.iter().filter_map(|place| self.texts.get(*place as usize));
                data.extend(texts.flat_map(|text| plain_text(text)));
            }
            Kind::Flag => data.extend(bits(&self.flags)),
            Kind::Number | Kind::Time | Kind::Amount => data.extend_from_slice(&self.plain),
        }
        let kind = if repeats { Page::ByDictionary } else { Page::Plain };
        Ok((dictionary, page(kind, rows, &data)?))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    Plain,
    Dictionary,
    ByDictionary,
}

/// A page with its header.
fn page(kind: Page, values: usize, data: &[u8]) -> io::Result<Vec<u8>> {
    let (size, values) = (i32::try_from(data.len()), i32::try_from(values));
    let (size, values) = (size.map_err(io::Error::other)?, values.map_err(io::Error::other)?);
    let mut header = Compact::default();
    header.int(1, if kind == Page::Dictionary { 2 } else { 0 });
    header.int(2, size);
    header.int(3, size);
    if kind == Page::Dictionary {
        header.begin(7);
        header.int(1, values);
        header.int(2, PLAIN);
        header.end();
    } else {
        header.begin(5);
        header.int(1, values);
        header.int(
            2,
            if kind == Page::ByDictionary {
                RLE_DICTIONARY
            } else {
                PLAIN
            },
        );
        header.int(3, RLE);
        header.int(4, RLE);
        header.end();
    }
    let mut page = header.finish();
    page.extend_from_slice(data);
    Ok(page)
}

/// A text as it stands in a plain page: its length and its bytes.
fn plain_text(text: &str) -> impl Iterator<Item = u8> + '_ {
    // Texts of rows are hashes, addresses and words.
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes();
    length.into_iter().chain(text.bytes())
}

/// Levels of one bit as runs.
pub(super) fn runs(levels: &[bool]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for run in levels.chunk_by(|one, other| one == other) {
        varint((run.len() as u64) << 1, &mut bytes);
        bytes.push(u8::from(run.first().copied().unwrap_or(false)));
    }
    bytes
}

/// Numbers below `bound` as one run of packed bits, the width first.
pub(super) fn packed(numbers: &[u32], bound: usize, bytes: &mut Vec<u8>) {
    let width = (usize::BITS - bound.saturating_sub(1).leading_zeros()).max(1);
    bytes.push(width.to_le_bytes()[0]);
    let groups = numbers.len().div_ceil(8);
    varint(((groups as u64) << 1) | 1, bytes);
    let (mut held, mut count) = (0_u64, 0);
    let padding = std::iter::repeat_n(0, groups * 8 - numbers.len());
    for number in numbers.iter().copied().chain(padding) {
        held |= u64::from(number) << count;
        count += width;
        while count >= 8 {
            bytes.push(held.to_le_bytes()[0]);
            held >>= 8;
            count -= 8;
        }
    }
}

/// Flags, eight a byte, the first one lowest.
pub(super) fn bits(flags: &[bool]) -> Vec<u8> {
    let byte = |flags: &[bool]| flags.iter().rev().fold(0, |byte, flag| (byte << 1) | u8::from(*flag));
    flags.chunks(8).map(byte).collect()
}
