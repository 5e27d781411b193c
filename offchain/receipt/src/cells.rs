//! Reading and writing the fields that receipts are made of.

use cocoon_bindings::ton::{
    Address, Boc, Cell, CellBuilder, CellError as Error, CellSlice, HashBytes, load_address, store_address as store,
};

use crate::error::ReceiptError;
use crate::limits::{FORMAT_VERSION, MAX_RECEIPT_BYTES};

/// A cell that is being read to its end.
pub(crate) struct Reader<'a> {
    what: &'static str,
    slice: CellSlice<'a>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(what: &'static str, cell: &'a Cell) -> Result<Self, ReceiptError> {
        let slice = cell.as_slice().map_err(|error| cell_error(what, error))?;
        Ok(Self { what, slice })
    }

    /// Reads and checks the constructor and the format version.
    pub(crate) fn header(&mut self, expected: u32) -> Result<(), ReceiptError> {
        let found = self.u32()?;
        if found != expected {
            return Err(ReceiptError::Constructor {
                what: self.what,
                found,
                expected,
            });
        }
        match self.u8()? {
            FORMAT_VERSION => Ok(()),
            other => Err(ReceiptError::Version(other)),
        }
    }

    pub(crate) fn bit(&mut self) -> Result<bool, ReceiptError> {
        self.slice.load_bit().map_err(|error| cell_error(self.what, error))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, ReceiptError> {
        self.slice.load_u8().map_err(|error| cell_error(self.what, error))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, ReceiptError> {
        self.slice.load_u32().map_err(|error| cell_error(self.what, error))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, ReceiptError> {
        self.slice.load_u64().map_err(|error| cell_error(self.what, error))
    }

    pub(crate) fn hash(&mut self) -> Result<HashBytes, ReceiptError> {
        self.slice.load_u256().map_err(|error| cell_error(self.what, error))
    }

    pub(crate) fn signature(&mut self) -> Result<[u8; 64], ReceiptError> {
        let mut bytes = [0; 64];
        self.slice
            .load_raw(&mut bytes, 512)
            .map_err(|error| cell_error(self.what, error))?;
        Ok(bytes)
    }

    pub(crate) fn address(&mut self) -> Result<Address, ReceiptError> {
        load_address(&mut self.slice).map_err(|error| cell_error(self.what, error))
    }

    pub(crate) fn reference(&mut self) -> Result<Cell, ReceiptError> {
        self.slice
            .load_reference_cloned()
            .map_err(|error| cell_error(self.what, error))
    }

    /// The cell must be used up.
    pub(crate) fn end(self) -> Result<(), ReceiptError> {
        if self.slice.is_data_empty() && self.slice.is_refs_empty() {
            Ok(())
        } else {
            Err(ReceiptError::Trailing { what: self.what })
        }
    }
}

/// Builds a cell of at most 1023 bits and four references; the closure writes the fields in order.
pub(crate) fn build(write: impl FnOnce(&mut CellBuilder) -> Result<(), Error>) -> Cell {
    let mut builder = CellBuilder::new();
    let cell = write(&mut builder).and_then(|()| builder.build());
    #[expect(
        clippy::expect_used,
        reason = "every layout of this crate has a fixed size below the limits of a cell"
    )]
    cell.expect("fixed layout fits a cell")
}

pub(crate) fn store_address(builder: &mut CellBuilder, address: &Address) -> Result<(), Error> {
    store(address, builder)
}

/// Decodes the one root of a BoC of bounded size.
pub(crate) fn decode_boc(bytes: &[u8]) -> Result<Cell, ReceiptError> {
    if bytes.len() > MAX_RECEIPT_BYTES {
        return Err(ReceiptError::TooLarge {
            bytes: bytes.len(),
            limit: MAX_RECEIPT_BYTES,
        });
    }
    Boc::decode(bytes).map_err(|error| ReceiptError::Boc(error.to_string()))
}

fn cell_error(what: &'static str, error: Error) -> ReceiptError {
    ReceiptError::Cell {
        what,
        reason: error.to_string(),
    }
}
