//! Accounts.

use cocoon_bindings::ton::{Address, HashBytes, StackValue, boc_base64};
use cocoon_bindings::wallets::WalletKind;
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

/// `getExtendedAddressInformation(address)`: the same, with the state as one object.
pub(super) fn extended(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let address = params.address("address")?;
    let account = account(chain, &address)?;
    let cell = |cell: Option<&_>| cell.map(boc_base64).unwrap_or_default();
    let state = match &account {
        Some(account) if account.is_active() => json!({
            "@type": "raw.accountState",
            "code": cell(account.code.as_ref()),
            "data": cell(account.data.as_ref()),
            "frozen_hash": "",
        }),
        account => json!({
            "@type": "uninited.accountState",
            "frozen_hash": account.as_ref().and_then(|a| a.frozen_hash.as_ref()).map(shape::hash).unwrap_or_default(),
        }),
    };
    let last = account
        .as_ref()
        .map_or((0, HashBytes::ZERO), |account| (account.last_lt, account.last_hash));
    Ok(json!({
        "@type": "fullAccountState",
        "address": { "@type": "accountAddress", "account_address": shape::address(&address) },
        "balance": account.as_ref().map_or("-1".to_owned(), |account| account.balance.get().to_string()),
        "extra_currencies": [],
        "last_transaction_id": shape::transaction_id(last.0, &last.1),
        "block_id": shape::last_block(chain),
        "sync_utime": chain.now(),
        "account_state": state,
        "revision": 0,
    }))
}

/// `getWalletInformation(address)`: what a wallet says of itself, as far as it has the usual get methods.
pub(super) fn wallet(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let address = params.address("address")?;
    let account = account(chain, &address)?;
    let number = |method: &str| {
        let result = chain.get(&address, method, Vec::new()).ok()?;
        match result.stack.first() {
            Some(StackValue::Int(number)) if result.success() => number.to_string().parse::<u64>().ok(),
            _ => None,
        }
    };
    let seqno = number("seqno");
    let last = account
        .as_ref()
        .map_or((0, HashBytes::ZERO), |account| (account.last_lt, account.last_hash));
    Ok(json!({
        "wallet": seqno.is_some(),
        "wallet_type": wallet_type(account.as_ref()),
        "balance": account.as_ref().map_or("0".to_owned(), |account| account.balance.get().to_string()),
        "account_state": status(account.as_ref()),
        "seqno": seqno,
        "wallet_id": number("get_subwallet_id"),
        "last_transaction_id": shape::transaction_id(last.0, &last.1),
    }))
}

/// How public servers call a wallet's kind, by its code.
pub(super) fn wallet_type(account: Option<&AccountView>) -> Option<&'static str> {
    let code = account?.code.as_ref()?;
    let is = |kind: WalletKind| kind.code().is_ok_and(|known| known.repr_hash() == code.repr_hash());
    let known = [(WalletKind::V4r2, "wallet v4 r2"), (WalletKind::V5r1, "wallet v5 r1")];
    known.into_iter().find(|(kind, _)| is(*kind)).map(|(_, name)| name)
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
