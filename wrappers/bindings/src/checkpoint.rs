//! Checkpoints of a proxy's log: signed by the proxy, anchored in its contract, and evidence against it when two of
//! them contradict each other.
//!
//! What is signed is the hash of the checkpoint's cell. Its prefix and the proxy's address in it keep the signature
//! from being taken for anything else that the key signs.
//!
//! ```
//! use cocoon_bindings::checkpoint::{Checkpoint, EquivocationProof, SignedCheckpoint};
//! use cocoon_bindings::{PublicKey, ton::Address};
//! let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
//! let proxy = Address::new(0, [1; 32].into());
//! let checkpoint = |root| Checkpoint { proxy: proxy.clone(), seqno: 1, size: 9, root_hash: [root; 32].into(), time: 5 };
//! let shown_to_you = SignedCheckpoint::sign(checkpoint(2), &key)?;
//! let shown_to_me = SignedCheckpoint::sign(checkpoint(3), &key)?;
//! let proof = EquivocationProof::new(shown_to_you, shown_to_me, &PublicKey::from(&key), &proxy)?;
//! assert!(proof.is_some());
//! # Ok::<(), cocoon_bindings::BindingsError>(())
//! ```

pub use crate::generated::types::{AnchorSigned, Checkpoint, ReportEquivocation, SignedCheckpoint};

use crate::error::BindingsError;
use crate::ton::{Address, Cell, HashBytes, from_cell, to_cell};
use crate::units::{PublicKey, QueryId};
use ed25519_dalek::{Signer, SigningKey};

/// How two checkpoints of one proxy contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Contradiction {
    /// One size, two root hashes: the log was rewritten, or shown differently to different readers.
    AnotherTree,
    /// The later checkpoint has the smaller log: entries were dropped.
    Shrunk,
    /// One number, two checkpoints.
    SameNumber,
}

/// Numbers of checkpoints follow from their sizes: nothing has to be remembered, and two of one log never share one.
const NUMBERS_PER_SIZE: u64 = 2;

impl Checkpoint {
    /// The one that stands beside a published log. It follows from the log alone: whoever signs it again, after a crash, with
    /// another clock or beside somebody who anchors, signs the same bytes. `None` for a log that is longer than any.
    pub fn published(proxy: Address, size: u64, root_hash: HashBytes) -> Option<Self> {
        Some(Self {
            proxy,
            seqno: size.checked_mul(NUMBERS_PER_SIZE)?,
            size,
            root_hash,
            time: 0,
        })
    }

    /// The one that is anchored. `time` (Unix seconds) must follow from the log as well, and not fall as it grows: the end of its
    /// latest answer. `None` for a log that is longer than any.
    pub fn anchored(proxy: Address, size: u64, root_hash: HashBytes, time: u64) -> Option<Self> {
        let published = Self::published(proxy, size, root_hash)?;
        Some(Self {
            seqno: published.seqno.checked_add(1)?,
            time,
            ..published
        })
    }

    /// What the proxy signs.
    pub fn hash(&self) -> Result<HashBytes, BindingsError> {
        let cell = to_cell(self).map_err(BindingsError::layout("a checkpoint"))?;
        Ok(*cell.repr_hash())
    }

    /// Whether the contract accepts it after `anchored`.
    pub fn follows(&self, anchored: &Self) -> bool {
        let grown = self.size > anchored.size || (self.size == anchored.size && self.root_hash == anchored.root_hash);
        self.seqno > anchored.seqno && grown && self.time >= anchored.time
    }

    /// Why no honest log leads to both; their order does not matter. The proxies are not compared.
    pub fn contradiction(&self, other: &Self) -> Option<Contradiction> {
        let (earlier, later) = if self.seqno <= other.seqno {
            (self, other)
        } else {
            (other, self)
        };
        if self.size == other.size && self.root_hash != other.root_hash {
            Some(Contradiction::AnotherTree)
        } else if self.seqno == other.seqno {
            let same = self.size == other.size && self.time == other.time;
            (!same).then_some(Contradiction::SameNumber)
        } else {
            (later.size < earlier.size).then_some(Contradiction::Shrunk)
        }
    }
}

impl SignedCheckpoint {
    /// Signs a checkpoint with the proxy's key.
    pub fn sign(checkpoint: Checkpoint, key: &SigningKey) -> Result<Self, BindingsError> {
        let signature = key.sign(checkpoint.hash()?.as_slice()).to_bytes();
        Ok(Self { signature, checkpoint })
    }

    /// Checks the proxy's signature and the contract that it is of.
    pub fn verify(&self, key: &PublicKey, proxy: &Address) -> Result<(), BindingsError> {
        if self.checkpoint.proxy != *proxy {
            return Err(BindingsError::OtherContract);
        }
        if key.verifies(self.checkpoint.hash()?.as_slice(), &self.signature) {
            Ok(())
        } else {
            Err(BindingsError::Signature)
        }
    }

    /// As a cell, the way evidence carries it.
    pub fn to_cell(&self) -> Result<Cell, BindingsError> {
        to_cell(self).map_err(BindingsError::layout("a signed checkpoint"))
    }

    /// Reads a cell; what is left over is refused.
    pub fn from_cell(cell: &Cell) -> Result<Self, BindingsError> {
        from_cell(cell).map_err(BindingsError::layout("a signed checkpoint"))
    }

    /// The message that anchors it; anyone may send it.
    pub fn anchor(&self, query_id: QueryId, excesses: &Address) -> AnchorSigned {
        AnchorSigned {
            query_id,
            send_excesses_to: excesses.clone(),
            signature: self.signature,
            checkpoint: self.checkpoint.clone(),
        }
    }
}

/// Two checkpoints, both signed by one proxy, that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EquivocationProof {
    first: SignedCheckpoint,
    second: SignedCheckpoint,
    contradiction: Contradiction,
}

impl EquivocationProof {
    /// The proof, or none if the two go together. Both must be of this proxy and signed by it.
    pub fn new(
        first: SignedCheckpoint,
        second: SignedCheckpoint,
        key: &PublicKey,
        proxy: &Address,
    ) -> Result<Option<Self>, BindingsError> {
        first.verify(key, proxy)?;
        second.verify(key, proxy)?;
        let contradiction = first.checkpoint.contradiction(&second.checkpoint);
        Ok(contradiction.map(|contradiction| Self {
            first,
            second,
            contradiction,
        }))
    }

    /// What is wrong with the two.
    pub fn contradiction(&self) -> Contradiction {
        self.contradiction
    }

    /// The message that shows it to the proxy contract; a share of the stake goes to `reporter`.
    pub fn report(&self, query_id: QueryId, reporter: &Address) -> ReportEquivocation {
        ReportEquivocation {
            query_id,
            reporter: reporter.clone(),
            first: self.first.clone(),
            second: self.second.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
