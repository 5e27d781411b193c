//! The hash lists of the root contract, with what is known of each hash.

use crate::descriptor::{HashDescriptor, TrustTimes};
use crate::ton::{
    Cell, CellBuilder, CellContext, CellError, CellSlice, Dict, HashBytes, Load, Store, load_rest, to_cell,
};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// What a hash list holds of a hash, bit by bit: nothing, a descriptor, or what a later contract put there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HashEntry {
    value: Cell,
}

impl HashEntry {
    /// An entry with a descriptor.
    pub fn described(descriptor: &HashDescriptor) -> Result<Self, CellError> {
        to_cell(descriptor).map(Self::from_raw)
    }

    /// An entry with these bits and references.
    pub const fn from_raw(value: Cell) -> Self {
        Self { value }
    }

    /// Its bits and references.
    pub const fn raw(&self) -> &Cell {
        &self.value
    }

    /// The descriptor; none if there is none, or not one that this build understands.
    pub fn descriptor(&self) -> Option<HashDescriptor> {
        crate::ton::from_cell(&self.value).ok()
    }

    /// When the hash is trusted. What is not understood sets no limit: deployed readers trust what is listed.
    pub fn times(&self) -> TrustTimes {
        TrustTimes::of(&self.value).unwrap_or_default()
    }
}

impl Store for HashEntry {
    fn store_into(&self, builder: &mut CellBuilder, _: &dyn CellContext) -> Result<(), CellError> {
        builder.store_slice(self.value.as_ref().as_slice()?)
    }
}

impl<'a> Load<'a> for HashEntry {
    fn load_from(slice: &mut CellSlice<'a>) -> Result<Self, CellError> {
        load_rest(slice).map(Self::from_raw)
    }
}

/// One of the hash lists, in the order of the hashes.
///
/// ```
/// # use cocoon_bindings::{HashList, ImageHash};
/// let image = ImageHash::new([7; 32]);
/// let list = HashList::from([image]);
/// assert!(list.contains(&image) && list.is_valid(&image, 1_780_000_000));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashList<T: Ord>(BTreeMap<T, HashEntry>);

impl<T: Ord> Default for HashList<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Ord> HashList<T> {
    /// Whether a hash is listed, trusted or not.
    pub fn contains(&self, hash: &T) -> bool {
        self.0.contains_key(hash)
    }

    /// What is known of a hash; none if it is not listed.
    pub fn get(&self, hash: &T) -> Option<&HashEntry> {
        self.0.get(hash)
    }

    /// Whether a hash is listed and trusted at a time, seconds since 1970.
    pub fn is_valid(&self, hash: &T, time: u32) -> bool {
        self.get(hash).is_some_and(|entry| entry.times().cover(time))
    }

    /// Lists a hash; one that is listed keeps what is known of it. Whether it was not listed yet.
    pub fn insert(&mut self, hash: T) -> bool {
        let missing = !self.contains(&hash);
        if missing {
            self.0.insert(hash, HashEntry::default());
        }
        missing
    }

    /// Lists a hash with what is known of it.
    pub fn describe(&mut self, hash: T, entry: HashEntry) {
        self.0.insert(hash, entry);
    }

    /// Takes a hash off the list.
    pub fn remove(&mut self, hash: &T) -> bool {
        self.0.remove(hash).is_some()
    }

    /// Takes everything off the list.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many hashes are listed.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The hashes.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.keys()
    }

    /// The hashes and what is known of them.
    pub fn entries(&self) -> impl Iterator<Item = (&T, &HashEntry)> {
        self.0.iter()
    }
}

impl<'a, T: Ord> IntoIterator for &'a HashList<T> {
    type Item = &'a T;
    type IntoIter = std::collections::btree_map::Keys<'a, T, HashEntry>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.keys()
    }
}

impl<T: Ord> FromIterator<T> for HashList<T> {
    fn from_iter<I: IntoIterator<Item = T>>(hashes: I) -> Self {
        Self(hashes.into_iter().map(|hash| (hash, HashEntry::default())).collect())
    }
}

impl<T: Ord, const N: usize> From<[T; N]> for HashList<T> {
    fn from(hashes: [T; N]) -> Self {
        hashes.into_iter().collect()
    }
}

/// The hashes alone.
impl<T: Ord + Serialize> Serialize for HashList<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.keys())
    }
}

impl<T: Ord + Copy + Into<HashBytes>> Store for HashList<T> {
    fn store_into(&self, builder: &mut CellBuilder, context: &dyn CellContext) -> Result<(), CellError> {
        let entries: Vec<(HashBytes, &HashEntry)> =
            self.0.iter().map(|(hash, entry)| ((*hash).into(), entry)).collect();
        Dict::<HashBytes, &HashEntry>::try_from_sorted_slice(&entries)?.store_into(builder, context)
    }
}

impl<'a, T: Ord + From<HashBytes>> Load<'a> for HashList<T> {
    fn load_from(slice: &mut CellSlice<'a>) -> Result<Self, CellError> {
        let entries = Dict::<HashBytes, HashEntry>::load_from(slice)?;
        let entries = entries
            .iter()
            .map(|entry| entry.map(|(hash, entry)| (T::from(hash), entry)));
        entries.collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::descriptor::tests::any_descriptor;
    use crate::ton::from_cell;
    use crate::units::ImageHash;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    /// Nothing, a descriptor, or bits and perhaps a reference that mean nothing.
    pub(crate) fn any_entry() -> impl Strategy<Value = HashEntry> {
        let unknown = (vec(any::<u8>(), 0..80), any::<bool>()).prop_map(|(data, child)| {
            let mut builder = CellBuilder::from_raw_data(&data, u16::try_from(data.len() * 8).unwrap()).unwrap();
            if child {
                builder.store_reference(Cell::default()).unwrap();
            }
            HashEntry::from_raw(builder.build().unwrap())
        });
        prop_oneof![
            Just(HashEntry::default()),
            any_descriptor().prop_map(|descriptor| HashEntry::described(&descriptor).unwrap()),
            unknown,
        ]
    }

    pub(crate) fn any_list<T: Ord + From<[u8; 32]> + std::fmt::Debug>() -> impl Strategy<Value = HashList<T>> {
        btree_map(any::<[u8; 32]>().prop_map(T::from), any_entry(), 0..6).prop_map(HashList)
    }

    proptest! {
        #[test]
        fn a_list_survives_a_round_trip_with_entries_that_mean_nothing(list in any_list::<ImageHash>()) {
            let read = from_cell::<HashList<ImageHash>>(&to_cell(&list).unwrap()).unwrap();
            prop_assert_eq!(read, list);
        }

        #[test]
        fn an_entry_that_means_nothing_is_trusted_as_deployed_readers_do(data in vec(any::<u8>(), 0..80), time: u32) {
            prop_assume!(data.get(..4) != Some(HashDescriptor::PREFIX.to_be_bytes().as_slice()));
            let value = CellBuilder::from_raw_data(&data, u16::try_from(data.len() * 8).unwrap()).unwrap();
            let entry = HashEntry::from_raw(value.build().unwrap());
            prop_assert!(entry.times().cover(time));
            prop_assert_eq!(entry.descriptor(), None);
        }
    }

    #[test]
    fn listing_a_hash_again_keeps_its_descriptor() {
        let image = ImageHash::new([1; 32]);
        let mut list = HashList::default();
        let entry = HashEntry::described(&HashDescriptor::default()).unwrap();
        list.describe(image, entry.clone());
        assert!(!list.insert(image));
        assert_eq!(list.get(&image), Some(&entry));
        assert!(list.remove(&image) && list.is_empty());
    }
}
