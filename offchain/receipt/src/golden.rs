//! Golden vectors: `tests/vectors/receipts.json`, written by an independent implementation of `docs/receipt.md` in Python
//! (`tests/vectors/gen`). They change only with the format's version.

use cocoon_bindings::tokens::{TokenCounts, TokensUsed};
use cocoon_bindings::ton::{Address, HashBytes, parse_address};
use cocoon_bindings::units::{Coefficient, ModelHash, ParamsVersion, PublicKey};
use ed25519_dalek::SigningKey;
use serde_json::Value;

use crate::channel::{self, ChannelFault, ChannelHead};
use crate::{
    ChannelLink, FinishReason, Receipt, ReceiptError, SignedReceipt, Timing, WorkStatement, blind_client, salted_hash,
};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/receipts.json")).unwrap()
}

/// The cases of a kind; never none.
fn cases(kind: &str) -> Vec<Value> {
    let cases = vectors()[kind].as_array().unwrap().clone();
    assert!(!cases.is_empty(), "no vectors of {kind}");
    cases
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(text(value)).unwrap()
}

fn array(value: &Value) -> [u8; 32] {
    bytes(value).try_into().unwrap()
}

fn hash(value: &Value) -> HashBytes {
    HashBytes(array(value))
}

fn address(value: &Value) -> Address {
    parse_address(text(value)).unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn small(value: &Value) -> u32 {
    number(value).try_into().unwrap()
}

fn link(value: &Value) -> ChannelLink {
    ChannelLink {
        seqno: number(&value["seqno"]),
        previous: hash(&value["previous"]),
        before: number(&value["before"]),
        after: number(&value["after"]),
    }
}

fn statement(value: &Value) -> WorkStatement {
    let used = &value["used"];
    let counts = |counts: &Value| TokenCounts {
        prompt: number(&counts["prompt"]),
        cached: number(&counts["cached"]),
        completion: number(&counts["completion"]),
        reasoning: number(&counts["reasoning"]),
    };
    WorkStatement {
        root: address(&value["root"]),
        params_version: ParamsVersion::new(small(&value["params_version"])),
        proxy: address(&value["proxy"]),
        worker: address(&value["worker"]),
        client: hash(&value["client"]),
        request_id: hash(&value["request_id"]),
        channel: link(&value["channel"]),
        request_hash: hash(&value["request_hash"]),
        response_hash: hash(&value["response_hash"]),
        sampling_hash: hash(&value["sampling_hash"]),
        seed: number(&value["seed"]),
        model: ModelHash::new(array(&value["model"])),
        worker_evidence: hash(&value["worker_evidence"]),
        counts: (!value["counts"].is_null()).then(|| counts(&value["counts"])),
        used: TokensUsed {
            prompt: number(&used["prompt"]),
            cached: number(&used["cached"]),
            completion: number(&used["completion"]),
            reasoning: number(&used["reasoning"]),
            total: number(&used["total"]),
        },
        coefficient: Coefficient::new(small(&value["coefficient"])),
        timing: Timing {
            started_ms: number(&value["started_ms"]),
            first_token_ms: number(&value["first_token_ms"]),
            finished_ms: number(&value["finished_ms"]),
        },
        finish: FinishReason::from_word(text(&value["finish"])),
    }
}

fn receipt(value: &Value) -> Receipt {
    Receipt {
        statement: statement(&value["statement"]),
        client: address(&value["client"]),
        request_id: hash(&value["request_id"]),
        channel: link(&value["channel"]),
        proxy_evidence: hash(&value["proxy_evidence"]),
    }
}

fn key(vectors: &Value, whose: &str) -> (SigningKey, PublicKey) {
    let secret = SigningKey::from_bytes(&array(&vectors[format!("{whose}_secret")]));
    let public = PublicKey::from(&secret);
    assert_eq!(public, PublicKey::new(array(&vectors[format!("{whose}_key")])));
    (secret, public)
}

#[test]
fn every_valid_receipt_is_built_signed_and_read_as_by_the_other_implementation() {
    let all = vectors();
    let ((proxy, proxy_key), (worker, worker_key)) = (key(&all, "proxy"), key(&all, "worker"));
    for case in cases("valid") {
        let name = text(&case["name"]);
        let receipt = receipt(&case["receipt"]);
        assert_eq!(receipt.statement.hash(), hash(&case["statement_hash"]), "{name}");
        assert_eq!(receipt.id().0, hash(&case["receipt_id"]), "{name}");
        let mut signed = SignedReceipt::sign(receipt, &proxy);
        assert_eq!(
            signed.proxy_signature.0.to_vec(),
            bytes(&case["proxy_signature"]),
            "{name}"
        );
        if !case["worker_signature"].is_null() {
            let signature = signed.receipt.statement.sign(&worker);
            assert_eq!(signature.0.to_vec(), bytes(&case["worker_signature"]), "{name}");
            signed.worker_signature = Some(signature);
        }
        let read = SignedReceipt::from_boc(&bytes(&case["boc"])).unwrap();
        assert_eq!(read, signed, "{name}");
        assert_eq!(read.verify_proxy(&proxy_key), Ok(()), "{name}");
        assert_eq!(
            read.verify_worker(&worker_key),
            Ok(signed.worker_signature.is_some()),
            "{name}"
        );
        assert_eq!(
            SignedReceipt::from_boc(&signed.to_boc()).as_ref(),
            Ok(&signed),
            "{name}"
        );
    }
}

#[test]
fn what_the_other_implementation_refuses_is_refused_for_the_same_reason() {
    for case in cases("refused") {
        let error = SignedReceipt::from_boc(&bytes(&case["boc"])).expect_err(text(&case["name"]));
        let why = match error {
            ReceiptError::TooLarge { .. } => "size",
            ReceiptError::Constructor { .. } => "constructor",
            ReceiptError::Version(_) => "version",
            ReceiptError::FinishReason(_) => "finish",
            ReceiptError::Arithmetic(_) | ReceiptError::Channel(_) => "arithmetic",
            ReceiptError::Boc(_) | ReceiptError::Cell { .. } | ReceiptError::Trailing { .. } => "layout",
            other => panic!("{}: {other}", text(&case["name"])),
        };
        assert_eq!(why, text(&case["why"]), "{}", text(&case["name"]));
    }
}

#[test]
fn forged_signatures_are_found_and_tell_whose_they_should_be() {
    let all = vectors();
    let ((_, proxy_key), (_, worker_key)) = (key(&all, "proxy"), key(&all, "worker"));
    for case in cases("forged") {
        let signed = SignedReceipt::from_boc(&bytes(&case["boc"])).unwrap();
        let verdict = signed
            .verify_proxy(&proxy_key)
            .and_then(|()| signed.verify_worker(&worker_key));
        let expected = match text(&case["whose"]) {
            "proxy signature" => ReceiptError::ProxySignature,
            _ => ReceiptError::WorkerSignature,
        };
        assert_eq!(verdict, Err(expected), "{}", text(&case["name"]));
    }
}

#[test]
fn channels_end_at_the_same_first_fault() {
    for case in cases("channels") {
        let links = case["links"].as_array().unwrap();
        let links = links.iter().map(|value| (link(value), hash(&value["hash"])));
        let found = match channel::verify(ChannelHead::GENESIS, links) {
            Ok(_) => Value::Null,
            Err(ChannelFault::Gap { found, .. }) => serde_json::json!(["gap", found]),
            Err(ChannelFault::Reorder { found, .. }) => serde_json::json!(["reorder", found]),
            Err(ChannelFault::Fork { seqno, .. }) => serde_json::json!(["fork", seqno]),
            Err(ChannelFault::Total { seqno, .. }) => serde_json::json!(["total", seqno]),
            Err(ChannelFault::Backwards { seqno, .. }) => serde_json::json!(["backwards", seqno]),
            Err(ChannelFault::Zero) => serde_json::json!(["zero", 0]),
        };
        assert_eq!(found, case["fault"], "{case}");
    }
}

#[test]
fn blinded_ids_and_salted_hashes_are_as_documented() {
    for case in cases("blinded") {
        let id = blind_client(
            &array(&case["secret"]),
            &address(&case["worker"]),
            &address(&case["client"]),
        );
        assert_eq!(id, hash(&case["id"]));
    }
    for case in cases("salted") {
        let salted = salted_hash(&array(&case["salt"]), &bytes(&case["content"]));
        assert_eq!(salted, hash(&case["hash"]));
    }
}
