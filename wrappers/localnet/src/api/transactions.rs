//! History.

use cocoon_emulator::{Emulator, MessageKind};
use serde_json::{Value, json};

use super::params::Params;
use super::{ApiError, shape};
use crate::limits::{DEFAULT_PAGE, MAX_PAGE};

/// `getTransactions(address, limit, lt?, hash?, to_lt?)`: newest first, starting with the one named.
pub(super) fn page(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let address = params.address("address")?;
    let limit = params.number::<usize>("limit")?.unwrap_or(DEFAULT_PAGE).min(MAX_PAGE);
    let from = match (params.number::<u64>("lt")?, params.hash("hash")?) {
        (Some(lt), Some(hash)) => Some((lt, hash)),
        (None, None) => None,
        _ => return Err(ApiError::params("lt and hash go together")),
    };
    let to_lt = params.number::<u64>("to_lt")?.unwrap_or(0);
    let found = chain.transactions_from(&address, from, limit);
    if found.is_empty() && from.is_some() && limit > 0 {
        return Err(ApiError {
            code: 500,
            message: "LITE_SERVER_UNKNOWN: cannot locate transaction in block with specified logical time".to_owned(),
        });
    }
    let newer = found.iter().take_while(|report| report.lt > to_lt);
    Ok(Value::Array(newer.map(|report| shape::transaction(report)).collect()))
}

/// `tryLocateResultTx(source, destination, created_lt)`: the transaction that received a message.
pub(super) fn locate_result(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let (source, destination) = (params.address("source")?, params.address("destination")?);
    let created_lt = params.required_number::<u64>("created_lt")?;
    let history = chain.transactions(&destination);
    let found = history.iter().find(|report| {
        report.in_msg.as_ref().is_some_and(|message| {
            message.kind == MessageKind::Internal
                && message.source.as_ref() == Some(&source)
                && message.created_lt == created_lt
        })
    });
    found
        .map(|report| shape::transaction(report))
        .ok_or_else(|| ApiError::not_found("no such message arrived"))
}

/// `tryLocateSourceTx(source, destination, created_lt)`: the transaction that sent a message.
pub(super) fn locate_source(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let (source, destination) = (params.address("source")?, params.address("destination")?);
    let created_lt = params.required_number::<u64>("created_lt")?;
    let history = chain.transactions(&source);
    let found = history.iter().find(|report| {
        let sent = |message: &cocoon_emulator::Message| {
            message.destination.as_ref() == Some(&destination) && message.created_lt == created_lt
        };
        report.out_msgs.iter().any(sent)
    });
    found
        .map(|report| shape::transaction(report))
        .ok_or_else(|| ApiError::not_found("no such message was sent"))
}

/// A transaction in the list of a block.
pub(super) fn short(report: &cocoon_emulator::TransactionReport) -> Value {
    json!({
        "@type": "blocks.shortTxId",
        "mode": 135,
        "account": report.address.to_string(),
        "lt": report.lt.to_string(),
        "hash": shape::hash(&report.hash),
    })
}
