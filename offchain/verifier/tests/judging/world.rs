//! A platform, its proxy and worker, one request with its answer, and the log that the receipt is in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_attest::simulated::{SimulatedPlatform, simulated_measurements};
use cocoon_bindings::Multipliers;
use cocoon_bindings::tokens::TokenCounts;
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{Coefficient, ModelHash, ParamsVersion, PublicKey};
use cocoon_ledger::pricing;
use cocoon_openai::options::RunOptions;
use cocoon_openai::{Endpoint, Request};
use cocoon_protocol::http;
use cocoon_ratls::{Identity, Simulated};
use cocoon_receipt::log::{Checkpoint, TileWriter, inclusion_proof};
use cocoon_receipt::tree::leaf_hash;
use cocoon_receipt::{
    ChannelLink, FinishReason, Receipt, Signature, SignedReceipt, Timing, WorkStatement, salted_hash,
};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

pub(crate) const NOW: u64 = 1_790_000_000;
pub(crate) const PATH: &str = "/v1/chat/completions";
/// What a page posts: `timeout` is the client's own, and is not sent on.
pub(crate) const BODY: &str =
    r#"{"model":"m","messages":[{"role":"user","content":"Grüße"}],"stream":true,"timeout":30,"x":1.50}"#;
/// What the worker answers.
pub(crate) const ANSWER: &[u8] = b"data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\ndata: [DONE]\n\n";

pub(crate) struct World {
    pub(crate) platform: SimulatedPlatform,
    pub(crate) worker: Identity,
    pub(crate) proxy: Identity,
    key: SigningKey,
    signed: SignedReceipt,
}

pub(crate) fn address(tag: u8) -> Address {
    Address::new(0, HashBytes([tag; 32]))
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

impl World {
    pub(crate) fn new() -> Self {
        let platform = SimulatedPlatform::generate().unwrap();
        let identity = |role| Identity::issue(&Simulated::for_role(platform.clone(), role), NOW).unwrap();
        let (worker, proxy) = (identity("worker"), identity("proxy"));
        let mut request = Request::parse(Endpoint::Chat, BODY.as_bytes()).unwrap();
        RunOptions::take_from(&mut request).unwrap();
        let request = http::Request::post_json(PATH, request.to_json().into()).encode();
        let counts = TokenCounts {
            prompt: 34,
            cached: 11,
            completion: 100,
            reasoning: 10,
        };
        let coefficient = Coefficient::new(1500);
        let used = pricing::adjust(&counts, coefficient, &Multipliers::default());
        let link = |tag| ChannelLink {
            seqno: 7,
            previous: HashBytes([tag; 32]),
            before: 1000,
            after: 1000 + used.total,
        };
        let statement = WorkStatement {
            root: address(1),
            params_version: ParamsVersion::new(3),
            proxy: address(2),
            worker: address(3),
            client: HashBytes([4; 32]),
            request_id: HashBytes([5; 32]),
            channel: link(6),
            request_hash: salted_hash(&[7; 32], &request),
            response_hash: salted_hash(&[8; 32], ANSWER),
            sampling_hash: HashBytes([9; 32]),
            seed: u64::MAX,
            model: ModelHash::new([10; 32]),
            worker_evidence: HashBytes(worker.evidence_hash()),
            counts: Some(counts),
            used,
            coefficient,
            timing: Timing {
                started_ms: NOW * 1000,
                first_token_ms: NOW * 1000 + 40,
                finished_ms: NOW * 1000 + 900,
            },
            finish: FinishReason::Stop,
        };
        let worker_signature = Signature(worker.sign(statement.hash().as_slice()));
        let receipt = Receipt {
            statement,
            client: address(11),
            request_id: HashBytes([12; 32]),
            channel: link(13),
            proxy_evidence: HashBytes(proxy.evidence_hash()),
        };
        let key = SigningKey::from_bytes(&[14; 32]);
        let mut signed = SignedReceipt::sign(receipt, &key);
        signed.worker_signature = Some(worker_signature);
        Self {
            platform,
            worker,
            proxy,
            key,
            signed,
        }
    }

    /// Everything about the receipt that can be at hand.
    pub(crate) fn receipt_question(&self) -> Value {
        // What the client adds to the stream is not the worker's.
        let received = [ANSWER, b": cocoon-receipt-id 00\n\n"].concat();
        let public = PublicKey::from(&self.key);
        json!({
            "receipt": base64(&self.signed.to_boc()),
            "proxy_key": public.to_string(),
            "expected": {
                "root": address(1).to_string(), "proxy": address(2).to_string(), "client": address(11).to_string(),
                "request_id": "0c".repeat(32),
            },
            "request": { "salt": "07".repeat(32), "sent": { "path": PATH, "body": BODY } },
            "response": { "salt": "08".repeat(32), "received": base64(&received) },
            "max_coefficient": 1500,
            "prices": { "version": 3, "prompt": 10_000, "cached": 10_000, "completion": 10_000, "reasoning": 10_000 },
            "worker_certificate": base64(self.worker.certificate_der()),
            "proxy_certificate": base64(self.proxy.certificate_der()),
            "inclusion": self.inclusion(),
            "previous": { "seqno": "6", "hash": "0d".repeat(32), "total": 1000 },
        })
    }

    /// The receipt as entry 5 of a log of 300.
    fn inclusion(&self) -> Value {
        let mut writer = TileWriter::default();
        let mut tiles = std::collections::BTreeMap::new();
        for number in 0..300_u32 {
            let other = number.to_be_bytes();
            let entry = if number == 5 {
                self.signed.id().0.0.to_vec()
            } else {
                other.to_vec()
            };
            tiles.extend(writer.push(leaf_hash(&entry)));
        }
        tiles.extend(writer.partial());
        let read = |tile| tiles.get(&tile).cloned().ok_or("a tile is missing");
        let checkpoint = Checkpoint {
            origin: Checkpoint::origin_of(&PublicKey::from(&self.key)),
            size: 300,
            root: writer.root(),
        };
        json!({
            "index": 5,
            "checkpoint": checkpoint.sign(&self.key).unwrap(),
            "proof": inclusion_proof(5, 300, read).unwrap(),
        })
    }

    /// Everything about a certificate.
    pub(crate) fn evidence_question(&self, certificate: &[u8]) -> Value {
        let image = |role| simulated_measurements(role).image_hash().to_string();
        let collateral = self.platform.endorsements(NOW).unwrap();
        json!({
            "now": NOW,
            "certificate": base64(certificate),
            "collateral": collateral.texts().collect::<Vec<_>>(),
            "simulated_roots": [base64(self.platform.root_der())],
            "images": { "proxies": [image("proxy")], "workers": [image("worker")] },
        })
    }
}
