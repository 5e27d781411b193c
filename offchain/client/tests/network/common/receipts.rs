//! Receipts as an honest proxy and worker make them.

use cocoon_bindings::Multipliers;
use cocoon_bindings::tokens::TokenCounts;
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{Coefficient, ModelHash};
use cocoon_ledger::pricing::adjust;
use cocoon_protocol::codec::encode;
use cocoon_protocol::extension::Receipt as ReceiptMessage;
use cocoon_receipt::{
    ChannelHead, ChannelLink, FinishReason, Receipt, Signature, SignedReceipt, Timing, WorkStatement, blind_client,
    salted_hash,
};

use super::proxy::{FakeProxy, Request};

pub(crate) const REQUEST_SALT: [u8; 32] = [1; 32];
pub(crate) const RESPONSE_SALT: [u8; 32] = [2; 32];

/// The receipt of an answer with this body, at this place of the channel.
pub(crate) fn honest(proxy: &FakeProxy, request: &Request, body: &str, head: &ChannelHead) -> SignedReceipt {
    let keys = &proxy.keys;
    let counts = TokenCounts {
        prompt: 3,
        cached: 0,
        completion: 4,
        reasoning: 0,
    };
    let coefficient = Coefficient::new(1000);
    let used = adjust(&counts, coefficient, &Multipliers::default());
    let worker = Address::new(0, [9; 32].into());
    let before = head.total;
    let statement = WorkStatement {
        root: keys.root.address.clone(),
        params_version: keys.root.params_version(),
        proxy: keys.identity.contract.clone(),
        client: blind_client(&[4; 32], &worker, &request.client_contract),
        worker,
        request_id: HashBytes([6; 32]),
        channel: ChannelLink {
            seqno: 1,
            previous: HashBytes::ZERO,
            before: 0,
            after: used.total,
        },
        request_hash: salted_hash(&REQUEST_SALT, &request.query.query),
        response_hash: salted_hash(&RESPONSE_SALT, body.as_bytes()),
        sampling_hash: HashBytes::ZERO,
        seed: 7,
        model: ModelHash::new([5; 32]),
        worker_evidence: HashBytes(proxy.worker.evidence_hash()),
        counts: Some(counts),
        used,
        coefficient,
        timing: Timing {
            started_ms: 1,
            first_token_ms: 2,
            finished_ms: 3,
        },
        finish: FinishReason::Stop,
    };
    let receipt = Receipt {
        client: request.client_contract.clone(),
        request_id: HashBytes(request.query.request_id),
        channel: ChannelLink {
            seqno: head.seqno + 1,
            previous: head.hash,
            before,
            after: before + used.total,
        },
        proxy_evidence: HashBytes(proxy.evidence_hash),
        statement,
    };
    let signature = Signature(proxy.worker.sign(receipt.statement.hash().as_slice()));
    let mut signed = SignedReceipt::sign(receipt, &keys.key);
    signed.worker_signature = Some(signature);
    signed
}

/// Sends it.
pub(crate) async fn send(request: &Request, signed: &SignedReceipt) {
    let message = ReceiptMessage {
        request_id: request.query.request_id,
        receipt: signed.to_boc().into(),
        request_salt: REQUEST_SALT,
        response_salt: RESPONSE_SALT,
    };
    request.link.send_packet(encode(&message)).await.unwrap();
}

/// Where the channel stands after it.
pub(crate) fn after(signed: &SignedReceipt) -> ChannelHead {
    let channel = signed.receipt.channel;
    ChannelHead {
        seqno: channel.seqno,
        hash: signed.id().0,
        total: channel.after,
    }
}
