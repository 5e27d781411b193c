//! The shapes of the server's answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_bindings::ton::{Address, Cell, HashBytes, boc_base64, parse_boc_base64};
use cocoon_bindings::units::Nanoton;
use cocoon_emulator::{AccountStatus, GetterResult, Message};
use serde::Deserialize;
use serde_json::{Value, json};

use super::stack;
use crate::client::{AccountState, ChainHead, Transaction, TransactionId};

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

/// What of `getAddressInformation` tells how far the server is.
#[derive(Deserialize)]
struct Synchronized {
    sync_utime: u32,
    block_id: Option<BlockShape>,
}

#[derive(Deserialize)]
struct BlockShape {
    seqno: u32,
}

/// `estimateFee`.
#[derive(Deserialize)]
struct FeesResult {
    source_fees: FeesShape,
}

#[derive(Deserialize)]
struct FeesShape {
    in_fwd_fee: u64,
    storage_fee: u64,
    gas_fee: u64,
    fwd_fee: u64,
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

/// How far the server is, from its answer about any account.
pub(super) fn head(result: &Value) -> Result<ChainHead, String> {
    let shape = Synchronized::deserialize(result).map_err(|error| error.to_string())?;
    if shape.sync_utime == 0 {
        return Err("it has no time".to_owned());
    }
    Ok(ChainHead {
        seqno: shape.block_id.map(|block| block.seqno),
        time: shape.sync_utime,
    })
}

/// The logical time of the account's last transaction in an answer to `runGetMethod`, if it is there.
pub(super) fn last_lt(result: &Value) -> Option<u64> {
    let lt = result.get("last_transaction_id")?.get("lt")?;
    unsigned(lt).ok().filter(|lt| *lt != 0)
}

/// What `estimateFee` of both versions takes.
pub(super) fn fee_question(message: &Cell) -> Result<Value, String> {
    let read = Message::from_cell(message.clone()).map_err(|error| error.to_string())?;
    let to = read.destination.as_ref().ok_or("the message has no destination")?;
    let mut question = json!({
        "address": to.to_string(),
        "body": boc_base64(&read.body),
        "init_code": "",
        "init_data": "",
        "ignore_chksig": false,
    });
    if let (Some(state), Some(fields)) = (&read.state_init, question.as_object_mut()) {
        let (code, data) = code_and_data(state).ok_or("the message deploys in a way that servers take no fees for")?;
        fields.insert("init_code".to_owned(), json!(boc_base64(&code)));
        fields.insert("init_data".to_owned(), json!(boc_base64(&data)));
    }
    Ok(question)
}

/// Code and data of an ordinary state init: no split depth, not special, no libraries.
fn code_and_data(state: &Cell) -> Option<(Cell, Cell)> {
    let mut slice = state.as_ref().as_slice().ok()?;
    let ordinary = slice.load_uint(5).ok()? == 0b00110;
    let (code, data) = (slice.load_reference_cloned().ok()?, slice.load_reference_cloned().ok()?);
    (ordinary && slice.is_empty()).then_some((code, data))
}

/// All fees of the account that the message goes to.
pub(super) fn fees(result: &Value) -> Result<Nanoton, String> {
    let FeesShape {
        in_fwd_fee,
        storage_fee,
        gas_fee,
        fwd_fee,
    } = FeesResult::deserialize(result)
        .map_err(|error| error.to_string())?
        .source_fees;
    let parts = [in_fwd_fee, storage_fee, gas_fee, fwd_fee].map(u128::from);
    let total = parts.into_iter().try_fold(0u128, u128::checked_add);
    let total = total.map(Nanoton::new).filter(|total| *total <= Nanoton::MAX);
    total.ok_or_else(|| "the fees exceed all coins".to_owned())
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
    Ok(TransactionId {
        lt: unsigned(&shape.lt)?,
        hash: hash(&shape.hash)?,
    })
}

/// A hash in base64.
pub(super) fn hash(text: &str) -> Result<HashBytes, String> {
    let bytes = STANDARD.decode(text).map_err(|error| format!("hash: {error}"))?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| "a hash is not 32 bytes".to_owned())?;
    Ok(HashBytes(bytes))
}

/// A hash as the API writes it.
pub(super) fn hash_text(hash: &HashBytes) -> String {
    STANDARD.encode(hash.as_array())
}

pub(super) fn cell(text: &str) -> Result<Option<Cell>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    parse_boc_base64(text).map(Some).map_err(|error| error.to_string())
}

/// Servers write numbers as numbers or as text.
pub(super) fn unsigned(value: &Value) -> Result<u64, String> {
    let number = match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    number.ok_or_else(|| format!("{value} is not an unsigned number"))
}

/// A balance; servers write −1 for accounts that do not exist.
pub(super) fn balance(value: &Value) -> Result<Nanoton, String> {
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
pub(crate) fn is_refusal(message: &str) -> bool {
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
pub(crate) fn exit_code(message: &str) -> Option<i32> {
    let (_, rest) = message.split_once("exitcode=")?;
    let end = rest
        .find(|c: char| c != '-' && !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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
