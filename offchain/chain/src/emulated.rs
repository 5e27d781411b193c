//! A chain in this process.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cocoon_bindings::ton::{Address, Cell, StackValue};
use cocoon_bindings::units::Nanoton;
use cocoon_emulator::journal::{self, Replayed};
use cocoon_emulator::{AccountStatus, Emulator, EmulatorError, GetterResult, Snapshot};

use crate::ChainError;
use crate::client::{AccountState, ChainClient, ChainHead, Transaction, TransactionId};
use crate::limits::{STATE_FILE_PAUSE, STATE_FILE_TRIES};

/// The emulated chain as a backend. Clones share the chain.
#[derive(Debug, Clone)]
pub struct EmulatedChain {
    chain: Arc<Mutex<Emulator>>,
}

impl EmulatedChain {
    /// Shares a chain.
    pub fn new(chain: Emulator) -> Self {
        Self {
            chain: Arc::new(Mutex::new(chain)),
        }
    }

    /// The chain as a local network saved it. Changes are not written back. A journal of another saved chain is an error: what
    /// it holds may be missing.
    pub fn from_state_file(path: &Path) -> Result<Self, ChainError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| ChainError::StateFile {
                path: path.to_owned(),
                source,
            })
        };
        let beside = journal::path_beside(path);
        for _ in 0..STATE_FILE_TRIES {
            let saved = read(path)?;
            // A chain that was stopped in order has no journal.
            let records = if beside.exists() { read(&beside)? } else { Vec::new() };
            let (snapshot, replayed) = Snapshot::from_saved(&saved, &records).map_err(ChainError::Emulator)?;
            if replayed != Replayed::Stale || records.len() <= journal::HEAD_BYTES {
                return Ok(Self::new(
                    Emulator::from_snapshot(&snapshot).map_err(ChainError::Emulator)?,
                ));
            }
            // A chain that runs may have been written anew between the two.
            std::thread::sleep(STATE_FILE_PAUSE);
        }
        Err(ChainError::StateFile {
            path: beside,
            source: std::io::Error::other(
                "it continues another saved chain; the local chain sets it aside when it starts",
            ),
        })
    }

    /// Does something with the chain itself: coins from the faucet, time, snapshots.
    pub fn with<T>(&self, action: impl FnOnce(&mut Emulator) -> T) -> T {
        // A panic of another holder leaves the chain between two transactions, never inside one.
        action(&mut self.chain.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl ChainClient for EmulatedChain {
    async fn account(&self, address: &Address) -> Result<AccountState, ChainError> {
        let (account, time) = self.with(|chain| (chain.account(address), chain.now()));
        let address = address.clone();
        Ok(match account.map_err(ChainError::Emulator)? {
            Some(account) => AccountState {
                address,
                balance: account.balance,
                status: account.status,
                code: account.code,
                data: account.data,
                last: Some(TransactionId {
                    lt: account.last_lt,
                    hash: account.last_hash,
                }),
                time,
            },
            None => AccountState {
                address,
                balance: Nanoton::ZERO,
                status: AccountStatus::NotExists,
                code: None,
                data: None,
                last: None,
                time,
            },
        })
    }

    async fn run_get_method(
        &self,
        address: &Address,
        method: &str,
        arguments: Vec<StackValue>,
    ) -> Result<GetterResult, ChainError> {
        self.with(|chain| chain.get(address, method, arguments))
            .map_err(|error| match error {
                EmulatorError::NotActive(address) => ChainError::NotDeployed {
                    what: "contract",
                    address,
                },
                error => ChainError::Emulator(error),
            })
    }

    async fn transactions(
        &self,
        address: &Address,
        limit: usize,
        from: Option<TransactionId>,
    ) -> Result<Vec<Transaction>, ChainError> {
        let from = from.map(|id| (id.lt, id.hash));
        let found = self.with(|chain| chain.transactions_from(address, from, limit));
        Ok(found
            .into_iter()
            .map(|transaction| transaction.as_ref().clone())
            .collect())
    }

    async fn send_boc(&self, message: &Cell) -> Result<(), ChainError> {
        self.with(|chain| {
            chain.send_external(message.clone())?;
            chain.run()
        })
        .map(drop)
        .map_err(refused)
    }

    async fn now(&self) -> Result<u32, ChainError> {
        Ok(self.with(|chain| chain.now()))
    }

    async fn head(&self) -> Result<ChainHead, ChainError> {
        Ok(self.with(|chain| ChainHead {
            seqno: Some(chain.block()),
            time: chain.now(),
        }))
    }

    async fn estimate_fee(&self, message: &Cell) -> Result<Nanoton, ChainError> {
        let report = self.with(|chain| chain.preview_external(message.clone(), false));
        report.map_err(refused).and_then(|report| own_fees(&report))
    }
}

/// What the chain's refusal of a message means.
pub(crate) fn refused(error: EmulatorError) -> ChainError {
    match error {
        EmulatorError::ExternalRefused { exit_code, .. } => ChainError::MessageRefused {
            exit_code,
            reason: error.to_string(),
        },
        EmulatorError::Message { .. } | EmulatorError::MessageTooLarge { .. } => ChainError::MessageRefused {
            exit_code: None,
            reason: error.to_string(),
        },
        error => ChainError::Emulator(error),
    }
}

/// What the account paid: import, storage, gas, and both halves of forwarding, as `estimateFee` of servers counts.
pub(crate) fn own_fees(report: &Transaction) -> Result<Nanoton, ChainError> {
    let fees = &report.fees;
    let parts = [fees.import, fees.storage, fees.gas, fees.forward];
    let total = parts.into_iter().try_fold(Nanoton::ZERO, Nanoton::checked_add);
    total.ok_or(ChainError::Emulator(EmulatorError::AmountRange))
}
