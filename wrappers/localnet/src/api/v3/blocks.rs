//! Blocks.

use cocoon_emulator::Emulator;
use cocoon_emulator::limits::BLOCK_LT;
use serde_json::{Value, json};

use super::super::params::Params;
use super::super::{ApiError, shape as common};
use super::find::{Page, Span};
use super::shape::WHOLE_SHARD;

/// `masterchainInfo()`.
pub(super) fn masterchain_info(chain: &Emulator) -> Value {
    let mut last = block(chain, -1, chain.block());
    // Time goes on while nothing happens.
    if let Some(time) = last.get_mut("gen_utime") {
        *time = json!(chain.now().to_string());
    }
    json!({ "last": last, "first": block(chain, -1, 1) })
}

/// `blocks(workchain?, shard?, seqno?, start_utime?, end_utime?, start_lt?, end_lt?, limit, offset, sort)`.
pub(super) fn page(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let (workchain, seqno) = (params.number::<i32>("workchain")?, params.number::<u32>("seqno")?);
    if let Some(shard) = params.value("shard").and_then(Value::as_str)
        && !shard.eq_ignore_ascii_case(WHOLE_SHARD)
        && shard != common::WHOLE_SHARD.to_string()
    {
        return Err(ApiError::not_found("there is one shard only"));
    }
    let workchains: Vec<i32> = [-1, 0]
        .into_iter()
        .filter(|known| workchain.is_none_or(|w| w == *known))
        .collect();
    let bounded = ["start_utime", "end_utime", "start_lt", "end_lt"]
        .iter()
        .any(|name| params.value(name).is_some());
    let span = Span::of(params)?;
    let seqnos = (1..=chain.block()).filter(|number| seqno.is_none_or(|wanted| wanted == *number));
    let all = seqnos.filter(|number| {
        let transactions = chain.block_transactions(*number);
        let start_lt = u64::from(*number).saturating_mul(BLOCK_LT);
        match transactions {
            _ if !bounded => true,
            [] => span.holds_moment(chain.block_time(*number), start_lt),
            held => held.iter().any(|report| span.holds(report)),
        }
    });
    let all: Vec<(i32, u32)> = all
        .flat_map(|number| workchains.iter().map(move |w| (*w, number)))
        .collect();
    let found = Page::of(params)?.cut(all.into_iter());
    let blocks: Vec<_> = found
        .into_iter()
        .map(|(workchain, seqno)| block(chain, workchain, seqno))
        .collect();
    Ok(json!({ "blocks": blocks }))
}

fn block(chain: &Emulator, workchain: i32, seqno: u32) -> Value {
    let id = common::block_id(workchain, seqno);
    let transactions = chain.block_transactions(seqno);
    let of_chain =
        |report: &&std::sync::Arc<cocoon_emulator::TransactionReport>| i32::from(report.address.workchain) == workchain;
    let count = transactions.iter().filter(of_chain).count();
    let time = chain.block_time(seqno);
    let start_lt = u64::from(seqno).saturating_mul(BLOCK_LT);
    let reference =
        |workchain: i32, seqno: u32| json!({ "workchain": workchain, "shard": WHOLE_SHARD, "seqno": seqno });
    let previous = (seqno > 1).then(|| reference(workchain, seqno.saturating_sub(1)));
    json!({
        "workchain": workchain,
        "shard": WHOLE_SHARD,
        "seqno": seqno,
        "root_hash": id.get("root_hash"),
        "file_hash": id.get("file_hash"),
        "global_id": 0,
        "version": 0,
        "after_merge": false,
        "before_split": false,
        "after_split": false,
        "want_merge": false,
        "want_split": false,
        "key_block": false,
        "vert_seqno_incr": false,
        "flags": 0,
        "gen_utime": time.to_string(),
        "start_lt": start_lt.to_string(),
        "end_lt": start_lt.saturating_add(BLOCK_LT).saturating_sub(1).to_string(),
        "master_ref_seqno": seqno,
        "masterchain_block_ref": reference(-1, seqno),
        "tx_count": count,
        "prev_blocks": previous.into_iter().collect::<Vec<_>>(),
    })
}
