//! Accounts.

use cocoon_bindings::ton::{Address, HashBytes, StackValue, boc_base64};
use cocoon_emulator::{AccountStatus, AccountView, Emulator};
use serde_json::{Value, json};

use super::super::ApiError;
use super::super::accounts::wallet_type;
use super::super::params::Params;
use super::super::shape::hash;
use super::{find, shape};

/// `accountStates(address[], include_boc?)`.
pub(super) fn states(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let addresses = find::addresses(params, "address")?;
    if addresses.is_empty() {
        return Err(ApiError::params("address is missing"));
    }
    let with_boc = params.value("include_boc").is_none() || params.flag("include_boc")?;
    let accounts = addresses.iter().map(|address| {
        let account = chain.account(address)?;
        Ok(state(address, account.as_ref(), with_boc))
    });
    let accounts = accounts.collect::<Result<Vec<_>, ApiError>>()?;
    Ok(json!({ "accounts": accounts, "address_book": {}, "metadata": {} }))
}

fn state(address: &Address, account: Option<&AccountView>, with_boc: bool) -> Value {
    let Last {
        balance,
        lt,
        last,
        status,
    } = Last::of(account);
    let (code, data) = (
        account.and_then(|account| account.code.as_ref()),
        account.and_then(|account| account.data.as_ref()),
    );
    let boc = |cell: Option<&_>| cell.filter(|_| with_boc).map(boc_base64);
    json!({
        "address": shape::address(address),
        "balance": balance,
        "extra_currencies": {},
        "status": status,
        "last_transaction_hash": last,
        "last_transaction_lt": lt,
        "code_hash": code.map(|cell| hash(cell.repr_hash())),
        "data_hash": data.map(|cell| hash(cell.repr_hash())),
        "code_boc": boc(code),
        "data_boc": boc(data),
        "frozen_hash": account.and_then(|account| account.frozen_hash.as_ref()).map(hash),
    })
}

/// `addressInformation(address)`.
pub(super) fn information(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let account = chain.account(&params.address("address")?)?;
    let Last {
        balance,
        lt,
        last,
        status,
    } = Last::of(account.as_ref());
    let cell = |cell: Option<&_>| cell.map(boc_base64).unwrap_or_default();
    Ok(json!({
        "balance": balance,
        "code": cell(account.as_ref().and_then(|account| account.code.as_ref())),
        "data": cell(account.as_ref().and_then(|account| account.data.as_ref())),
        "frozen_hash": account.as_ref().and_then(|account| account.frozen_hash.as_ref()).map(hash),
        "last_transaction_hash": last,
        "last_transaction_lt": lt,
        "status": status,
    }))
}

/// `walletInformation(address)`: what a wallet says of itself, as far as it has the usual get methods.
pub(super) fn wallet(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let address = params.address("address")?;
    let account = chain.account(&address)?;
    let Last {
        balance,
        lt,
        last,
        status,
    } = Last::of(account.as_ref());
    let number = |method: &str| {
        let result = chain.get(&address, method, Vec::new()).ok()?;
        match result.stack.first() {
            Some(StackValue::Int(number)) if result.success() => number.to_string().parse::<u64>().ok(),
            _ => None,
        }
    };
    Ok(json!({
        "balance": balance,
        "wallet_type": wallet_type(account.as_ref()),
        "seqno": number("seqno"),
        "wallet_id": number("get_subwallet_id"),
        "last_transaction_hash": last,
        "last_transaction_lt": lt,
        "status": status,
    }))
}

/// What every route tells of an account.
struct Last {
    balance: String,
    lt: String,
    last: String,
    status: &'static str,
}

impl Last {
    fn of(account: Option<&AccountView>) -> Self {
        Self {
            balance: account.map_or("0".to_owned(), |account| account.balance.get().to_string()),
            lt: account.map_or(0, |account| account.last_lt).to_string(),
            last: hash(&account.map_or(HashBytes::ZERO, |account| account.last_hash)),
            status: shape::status(account.map_or(AccountStatus::NotExists, |account| account.status)),
        }
    }
}
