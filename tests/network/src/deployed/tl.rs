//! The deployed serialisation, written down once more by hand: what our own codec gets wrong, this one does not share.

use crate::Failure;

/// `boolTrue`.
const TRUE: u32 = 0x9972_75b5;
/// `boolFalse`.
const FALSE: u32 = 0xbc79_9737;

/// Writes one object.
#[derive(Clone, Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// A boxed object of this constructor.
    pub fn of(id: u32) -> Self {
        Self(id.to_le_bytes().to_vec())
    }

    /// `int`
    #[must_use]
    pub fn int(self, value: i32) -> Self {
        self.raw(&value.to_le_bytes())
    }

    /// `long`
    #[must_use]
    pub fn long(self, value: i64) -> Self {
        self.raw(&value.to_le_bytes())
    }

    /// Several `long`s.
    #[must_use]
    pub fn longs(self, values: &[i64]) -> Self {
        values.iter().fold(self, |writer, value| writer.long(*value))
    }

    /// `double`
    #[must_use]
    pub fn double(self, value: f64) -> Self {
        self.raw(&value.to_le_bytes())
    }

    /// `Bool`
    #[must_use]
    pub fn boolean(self, value: bool) -> Self {
        self.raw(&if value { TRUE } else { FALSE }.to_le_bytes())
    }

    /// Bytes as they are: `int256`, or an object that was written before.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// `bytes` or `string`
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        let length = bytes.len() as u64;
        let prefix = match length {
            0..254 => vec![length as u8],
            254..0x100_0000 => [&[0xfe][..], &length.to_le_bytes()[..3]].concat(),
            _ => [&[0xff][..], &length.to_le_bytes()[..7]].concat(),
        };
        let padding = (prefix.len() + bytes.len()).next_multiple_of(4) - prefix.len() - bytes.len();
        self.0.extend_from_slice(&prefix);
        self.0.extend_from_slice(bytes);
        self.0.extend(std::iter::repeat_n(0, padding));
        self
    }

    /// The object.
    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Reads one object. [`Reader::end`] demands that nothing is left, as every deployed decoder does.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The constructor of a boxed object.
    pub fn id(&mut self) -> Result<u32, Failure> {
        self.array().map(u32::from_le_bytes)
    }

    /// A boxed object of this constructor.
    pub fn expect(&mut self, id: u32) -> Result<(), Failure> {
        match self.id()? {
            found if found == id => Ok(()),
            found => Err(Failure::new(format!("{found:08x} came where {id:08x} should be"))),
        }
    }

    /// `int`
    pub fn int(&mut self) -> Result<i32, Failure> {
        self.array().map(i32::from_le_bytes)
    }

    /// `long`
    pub fn long(&mut self) -> Result<i64, Failure> {
        self.array().map(i64::from_le_bytes)
    }

    /// `tokensUsed`: prompt, cached, completion, reasoning, total.
    pub fn tokens(&mut self) -> Result<[i64; 5], Failure> {
        Ok([self.long()?, self.long()?, self.long()?, self.long()?, self.long()?])
    }

    /// `double`
    pub fn double(&mut self) -> Result<f64, Failure> {
        self.array().map(f64::from_le_bytes)
    }

    /// `Bool`
    pub fn boolean(&mut self) -> Result<bool, Failure> {
        match self.id()? {
            TRUE => Ok(true),
            FALSE => Ok(false),
            other => Err(Failure::new(format!("{other:08x} is no Bool"))),
        }
    }

    /// `int256` and other fixed sizes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| Failure::new("an object is cut"))
    }

    /// `bytes` or `string`
    pub fn bytes(&mut self) -> Result<&'a [u8], Failure> {
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .rev()
                .fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte))
        };
        let (prefix, length) = match self.array::<1>()? {
            [0xfe] => (4, number(self.take(3)?)),
            [0xff] => (8, number(self.take(7)?)),
            [short] => (1, usize::from(short)),
        };
        let bytes = self.take(length)?;
        self.take((prefix + length).next_multiple_of(4) - prefix - length)?;
        Ok(bytes)
    }

    /// `string`
    pub fn text(&mut self) -> Result<String, Failure> {
        Ok(String::from_utf8_lossy(self.bytes()?).into_owned())
    }

    /// A bare vector.
    pub fn vector<T>(&mut self, item: impl Fn(&mut Self) -> Result<T, Failure>) -> Result<Vec<T>, Failure> {
        (0..self.int()?).map(|_| item(self)).collect()
    }

    /// Nothing may be left.
    pub fn end(self) -> Result<(), Failure> {
        match self.0.len() {
            0 => Ok(()),
            left => Err(Failure::new(format!("{left} bytes are left after an object"))),
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Failure> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Failure::new("an object is cut"))?;
        self.0 = rest;
        Ok(taken)
    }
}
