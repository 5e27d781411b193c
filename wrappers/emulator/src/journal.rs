//! What changed since a chain was last written: records behind a saved chain, so that a change costs what it changes and not
//! what the chain weighs.
//!
//! A journal is a head that names a saved chain ([`Snapshot::to_bytes`]) by its hash, and records. Each record has its length
//! twice, the second time inverted, the hash of its cells, and their bag. Records are only ever added, and the next one is
//! added when the one before it is on disk: what a crash can leave is a last record that is not whole.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cocoon_bindings::ton::{Address, Boc, Cell, CellBuilder, HashBytes};

use crate::network::NetworkConfig;
use crate::snapshot::{self, Snapshot};
use crate::state::ChainState;
use crate::{Emulator, EmulatorError};

/// First bytes of a journal.
const MAGIC: &[u8; 8] = b"COCOJNL1";

/// Bytes of a journal's head: magic, and the hash of the saved chain that it continues.
pub const HEAD_BYTES: usize = 40;

/// Bytes before a record's bag of cells: the length, the length inverted, a hash.
const RECORD_HEAD_BYTES: usize = 40;

/// Bytes of the length, twice.
const LENGTHS_BYTES: usize = 8;

/// Where the journal of a saved chain lies: beside it.
pub fn path_beside(saved: &Path) -> PathBuf {
    let mut name = saved.file_name().unwrap_or_default().to_owned();
    name.push(".journal");
    saved.with_file_name(name)
}

/// How far a chain has been written.
#[derive(Debug, Clone)]
pub struct Mark {
    network: NetworkConfig,
    rewinds: u64,
    transactions: usize,
    last: HashBytes,
    accounts: BTreeMap<Address, HashBytes>,
}

impl Mark {
    /// All of the chain has been written.
    pub fn of(chain: &Emulator) -> Self {
        Self {
            network: chain.network().clone(),
            rewinds: chain.rewinds,
            transactions: chain.state.transactions.len(),
            last: last_hash(&chain.state, chain.state.transactions.len()),
            accounts: chain
                .state
                .accounts
                .iter()
                .map(|(at, account)| (at.clone(), hash(account)))
                .collect(),
        }
    }
}

/// What changed between two moments of a chain.
#[derive(Debug, Clone)]
pub struct Delta {
    /// The newer moment, but only with the accounts and transactions that are new.
    state: ChainState,
}

impl Emulator {
    /// What changed since `mark`, which is then here. `None` if the chain does not continue what was written: it went back to
    /// a snapshot, or became another one. Then all of it must be written.
    pub fn changed_since(&self, mark: &mut Mark) -> Option<Delta> {
        let state = &self.state;
        let continues = self.rewinds == mark.rewinds
            && self.network() == &mark.network
            && last_hash(state, mark.transactions) == mark.last
            && mark.accounts.keys().all(|known| state.accounts.contains_key(known));
        let new = state.transactions.get(mark.transactions..).filter(|_| continues)?;
        let mut delta = ChainState::new(state.now);
        delta.lt = state.lt;
        delta.minted = state.minted;
        delta.collected = state.collected;
        delta.queue.clone_from(&state.queue);
        for (address, account) in &state.accounts {
            let now = hash(account);
            if mark.accounts.get(address) != Some(&now) {
                mark.accounts.insert(address.clone(), now);
                delta.accounts.insert(address.clone(), account.clone());
            }
        }
        new.iter().for_each(|report| delta.record(report.clone()));
        mark.transactions = state.transactions.len();
        mark.last = last_hash(state, mark.transactions);
        Some(Delta { state: delta })
    }
}

impl Delta {
    /// The record of it.
    pub fn to_record(&self) -> Result<Vec<u8>, EmulatorError> {
        let mut builder = CellBuilder::new();
        let stored = snapshot::store(&self.state, &mut builder).and_then(|()| builder.build());
        let root = stored.map_err(EmulatorError::cell("change of the chain"))?;
        let bag = Boc::encode(&root);
        let length =
            u32::try_from(bag.len()).map_err(|_| EmulatorError::Snapshot("a change is too large".to_owned()))?;
        let mut bytes = Vec::with_capacity(RECORD_HEAD_BYTES.saturating_add(bag.len()));
        bytes.extend(length.to_le_bytes());
        bytes.extend((!length).to_le_bytes());
        bytes.extend(root.repr_hash().as_array());
        bytes.extend(bag);
        Ok(bytes)
    }
}

/// The head of a journal that continues a saved chain, given in its form on disk.
pub fn head(saved: &[u8]) -> Result<Vec<u8>, EmulatorError> {
    let mut bytes = Vec::from(MAGIC.as_slice());
    bytes.extend(name_of(saved).ok_or_else(|| EmulatorError::Snapshot("cut short".to_owned()))?);
    Ok(bytes)
}

/// What a journal brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// It continues another saved chain, or has not even a head: the saved chain is newer than all of it.
    Stale,
    /// Its records were applied.
    Applied {
        /// Records.
        records: usize,
        /// Bytes of the head and whole records; what a crash left behind them is to be cut off.
        whole_bytes: usize,
    },
}

impl Snapshot {
    /// Reads a saved chain and the journal beside it.
    ///
    /// A last record that is not whole was never confirmed to anybody, and is left out. Any other damage is an error.
    pub fn from_saved(saved: &[u8], journal: &[u8]) -> Result<(Self, Replayed), EmulatorError> {
        let mut chain = Self::from_bytes(saved)?;
        let head = journal
            .get(..HEAD_BYTES)
            .and_then(|head| head.strip_prefix(MAGIC.as_slice()));
        if head.is_none() || head != name_of(saved) {
            return Ok((chain, Replayed::Stale));
        }
        let (mut records, mut at) = (0_usize, HEAD_BYTES);
        while let Some((delta, bytes)) = next_record(journal.get(at..).unwrap_or_default())? {
            chain.apply(delta);
            records = records.saturating_add(1);
            at = at.saturating_add(bytes);
        }
        let whole_bytes = at;
        Ok((chain, Replayed::Applied { records, whole_bytes }))
    }

    fn apply(&mut self, delta: ChainState) {
        let state = &mut self.state;
        state.now = delta.now;
        state.lt = delta.lt;
        state.minted = delta.minted;
        state.collected = delta.collected;
        state.queue = delta.queue;
        state.accounts.extend(delta.accounts);
        delta.transactions.into_iter().for_each(|report| state.record(report));
    }
}

/// The first record of `rest` and its length in bytes; `None` at the end, and where a crash cut the last one short.
fn next_record(rest: &[u8]) -> Result<Option<(ChainState, usize)>, EmulatorError> {
    let damaged = |reason: &str| EmulatorError::Snapshot(format!("a record of the journal {reason}"));
    let Some((head, bags)) = rest.split_first_chunk::<RECORD_HEAD_BYTES>() else {
        return Ok(None);
    };
    let [a, b, c, d, e, f, g, h, hash @ ..] = *head;
    let (length, inverted) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    // A file that grew before its bytes came has zeros where they are missing.
    let is_empty = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    if length != !inverted {
        return match is_empty(rest.get(LENGTHS_BYTES..).unwrap_or_default()) {
            true => Ok(None),
            false => Err(damaged("has no length")),
        };
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let Some((bag, behind)) = bags.split_at_checked(length) else {
        return Ok(None);
    };
    let root: Option<Cell> = Boc::decode(bag)
        .ok()
        .filter(|root: &Cell| root.repr_hash() == &HashBytes(hash));
    let Some(root) = root else {
        return match is_empty(behind) {
            true => Ok(None),
            false => Err(damaged("is not what was written")),
        };
    };
    let read = || snapshot::load(&mut root.as_slice()?);
    let state = read().map_err(EmulatorError::cell("change of the chain"))?;
    Ok(Some((state, RECORD_HEAD_BYTES.saturating_add(length))))
}

/// The hash in a saved chain's head.
fn name_of(saved: &[u8]) -> Option<&[u8]> {
    saved.get(MAGIC.len()..HEAD_BYTES)
}

/// The hash of the last of the first `count` transactions; zero if there is none.
fn last_hash(state: &ChainState, count: usize) -> HashBytes {
    let last = count.checked_sub(1).map(|place| state.transactions.get(place));
    match last {
        None => HashBytes::ZERO,
        // No transaction has this hash, so that a shorter history is never taken for the same.
        Some(None) => HashBytes([0xff; 32]),
        Some(Some(report)) => report.hash,
    }
}

/// An account's cells and its last transaction in one hash.
fn hash(account: &tycho_types::models::ShardAccount) -> HashBytes {
    let mut hash = *account.account.inner().repr_hash();
    // The account's own cells hold the logical time of its last transaction, which has one hash only.
    for (byte, other) in hash.0.iter_mut().zip(account.last_trans_hash.0) {
        *byte ^= other;
    }
    hash
}
