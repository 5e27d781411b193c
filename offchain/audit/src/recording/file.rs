//! A recording as JSON: `chain.json` of a bundle (docs/audit.md), and the first half of the state of an interrupted audit.

use super::Recording;
use crate::error::AuditError;
use crate::history::ChainHistory;
use cocoon_bindings::ton::{Address, Cell, HashBytes, boc_base64, parse_boc_base64};
use cocoon_bindings::units::{Nanoton, PublicKey};
use cocoon_chain::{AccountState, AccountStatus, Transaction, TransactionId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

/// Version of the format.
const VERSION: u32 = 1;

/// What the chain says about one proxy.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChainFile {
    version: u32,
    /// The chain's time when it was read, Unix seconds.
    pub(crate) time: u32,
    /// The root contract.
    pub(crate) root: Address,
    /// The proxy contract that serves.
    pub(crate) proxy: Address,
    /// The key of the proxy's contracts.
    pub(crate) key: PublicKey,
    accounts: BTreeMap<Address, AccountFile>,
    transactions: BTreeMap<Address, Vec<String>>,
    /// The same in plain ([`crate::facts::Facts`]).
    pub(crate) facts: Value,
}

/// States and histories of contracts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordingFile {
    accounts: BTreeMap<Address, AccountFile>,
    /// Bags of cells in base64, oldest first.
    transactions: BTreeMap<Address, Vec<String>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountFile {
    status: Status,
    balance: Nanoton,
    code: Option<String>,
    data: Option<String>,
    last: Option<LastFile>,
    time: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LastFile {
    lt: u64,
    hash: HashBytes,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Active,
    Uninit,
    Frozen,
    None,
}

impl ChainFile {
    /// Of a recording that a history was read from, and what it says in plain.
    pub(crate) fn new(recording: &Recording, history: &ChainHistory, facts: Value) -> Self {
        let RecordingFile { accounts, transactions } = RecordingFile::new(recording);
        Self {
            version: VERSION,
            time: history.time(),
            root: history.root.address.clone(),
            proxy: history.proxy.address.clone(),
            key: *history.key(),
            accounts,
            transactions,
            facts,
        }
    }

    /// The recording in it.
    pub(crate) fn recording(&self) -> Result<Recording, String> {
        if self.version != VERSION {
            return Err(format!("version {} is not known", self.version));
        }
        read(&self.accounts, &self.transactions)
    }
}

impl RecordingFile {
    /// Of a recording. Of a history only what led to the state is kept.
    pub(crate) fn new(recording: &Recording) -> Self {
        let accounts = recording
            .accounts
            .iter()
            .map(|(address, account)| (address.clone(), AccountFile::new(account)));
        let transactions = recording.transactions.iter().map(|(address, transactions)| {
            let account = recording.accounts.get(address);
            let last = account.and_then(|account| account.last).map_or(0, |last| last.lt);
            let led = transactions.iter().filter(|transaction| transaction.lt <= last);
            (
                address.clone(),
                led.map(|transaction| boc_base64(&transaction.cell)).collect(),
            )
        });
        Self {
            accounts: accounts.collect(),
            transactions: transactions.collect(),
        }
    }

    /// The recording.
    pub(crate) fn recording(&self) -> Result<Recording, String> {
        read(&self.accounts, &self.transactions)
    }
}

/// Each history must be a chain of hashes that ends at its contract's state.
fn read(
    accounts: &BTreeMap<Address, AccountFile>,
    transactions: &BTreeMap<Address, Vec<String>>,
) -> Result<Recording, String> {
    let mut recording = Recording::default();
    let of = |address: &Address, reason: String| format!("{address}: {reason}");
    for (address, account) in accounts {
        let account = account.read(address).map_err(|reason| of(address, reason))?;
        recording.accounts.insert(address.clone(), account);
    }
    for (address, transactions) in transactions {
        let read = transactions.iter().map(|text| transaction(address, text));
        let read: Vec<Transaction> = read.collect::<Result<_, _>>().map_err(|reason| of(address, reason))?;
        check_chain(&read, recording.accounts.get(address)).map_err(|reason| of(address, reason))?;
        recording.transactions.insert(address.clone(), read);
    }
    Ok(recording)
}

/// Reads a file.
pub(crate) fn load<T: for<'de> Deserialize<'de>>(path: &Path, limit: u64) -> Result<T, AuditError> {
    let failed = |source| AuditError::File {
        path: path.to_owned(),
        source,
    };
    let damaged = |reason: String| AuditError::Damaged {
        path: path.to_owned(),
        reason,
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(damaged(format!("it is longer than {limit} bytes")));
    }
    serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))
}

/// Writes a file, under another name first.
pub(crate) fn save<T: Serialize>(value: &T, path: &Path) -> Result<(), AuditError> {
    let failed = |source| AuditError::File {
        path: path.to_owned(),
        source,
    };
    let part = path.with_extension("part");
    let file = std::fs::File::create(&part).map_err(failed)?;
    let mut writer = std::io::BufWriter::new(file);
    serde_json::to_writer(&mut writer, value).map_err(|error| failed(error.into()))?;
    let file = writer.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all()
        .and_then(|()| std::fs::rename(&part, path))
        .map_err(failed)
}

impl AccountFile {
    fn new(account: &AccountState) -> Self {
        Self {
            status: match account.status {
                AccountStatus::Active => Status::Active,
                AccountStatus::Uninit => Status::Uninit,
                AccountStatus::Frozen => Status::Frozen,
                AccountStatus::NotExists => Status::None,
            },
            balance: account.balance,
            code: account.code.as_ref().map(boc_base64),
            data: account.data.as_ref().map(boc_base64),
            last: account.last.map(|last| LastFile {
                lt: last.lt,
                hash: last.hash,
            }),
            time: account.time,
        }
    }

    fn read(&self, address: &Address) -> Result<AccountState, String> {
        let cell = |text: &Option<String>| -> Result<Option<Cell>, String> {
            let read = text.as_deref().map(parse_boc_base64).transpose();
            read.map_err(|error| error.to_string())
        };
        Ok(AccountState {
            address: address.clone(),
            balance: self.balance,
            status: match self.status {
                Status::Active => AccountStatus::Active,
                Status::Uninit => AccountStatus::Uninit,
                Status::Frozen => AccountStatus::Frozen,
                Status::None => AccountStatus::NotExists,
            },
            code: cell(&self.code)?,
            data: cell(&self.data)?,
            last: self.last.as_ref().map(|last| TransactionId {
                lt: last.lt,
                hash: last.hash,
            }),
            time: self.time,
        })
    }
}

fn transaction(address: &Address, text: &str) -> Result<Transaction, String> {
    let cell = parse_boc_base64(text).map_err(|error| error.to_string())?;
    let transaction = Transaction::from_cell(address.workchain, cell).map_err(|error| error.to_string())?;
    if transaction.address == *address {
        Ok(transaction)
    } else {
        Err("a transaction of another account".to_owned())
    }
}

/// Each transaction follows from the one before, the first from none, and the last led to the state: whether there is a contract.
fn check_chain(transactions: &[Transaction], account: Option<&AccountState>) -> Result<(), String> {
    let mut before = (0, HashBytes::ZERO);
    for transaction in transactions {
        if transaction.previous_lt != before.0 || transaction.previous_hash != before.1 {
            return Err(format!(
                "transaction {} does not follow from the one before",
                transaction.lt
            ));
        }
        before = (transaction.lt, transaction.hash);
    }
    let last = account
        .and_then(|account| account.last)
        .map(|last| (last.lt, last.hash));
    if last.unwrap_or((0, HashBytes::ZERO)) != before {
        return Err("its history does not end at its state".to_owned());
    }
    // A server says of an account that is gone that it is not there or that it has no code.
    let known = |status| match status {
        AccountStatus::NotExists => AccountStatus::Uninit,
        status => status,
    };
    let left = transactions
        .last()
        .map_or(AccountStatus::Uninit, |last| known(last.status_after));
    match account {
        Some(account) if known(account.status) != left => {
            Err("its state is not the one that its last transaction left".to_owned())
        }
        // One whose history was read is a contract of the network.
        Some(account) if account.is_active() && (account.code.is_none() || account.data.is_none()) => {
            Err("it is active without code or data".to_owned())
        }
        _ => Ok(()),
    }
}
