//! Get methods: what to ask and how to read the answer, whatever runs them.

use crate::error::BindingsError;
use crate::stack::{StackReader, StackValue};

/// A get method with its arguments.
///
/// ```
/// # use cocoon_bindings::{GetMethod, StackValue, wallet::Seqno};
/// assert_eq!(Seqno::NAME, "seqno");
/// assert_eq!(Seqno::parse(&[StackValue::int(5)]).unwrap(), 5);
/// ```
pub trait GetMethod {
    /// What it returns.
    type Output;
    /// Its name.
    const NAME: &'static str;
    /// Its number.
    const ID: u32;

    /// The values to call it with, the first argument first.
    fn arguments(&self) -> Vec<StackValue>;

    /// Reads what it returns.
    fn read(reader: &mut StackReader<'_>) -> Result<Self::Output, BindingsError>;

    /// Reads a whole stack; values that were not declared are refused.
    fn parse(stack: &[StackValue]) -> Result<Self::Output, BindingsError> {
        let mut reader = StackReader::new(stack);
        let output = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(output)
    }
}

/// A value that takes several places on the stack.
pub trait FromStack: Sized {
    /// Reads it.
    fn from_stack(reader: &mut StackReader<'_>) -> Result<Self, BindingsError>;
}

/// Reads a named number.
pub(crate) fn stack_enum<T>(reader: &mut StackReader<'_>, of: fn(u64) -> Option<T>) -> Result<T, BindingsError> {
    reader.unsigned().map(of)?.ok_or(BindingsError::Enum)
}
