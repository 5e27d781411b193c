//! Values on the TVM stack, shared by every way of running a get method, and a reader that turns them into Rust values.

use crate::error::BindingsError;
use crate::ton::{Address, BigInt, Cell, CellSlice, HashBytes, expect_end, load_address};
use crate::units::Nanoton;
use num_traits::{Signed, ToPrimitive, Zero};

/// One value on the TVM stack.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StackValue {
    /// Null.
    #[default]
    Null,
    /// A 257-bit signed integer.
    Int(BigInt),
    /// A cell.
    Cell(Cell),
    /// A slice, as a cell of its own that holds what the slice had left.
    Slice(Cell),
    /// A tuple.
    Tuple(Vec<StackValue>),
}

impl StackValue {
    /// An integer.
    pub fn int(value: impl Into<BigInt>) -> Self {
        Self::Int(value.into())
    }

    /// A hash or key as the unsigned integer that get methods take.
    pub fn hash(value: &[u8; 32]) -> Self {
        Self::Int(BigInt::from_bytes_be(num_bigint::Sign::Plus, value))
    }

    /// The kind of value, for error texts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Int(_) => "int",
            Self::Cell(_) => "cell",
            Self::Slice(_) => "slice",
            Self::Tuple(_) => "tuple",
        }
    }
}

impl From<u64> for StackValue {
    fn from(value: u64) -> Self {
        Self::int(value)
    }
}

impl From<Cell> for StackValue {
    fn from(value: Cell) -> Self {
        Self::Cell(value)
    }
}

/// Reads the result of a get method from its first value to its last.
///
/// ```
/// # use cocoon_bindings::ton::{StackReader, StackValue};
/// let stack = [StackValue::int(7), StackValue::int(-1)];
/// let mut reader = StackReader::new(&stack);
/// assert_eq!(reader.unsigned::<u32>().unwrap(), 7);
/// assert!(reader.boolean().unwrap());
/// reader.finish().unwrap();
/// ```
#[derive(Debug)]
pub struct StackReader<'a> {
    values: &'a [StackValue],
    index: usize,
}

impl<'a> StackReader<'a> {
    /// Starts at the first value.
    pub fn new(values: &'a [StackValue]) -> Self {
        Self { values, index: 0 }
    }

    /// The next value, whatever it is.
    pub fn value(&mut self, expected: &'static str) -> Result<&'a StackValue, BindingsError> {
        let value = self.values.get(self.index).ok_or(BindingsError::Stack {
            index: self.index,
            expected,
            found: "nothing",
        })?;
        self.index = self.index.saturating_add(1);
        Ok(value)
    }

    /// The next value, an integer.
    pub fn int(&mut self) -> Result<&'a BigInt, BindingsError> {
        match self.value("an integer")? {
            StackValue::Int(value) => Ok(value),
            other => Err(self.mismatch("an integer", other)),
        }
    }

    /// The next value, an unsigned integer that fits `T`.
    pub fn unsigned<T: TryFrom<u128>>(&mut self) -> Result<T, BindingsError> {
        let value = self.int()?.to_u128();
        value
            .and_then(|value| T::try_from(value).ok())
            .ok_or_else(|| self.out_of_range("a smaller unsigned integer"))
    }

    /// The next value, a signed integer that fits `T`.
    pub fn signed<T: TryFrom<i128>>(&mut self) -> Result<T, BindingsError> {
        let value = self.int()?.to_i128();
        value
            .and_then(|value| T::try_from(value).ok())
            .ok_or_else(|| self.out_of_range("a smaller integer"))
    }

    /// The next value, a truth value: 0 is false, all else true.
    pub fn boolean(&mut self) -> Result<bool, BindingsError> {
        Ok(!self.int()?.is_zero())
    }

    /// The next value, an amount in nanoton.
    pub fn nanoton(&mut self) -> Result<Nanoton, BindingsError> {
        self.unsigned::<u128>().map(Nanoton::new)
    }

    /// The next value, a 256-bit unsigned integer.
    pub fn hash(&mut self) -> Result<HashBytes, BindingsError> {
        let value = self.int()?;
        let bytes = value.magnitude().to_bytes_be();
        let start = 32usize.checked_sub(bytes.len()).filter(|_| !value.is_negative());
        let mut hash = [0u8; 32];
        let target = start
            .and_then(|start| hash.get_mut(start..))
            .ok_or_else(|| self.out_of_range("256 bits"))?;
        target.copy_from_slice(&bytes);
        Ok(HashBytes(hash))
    }

    /// The next value, a cell.
    pub fn cell(&mut self) -> Result<&'a Cell, BindingsError> {
        match self.value("a cell")? {
            StackValue::Cell(cell) => Ok(cell),
            other => Err(self.mismatch("a cell", other)),
        }
    }

    /// The next value, a cell or null.
    pub fn maybe_cell(&mut self) -> Result<Option<&'a Cell>, BindingsError> {
        match self.value("a cell or null")? {
            StackValue::Null => Ok(None),
            StackValue::Cell(cell) => Ok(Some(cell)),
            other => Err(self.mismatch("a cell or null", other)),
        }
    }

    /// The next value, a slice, as a cell of its own.
    pub fn slice(&mut self) -> Result<&'a Cell, BindingsError> {
        match self.value("a slice")? {
            StackValue::Slice(cell) => Ok(cell),
            other => Err(self.mismatch("a slice", other)),
        }
    }

    /// The next value, an address as a slice (or, as some tools give it, a cell).
    pub fn address(&mut self) -> Result<Address, BindingsError> {
        let value = self.value("an address")?;
        let (StackValue::Slice(cell) | StackValue::Cell(cell)) = value else {
            return Err(self.mismatch("an address", value));
        };
        let read = |mut slice: CellSlice<'_>| {
            let address = load_address(&mut slice)?;
            expect_end(&slice)?;
            Ok(address)
        };
        cell.as_ref()
            .as_slice()
            .and_then(read)
            .map_err(BindingsError::layout("an address"))
    }

    /// The next value, a tuple.
    pub fn tuple(&mut self) -> Result<&'a [StackValue], BindingsError> {
        match self.value("a tuple")? {
            StackValue::Tuple(values) => Ok(values),
            other => Err(self.mismatch("a tuple", other)),
        }
    }

    /// Refuses values that nobody asked for.
    pub fn finish(self) -> Result<(), BindingsError> {
        match self.values.get(self.index) {
            None => Ok(()),
            Some(value) => Err(BindingsError::Stack {
                index: self.index,
                expected: "the end",
                found: value.kind(),
            }),
        }
    }

    fn mismatch(&self, expected: &'static str, found: &StackValue) -> BindingsError {
        BindingsError::Stack {
            index: self.index.saturating_sub(1),
            expected,
            found: found.kind(),
        }
    }

    fn out_of_range(&self, expected: &'static str) -> BindingsError {
        BindingsError::Stack {
            index: self.index.saturating_sub(1),
            expected,
            found: "an integer out of range",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ton::to_cell;

    #[test]
    fn every_mismatch_is_an_error_that_names_its_place() {
        let stack = [StackValue::int(-1), StackValue::Null];
        let mut reader = StackReader::new(&stack);
        assert!(matches!(
            reader.unsigned::<u32>(),
            Err(BindingsError::Stack { index: 0, .. })
        ));
        assert!(matches!(
            reader.cell(),
            Err(BindingsError::Stack {
                index: 1,
                found: "null",
                ..
            })
        ));
        assert!(matches!(
            reader.int(),
            Err(BindingsError::Stack {
                index: 2,
                found: "nothing",
                ..
            })
        ));
        assert!(StackReader::new(&stack).finish().is_err());
    }

    #[test]
    fn a_hash_keeps_its_leading_zeros() {
        let mut hash = [0u8; 32];
        hash[31] = 9;
        let stack = [
            StackValue::hash(&hash),
            StackValue::int(0),
            StackValue::int(BigInt::from(1) << 256),
        ];
        let mut reader = StackReader::new(&stack);
        assert_eq!(reader.hash().unwrap().0, hash);
        assert_eq!(reader.hash().unwrap().0, [0; 32]);
        assert!(reader.hash().is_err());
    }

    #[test]
    fn an_address_is_read_from_a_slice() {
        let address = Address::new(0, HashBytes([7; 32]));
        let stack = [StackValue::Slice(to_cell(&address).unwrap())];
        assert_eq!(StackReader::new(&stack).address().unwrap(), address);
    }
}
