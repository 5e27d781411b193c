//! Blocks: every message from outside starts one, and what it sets off is in it.

use cocoon_emulator::limits::BLOCK_LT;
use cocoon_emulator::{Emulator, TransactionReport};
use serde_json::{Value, json};

use super::params::Params;
use super::transactions::short;
use super::{ApiError, shape};
use crate::limits::MAX_PAGE;

/// `getMasterchainInfo()`.
pub(super) fn masterchain_info(chain: &Emulator) -> Value {
    let last = shape::last_block(chain);
    json!({
        "@type": "blocks.masterchainInfo",
        "last": last,
        "state_root_hash": last.get("root_hash"),
        "init": shape::block_id(-1, 0),
    })
}

/// `shards(seqno)`.
pub(super) fn shards(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let seqno = existing(chain, params)?;
    Ok(json!({ "@type": "blocks.shards", "shards": [shape::block_id(0, seqno)] }))
}

/// `getBlockTransactions(workchain, shard, seqno, count?, after_lt?)`.
pub(super) fn transactions(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    page(chain, params, short, "blocks.transactions")
}

fn page(
    chain: &Emulator,
    params: &Params<'_>,
    show: impl Fn(&TransactionReport) -> Value,
    kind: &str,
) -> Result<Value, ApiError> {
    let workchain = workchain(params)?;
    let seqno = existing(chain, params)?;
    let count = params.number::<usize>("count")?.unwrap_or(MAX_PAGE).min(MAX_PAGE);
    let after = params.number::<u64>("after_lt")?.unwrap_or(0);
    let all = chain.block_transactions(seqno);
    let of_chain = all
        .iter()
        .filter(|report| i32::from(report.address.workchain) == workchain && report.lt > after);
    let mut found: Vec<Value> = of_chain
        .take(count.saturating_add(1))
        .map(|report| show(report))
        .collect();
    let incomplete = found.len() > count;
    found.truncate(count);
    Ok(json!({
        "@type": kind,
        "id": shape::block_id(workchain, seqno),
        "req_count": count,
        "incomplete": incomplete,
        "transactions": found,
    }))
}

/// `getConsensusBlock()`.
pub(super) fn consensus(chain: &Emulator) -> Value {
    json!({ "consensus_block": chain.block(), "timestamp": chain.now() })
}

/// `lookupBlock(workchain, shard, seqno? | lt? | unixtime?)`.
pub(super) fn lookup(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let workchain = workchain(params)?;
    let at_time = |time: u32| {
        let until = chain.all_transactions().iter().take_while(|report| report.now <= time);
        until.last().map(|report| report.block())
    };
    let seqno = match (
        params.number::<u32>("seqno")?,
        params.number::<u64>("lt")?,
        params.number("unixtime")?,
    ) {
        (Some(seqno), _, _) => seqno,
        (None, Some(lt), _) => cocoon_emulator::block_of(lt),
        (None, None, Some(time)) => at_time(time).unwrap_or(1),
        (None, None, None) => return Err(ApiError::params("one of seqno, lt and unixtime must be there")),
    };
    if seqno > chain.block() {
        return Err(ApiError::not_found(format!("block {seqno} is not there yet")));
    }
    Ok(shape::block_id(workchain, seqno))
}

/// `getBlockTransactionsExt(workchain, shard, seqno, count?, after_lt?)`: with the transactions themselves.
pub(super) fn transactions_ext(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    page(chain, params, shape::transaction, "blocks.transactionsExt")
}

/// `getBlockHeader(workchain, shard, seqno)`.
pub(super) fn header(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let workchain = workchain(params)?;
    let seqno = existing(chain, params)?;
    let time = chain.block_time(seqno);
    let start_lt = u64::from(seqno).saturating_mul(BLOCK_LT);
    Ok(json!({
        "@type": "blocks.header",
        "id": shape::block_id(workchain, seqno),
        "gen_utime": time,
        "start_lt": start_lt.to_string(),
        "end_lt": start_lt.saturating_add(BLOCK_LT).saturating_sub(1).to_string(),
        "is_key_block": false,
        "prev_blocks": [shape::block_id(workchain, seqno.saturating_sub(1))],
    }))
}

fn workchain(params: &Params<'_>) -> Result<i32, ApiError> {
    let workchain = params.required_number::<i32>("workchain")?;
    match workchain {
        -1 | 0 => Ok(workchain),
        other => Err(ApiError::not_found(format!("there is no workchain {other}"))),
    }
}

fn existing(chain: &Emulator, params: &Params<'_>) -> Result<u32, ApiError> {
    let seqno = params.required_number::<u32>("seqno")?;
    if seqno > chain.block() {
        return Err(ApiError::not_found(format!("block {seqno} is not there yet")));
    }
    Ok(seqno)
}
