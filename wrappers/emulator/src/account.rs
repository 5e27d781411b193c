//! An account as readers need it.

use cocoon_bindings::StateInit;
use cocoon_bindings::ton::{Address, Cell, CellError, HashBytes};
use cocoon_bindings::units::Nanoton;
use tycho_types::models::{AccountState, AccountStatus, ShardAccount};

/// The state of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// Address.
    pub address: Address,
    /// Balance.
    pub balance: Nanoton,
    /// Active, frozen or not yet deployed.
    pub status: AccountStatus,
    /// Code, if active.
    pub code: Option<Cell>,
    /// Data, if active.
    pub data: Option<Cell>,
    /// Hash of the state that would unfreeze it, if frozen.
    pub frozen_hash: Option<HashBytes>,
    /// Logical time of its last transaction.
    pub last_lt: u64,
    /// Hash of its last transaction.
    pub last_hash: HashBytes,
    /// Storage fees that it owes.
    pub due: Nanoton,
    /// When it last paid for storage.
    pub last_paid: u32,
    /// Cells of its state.
    pub cells: u64,
    /// Bits of its state.
    pub bits: u64,
}

impl AccountView {
    /// Whether it has code that runs.
    pub fn is_active(&self) -> bool {
        self.status == AccountStatus::Active
    }

    /// Code and data, if active. Once the account is frozen, a message with these brings it back.
    pub fn state_init(&self) -> Option<StateInit> {
        Some(StateInit {
            code: self.code.clone()?,
            data: self.data.clone()?,
        })
    }

    /// Reads an account; `None` if it does not exist.
    pub(crate) fn read(address: &Address, shard: &ShardAccount) -> Result<Option<Self>, CellError> {
        let Some(account) = shard.load_account()? else {
            return Ok(None);
        };
        let status = account.state.status();
        let (code, data, frozen_hash) = match account.state {
            AccountState::Active(state) => (state.code, state.data, None),
            AccountState::Frozen(hash) => (None, None, Some(hash)),
            AccountState::Uninit => (None, None, None),
        };
        Ok(Some(Self {
            address: address.clone(),
            balance: Nanoton::new(account.balance.tokens.into_inner()),
            status,
            code,
            data,
            frozen_hash,
            last_lt: shard.last_trans_lt,
            last_hash: shard.last_trans_hash,
            due: account
                .storage_stat
                .due_payment
                .map_or(Nanoton::ZERO, |due| Nanoton::new(due.into_inner())),
            last_paid: account.storage_stat.last_paid,
            cells: account.storage_stat.used.cells.into_inner(),
            bits: account.storage_stat.used.bits.into_inner(),
        }))
    }
}
