//! Bundles: up to 256 items, each after its length in two big-endian bytes; and tiles, which are hashes and nothing else.
//!
//! Decoding is total: exactly as many items as the name says, of the lengths that their kind allows, and no byte more.

use bytes::Bytes;
use cocoon_bindings::ton::HashBytes;
use cocoon_receipt::limits::MAX_RECEIPT_BYTES;
use cocoon_receipt::{ReceiptId, Signature};

/// Why bytes are not the items that their name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// It ends within an item.
    #[error("ends within item {item}")]
    Cut {
        /// The item's place, from 0.
        item: u64,
    },
    /// Bytes follow the last item.
    #[error("{bytes} bytes follow the last item")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// An item has a length that none of its kind has.
    #[error("item {item} has {bytes} bytes")]
    Length {
        /// The item's place, from 0.
        item: u64,
        /// Its length.
        bytes: usize,
    },
}

/// A bundle of these items; `None` when one is too long for its length to be written.
pub fn encode<'a>(items: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for item in items {
        bytes.extend_from_slice(&u16::try_from(item.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(item);
    }
    Some(bytes)
}

/// The first `width` items of a bundle that has `whole` of them.
fn decode(bytes: &Bytes, width: u64, whole: u64, fits: impl Fn(usize) -> bool) -> Result<Vec<Bytes>, BundleError> {
    let mut items = Vec::with_capacity(usize::try_from(width).unwrap_or(0).min(256));
    let mut at = 0_usize;
    for item in 0..whole {
        let cut = BundleError::Cut { item };
        let rest = bytes.get(at..).unwrap_or_default();
        let (length, rest) = rest.split_first_chunk::<2>().ok_or(cut)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if !fits(length) {
            return Err(BundleError::Length { item, bytes: length });
        }
        if rest.len() < length {
            return Err(cut);
        }
        at += 2 + length;
        if item < width {
            items.push(bytes.slice(at - length..at));
        }
    }
    match bytes.len() - at {
        0 => Ok(items),
        bytes => Err(BundleError::Trailing { bytes }),
    }
}

/// The first `width` ids of a bundle of `whole` entries.
pub fn entries(bytes: &Bytes, width: u64, whole: u64) -> Result<Vec<ReceiptId>, BundleError> {
    let items = decode(bytes, width, whole, |length| length == 32)?;
    let id = |item: &Bytes| {
        let mut id = [0; 32];
        id.copy_from_slice(item);
        ReceiptId(HashBytes(id))
    };
    Ok(items.iter().map(id).collect())
}

/// The first `width` bags of cells of a bundle of `whole` receipts, unread.
pub fn receipts(bytes: &Bytes, width: u64, whole: u64) -> Result<Vec<Bytes>, BundleError> {
    decode(bytes, width, whole, |length| (1..=MAX_RECEIPT_BYTES).contains(&length))
}

/// The first `width` signatures of a bundle of `whole`.
pub fn signatures(bytes: &Bytes, width: u64, whole: u64) -> Result<Vec<Option<Signature>>, BundleError> {
    let items = decode(bytes, width, whole, |length| length == 0 || length == 64)?;
    let signature = |item: &Bytes| <[u8; 64]>::try_from(item.as_ref()).ok().map(Signature);
    Ok(items.iter().map(signature).collect())
}

/// A bundle of entries.
pub fn encode_entries(ids: &[ReceiptId]) -> Vec<u8> {
    encode(ids.iter().map(|id| id.0.as_slice())).unwrap_or_default()
}

/// A bundle of signatures.
pub fn encode_signatures(signatures: &[Option<Signature>]) -> Vec<u8> {
    let bytes = |signature: &'_ Option<Signature>| signature.map(|signature| signature.0);
    let items: Vec<Option<[u8; 64]>> = signatures.iter().map(bytes).collect();
    let slices = items.iter().map(|item| item.as_ref().map_or(&[][..], |item| &item[..]));
    encode(slices).unwrap_or_default()
}

/// The first `width` hashes of a tile of `whole`.
pub fn hashes(bytes: &[u8], width: u64, whole: u64) -> Result<Vec<HashBytes>, BundleError> {
    let (chunks, rest) = bytes.as_chunks::<32>();
    let found = chunks.len() as u64;
    if found < whole {
        return Err(BundleError::Cut { item: found });
    }
    let over = (found - whole) as usize * 32 + rest.len();
    if over > 0 {
        return Err(BundleError::Trailing { bytes: over });
    }
    let width = usize::try_from(width).unwrap_or(usize::MAX);
    Ok(chunks.iter().take(width).map(|chunk| HashBytes(*chunk)).collect())
}

/// A tile.
pub fn encode_hashes(hashes: &[HashBytes]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn items_survive_their_bundle_and_nothing_else_is_one(
            ids in prop::collection::vec(any::<[u8; 32]>(), 1..20),
            cut in any::<prop::sample::Index>(),
            width in any::<prop::sample::Index>(),
        ) {
            let ids: Vec<_> = ids.into_iter().map(|id| ReceiptId(HashBytes(id))).collect();
            let whole = ids.len() as u64;
            let bytes = Bytes::from(encode_entries(&ids));
            prop_assert_eq!(entries(&bytes, whole, whole), Ok(ids.clone()));
            let width = width.index(ids.len());
            prop_assert_eq!(entries(&bytes, width as u64, whole), Ok(ids[..width].to_vec()));
            let shorter = bytes.slice(..cut.index(bytes.len()));
            let is_cut = matches!(entries(&shorter, whole, whole), Err(BundleError::Cut { .. }));
            prop_assert!(is_cut);
            let fewer = entries(&bytes, whole - 1, whole - 1);
            prop_assert_eq!(fewer, Err(BundleError::Trailing { bytes: 34 }));
            let more = entries(&bytes, whole + 1, whole + 1);
            prop_assert_eq!(more, Err(BundleError::Cut { item: whole }));
        }

        #[test]
        fn signatures_survive_with_their_gaps(gaps in prop::collection::vec(any::<Option<u8>>(), 1..20)) {
            let all: Vec<_> = gaps.iter().map(|tag| tag.map(|tag| Signature([tag; 64]))).collect();
            let bytes = Bytes::from(encode_signatures(&all));
            prop_assert_eq!(signatures(&bytes, all.len() as u64, all.len() as u64), Ok(all));
        }

        #[test]
        fn any_bytes_are_items_or_not_without_panic(bytes: Vec<u8>, width in 0u64..300, whole in 0u64..300) {
            let bytes = Bytes::from(bytes);
            let _ = entries(&bytes, width, whole);
            let _ = receipts(&bytes, width, whole);
            let _ = signatures(&bytes, width, whole);
            if let Ok(found) = hashes(&bytes, width.min(whole), whole) {
                prop_assert_eq!(found.len() as u64, width.min(whole));
            }
        }
    }

    #[test]
    fn an_item_of_another_length_is_refused() {
        let of = |length: usize| Bytes::from(encode([&vec![1; length][..]]).unwrap());
        assert_eq!(entries(&of(31), 1, 1), Err(BundleError::Length { item: 0, bytes: 31 }));
        assert_eq!(receipts(&of(0), 1, 1), Err(BundleError::Length { item: 0, bytes: 0 }));
        let large = MAX_RECEIPT_BYTES + 1;
        assert_eq!(
            receipts(&of(large), 1, 1),
            Err(BundleError::Length { item: 0, bytes: large })
        );
        assert_eq!(
            signatures(&of(63), 1, 1),
            Err(BundleError::Length { item: 0, bytes: 63 })
        );
        assert!(encode([&vec![1; 65_536][..]]).is_none());
        assert_eq!(hashes(&[0; 65], 2, 2), Err(BundleError::Trailing { bytes: 1 }));
        assert_eq!(hashes(&[0; 63], 2, 2), Err(BundleError::Cut { item: 1 }));
    }
}
