//! What a wallet's operations have come to, on disk: a process that is gone is gone on with.
//!
//! A message is noted before it is sent and a step when it was executed. So whoever comes next knows whether something may
//! be under way, and sends nothing a second time.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use cocoon_bindings::ton::{Address, HashBytes, boc_base64, parse_boc_base64};
use cocoon_bindings::wallets::WalletKind;
use cocoon_chain::{SignedMessage, Transaction, TransactionId};
use serde::{Deserialize, Serialize};

use crate::OwnerError;
use crate::files::{private_folder, read_small, remove, replace};
use crate::limits::MAX_JOURNAL_BYTES;

const VERSION: u8 = 1;

/// The journal of one wallet on one chain, held by this process alone.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    wallet: Address,
    state: State,
    /// Unlocked when it is dropped, also by the end of the process.
    _lock: File,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    version: u8,
    /// The message that may be under way; there is never more than one.
    pending: Option<Pending>,
    /// Operations that were begun and not ended, with their steps.
    operations: BTreeMap<String, Vec<Step>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pending {
    operation: String,
    step: String,
    kind: WalletKind,
    message: String,
    seqno: u32,
    valid_until: u32,
    after: u64,
    /// How many messages the wallet is asked to send.
    messages: usize,
}

/// A step of an operation that the wallet has executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Logical time of the wallet's transaction.
    pub lt: u64,
    /// Its hash.
    pub hash: HashBytes,
    /// When the wallet executed it, seconds since 1970.
    pub time: u32,
    /// Whether all that followed was seen to arrive.
    pub is_settled: bool,
    /// Then, the last logical time of what followed at each account.
    pub reached: BTreeMap<String, u64>,
}

impl Step {
    /// The wallet's transaction.
    pub fn transaction(&self) -> TransactionId {
        TransactionId {
            lt: self.lt,
            hash: self.hash,
        }
    }

    /// Logical time of the last transaction that followed at an account; none if nothing arrived there.
    pub fn reached(&self, account: &Address) -> Option<u64> {
        self.reached.get(&account.to_string()).copied()
    }
}

/// A journal that is only looked at, while another process may hold it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalView {
    state: State,
}

impl JournalView {
    /// The operation whose message may be under way.
    pub fn pending(&self) -> Option<&str> {
        self.state.pending.as_ref().map(|pending| pending.operation.as_str())
    }

    /// The steps of an operation that are done.
    pub fn steps(&self, operation: &str) -> &[Step] {
        self.state.operations.get(operation).map_or(&[], Vec::as_slice)
    }
}

impl State {
    fn read(path: &Path) -> Result<Self, OwnerError> {
        let text = match read_small(path, MAX_JOURNAL_BYTES) {
            Ok(text) => text,
            Err(OwnerError::Disk { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self {
                    version: VERSION,
                    ..Self::default()
                });
            }
            Err(error) => return Err(error),
        };
        let damaged = || OwnerError::Journal { path: path.to_owned() };
        let state: Self = serde_json::from_str(&text).map_err(|_| damaged())?;
        if state.version != VERSION {
            return Err(damaged());
        }
        Ok(state)
    }
}

impl Journal {
    /// Opens the journal of a wallet in a folder; each chain has a folder of its own.
    pub fn open(folder: &Path, wallet: &Address) -> Result<Self, OwnerError> {
        private_folder(folder)?;
        let name = hex::encode(wallet.address.0);
        let lock_path = folder.join(format!("{name}.lock"));
        let lock = File::create(&lock_path).map_err(OwnerError::disk("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OwnerError::Busy { wallet: wallet.clone() }),
            Err(TryLockError::Error(error)) => return Err(OwnerError::disk("lock", &lock_path)(error)),
        }
        let path = folder.join(format!("{name}.json"));
        let state = State::read(&path)?;
        Ok(Self {
            path,
            wallet: wallet.clone(),
            state,
            _lock: lock,
        })
    }

    /// What the journal of a wallet in a folder says. It is not held: a message may be sent meanwhile by whoever holds it.
    pub fn look(folder: &Path, wallet: &Address) -> Result<JournalView, OwnerError> {
        let state = State::read(&folder.join(format!("{}.json", hex::encode(wallet.address.0))))?;
        Ok(JournalView { state })
    }

    /// The steps of an operation that are done.
    pub fn steps(&self, operation: &str) -> &[Step] {
        self.state.operations.get(operation).map_or(&[], Vec::as_slice)
    }

    /// How many messages the wallet was asked to send by what may be under way.
    pub(crate) fn asked(&self) -> usize {
        self.state.pending.as_ref().map_or(0, |pending| pending.messages)
    }

    /// Operations that were begun and not ended.
    pub fn unfinished(&self) -> impl Iterator<Item = &str> {
        self.state.operations.keys().map(String::as_str)
    }

    /// The message that may be under way.
    pub fn pending(&self) -> Result<Option<SignedMessage>, OwnerError> {
        let Some(pending) = &self.state.pending else {
            return Ok(None);
        };
        let cell = parse_boc_base64(&pending.message).map_err(|_| OwnerError::Journal {
            path: self.path.clone(),
        })?;
        Ok(Some(SignedMessage {
            wallet: self.wallet.clone(),
            kind: pending.kind,
            cell,
            seqno: pending.seqno,
            valid_until: pending.valid_until,
            after: pending.after,
        }))
    }

    /// Notes a message before it is sent.
    pub(crate) fn begin(
        &mut self,
        operation: &str,
        step: &str,
        message: &SignedMessage,
        messages: usize,
    ) -> Result<(), OwnerError> {
        self.change(|state| {
            state.operations.entry(operation.to_owned()).or_default();
            state.pending = Some(Pending {
                operation: operation.to_owned(),
                step: step.to_owned(),
                kind: message.kind,
                message: boc_base64(&message.cell),
                seqno: message.seqno,
                valid_until: message.valid_until,
                after: message.after,
                messages,
            });
        })
    }

    /// The message was executed.
    pub(crate) fn executed(&mut self, transaction: &Transaction) -> Result<(), OwnerError> {
        self.change(|state| {
            if let Some(pending) = state.pending.take() {
                let steps = state.operations.entry(pending.operation).or_default();
                steps.push(Step {
                    name: pending.step,
                    lt: transaction.lt,
                    hash: transaction.hash,
                    time: transaction.now,
                    is_settled: false,
                    reached: BTreeMap::new(),
                });
            }
        })
    }

    /// The message never will be executed, or was and came to nothing.
    pub(crate) fn dropped(&mut self) -> Result<(), OwnerError> {
        self.change(|state| {
            if let Some(pending) = state.pending.take()
                && state.operations.get(&pending.operation).is_some_and(Vec::is_empty)
            {
                state.operations.remove(&pending.operation);
            }
        })
    }

    /// All that followed from a step has arrived, at these accounts.
    pub(crate) fn settled(
        &mut self,
        operation: &str,
        step: &TransactionId,
        reached: BTreeMap<String, u64>,
    ) -> Result<(), OwnerError> {
        self.change(|state| {
            let steps = state.operations.get_mut(operation).into_iter().flatten();
            for done in steps.filter(|done| done.transaction() == *step) {
                done.is_settled = true;
                done.reached.clone_from(&reached);
            }
        })
    }

    /// What a step did was undone later: it does not count any more.
    pub(crate) fn forget(&mut self, operation: &str, step: &str) -> Result<(), OwnerError> {
        self.change(|state| {
            if let Some(steps) = state.operations.get_mut(operation) {
                steps.retain(|done| done.name != step);
            }
        })
    }

    /// The operation has come to its end, whichever.
    pub fn finish(&mut self, operation: &str) -> Result<(), OwnerError> {
        self.change(|state| {
            state.operations.remove(operation);
        })
    }

    fn change(&mut self, change: impl FnOnce(&mut State)) -> Result<(), OwnerError> {
        let mut next = self.state.clone();
        change(&mut next);
        if next == self.state {
            return Ok(());
        }
        if next.pending.is_none() && next.operations.is_empty() {
            remove(&self.path)?;
        } else {
            let text = serde_json::to_string_pretty(&next).map_err(|_| OwnerError::Journal {
                path: self.path.clone(),
            })?;
            replace(&self.path, &text)?;
        }
        self.state = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cocoon_bindings::ton::Cell;

    fn wallet() -> Address {
        Address::new(0, HashBytes([7; 32]))
    }

    fn message() -> SignedMessage {
        SignedMessage {
            wallet: wallet(),
            kind: WalletKind::V5r1,
            cell: Cell::default(),
            seqno: 3,
            valid_until: 1000,
            after: 55,
        }
    }

    #[test]
    fn a_message_is_on_disk_until_its_fate_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), &wallet()).unwrap();
        assert_eq!(journal.pending().unwrap(), None);
        journal.begin("topup", "pay", &message(), 1).unwrap();
        let seen = Journal::look(folder.path(), &wallet()).unwrap();
        assert_eq!((seen.pending(), seen.steps("topup").len()), (Some("topup"), 0));
        drop(journal);
        let mut journal = Journal::open(folder.path(), &wallet()).unwrap();
        assert_eq!(journal.pending().unwrap(), Some(message()));
        assert!(journal.steps("topup").is_empty());
        assert_eq!(journal.unfinished().collect::<Vec<_>>(), ["topup"]);
        journal.dropped().unwrap();
        drop(journal);
        let journal = Journal::open(folder.path(), &wallet()).unwrap();
        assert_eq!(journal.pending().unwrap(), None);
        assert!(!journal.path.exists(), "nothing is left behind");
    }

    #[test]
    fn only_one_process_holds_a_journal() {
        let folder = tempfile::tempdir().unwrap();
        let held = Journal::open(folder.path(), &wallet()).unwrap();
        assert!(matches!(
            Journal::open(folder.path(), &wallet()),
            Err(OwnerError::Busy { .. })
        ));
        drop(held);
        Journal::open(folder.path(), &wallet()).unwrap();
    }

    #[test]
    fn a_damaged_journal_stops_everything() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), &wallet()).unwrap();
        journal.begin("topup", "pay", &message(), 1).unwrap();
        let path = journal.path.clone();
        drop(journal);
        let text = std::fs::read_to_string(&path).unwrap();
        for broken in [text.replace("pending", "other"), text[..text.len() / 2].to_owned()] {
            std::fs::write(&path, broken).unwrap();
            assert!(matches!(
                Journal::open(folder.path(), &wallet()),
                Err(OwnerError::Journal { .. })
            ));
        }
    }
}
