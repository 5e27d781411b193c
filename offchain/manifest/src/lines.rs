//! Texts of `key value` lines, each ended by one line feed: how manifests are written.

use crate::error::ManifestError;
use crate::limits::{MAX_FIELD_BYTES, MAX_MANIFEST_BYTES};

/// The lines of a manifest that has not been read yet.
pub(crate) struct Lines<'a> {
    rest: std::str::Split<'a, char>,
    /// Number of the line that was read last, from 1.
    number: usize,
}

impl<'a> Lines<'a> {
    /// The lines behind `header`, which must be the first.
    pub(crate) fn behind(header: &'static str, bytes: &'a [u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLong { size: bytes.len() });
        }
        let refuse = |expected| ManifestError::Line { line: 1, expected };
        let text = std::str::from_utf8(bytes).map_err(|_| refuse("UTF-8 text"))?;
        let text = text
            .strip_suffix('\n')
            .ok_or(refuse("a line feed at the end of each line"))?;
        let mut rest = text.split('\n');
        match rest.next() == Some(header) {
            true => Ok(Self { rest, number: 1 }),
            false => Err(refuse(header)),
        }
    }

    /// The value in the next line, which must have this key.
    pub(crate) fn value(&mut self, key: &'static str) -> Result<&'a str, ManifestError> {
        self.number += 1;
        let line = self.rest.next().unwrap_or_default();
        line.strip_prefix(key)
            .and_then(|rest| rest.strip_prefix(' '))
            .ok_or(self.refuse(key))
    }

    /// That value read as a number in its one form.
    pub(crate) fn number(&mut self, key: &'static str) -> Result<u64, ManifestError> {
        let text = self.value(key)?;
        parse_number(text).ok_or(self.refuse(key))
    }

    /// All lines that are left.
    pub(crate) fn rest<T>(
        mut self,
        expected: &'static str,
        mut read: impl FnMut(&'a str) -> Option<T>,
    ) -> Result<Vec<T>, ManifestError> {
        let mut all = Vec::new();
        while let Some(line) = self.rest.next() {
            self.number += 1;
            all.push(read(line).ok_or(self.refuse(expected))?);
        }
        Ok(all)
    }

    /// Refuses the line that was read last.
    pub(crate) fn refuse(&self, expected: &'static str) -> ManifestError {
        ManifestError::Line {
            line: self.number,
            expected,
        }
    }
}

/// A number without sign and leading zeros.
pub(crate) fn parse_number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Refuses a value that is empty, too long, or has blanks.
pub(crate) fn check_word(field: &'static str, value: &str) -> Result<(), ManifestError> {
    let plain = |character: char| !character.is_whitespace() && !character.is_control();
    match !value.is_empty() && value.len() <= MAX_FIELD_BYTES && value.chars().all(plain) {
        true => Ok(()),
        false => Err(ManifestError::Field {
            field,
            limit: MAX_FIELD_BYTES,
        }),
    }
}
