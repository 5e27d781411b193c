//! The shapes of the server's answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_bindings::ton::{Address, Cell, HashBytes, parse_boc_base64};
use cocoon_bindings::units::Nanoton;
use cocoon_emulator::{AccountStatus, GetterResult};
use serde::Deserialize;
use serde_json::Value;

use super::stack;
use crate::client::{AccountState, Transaction, TransactionId};

/// `getAddressInformation`.
#[derive(Deserialize)]
struct AddressInformation {
    balance: Value,
    state: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    data: String,
    last_transaction_id: Option<TransactionIdShape>,
    #[serde(default)]
    sync_utime: u32,
}

#[derive(Deserialize)]
struct TransactionIdShape {
    lt: Value,
    hash: String,
}

/// `runGetMethod`.
#[derive(Deserialize)]
struct GetMethodResult {
    gas_used: Value,
    exit_code: i32,
    stack: Vec<Value>,
}

/// One of `getTransactions`.
#[derive(Deserialize)]
struct TransactionShape {
    data: String,
    transaction_id: TransactionIdShape,
}

pub(super) fn account(address: &Address, result: Value) -> Result<AccountState, String> {
    let shape: AddressInformation = serde_json::from_value(result).map_err(|error| error.to_string())?;
    let last = shape.last_transaction_id.map(|id| transaction_id(&id)).transpose()?;
    let last = last.filter(|last| last.lt != 0);
    let status = match (shape.state.as_str(), last) {
        ("active", _) => AccountStatus::Active,
        ("frozen", _) => AccountStatus::Frozen,
        ("uninitialized" | "uninit", Some(_)) => AccountStatus::Uninit,
        ("uninitialized" | "uninit" | "nonexist" | "nonexistent", None) => AccountStatus::NotExists,
        (other, _) => return Err(format!("unknown account state {other:?}")),
    };
    Ok(AccountState {
        address: address.clone(),
        balance: balance(&shape.balance)?,
        status,
        code: cell(&shape.code)?,
        data: cell(&shape.data)?,
        last,
        time: shape.sync_utime,
    })
}

pub(super) fn getter(result: Value) -> Result<GetterResult, String> {
    let shape: GetMethodResult = serde_json::from_value(result).map_err(|error| error.to_string())?;
    let gas_used = unsigned(&shape.gas_used)?;
    let stack = shape.stack.iter().map(stack::result).collect::<Result<Vec<_>, _>>();
    // What a failed method left behind does not matter.
    let stack = if matches!(shape.exit_code, 0 | 1) {
        stack?
    } else {
        stack.unwrap_or_default()
    };
    Ok(GetterResult {
        exit_code: shape.exit_code,
        gas_used,
        stack,
    })
}

/// Transactions are taken from their cells alone; each must be of the account, and the first the one asked for.
pub(super) fn transactions(
    address: &Address,
    from: Option<TransactionId>,
    result: Value,
) -> Result<Vec<Transaction>, String> {
    let shapes: Vec<TransactionShape> = serde_json::from_value(result).map_err(|error| error.to_string())?;
    let transactions = shapes
        .iter()
        .map(|shape| transaction(address, shape))
        .collect::<Result<Vec<_>, _>>()?;
    let first = transactions.first().map(TransactionId::from);
    if from.is_some() && first.is_some() && first != from {
        return Err("the first transaction is not the one asked for".to_owned());
    }
    Ok(transactions)
}

fn transaction(address: &Address, shape: &TransactionShape) -> Result<Transaction, String> {
    let cell = parse_boc_base64(&shape.data).map_err(|error| error.to_string())?;
    let transaction = Transaction::from_cell(address.workchain, cell).map_err(|error| error.to_string())?;
    if transaction.address != *address {
        return Err("a transaction of another account".to_owned());
    }
    if TransactionId::from(&transaction) != transaction_id(&shape.transaction_id)? {
        return Err("a transaction does not have the hash given for it".to_owned());
    }
    Ok(transaction)
}

fn transaction_id(shape: &TransactionIdShape) -> Result<TransactionId, String> {
    let bytes = STANDARD.decode(&shape.hash).map_err(|error| format!("hash: {error}"))?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| "a hash is not 32 bytes".to_owned())?;
    Ok(TransactionId {
        lt: unsigned(&shape.lt)?,
        hash: HashBytes(bytes),
    })
}

/// A hash as the API writes it.
pub(super) fn hash_text(hash: &HashBytes) -> String {
    STANDARD.encode(hash.as_array())
}

fn cell(text: &str) -> Result<Option<Cell>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    parse_boc_base64(text).map(Some).map_err(|error| error.to_string())
}

/// Servers write numbers as numbers or as text.
fn unsigned(value: &Value) -> Result<u64, String> {
    let number = match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    number.ok_or_else(|| format!("{value} is not an unsigned number"))
}

/// A balance; servers write −1 for accounts that do not exist.
fn balance(value: &Value) -> Result<Nanoton, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => return Err(format!("{other} is not a balance")),
    };
    if text == "-1" {
        return Ok(Nanoton::ZERO);
    }
    let amount = text
        .parse::<u128>()
        .ok()
        .map(Nanoton::new)
        .filter(|amount| *amount <= Nanoton::MAX);
    amount.ok_or_else(|| format!("{text:?} is not a balance"))
}

/// Whether a server's words say that the contract did not take the message.
pub(super) fn is_refusal(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    [
        "external message was not accepted",
        "cannot apply external message",
        "rejected by transaction",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// The exit code in a server's words: `… exitcode=33, …`.
pub(super) fn exit_code(message: &str) -> Option<i32> {
    let (_, rest) = message.split_once("exitcode=")?;
    let end = rest
        .find(|c: char| c != '-' && !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_exit_code_is_found_in_a_servers_words() {
        let words = "LITE_SERVER_UNKNOWN: cannot apply external message to current state : \
                     inbound external message rejected by transaction AB:\nexitcode=1032, steps=47, gas_used=0";
        assert!(is_refusal(words));
        assert_eq!(exit_code(words), Some(1032));
        assert_eq!(exit_code("exitcode=-14"), Some(-14));
        assert_eq!(exit_code("nothing"), None);
        assert!(!is_refusal("Ratelimit exceed"));
    }

    #[test]
    fn an_account_that_does_not_exist_is_read() {
        let address = Address::new(0, HashBytes([1; 32]));
        let answer = json!({
            "balance": "-1", "state": "uninitialized", "code": "", "data": "", "sync_utime": 7,
            "last_transaction_id": { "lt": "0", "hash": STANDARD.encode([0; 32]) },
        });
        let account = account(&address, answer).unwrap();
        assert_eq!(
            (account.status, account.balance, account.last),
            (AccountStatus::NotExists, Nanoton::ZERO, None)
        );
    }

    #[test]
    fn nonsense_is_an_error() {
        let address = Address::new(0, HashBytes([1; 32]));
        for answer in [
            json!(null),
            json!({}),
            json!({ "balance": {}, "state": "active" }),
            json!([1]),
        ] {
            assert!(account(&address, answer.clone()).is_err());
            assert!(getter(answer.clone()).is_err());
            assert!(transactions(&address, None, answer).is_err());
        }
    }
}
