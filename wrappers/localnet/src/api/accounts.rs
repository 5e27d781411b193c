//! Accounts.

use cocoon_bindings::ton::{Address, HashBytes, boc_base64};
use cocoon_emulator::{AccountStatus, AccountView, Emulator};
use serde_json::{Value, json};

use super::params::Params;
use super::{ApiError, shape};

/// `getAddressInformation(address)`.
pub(super) fn information(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let account = account(chain, &params.address("address")?)?;
    let cell = |cell: Option<&_>| cell.map(boc_base64).unwrap_or_default();
    let last = account
        .as_ref()
        .map(|account| (account.last_lt, account.last_hash))
        .unwrap_or((0, HashBytes::ZERO));
    Ok(json!({
        "@type": "raw.fullAccountState",
        "balance": account.as_ref().map_or("0".to_owned(), |account| account.balance.get().to_string()),
        "extra_currencies": [],
        "code": cell(account.as_ref().and_then(|account| account.code.as_ref())),
        "data": cell(account.as_ref().and_then(|account| account.data.as_ref())),
        "last_transaction_id": shape::transaction_id(last.0, &last.1),
        "block_id": shape::last_block(chain),
        "frozen_hash": account.as_ref().and_then(|a| a.frozen_hash.as_ref()).map(shape::hash).unwrap_or_default(),
        "sync_utime": chain.now(),
        "state": status(account.as_ref()),
    }))
}

/// `getAddressBalance(address)`.
pub(super) fn balance(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let account = account(chain, &params.address("address")?)?;
    Ok(json!(
        account.map_or("0".to_owned(), |account| account.balance.get().to_string())
    ))
}

/// `getAddressState(address)`.
pub(super) fn state(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    Ok(json!(status(account(chain, &params.address("address")?)?.as_ref())))
}

fn account(chain: &Emulator, address: &Address) -> Result<Option<AccountView>, ApiError> {
    Ok(chain.account(address)?)
}

fn status(account: Option<&AccountView>) -> &'static str {
    match account.map(|account| account.status) {
        Some(AccountStatus::Active) => "active",
        Some(AccountStatus::Frozen) => "frozen",
        Some(AccountStatus::Uninit | AccountStatus::NotExists) | None => "uninitialized",
    }
}
