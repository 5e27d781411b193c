//! Many Ed25519 signatures at once, refused and accepted as the strict check does it one by one.
//!
//! Together they are one sum of points: random multiples of `s·B − k·A − R`, each of which must be nothing. The keys of a log
//! are few, so they come in once each, which halves the work again. The strict check also refuses what such a sum may miss:
//!
//! - `s` and `R` in another than their one encoding, and an `R` that is nothing: looked at one by one, it costs little;
//! - an `R` that is, or is wrong by, a point of small order. With a key without such a part the right `R` has none either, so
//!   random sums of all `R` must have none. Keys with such a part, which only an odd program makes, are checked one by one.
//!
//! The multiples have 64 bits: a wrong signature gets through with a chance of one in 2^64, and one that is wrong by a point
//! of small order with one in 2^32 ([`TORSION_GROUPS`]). They must not be known to whoever made the signatures, who so can try
//! nothing out: the caller gives randomness of its own.

use crate::limits::{MIN_TOGETHER, TORSION_GROUPS};
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;
use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, IsIdentity, VartimeMultiscalarMul};
use rand::RngCore;
use sha2::{Digest, Sha512};
use std::collections::BTreeMap;

/// A signature over a hash.
#[derive(Debug, Clone, Copy)]
pub struct Signed {
    /// Who signed.
    pub key: PublicKey,
    /// What was signed.
    pub hash: HashBytes,
    /// The signature.
    pub signature: [u8; 64],
}

impl Signed {
    /// Whether it verifies, checked by itself.
    pub fn verifies(&self) -> bool {
        self.key.verifies(self.hash.as_slice(), &self.signature)
    }
}

/// Which of these do not verify, by their place. `random` is asked for randomness when they are enough to be checked together.
pub fn wrong<R: RngCore>(signed: &[Signed], random: impl FnOnce() -> R) -> Vec<usize> {
    if signed.len() >= MIN_TOGETHER && all_verify(signed, &mut random()) {
        return Vec::new();
    }
    let each = signed.iter().enumerate();
    each.filter(|(_, one)| !one.verifies()).map(|(at, _)| at).collect()
}

/// Whether all of these verify. `false` may also mean that they cannot be checked together.
fn all_verify(signed: &[Signed], random: &mut impl RngCore) -> bool {
    let mut keys: BTreeMap<PublicKey, (EdwardsPoint, Scalar)> = BTreeMap::new();
    let mut base = Scalar::ZERO;
    let mut points = Vec::with_capacity(signed.len() + 8);
    let mut scalars = Vec::with_capacity(signed.len() + 8);
    for one in signed {
        let Some((r, s, k)) = open(one) else {
            return false;
        };
        let (_, of_key) = match keys.entry(one.key) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => match key_point(&one.key) {
                Some(point) => new.insert((point, Scalar::ZERO)),
                None => return false,
            },
        };
        let multiple = Scalar::from(random.next_u64());
        base += multiple * s;
        *of_key += multiple * k;
        points.push(r);
        scalars.push(multiple);
    }
    if !have_no_torsion(&points, random) {
        return false;
    }
    for (point, scalar) in keys.into_values() {
        points.push(point);
        scalars.push(scalar);
    }
    points.push(ED25519_BASEPOINT_POINT);
    scalars.push(-base);
    EdwardsPoint::vartime_multiscalar_mul(&scalars, &points).is_identity()
}

/// `R`, `s` and `k` of a signature, if their encodings are those that the strict check takes.
fn open(one: &Signed) -> Option<(EdwardsPoint, Scalar, Scalar)> {
    let (r, s) = one.signature.split_first_chunk::<32>()?;
    let s: [u8; 32] = s.try_into().ok()?;
    let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(s))?;
    let point = CompressedEdwardsY(*r)
        .decompress()
        .filter(|point| is_canonical(r) && !point.is_identity())?;
    let k = Sha512::new()
        .chain_update(r)
        .chain_update(one.key.as_bytes())
        .chain_update(one.hash.as_slice())
        .finalize();
    Some((point, s, Scalar::from_bytes_mod_order_wide(&k.into())))
}

/// Whether the number in an encoded point is below the field's: but for points of small order, the one encoding that there is.
fn is_canonical(encoded: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = encoded;
    *low < 0xed || high & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff)
}

/// The point of a key, if signatures of it can be checked together.
fn key_point(key: &PublicKey) -> Option<EdwardsPoint> {
    let point = CompressedEdwardsY(*key.as_bytes()).decompress()?;
    (!point.is_small_order() && point.is_torsion_free()).then_some(point)
}

/// Whether none of the points has a part of small order. Each point goes into one of 256 heaps, and eight sums are over the heaps
/// that have a certain bit: eight sums over random halves of the points for one addition each.
fn have_no_torsion(points: &[EdwardsPoint], random: &mut impl RngCore) -> bool {
    let mut places = vec![0_u8; points.len()];
    for _ in 0..TORSION_GROUPS {
        random.fill_bytes(&mut places);
        let mut heaps = vec![EdwardsPoint::identity(); 256];
        for (point, place) in points.iter().zip(&places) {
            if let Some(heap) = heaps.get_mut(usize::from(*place)) {
                *heap += point;
            }
        }
        for bit in 0..8_u32 {
            let with_bit = heaps.iter().enumerate().filter(|(place, _)| place >> bit & 1 == 1);
            let total = with_bit.fold(EdwardsPoint::identity(), |total, (_, heap)| total + heap);
            if !total.is_torsion_free() {
                return false;
            }
        }
    }
    true
}

#[cfg(test)]
mod tests;
