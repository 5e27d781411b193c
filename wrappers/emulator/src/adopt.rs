//! Accounts in and out as other chains hold them: cells with the last transaction beside them.

use cocoon_bindings::ton::{Address, Cell, HashBytes};
use tycho_types::cell::Lazy;
use tycho_types::models::ShardAccount;

use crate::network::NetworkConfig;
use crate::{Emulator, EmulatorError};

impl Emulator {
    /// A chain with one account, as another chain has it at `now` (seconds since 1970): for get methods, and for what a message
    /// would do. `account` is the account's cell, or that of no account.
    pub fn adopt(
        network: &NetworkConfig,
        now: u32,
        address: &Address,
        account: Cell,
        last: (u64, HashBytes),
    ) -> Result<Self, EmulatorError> {
        let mut chain = Self::new(network, now)?;
        let (last_trans_lt, last_trans_hash) = last;
        let account = ShardAccount {
            account: Lazy::from_raw(account).map_err(EmulatorError::cell("account"))?,
            last_trans_hash,
            last_trans_lt,
        };
        account.load_account().map_err(EmulatorError::cell("account"))?;
        chain.state.accounts.insert(address.clone(), account);
        chain.state.lt = chain.state.lt.max(last_trans_lt.saturating_add(1));
        chain.state.start_block();
        Ok(chain)
    }

    /// All accounts that anybody ever wrote to.
    pub fn shard_accounts(&self) -> impl Iterator<Item = (&Address, &ShardAccount)> {
        self.state.accounts.iter()
    }
}
