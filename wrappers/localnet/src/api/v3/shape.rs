//! Pieces that several routes return.

use cocoon_bindings::ton::{Address, boc_base64};
use cocoon_emulator::{AccountStatus, Compute, Message, MessageKind, SkipReason, TransactionReport};
use serde_json::{Value, json};

use super::super::shape::hash;

/// The only shard of a workchain, as hex.
pub(super) const WHOLE_SHARD: &str = "8000000000000000";

/// An address as version 3 writes it: raw, in capitals.
pub(super) fn address(address: &Address) -> String {
    address.to_string().to_uppercase()
}

pub(super) fn status(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Active => "active",
        AccountStatus::Frozen => "frozen",
        AccountStatus::Uninit => "uninit",
        AccountStatus::NotExists => "nonexist",
    }
}

pub(super) fn transaction(report: &TransactionReport) -> Value {
    let in_msg = report.in_msg.as_ref().map(|in_msg| message(in_msg, Some(report), None));
    let out_msgs = report.out_msgs.iter().map(|sent| message(sent, None, Some(report)));
    json!({
        "account": address(&report.address),
        "hash": hash(&report.hash),
        "lt": report.lt.to_string(),
        "now": report.now,
        "mc_block_seqno": report.block(),
        "prev_trans_hash": hash(&report.previous_hash),
        "prev_trans_lt": report.previous_lt.to_string(),
        "orig_status": status(report.status_before),
        "end_status": status(report.status_after),
        "total_fees": report.fees.total.get().to_string(),
        "total_fees_extra_currencies": {},
        "description": description(report),
        "block_ref": {
            "workchain": report.address.workchain,
            "shard": WHOLE_SHARD,
            "seqno": report.block(),
        },
        "in_msg": in_msg,
        "out_msgs": out_msgs.collect::<Vec<_>>(),
        "emulated": false,
    })
}

fn description(report: &TransactionReport) -> Value {
    let compute = match report.compute {
        Compute::Skipped(reason) => json!({ "skipped": true, "reason": skip_reason(reason) }),
        Compute::Ran {
            success,
            exit_code,
            gas_used,
            steps,
        } => json!({
            "skipped": false,
            "success": success,
            "exit_code": exit_code,
            "gas_used": gas_used.to_string(),
            "gas_fees": report.fees.gas.get().to_string(),
            "vm_steps": steps,
        }),
    };
    let action = report.action.map(|action| {
        json!({
            "success": action.success,
            "result_code": action.result_code,
            "tot_actions": action.total,
            "skipped_actions": action.skipped,
            "msgs_created": action.messages,
            "total_fwd_fees": report.fees.forward.get().to_string(),
        })
    });
    json!({
        "type": "ord",
        "aborted": report.aborted,
        "destroyed": report.destroyed,
        "storage_ph": { "storage_fees_collected": report.fees.storage.get().to_string() },
        "compute_ph": compute,
        "action": action,
        "bounce": report.bounced.then(|| json!({ "type": "ok" })),
    })
}

fn skip_reason(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::NoState => "no_state",
        SkipReason::BadState => "bad_state",
        SkipReason::NoGas => "no_gas",
        SkipReason::Suspended => "suspended",
    }
}

/// A message, with the transactions that received and sent it where they are known.
pub(super) fn message(
    message: &Message,
    received: Option<&TransactionReport>,
    sent: Option<&TransactionReport>,
) -> Value {
    let internal = message.kind == MessageKind::Internal;
    let only_internal = |value: Value| if internal { value } else { Value::Null };
    json!({
        "hash": hash(&message.hash()),
        "hash_norm": message.normalized_hash().as_ref().map(hash),
        "source": message.source.as_ref().map(address),
        "destination": message.destination.as_ref().map(address),
        "value": only_internal(json!(message.value.get().to_string())),
        "value_extra_currencies": {},
        "fwd_fee": only_internal(json!(message.forward_fee.get().to_string())),
        "ihr_fee": only_internal(json!("0")),
        "created_lt": (message.kind != MessageKind::ExternalIn).then(|| message.created_lt.to_string()),
        "created_at": (message.kind != MessageKind::ExternalIn).then(|| message.created_at.to_string()),
        "opcode": message.body().load_u32().ok().map(|op| format!("0x{op:08x}")),
        "ihr_disabled": only_internal(json!(true)),
        "bounce": only_internal(json!(message.bounce)),
        "bounced": only_internal(json!(message.bounced)),
        "import_fee": (message.kind == MessageKind::ExternalIn).then_some("0"),
        "message_content": {
            "hash": hash(message.body.repr_hash()),
            "body": boc_base64(&message.body),
            "decoded": null,
        },
        "init_state": message.state_init.as_ref().map(|state| {
            json!({ "hash": hash(state.repr_hash()), "body": boc_base64(state) })
        }),
        "in_msg_tx_hash": received.map(|report| hash(&report.hash)),
        "out_msg_tx_hash": sent.map(|report| hash(&report.hash)),
    })
}
