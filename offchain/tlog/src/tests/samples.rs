//! Receipts of one proxy for the tests of this crate.

use cocoon_bindings::tokens::{TokenCounts, TokensUsed};
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{Coefficient, ModelHash, ParamsVersion, PublicKey};
use cocoon_receipt::tree::{self, leaf_hash};
use cocoon_receipt::{ChannelLink, FinishReason, Receipt, SignedReceipt, Timing, WorkStatement};
use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha256};

pub(super) fn key() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

pub(super) fn public_key() -> PublicKey {
    PublicKey::from(&key())
}

fn worker_key() -> SigningKey {
    SigningKey::from_bytes(&[2; 32])
}

/// The certificate that every worker of these receipts has: the key of all, and nothing else of interest.
pub(super) fn certificate() -> Vec<u8> {
    certificate_of(&worker_key())
}

pub(super) fn certificate_of(key: &SigningKey) -> Vec<u8> {
    let item = |tag: u8, parts: &[&[u8]]| {
        let body = parts.concat();
        let length = match body.len() {
            length if length < 128 => vec![length as u8],
            length => vec![0x81, length as u8],
        };
        [vec![tag], length, body].concat()
    };
    let algorithm = item(0x30, &[&[0x06, 0x03, 0x2b, 0x65, 0x70]]);
    let (from, until) = (item(0x17, &[b"260101000000Z"]), item(0x17, &[b"270101000000Z"]));
    let key_bits = item(0x03, &[&[0], PublicKey::from(key).as_bytes()]);
    let parts: [&[u8]; 7] = [
        &[0xa0, 3, 2, 1, 2],
        &[2, 1, 1],
        &algorithm,
        &[0x30, 0],
        &item(0x30, &[&from, &until]),
        &[0x30, 0],
        &item(0x30, &[&algorithm, &key_bits]),
    ];
    let signature = item(0x03, &[&[0; 65]]);
    item(0x30, &[&item(0x30, &parts), &algorithm, &signature])
}

pub(super) fn certificate_hash() -> HashBytes {
    HashBytes(Sha256::digest(certificate()).into())
}

fn address(tag: u8) -> Address {
    Address::new(0, HashBytes([tag; 32]))
}

/// So many receipts of one client and one worker, each with its worker's signature.
pub(super) fn receipts(count: u64) -> Vec<SignedReceipt> {
    let evidence = certificate_hash();
    let (mut of_client, mut of_worker) = (HashBytes::ZERO, HashBytes::ZERO);
    let link = |number: u64, previous| ChannelLink {
        seqno: number + 1,
        previous,
        before: number * 17,
        after: (number + 1) * 17,
    };
    let next = |number| {
        let mut request_id = HashBytes([4; 32]);
        request_id.0[..8].copy_from_slice(&u64::to_be_bytes(number));
        let statement = WorkStatement {
            root: address(1),
            params_version: ParamsVersion::new(1),
            proxy: address(2),
            worker: address(3),
            client: HashBytes([3; 32]),
            request_id,
            channel: link(number, of_worker),
            request_hash: HashBytes([5; 32]),
            response_hash: HashBytes([6; 32]),
            sampling_hash: HashBytes::ZERO,
            seed: 1,
            model: ModelHash::new([7; 32]),
            worker_evidence: evidence,
            counts: Some(TokenCounts {
                prompt: 10,
                cached: 4,
                completion: 7,
                reasoning: 0,
            }),
            used: TokensUsed {
                prompt: 6,
                cached: 4,
                completion: 7,
                reasoning: 0,
                total: 17,
            },
            coefficient: Coefficient::new(1000),
            timing: Timing {
                started_ms: 1,
                first_token_ms: 2,
                finished_ms: 3 + number,
            },
            finish: FinishReason::Stop,
        };
        let receipt = Receipt {
            statement,
            client: address(12),
            request_id,
            channel: link(number, of_client),
            proxy_evidence: HashBytes([9; 32]),
        };
        let mut signed = SignedReceipt::sign(receipt, &key());
        signed.worker_signature = Some(signed.receipt.statement.sign(&worker_key()));
        (of_client, of_worker) = (signed.id().0, signed.receipt.statement.hash());
        signed
    };
    (0..count).map(next).collect()
}

/// Root of the tree over the first `size` of these receipts.
pub(super) fn root_of(receipts: &[SignedReceipt], size: u64) -> HashBytes {
    tree::root(&leaves(&receipts[..size as usize]))
}

pub(super) fn leaves(receipts: &[SignedReceipt]) -> Vec<HashBytes> {
    receipts
        .iter()
        .map(|receipt| leaf_hash(receipt.id().0.as_slice()))
        .collect()
}

/// Without the worker's signature.
pub(super) fn bare(receipt: &SignedReceipt) -> SignedReceipt {
    SignedReceipt {
        worker_signature: None,
        ..receipt.clone()
    }
}
