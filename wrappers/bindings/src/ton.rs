//! The cell vocabulary of the tree: upper crates take cells, slices, addresses and hashes from here and nowhere else.

pub use crate::stack::{StackReader, StackValue};
pub use num_bigint::BigInt;
pub use tycho_types::boc::de::Error as BocError;
pub use tycho_types::cell::CellSliceParts;
pub use tycho_types::dict::{Dict, RawDict};
pub use tycho_types::error::Error as CellError;
pub use tycho_types::models::{IntAddr, StdAddr as Address};
pub use tycho_types::num::Tokens;
pub use tycho_types::prelude::{
    Boc, Cell, CellBuilder, CellContext, CellFamily, CellSlice, DynCell, EquivalentRepr, ExactSize, HashBytes, Load,
    Store,
};

use crate::error::BindingsError;
use tycho_types::models::{Base64StdAddrFlags, DisplayBase64StdAddr, StdAddrFormat};

/// Bits of an address as all our layouts hold it: tag, no anycast, workchain, hash.
pub const ADDRESS_BITS: u16 = Address::BITS_WITHOUT_ANYCAST;

/// Reads an address written raw (`0:<64 hex>`) or user-friendly (48 characters, base64 or base64url).
///
/// ```
/// # use cocoon_bindings::ton::{friendly, parse_address};
/// let address = parse_address("UQCACjNFLY4ArI-ZdQsAazEAW41KvHyVIAWsFh9pbqcA1f12").unwrap();
/// assert_eq!(friendly(&address, false, false), "UQCACjNFLY4ArI-ZdQsAazEAW41KvHyVIAWsFh9pbqcA1f12");
/// assert_eq!(parse_address(&address.to_string()).unwrap(), address);
/// ```
pub fn parse_address(text: &str) -> Result<Address, BindingsError> {
    let refused = || BindingsError::Address {
        text: text.chars().take(80).collect(),
    };
    let text_only = text.trim();
    if !text_only.is_ascii() {
        return Err(refused());
    }
    let (address, _) = Address::from_str_ext(text_only, StdAddrFormat::any()).map_err(|_| refused())?;
    if address.anycast.is_some() {
        return Err(refused());
    }
    Ok(address)
}

/// Writes an address in its 48-character base64url form.
pub fn friendly(address: &Address, bounceable: bool, testnet: bool) -> String {
    let flags = Base64StdAddrFlags {
        testnet,
        base64_url: true,
        bounceable,
    };
    DisplayBase64StdAddr { addr: address, flags }.to_string()
}

/// A cell as a bag of cells.
pub fn boc_bytes(cell: &Cell) -> Vec<u8> {
    Boc::encode(cell)
}

/// A cell as a bag of cells in base64.
pub fn boc_base64(cell: &Cell) -> String {
    Boc::encode_base64(cell)
}

/// Reads a bag of cells with one root.
pub fn parse_boc(bytes: &[u8]) -> Result<Cell, BindingsError> {
    Boc::decode(bytes).map_err(|source| BindingsError::Boc { source })
}

/// Reads a bag of cells with one root, written in base64.
pub fn parse_boc_base64(text: &str) -> Result<Cell, BindingsError> {
    Boc::decode_base64(text).map_err(|source| BindingsError::Boc { source })
}

/// A value as a cell of its own.
pub fn to_cell(value: &impl Store) -> Result<Cell, CellError> {
    CellBuilder::build_from(value)
}

/// Reads a value that fills the whole cell: what is left over is an error.
pub fn from_cell<T>(cell: &Cell) -> Result<T, CellError>
where
    T: for<'a> Load<'a>,
{
    let mut slice = cell.as_ref().as_slice()?;
    let value = T::load_from(&mut slice)?;
    expect_end(&slice)?;
    Ok(value)
}

/// Refuses a slice with something left in it.
pub fn expect_end(slice: &CellSlice<'_>) -> Result<(), CellError> {
    if slice.is_data_empty() && slice.is_refs_empty() {
        Ok(())
    } else {
        Err(CellError::InvalidData)
    }
}

/// Reads a standard address; anycast, which no contract of ours accepts, is refused.
pub fn load_address(slice: &mut CellSlice<'_>) -> Result<Address, CellError> {
    let address = Address::load_from(slice)?;
    if address.anycast.is_some() {
        Err(CellError::InvalidTag)
    } else {
        Ok(address)
    }
}

/// Writes a standard address without anycast.
pub fn store_address(address: &Address, builder: &mut CellBuilder) -> Result<(), CellError> {
    if address.anycast.is_some() {
        return Err(CellError::InvalidData);
    }
    address.store_into(builder, Cell::empty_context())
}

/// What is left of a slice as a cell of its own.
pub fn load_rest(slice: &mut CellSlice<'_>) -> Result<Cell, CellError> {
    let mut builder = CellBuilder::new();
    builder.store_slice(slice.load_remaining())?;
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_addresses_are_refused() {
        for text in [
            "",
            "0:00",
            "EQ",
            "UQCACjNFLY4ArI-ZdQsAazEAW41KvHyVIAWsFh9pbqcA1f13",
            "é",
            "1:2:3",
        ] {
            assert!(parse_address(text).is_err(), "{text}");
        }
    }
}
