//! Cells written by hand: the model lays out what the contracts store and send without their generated codecs.

use std::collections::BTreeMap;

use cocoon_bindings::ton::{
    Address, Cell, CellBuilder, CellContext, CellError, CellFamily, Dict, HashBytes, Store, Tokens,
};

/// A cell in the making.
#[derive(Debug, Default)]
pub(crate) struct Bits(CellBuilder);

impl Bits {
    pub(crate) fn new() -> Self {
        Self(CellBuilder::new())
    }

    /// A message's opcode and query id.
    pub(crate) fn message(op: u32, query: u64) -> Self {
        Self::new().u32(op).u64(query)
    }

    pub(crate) fn bit(mut self, value: bool) -> Self {
        self.0.store_bit(value).unwrap();
        self
    }

    pub(crate) fn uint(mut self, value: u64, bits: u16) -> Self {
        self.0.store_uint(value, bits).unwrap();
        self
    }

    pub(crate) fn u32(self, value: u32) -> Self {
        self.uint(value.into(), 32)
    }

    pub(crate) fn u64(self, value: u64) -> Self {
        self.uint(value, 64)
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0
            .store_raw(bytes, u16::try_from(bytes.len() * 8).unwrap())
            .unwrap();
        self
    }

    pub(crate) fn coins(mut self, amount: u128) -> Self {
        Tokens::new(amount)
            .store_into(&mut self.0, Cell::empty_context())
            .unwrap();
        self
    }

    pub(crate) fn address(mut self, address: &Address) -> Self {
        address.store_into(&mut self.0, Cell::empty_context()).unwrap();
        self
    }

    pub(crate) fn cell(mut self, cell: Cell) -> Self {
        self.0.store_reference(cell).unwrap();
        self
    }

    pub(crate) fn maybe(self, cell: Option<Cell>) -> Self {
        match cell {
            None => self.bit(false),
            Some(cell) => self.bit(true).cell(cell),
        }
    }

    /// What a cell holds, in place.
    pub(crate) fn rest(mut self, cell: &Cell) -> Self {
        self.0.store_slice(cell.as_ref().as_slice().unwrap()).unwrap();
        self
    }

    /// A dictionary of values that are given as cells.
    pub(crate) fn hashes(mut self, entries: &BTreeMap<[u8; 32], Cell>) -> Self {
        let sorted: Vec<_> = entries
            .iter()
            .map(|(key, value)| (HashBytes(*key), Inline(value.clone())))
            .collect();
        let dict = Dict::<HashBytes, Inline>::try_from_sorted_slice(&sorted).unwrap();
        dict.store_into(&mut self.0, Cell::empty_context()).unwrap();
        self
    }

    /// A dictionary of values that are given as cells.
    pub(crate) fn numbers(mut self, entries: &BTreeMap<u32, Cell>) -> Self {
        let sorted: Vec<_> = entries
            .iter()
            .map(|(key, value)| (*key, Inline(value.clone())))
            .collect();
        let dict = Dict::<u32, Inline>::try_from_sorted_slice(&sorted).unwrap();
        dict.store_into(&mut self.0, Cell::empty_context()).unwrap();
        self
    }

    /// A dictionary of values that are given as cells.
    pub(crate) fn bytes(mut self, entries: &BTreeMap<u8, Cell>) -> Self {
        let sorted: Vec<_> = entries
            .iter()
            .map(|(key, value)| (*key, Inline(value.clone())))
            .collect();
        let dict = Dict::<u8, Inline>::try_from_sorted_slice(&sorted).unwrap();
        dict.store_into(&mut self.0, Cell::empty_context()).unwrap();
        self
    }

    /// A dictionary of values that are given as cells.
    pub(crate) fn longs(mut self, entries: &BTreeMap<u64, Cell>) -> Self {
        let sorted: Vec<_> = entries
            .iter()
            .map(|(key, value)| (*key, Inline(value.clone())))
            .collect();
        let dict = Dict::<u64, Inline>::try_from_sorted_slice(&sorted).unwrap();
        dict.store_into(&mut self.0, Cell::empty_context()).unwrap();
        self
    }

    pub(crate) fn done(self) -> Cell {
        self.0.build().unwrap()
    }
}

/// A cell whose contents are a dictionary's value.
#[derive(Debug, Clone)]
struct Inline(Cell);

impl Store for Inline {
    fn store_into(&self, builder: &mut CellBuilder, _: &dyn CellContext) -> Result<(), CellError> {
        builder.store_slice(self.0.as_ref().as_slice()?)
    }
}
