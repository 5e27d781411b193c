//! Reading a GGUF header from front to back. Nothing is believed that the bytes at hand do not hold.

use crate::error::GgufError;
use crate::limits::MAX_GGUF_TEXT_BYTES;

/// Arrays inside of arrays. Published files have none; the format allows any number.
const MAX_DEPTH: u32 = 4;

/// What is left of a header.
pub(super) struct Cursor<'a> {
    whole: &'a [u8],
    at: usize,
}

/// A value that may matter; all others are skipped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Text(&'a str),
    Other,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(whole: &'a [u8]) -> Self {
        Self { whole, at: 0 }
    }

    /// Bytes that were read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], GgufError> {
        let end = self.at.checked_add(count);
        let bytes = end.and_then(|end| self.whole.get(self.at..end));
        let bytes = bytes.ok_or(GgufError::Cut { at: self.at })?;
        self.at += count;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        let cut = GgufError::Cut { at: self.at };
        self.take(N)?.try_into().map_err(|_| cut)
    }

    pub(super) fn u32(&mut self) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A number that counts or measures something in memory.
    pub(super) fn size(&mut self) -> Result<usize, GgufError> {
        let at = self.at;
        usize::try_from(self.u64()?).map_err(|_| GgufError::Cut { at })
    }

    /// A short text: a name, or a value of one.
    pub(super) fn text(&mut self) -> Result<&'a str, GgufError> {
        let (at, size) = (self.at, self.size()?);
        if size > MAX_GGUF_TEXT_BYTES {
            return Err(GgufError::Text { at });
        }
        std::str::from_utf8(self.take(size)?).map_err(|_| GgufError::Text { at })
    }

    /// A value of a key.
    pub(super) fn value(&mut self) -> Result<Value<'a>, GgufError> {
        let at = self.at;
        match self.u32()? {
            0 => Ok(Value::Number(self.array::<1>()?[0].into())),
            2 => Ok(Value::Number(u16::from_le_bytes(self.array()?).into())),
            4 => Ok(Value::Number(self.u32()?.into())),
            10 => Ok(Value::Number(self.u64()?)),
            8 => {
                let size = self.size()?;
                let bytes = self.take(size)?;
                Ok(std::str::from_utf8(bytes).map_or(Value::Other, Value::Text))
            }
            kind => {
                self.skip(kind, at, 0)?;
                Ok(Value::Other)
            }
        }
    }

    /// Passes over a value of a type that began at byte `at`.
    fn skip(&mut self, kind: u32, at: usize, depth: u32) -> Result<(), GgufError> {
        if let Some(size) = fixed_size(kind) {
            return self.take(size).map(drop);
        }
        match kind {
            8 => {
                let size = self.size()?;
                self.take(size).map(drop)
            }
            9 if depth < MAX_DEPTH => {
                let (at, kind, count) = (self.at, self.u32()?, self.size()?);
                match fixed_size(kind) {
                    Some(size) => {
                        let bytes = size.checked_mul(count).ok_or(GgufError::Cut { at })?;
                        self.take(bytes).map(drop)
                    }
                    // Every element has a length of its own, so that the file bounds their number.
                    None => (0..count).try_for_each(|_| self.skip(kind, at, depth + 1)),
                }
            }
            found => Err(GgufError::Value { at, found }),
        }
    }
}

/// Bytes of a value of a type that has always as many.
fn fixed_size(kind: u32) -> Option<usize> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}
