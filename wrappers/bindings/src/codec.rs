//! The steps that generated codecs are made of.

use crate::ton::{Cell, CellBuilder, CellError, CellFamily, CellSlice, Load, Store, expect_end, to_cell};

/// Writes a value.
pub(crate) fn put(value: &impl Store, builder: &mut CellBuilder) -> Result<(), CellError> {
    value.store_into(builder, Cell::empty_context())
}

/// Reads a value.
pub(crate) fn take<'a, T: Load<'a>>(slice: &mut CellSlice<'a>) -> Result<T, CellError> {
    T::load_from(slice)
}

/// Writes a value into a cell of its own.
pub(crate) fn put_ref(value: &impl Store, builder: &mut CellBuilder) -> Result<(), CellError> {
    builder.store_reference(to_cell(value)?)
}

/// Reads a value that fills a cell of its own.
pub(crate) fn take_ref<T>(slice: &mut CellSlice<'_>) -> Result<T, CellError>
where
    T: for<'a> Load<'a>,
{
    let mut inner = slice.load_reference_as_slice()?;
    let value = T::load_from(&mut inner)?;
    expect_end(&inner)?;
    Ok(value)
}

/// Writes a bit and, if there is a value, the value into a cell of its own.
pub(crate) fn put_maybe_ref(value: Option<&impl Store>, builder: &mut CellBuilder) -> Result<(), CellError> {
    builder.store_bit(value.is_some())?;
    value.map_or(Ok(()), |value| put_ref(value, builder))
}

/// Reads what [`put_maybe_ref`] writes.
pub(crate) fn take_maybe_ref<T>(slice: &mut CellSlice<'_>) -> Result<Option<T>, CellError>
where
    T: for<'a> Load<'a>,
{
    if slice.load_bit()? {
        take_ref(slice).map(Some)
    } else {
        Ok(None)
    }
}

/// Writes what a cell holds in place.
pub(crate) fn put_rest(rest: &Cell, builder: &mut CellBuilder) -> Result<(), CellError> {
    builder.store_slice(rest.as_ref().as_slice()?)
}

/// Reads 512 bits.
pub(crate) fn take_bits(slice: &mut CellSlice<'_>) -> Result<[u8; 64], CellError> {
    let mut bits = [0u8; 64];
    slice.load_raw(&mut bits, 512)?;
    Ok(bits)
}

/// Reads the bits that a message begins with.
pub(crate) fn take_opcode(opcode: u32, slice: &mut CellSlice<'_>) -> Result<(), CellError> {
    if slice.load_u32()? == opcode {
        Ok(())
    } else {
        Err(CellError::InvalidTag)
    }
}
