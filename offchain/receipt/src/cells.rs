//! Reading and writing the fields that receipts are made of.

use cocoon_bindings::ton::{
    Address, Boc, Cell, CellBuilder, CellError as Error, CellSlice, HashBytes, load_address, store_address as store,
};

use crate::error::ReceiptError;
use crate::limits::{FORMAT_VERSION, MAX_RECEIPT_BYTES};

/// First bytes of a BoC with any roots, index and checksum optional.
const BOC_MAGIC: &[u8; 4] = &[0xb5, 0xee, 0x9c, 0x72];
/// Flags that a BoC of a receipt does not have: bits of a cache in the index, and two that are always zero.
const OTHER_FLAGS: u8 = 0x38;
/// Flag of a BoC that begins with an index of its cells.
const BOC_HAS_INDEX: u8 = 0x80;
/// Flag of a BoC that ends with a checksum.
const BOC_HAS_CHECKSUM: u8 = 0x40;

/// A cell that is being read to its end.
pub(crate) struct Reader<'a> {
    what: &'static str,
    slice: CellSlice<'a>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(what: &'static str, cell: &'a Cell) -> Result<Self, ReceiptError> {
        // The library would write it with its hashes again: the same receipt would have two forms.
        if cell.descriptor().store_hashes() {
            let reason = "it brings its own hashes".to_owned();
            return Err(ReceiptError::Cell { what, reason });
        }
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

/// Decodes the one root of a BoC of bounded size. The library stops where the cells end; what follows is refused here.
pub(crate) fn decode_boc(bytes: &[u8]) -> Result<Cell, ReceiptError> {
    if bytes.len() > MAX_RECEIPT_BYTES {
        return Err(ReceiptError::TooLarge {
            bytes: bytes.len(),
            limit: MAX_RECEIPT_BYTES,
        });
    }
    let cell = Boc::decode(bytes).map_err(|error| ReceiptError::Boc(error.to_string()))?;
    if boc_length(bytes) == Some(bytes.len()) {
        Ok(cell)
    } else {
        Err(ReceiptError::Trailing { what: "bag of cells" })
    }
}

/// How long a BoC is, by its header: magic, flags, widths, counts, length of the cells, root (`serialized_boc` in TON's
/// `boc.tlb`). `None` for another container, for flags that mean nothing here, which the library passes over, and for a header
/// that ends too early.
fn boc_length(bytes: &[u8]) -> Option<usize> {
    let (magic, rest) = bytes.split_first_chunk::<4>()?;
    let (&[flags, offset_width], rest) = rest.split_first_chunk::<2>()?;
    if magic != BOC_MAGIC || flags & OTHER_FLAGS != 0 {
        return None;
    }
    let (size_width, offset_width) = (usize::from(flags & 7), usize::from(offset_width));
    let number = |at: usize, width: usize| {
        let digits = rest.get(at..at.checked_add(width)?)?;
        let wide = digits.iter().try_fold(0usize, |sum, byte| {
            sum.checked_mul(256)?.checked_add(usize::from(*byte))
        })?;
        Some(wide)
    };
    let (count, roots) = (number(0, size_width)?, number(size_width, size_width)?);
    let cells = number(3 * size_width, offset_width)?;
    let index = if flags & BOC_HAS_INDEX != 0 {
        count.checked_mul(offset_width)?
    } else {
        0
    };
    let checksum = if flags & BOC_HAS_CHECKSUM != 0 { 4 } else { 0 };
    let header = (6 + 3 * size_width + offset_width).checked_add(roots.checked_mul(size_width)?)?;
    header.checked_add(index)?.checked_add(cells)?.checked_add(checksum)
}

fn cell_error(what: &'static str, error: Error) -> ReceiptError {
    ReceiptError::Cell {
        what,
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{WorkStatement, samples};

    proptest! {
        #[test]
        fn bytes_that_follow_a_bag_are_refused(receipt in samples::any_receipt(), more in prop::collection::vec(any::<u8>(), 1..9)) {
            let mut boc = Boc::encode(receipt.to_cell());
            prop_assert_eq!(boc_length(&boc), Some(boc.len()));
            boc.extend(more);
            prop_assert!(decode_boc(&boc).is_err());
        }

        #[test]
        fn a_cell_that_brings_its_hashes_is_refused(receipt in samples::any_receipt()) {
            let cell = receipt.statement.to_cell();
            let mut boc = Boc::encode(&cell);
            // One byte for numbers of cells, one root, neither index nor checksum.
            prop_assert_eq!((boc[4], boc[7]), (1, 1));
            let size_width = usize::from(boc[5]);
            let (size, root) = (9..9 + size_width, 9 + size_width + 1);
            let cells = boc[size.clone()].iter().fold(0, |sum, byte| sum * 256 + usize::from(*byte)) + 34;
            boc[size].copy_from_slice(&cells.to_be_bytes()[8 - size_width..]);
            boc[root] |= 0x10;
            let mut own = cell.repr_hash().as_slice().to_vec();
            own.extend(cell.repr_depth().to_be_bytes());
            boc.splice(root + 2..root + 2, own);
            let read = decode_boc(&boc).unwrap();
            prop_assert_eq!(read.repr_hash(), cell.repr_hash());
            prop_assert!(WorkStatement::from_boc(&boc).is_err());
        }

        #[test]
        fn the_length_of_garbage_is_told_or_not_without_panic(garbage in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut bytes = BOC_MAGIC.to_vec();
            bytes.extend(garbage);
            let _ = boc_length(&bytes);
            prop_assert!(decode_boc(&bytes).is_err() || boc_length(&bytes) == Some(bytes.len()));
        }
    }
}
