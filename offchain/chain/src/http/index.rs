//! The shapes of version 3.

use cocoon_bindings::ton::{Address, StackValue, boc_base64, parse_address};
use cocoon_bindings::units::Nanoton;
use cocoon_emulator::{AccountStatus, GetterResult};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{shape, stack};
use crate::client::{AccountState, ChainHead, TransactionId};
use crate::limits::MAX_STACK_DEPTH;

/// `accountStates`.
#[derive(Deserialize)]
struct AccountStates {
    accounts: Vec<AccountShape>,
}

#[derive(Deserialize)]
struct AccountShape {
    address: String,
    balance: Value,
    status: String,
    last_transaction_lt: Option<Value>,
    last_transaction_hash: Option<String>,
    code_boc: Option<String>,
    data_boc: Option<String>,
}

/// `masterchainInfo`.
#[derive(Deserialize)]
struct MasterchainInfo {
    last: BlockShape,
}

#[derive(Deserialize)]
struct BlockShape {
    seqno: u32,
    gen_utime: Value,
}

/// `runGetMethod`.
#[derive(Deserialize)]
struct GetMethodResult {
    gas_used: Value,
    exit_code: i32,
    stack: Vec<Value>,
}

/// The state of one account; the index says nothing of one that nobody ever wrote to.
pub(super) fn account(address: &Address, time: u32, result: Value) -> Result<AccountState, String> {
    let shape: AccountStates = serde_json::from_value(result).map_err(|error| error.to_string())?;
    let mut found = None;
    for account in shape.accounts {
        if parse_address(&account.address).map_err(|error| error.to_string())? != *address || found.is_some() {
            return Err("an account that was not asked for".to_owned());
        }
        found = Some(account);
    }
    let Some(account) = found else {
        return Ok(AccountState {
            address: address.clone(),
            balance: Nanoton::ZERO,
            status: AccountStatus::NotExists,
            code: None,
            data: None,
            last: None,
            time,
        });
    };
    let last = match (&account.last_transaction_lt, &account.last_transaction_hash) {
        (Some(lt), Some(hash)) if shape::unsigned(lt)? != 0 => Some(TransactionId {
            lt: shape::unsigned(lt)?,
            hash: shape::hash(hash)?,
        }),
        _ => None,
    };
    let status = match (account.status.as_str(), last) {
        ("active", _) => AccountStatus::Active,
        ("frozen", _) => AccountStatus::Frozen,
        ("uninit", Some(_)) => AccountStatus::Uninit,
        ("uninit" | "nonexist", None) => AccountStatus::NotExists,
        (other, _) => return Err(format!("unknown account state {other:?}")),
    };
    let cell = |boc: Option<String>| shape::cell(boc.as_deref().unwrap_or_default());
    let (code, data) = (cell(account.code_boc)?, cell(account.data_boc)?);
    if status == AccountStatus::Active && code.is_none() {
        return Err("an active account without its code".to_owned());
    }
    Ok(AccountState {
        address: address.clone(),
        balance: shape::balance(&account.balance)?,
        status,
        code,
        data,
        last,
        time,
    })
}

/// The last block of the masterchain that is in the index.
pub(super) fn head(result: &Value) -> Result<ChainHead, String> {
    let last = MasterchainInfo::deserialize(result)
        .map_err(|error| error.to_string())?
        .last;
    let time = u32::try_from(shape::unsigned(&last.gen_utime)?).map_err(|error| error.to_string())?;
    Ok(ChainHead {
        seqno: Some(last.seqno),
        time,
    })
}

/// An argument of a get method.
pub(super) fn argument(value: &StackValue) -> Result<Value, String> {
    let (kind, value) = match value {
        StackValue::Int(number) => ("num", stack::hex(number)),
        StackValue::Cell(cell) => ("cell", boc_base64(cell)),
        StackValue::Slice(cell) => ("slice", boc_base64(cell)),
        StackValue::Null | StackValue::Tuple(_) => {
            return Err(format!("servers take no {} as an argument", value.kind()));
        }
    };
    Ok(json!({ "type": kind, "value": value }))
}

pub(super) fn getter(result: &Value) -> Result<GetterResult, String> {
    let shape = GetMethodResult::deserialize(result).map_err(|error| error.to_string())?;
    let stack = shape
        .stack
        .iter()
        .map(|entry| value(entry, 0))
        .collect::<Result<Vec<_>, _>>();
    // What a failed method left behind does not matter.
    let stack = if matches!(shape.exit_code, 0 | 1) {
        stack?
    } else {
        stack.unwrap_or_default()
    };
    Ok(GetterResult {
        exit_code: shape.exit_code,
        gas_used: shape::unsigned(&shape.gas_used)?,
        stack,
    })
}

/// A value of a get method's result: `{type, value}`, the same at every depth.
fn value(entry: &Value, depth: usize) -> Result<StackValue, String> {
    if depth > MAX_STACK_DEPTH {
        return Err("tuples nest too deep".to_owned());
    }
    let kind = entry
        .get("type")
        .and_then(Value::as_str)
        .ok_or("a stack entry has no type")?;
    let content = entry.get("value").unwrap_or(&Value::Null);
    let elements = || {
        let elements = content.as_array().ok_or("a tuple has no elements")?;
        elements
            .iter()
            .map(|element| value(element, depth + 1))
            .collect::<Result<Vec<_>, String>>()
    };
    match kind {
        "num" => stack::number(content).map(StackValue::Int),
        "cell" => stack::cell(content).map(StackValue::Cell),
        "slice" => stack::cell(content).map(StackValue::Slice),
        "null" => Ok(StackValue::Null),
        "tuple" => elements().map(StackValue::Tuple),
        "list" if content.is_null() => Ok(StackValue::Null),
        "list" => elements().map(stack::list),
        other => Err(format!("unknown stack entry type {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cocoon_bindings::ton::HashBytes;

    const SOMEBODY: Address = Address::new(0, HashBytes([1; 32]));

    #[test]
    fn an_account_that_the_index_does_not_know_does_not_exist() {
        let state = account(&SOMEBODY, 7, json!({ "accounts": [] })).unwrap();
        assert_eq!(
            (state.status, state.time, state.last),
            (AccountStatus::NotExists, 7, None)
        );
    }

    #[test]
    fn an_answer_about_another_account_is_refused() {
        let other = Address::new(0, HashBytes([2; 32]));
        let one = |address: &Address| json!({ "address": address.to_string(), "balance": "1", "status": "nonexist" });
        assert!(account(&SOMEBODY, 7, json!({ "accounts": [one(&SOMEBODY)] })).is_ok());
        for accounts in [vec![one(&other)], vec![one(&SOMEBODY), one(&SOMEBODY)]] {
            assert!(account(&SOMEBODY, 7, json!({ "accounts": accounts })).is_err());
        }
    }

    #[test]
    fn an_active_account_must_come_with_its_code() {
        let active = json!({ "address": SOMEBODY.to_string(), "balance": "1", "status": "active" });
        assert!(account(&SOMEBODY, 7, json!({ "accounts": [active] })).is_err());
    }

    #[test]
    fn values_of_a_stack_are_read_at_every_depth() {
        let number = |text: &str| json!({ "type": "num", "value": text });
        let list = json!({ "type": "list", "value": [number("0x1"), { "type": "tuple", "value": [number("-0x2")] }] });
        let expected = StackValue::Tuple(vec![
            StackValue::int(1),
            StackValue::Tuple(vec![StackValue::Tuple(vec![StackValue::int(-2)]), StackValue::Null]),
        ]);
        assert_eq!(value(&list, 0).unwrap(), expected);
        let mut deep = number("1");
        for _ in 0..=MAX_STACK_DEPTH {
            deep = json!({ "type": "tuple", "value": [deep] });
        }
        assert!(value(&deep, 0).is_err());
    }

    #[test]
    fn nonsense_is_an_error() {
        for answer in [
            json!({}),
            json!({ "last": 1 }),
            json!({ "accounts": 7 }),
            json!({ "stack": [] }),
        ] {
            assert!(account(&SOMEBODY, 7, answer.clone()).is_err());
            assert!(getter(&answer).is_err() && head(&answer).is_err());
        }
    }
}
