//! TL, as far as lite servers need it: numbers in little-endian, hashes, byte strings with a length and padding.

use crate::LiteError;

pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], LiteError> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or(LiteError::Message("it is cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], LiteError> {
        let (taken, rest) = self
            .0
            .split_first_chunk::<N>()
            .ok_or(LiteError::Message("it is cut short"))?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, LiteError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, LiteError> {
        self.array().map(i32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, LiteError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn bool(&mut self) -> Result<bool, LiteError> {
        match self.u32()? {
            TRUE => Ok(true),
            FALSE => Ok(false),
            _ => Err(LiteError::Message("neither true nor false")),
        }
    }

    /// A byte string; its padding must be there, and may be anything.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], LiteError> {
        let [first] = self.array::<1>()?;
        let (length, head) = match first {
            254 => {
                let [a, b, c] = self.array::<3>()?;
                (usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16, 4)
            }
            255 => return Err(LiteError::Message("a string of unknown length")),
            short => (usize::from(short), 1),
        };
        let bytes = self.take(length)?;
        self.take((head + length).wrapping_neg() % 4)?;
        Ok(bytes)
    }

    /// The length of a list, which must not exceed `limit`.
    pub(crate) fn count(&mut self, limit: usize) -> Result<usize, LiteError> {
        let count = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        if count > limit {
            return Err(LiteError::Message("a list is too long"));
        }
        Ok(count)
    }

    pub(crate) fn end(&self) -> Result<(), LiteError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(LiteError::Message("something follows it"))
        }
    }
}

const TRUE: u32 = 0x9972_75b5;
const FALSE: u32 = 0xbc79_9737;

#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// A boxed value begins with its number.
    pub(crate) fn boxed(id: u32) -> Self {
        let mut writer = Self::default();
        writer.u32(id);
        writer
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.raw(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.raw(&value.to_le_bytes());
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.u32(if value { TRUE } else { FALSE });
    }

    /// A byte string of less than 16 MiB, which is the largest frame.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let [a, b, c, _] = length.to_le_bytes();
        let head = if length < 254 {
            self.raw(&[a]);
            1
        } else {
            self.raw(&[254, a, b, c]);
            4
        };
        self.raw(bytes);
        let padding = (head + bytes.len()).wrapping_neg() % 4;
        self.0.extend(std::iter::repeat_n(0, padding));
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_strings_of_all_lengths_survive() {
        for length in [0, 1, 2, 3, 4, 252, 253, 254, 255, 256, 70_000] {
            let bytes = vec![7; length];
            let mut writer = Writer::default();
            writer.bytes(&bytes);
            let written = writer.done();
            assert_eq!(written.len() % 4, 0);
            let mut reader = Reader::new(&written);
            assert_eq!(reader.bytes().unwrap(), bytes);
            reader.end().unwrap();
            for cut in [0, 1, written.len() / 2, written.len() - 1] {
                assert!(Reader::new(&written[..cut]).bytes().is_err(), "{length} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_length_without_bytes_is_an_error() {
        assert!(Reader::new(&[254, 255, 255, 255]).bytes().is_err());
        assert!(Reader::new(&[255; 8]).bytes().is_err());
        assert!(Reader::new(&[255; 4]).count(10).is_err());
    }
}
