//! Attestations of rebuilders: who signs that an image is what a source builds.

use crate::error::BindingsError;
use crate::generated::root::{Attestations, RebuildStatement, Rebuilders};
use crate::ton::{CellBuilder, CellContext, CellError, CellSlice, Dict, HashBytes, Load, Store, to_cell};
use crate::units::{ImageHash, PublicKey};
use ed25519_dalek::{Signer, SigningKey};
use std::collections::{BTreeMap, BTreeSet};

/// Id of a git commit as contracts hold it: zeros on the left.
///
/// ```
/// let id = cocoon_bindings::rebuild::source_commit("4acfc55000000000000000000000000000000001")?;
/// assert_eq!((id.0[11], id.0[12], id.0[31]), (0, 0x4a, 1));
/// # Ok::<(), cocoon_bindings::BindingsError>(())
/// ```
pub fn source_commit(id: &str) -> Result<HashBytes, BindingsError> {
    let refused = || BindingsError::Hash {
        text: id.chars().take(80).collect(),
    };
    let mut bytes = [0u8; 32];
    // SHA-1 today, SHA-256 in repositories of git's newer format; an abbreviation says too little.
    let start = match id.len() {
        40 => 12,
        64 => 0,
        _ => return Err(refused()),
    };
    let place = bytes.get_mut(start..).ok_or_else(refused)?;
    hex::decode_to_slice(id, place).map_err(|_| refused())?;
    Ok(HashBytes(bytes))
}

impl RebuildStatement {
    /// The statement that this source builds this image.
    pub fn new(source_commit: HashBytes, image: ImageHash) -> Self {
        Self {
            source_commit,
            image_hash: image.to_hash_bytes(),
        }
    }

    /// What is signed: the hash of the statement's cell.
    pub fn hash(&self) -> Result<HashBytes, BindingsError> {
        let cell = to_cell(self).map_err(BindingsError::layout("a rebuild statement"))?;
        Ok(*cell.repr_hash())
    }

    /// Signs it.
    pub fn sign(&self, key: &SigningKey) -> Result<[u8; 64], BindingsError> {
        Ok(key.sign(self.hash()?.as_slice()).to_bytes())
    }

    /// Checks a rebuilder's signature.
    pub fn verify(&self, rebuilder: &PublicKey, signature: &[u8; 64]) -> Result<(), BindingsError> {
        if rebuilder.verifies(self.hash()?.as_slice(), signature) {
            Ok(())
        } else {
            Err(BindingsError::RebuilderSignature)
        }
    }
}

impl Rebuilders {
    /// The most that the root contract registers.
    pub const MAX: usize = 16;

    /// These keys, so many of which must attest an image.
    pub fn new(keys: &BTreeSet<PublicKey>, threshold: u8) -> Result<Self, CellError> {
        let mut dict = Dict::<HashBytes, ()>::new();
        for key in keys {
            dict.set(HashBytes::from(*key), ())?;
        }
        Ok(Self {
            keys: dict.into_root(),
            threshold,
        })
    }

    /// The keys.
    pub fn public_keys(&self) -> Result<BTreeSet<PublicKey>, CellError> {
        let dict = Dict::<HashBytes, ()>::from_raw(self.keys.clone());
        dict.keys().map(|key| key.map(PublicKey::from)).collect()
    }
}

impl Attestations {
    /// Signatures by key.
    pub fn new(signatures: &BTreeMap<PublicKey, [u8; 64]>) -> Result<Self, CellError> {
        let mut dict = Dict::<HashBytes, Signature>::new();
        for (key, signature) in signatures {
            dict.set(HashBytes::from(*key), Signature(*signature))?;
        }
        Ok(Self {
            signatures: dict.into_root(),
        })
    }

    /// The signatures by key.
    pub fn by_key(&self) -> Result<BTreeMap<PublicKey, [u8; 64]>, CellError> {
        let dict = Dict::<HashBytes, Signature>::from_raw(self.signatures.clone());
        let entries = dict.iter();
        entries
            .map(|entry| entry.map(|(key, signature)| (PublicKey::from(key), signature.0)))
            .collect()
    }
}

/// A value of the dictionary.
struct Signature([u8; 64]);

impl Store for Signature {
    fn store_into(&self, builder: &mut CellBuilder, _: &dyn CellContext) -> Result<(), CellError> {
        builder.store_raw(&self.0, 512)
    }
}

impl<'a> Load<'a> for Signature {
    fn load_from(slice: &mut CellSlice<'a>) -> Result<Self, CellError> {
        crate::codec::take_bits(slice).map(Self)
    }
}

#[cfg(test)]
mod tests;
