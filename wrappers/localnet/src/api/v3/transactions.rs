//! Transactions, found by account, block, time or message.

use cocoon_emulator::{Emulator, Message, TransactionReport};
use serde_json::{Value, json};

use super::super::ApiError;
use super::super::params::Params;
use super::find::{self, Page, Span};
use super::shape;

/// `transactions(account[]?, exclude_account[]?, workchain?, shard?, seqno?, mc_seqno?, hash?, lt?, start_…, end_…, limit,
/// offset, sort)`.
pub(super) fn page(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let accounts = find::addresses(params, "account")?;
    let excluded = find::addresses(params, "exclude_account")?;
    let (hash, lt) = (params.hash("hash")?, params.number::<u64>("lt")?);
    let workchain = params.number::<i32>("workchain")?;
    let block = match params.number::<u32>("seqno")? {
        Some(seqno) => Some(seqno),
        None => params.number::<u32>("mc_seqno")?,
    };
    let span = Span::of(params)?;
    let all = chain.all_transactions().iter().filter(|report| {
        (accounts.is_empty() || accounts.contains(&report.address))
            && !excluded.contains(&report.address)
            && find::matches(hash.as_ref(), &report.hash)
            && lt.is_none_or(|lt| lt == report.lt)
            && workchain.is_none_or(|workchain| workchain == i32::from(report.address.workchain))
            && block.is_none_or(|block| block == report.block())
            && span.holds(report)
    });
    Ok(list(Page::of(params)?.cut(all).into_iter().map(AsRef::as_ref)))
}

/// `transactionsByMasterchainBlock(seqno, limit, offset, sort)`.
pub(super) fn by_block(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let seqno = params.required_number::<u32>("seqno")?;
    let all = chain.block_transactions(seqno).iter();
    Ok(list(Page::of(params)?.cut(all).into_iter().map(AsRef::as_ref)))
}

/// `transactionsByMessage(msg_hash?, body_hash?, opcode?, direction?, limit, offset)`.
pub(super) fn by_message(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let (hash, body) = (params.hash("msg_hash")?, params.hash("body_hash")?);
    let opcode = find::opcode(params)?;
    if hash.is_none() && body.is_none() && opcode.is_none() {
        return Err(ApiError::params("one of msg_hash, body_hash and opcode must be there"));
    }
    let direction = direction(params)?;
    let fits = |message: &Message| {
        find::is_message(hash.as_ref(), message)
            && find::matches(body.as_ref(), message.body.repr_hash())
            && opcode.is_none_or(|opcode| message.body().load_u32().ok() == Some(opcode))
    };
    let all = chain.all_transactions().iter().filter(|report| {
        let received = direction != Some("out") && report.in_msg.as_ref().is_some_and(fits);
        received || (direction != Some("in") && report.out_msgs.iter().any(fits))
    });
    Ok(list(Page::of(params)?.cut(all).into_iter().map(AsRef::as_ref)))
}

/// `in`, `out`, or both.
pub(super) fn direction<'a>(params: &Params<'a>) -> Result<Option<&'a str>, ApiError> {
    match params.value("direction").map(Value::as_str) {
        None => Ok(None),
        Some(Some(direction @ ("in" | "out"))) => Ok(Some(direction)),
        Some(_) => Err(ApiError::params("direction is in or out")),
    }
}

fn list<'a>(reports: impl Iterator<Item = &'a TransactionReport>) -> Value {
    let transactions: Vec<_> = reports.map(shape::transaction).collect();
    json!({ "transactions": transactions, "address_book": {} })
}
