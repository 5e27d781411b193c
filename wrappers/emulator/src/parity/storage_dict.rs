//! The hash of an account's storage dictionary: every distinct cell of its state with the number of references to it.

use std::collections::BTreeMap;

use cocoon_bindings::ton::{Cell, CellBuilder, CellError, CellFamily, DynCell, HashBytes, Store};
use tycho_types::cell::CellType;
use tycho_types::dict::build_dict_from_sorted_iter;
use tycho_types::models::{Account, ShardAccount, StorageExtra};

use crate::limits::CELLS_FOR_STORAGE_DICT;

/// Nesting of Merkle cells is counted up to here.
const MERKLE_DEPTH_LIMIT: u8 = 3;

/// What belongs into the account's storage statistics.
pub(super) fn extra(before: &ShardAccount, account: &Account, workchain: i8) -> Result<StorageExtra, CellError> {
    if workchain == -1 || account.storage_stat.used.cells.into_inner() < CELLS_FOR_STORAGE_DICT {
        return Ok(StorageExtra::None);
    }
    // Extra currencies are not part of it, so the roots are the references of the state alone.
    let state: Cell = CellBuilder::build_from(&account.state)?;
    if let Some(previous) = before.load_account()? {
        let known = matches!(previous.storage_stat.storage_extra, StorageExtra::DictHash(_));
        if known && same_roots(&state, &CellBuilder::build_from(&previous.state)?) {
            return Ok(previous.storage_stat.storage_extra);
        }
    }
    let mut cells = BTreeMap::new();
    for root in state.references() {
        count(root, &mut cells);
    }
    let root = build_dict_from_sorted_iter(cells, Cell::empty_context())?;
    Ok(StorageExtra::DictHash(
        root.map_or(HashBytes::ZERO, |root| *root.repr_hash()),
    ))
}

fn same_roots(one: &Cell, other: &Cell) -> bool {
    one.references()
        .map(DynCell::repr_hash)
        .eq(other.references().map(DynCell::repr_hash))
}

/// References to a cell, and how deep Merkle cells nest below it.
struct Entry {
    references: u32,
    merkle_depth: u8,
}

impl Store for Entry {
    fn store_into(
        &self,
        builder: &mut CellBuilder,
        _: &dyn cocoon_bindings::ton::CellContext,
    ) -> Result<(), CellError> {
        builder.store_u32(self.references)?;
        builder.store_small_uint(self.merkle_depth, 2)
    }
}

/// Counts one reference to `cell`, and the references that it makes when it is met for the first time.
fn count(cell: &DynCell, cells: &mut BTreeMap<HashBytes, Entry>) -> u8 {
    if let Some(entry) = cells.get_mut(cell.repr_hash()) {
        entry.references = entry.references.saturating_add(1);
        return entry.merkle_depth;
    }
    let below = cell.references().map(|child| count(child, cells)).max().unwrap_or(0);
    let merkle = u8::from(matches!(
        cell.cell_type(),
        CellType::MerkleProof | CellType::MerkleUpdate
    ));
    let merkle_depth = below.saturating_add(merkle).min(MERKLE_DEPTH_LIMIT);
    cells.insert(
        *cell.repr_hash(),
        Entry {
            references: 1,
            merkle_depth,
        },
    );
    merkle_depth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_cells_are_counted_by_reference() {
        let leaf = CellBuilder::build_from(7u32).unwrap();
        let mut pair = CellBuilder::new();
        pair.store_reference(leaf.clone()).unwrap();
        pair.store_reference(leaf.clone()).unwrap();
        let pair = pair.build().unwrap();
        let mut root = CellBuilder::new();
        root.store_reference(pair.clone()).unwrap();
        root.store_reference(pair.clone()).unwrap();
        let root = root.build().unwrap();
        let mut cells = BTreeMap::new();
        count(root.as_ref(), &mut cells);
        let references = |cell: &Cell| cells.get(cell.repr_hash()).map(|entry| entry.references);
        assert_eq!(references(&root), Some(1));
        assert_eq!(references(&pair), Some(2));
        assert_eq!(
            references(&leaf),
            Some(2),
            "references of a cell count once, however often it is met"
        );
    }
}
