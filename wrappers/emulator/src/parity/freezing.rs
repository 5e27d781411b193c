//! The transaction in which an account is frozen.
//!
//! In the reference node an account that cannot pay for its storage is frozen before its code could run: the message
//! finds an account without state. The executor notes the freezing and runs the code all the same, so such a
//! transaction is run a second time on the account as it is after the freezing.

use cocoon_bindings::ton::{Cell, CellBuilder, CellError, HashBytes, IntAddr};
use tycho_types::cell::Lazy;
use tycho_types::models::{
    Account, AccountState, AccountStatus, AccountStatusChange, ShardAccount, StorageUsed, Transaction, TxInfo,
};
use tycho_types::num::VarUint56;

/// Whether a transaction froze an account that was active before.
pub(crate) fn froze(transaction: &Transaction) -> Result<bool, CellError> {
    let TxInfo::Ordinary(info) = transaction.load_info()? else {
        return Ok(false);
    };
    let change = info.storage_phase.map(|phase| phase.status_change);
    Ok(transaction.orig_status == AccountStatus::Active && change == Some(AccountStatusChange::Frozen))
}

/// The account as if it had been frozen just before, with the storage fees of the state that it had. The hash is not
/// that of its state: the message that freezes an account cannot bring it back.
pub(crate) fn frozen(before: &ShardAccount) -> Result<ShardAccount, CellError> {
    let mut optional = before.account.load()?;
    if let Some(account) = &mut optional.0 {
        account.state = AccountState::Frozen(HashBytes::ZERO);
    }
    Ok(ShardAccount {
        account: Lazy::new(&optional)?,
        ..before.clone()
    })
}

/// Writes into the second run's transaction that it froze the account.
pub(super) fn tell(transaction: &mut Transaction, change: &mut AccountStatusChange) {
    transaction.orig_status = AccountStatus::Active;
    *change = AccountStatusChange::Frozen;
}

/// Gives the frozen account the hash of the state that it had. An account that still had its first state counts as not
/// deployed yet. Of either only the root cell is stored; the second run counts the cells that there were before.
pub(super) fn keep_the_hash(before: &ShardAccount, account: &mut Account) -> Result<(), CellError> {
    if let Some(before) = before.load_account()?
        && let AccountState::Active(state) = &before.state
    {
        let hash = *CellBuilder::build_from(state)?.repr_hash();
        let first = matches!(&account.address, IntAddr::Std(address) if address.address == hash);
        account.state = if first {
            AccountState::Uninit
        } else {
            AccountState::Frozen(hash)
        };
    }
    let root: Cell = CellBuilder::build_from((account.last_trans_lt, &account.balance, &account.state))?;
    account.storage_stat.used = StorageUsed {
        cells: VarUint56::new(1),
        bits: VarUint56::new(u64::from(root.bit_len())),
    };
    Ok(())
}
