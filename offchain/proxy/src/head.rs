//! What may be signed of the log for the proxy contract, which takes a share of the stake for two checkpoints that contradict each
//! other.
//!
//! **Invariant:** only what a state commit on chain covers is signed. So a database that lacks any of it contradicts the chain, serves
//! nobody and signs nothing ([`crate::recovery`]); and one that has it signs the same bytes again, because number and time of a
//! checkpoint follow from the log ([`Checkpoint::published`], [`Checkpoint::anchored`]), whatever crashed, whoever signs beside whom and
//! whatever the clock says.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cocoon_bindings::checkpoint::{Checkpoint, SignedCheckpoint};
use cocoon_bindings::ton::Address;
use cocoon_store::LogHead;
use ed25519_dalek::SigningKey;

use crate::error::ProxyError;

/// The log as state commits cover it.
#[derive(Default)]
pub(crate) struct Heads(Mutex<State>);

#[derive(Default)]
struct State {
    /// By the number of a commit that was begun: what was durable before it.
    begun: BTreeMap<u32, LogHead>,
    committed: Option<LogHead>,
    /// Receipts below which nothing is signed for a contract: those of a checkpoint that an earlier version of this program signed, whose
    /// numbers did not follow from the log.
    floors: BTreeMap<Address, u64>,
}

impl Heads {
    /// A commit was begun after all of this was durable.
    pub(crate) fn begun(&self, seqno: u32, head: LogHead) {
        self.lock().begun.insert(seqno, head);
    }

    /// The chain has seen the commit of this number.
    pub(crate) fn landed(&self, seqno: u32) {
        let mut state = self.lock();
        let later = state.begun.split_off(&seqno.saturating_add(1));
        let covered = std::mem::replace(&mut state.begun, later);
        if let Some((_, head)) = covered.into_iter().next_back() {
            state.committed = Some(head);
        }
    }

    /// A checkpoint of so many receipts is known for a contract: nothing is signed for it below that.
    pub(crate) fn at_least(&self, contract: &Address, size: u64) {
        let mut state = self.lock();
        let floor = state.floors.entry(contract.clone()).or_default();
        *floor = size.max(*floor);
    }

    /// What is committed, if it may be signed for this contract.
    pub(crate) fn committed(&self, contract: &Address) -> Option<LogHead> {
        let state = self.lock();
        let floor = state.floors.get(contract).copied().unwrap_or(0);
        state.committed.filter(|head| head.size >= floor)
    }

    /// The checkpoint that comes under the published one.
    pub(crate) fn to_publish(
        &self,
        contract: &Address,
        key: &SigningKey,
    ) -> Result<Option<SignedCheckpoint>, ProxyError> {
        let Some(head) = self.committed(contract) else {
            return Ok(None);
        };
        let checkpoint = Checkpoint::published(contract.clone(), head.size, head.root);
        Ok(checkpoint
            .map(|checkpoint| SignedCheckpoint::sign(checkpoint, key))
            .transpose()?)
    }

    /// The checkpoint that goes on chain.
    pub(crate) fn to_anchor(&self, contract: &Address) -> Option<Checkpoint> {
        let head = self.committed(contract)?;
        Checkpoint::anchored(contract.clone(), head.size, head.root, head.finished_ms / 1000)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Never left half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
