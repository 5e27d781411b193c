//! Pieces that several methods return.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_bindings::ton::{Address, CellBuilder, HashBytes, boc_base64, friendly};
use cocoon_emulator::{Emulator, Message, TransactionReport};
use serde_json::{Value, json};

/// The only shard of workchain 0, as a signed number.
pub(super) const WHOLE_SHARD: i64 = i64::MIN;

pub(super) fn hash(hash: &HashBytes) -> String {
    STANDARD.encode(hash.as_array())
}

/// An address in its bounceable form, as public servers write it.
pub(super) fn address(address: &Address) -> String {
    friendly(address, true, false)
}

pub(super) fn transaction_id(lt: u64, id: &HashBytes) -> Value {
    json!({ "@type": "internal.transactionId", "lt": lt.to_string(), "hash": hash(id) })
}

/// The identity of a block. The local chain has no block cells; hashes are derived from the block's number.
pub(super) fn block_id(workchain: i32, seqno: u32) -> Value {
    let derived = |tag: u8| {
        let mut builder = CellBuilder::new();
        let stored = builder
            .store_u8(tag)
            .and_then(|()| builder.store_u32(workchain.cast_unsigned()))
            .and_then(|()| builder.store_u32(seqno));
        let cell = stored.and_then(|()| builder.build());
        hash(&cell.map_or(HashBytes::ZERO, |cell| *cell.repr_hash()))
    };
    json!({
        "@type": "ton.blockIdExt",
        "workchain": workchain,
        "shard": WHOLE_SHARD.to_string(),
        "seqno": seqno,
        "root_hash": derived(0),
        "file_hash": derived(1),
    })
}

/// The identity of the present masterchain block.
pub(super) fn last_block(chain: &Emulator) -> Value {
    block_id(-1, chain.block())
}

pub(super) fn transaction(report: &TransactionReport) -> Value {
    let storage = report.fees.storage;
    let mut value = json!({
        "@type": "raw.transaction",
        "address": { "@type": "accountAddress", "account_address": address(&report.address) },
        "utime": report.now,
        "data": boc_base64(&report.cell),
        "transaction_id": transaction_id(report.lt, &report.hash),
        "fee": report.fees.total.get().to_string(),
        "storage_fee": storage.get().to_string(),
        "other_fee": report.fees.total.saturating_sub(storage).get().to_string(),
        "out_msgs": report.out_msgs.iter().map(message).collect::<Vec<_>>(),
    });
    if let (Some(in_msg), Some(fields)) = (&report.in_msg, value.as_object_mut()) {
        fields.insert("in_msg".to_owned(), message(in_msg));
    }
    value
}

fn message(message: &Message) -> Value {
    let end = |side: &Option<Address>| side.as_ref().map(address).unwrap_or_default();
    json!({
        "@type": "raw.message",
        "hash": hash(&message.hash()),
        "source": end(&message.source),
        "destination": end(&message.destination),
        "value": message.value.get().to_string(),
        "extra_currencies": [],
        "fwd_fee": message.forward_fee.get().to_string(),
        "ihr_fee": "0",
        "created_lt": message.created_lt.to_string(),
        "body_hash": hash(message.body.repr_hash()),
        "msg_data": {
            "@type": "msg.dataRaw",
            "body": boc_base64(&message.body),
            "init_state": message.state_init.as_ref().map(boc_base64).unwrap_or_default(),
        },
        "message": comment(message).unwrap_or_default(),
    })
}

/// The comment of a transfer: operation 0, then text.
fn comment(message: &Message) -> Option<String> {
    let mut body = message.body();
    if body.load_u32().ok()? != 0 {
        return None;
    }
    let bits = body.size_bits();
    let mut bytes = [0u8; 128];
    let text = body.load_raw(&mut bytes, bits - bits % 8).ok()?;
    String::from_utf8(text.to_vec()).ok()
}
