//! Message bodies.

use cocoon_bindings::ton::{Cell, CellBuilder, Store, to_cell};
use cocoon_bindings::{QueryId, TokenCount};

/// A message as a cell.
pub fn body(message: &impl Store) -> Cell {
    to_cell(message).unwrap()
}

/// A query id.
pub const fn query(id: u64) -> QueryId {
    QueryId::new(id)
}

/// A cumulative token count.
pub const fn tokens(count: u64) -> TokenCount {
    TokenCount::new(count)
}

/// The same message with something after its end.
pub fn corrupted(message: &Cell) -> Cell {
    let mut builder = CellBuilder::new();
    builder.store_slice(message.as_ref().as_slice().unwrap()).unwrap();
    builder.store_bit_one().unwrap();
    builder.build().unwrap()
}
