//! Receipts audited per second of one core, next to what their signatures take alone: one by one as everybody checks them,
//! and together as `ed25519_dalek::verify_batch` does it (its equation: one sum with a point for each `R` and each key; it accepts more
//! than the strict check). Counted in time on the processor, so that other programs on the machine matter little; taken in turns.
//!
//! Each receipt has two signatures and is audited whole: decoded, hashed, priced, its certificates and lists looked up, both
//! channels followed, the tree grown.
//!
//! `cargo bench -p cocoon-audit`
#![allow(clippy::print_stdout, reason = "the output of a benchmark")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark ends where it fails")]

#[path = "../tests/replay/stage.rs"]
#[allow(dead_code, reason = "tests need more of it")]
mod stage;

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::iter::once;
use std::sync::Arc;

use async_trait::async_trait;
use cocoon_audit::signatures::{Signed, wrong};
use cocoon_audit::{
    AuditError, Difference, Entry, EvidenceSource, Head, Log, LogKind, Options, Piece, ReceiptSource, run_with,
};
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;
use cocoon_receipt::SignedReceipt;
use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use sha2::{Digest, Sha512};
use stage::Stage;

const RECEIPTS: usize = 20_480;
/// As many as an audit checks together.
const TOGETHER: usize = 2 * cocoon_audit::limits::BATCH;
const ROUNDS: usize = 4;

struct InMemory {
    entries: Vec<Entry>,
    evidence: BTreeMap<HashBytes, Vec<u8>>,
}

struct Reading(std::vec::IntoIter<Entry>);

#[async_trait]
impl Log for InMemory {
    async fn open(&self, _: &PublicKey) -> Result<Result<Box<dyn ReceiptSource>, Difference>, AuditError> {
        Ok(Ok(Box::new(Reading(self.entries.clone().into_iter()))))
    }

    fn kind(&self) -> LogKind {
        LogKind::Published
    }

    fn evidence(&self) -> Result<Arc<dyn EvidenceSource>, AuditError> {
        Ok(Arc::new(self.evidence.clone()))
    }
}

#[async_trait]
impl ReceiptSource for Reading {
    async fn next(&mut self) -> Result<Piece, AuditError> {
        let piece: Vec<Entry> = self.0.by_ref().take(cocoon_audit::limits::BATCH).collect();
        Ok(if piece.is_empty() {
            Piece::End
        } else {
            Piece::Entries(piece)
        })
    }

    async fn skip(&mut self, _: u64) -> Result<(), AuditError> {
        Ok(())
    }

    fn len_hint(&self) -> Option<u64> {
        None
    }

    fn head(&self) -> Option<Head> {
        None
    }
}

/// Seconds that all threads of this process have been on a processor.
fn processor_seconds() -> f64 {
    let mut nanoseconds = 0.0;
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let text = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
        nanoseconds += text.split(' ').next().unwrap().parse::<f64>().unwrap();
    }
    nanoseconds / 1e9
}

/// The equation of `verify_batch`, with its sizes: multiples of 128 bits for `R`, of 256 for keys.
fn batch_equation(signed: &[Signed], random: &mut impl RngCore) -> bool {
    let (mut base, mut of_r, mut of_keys) = (Scalar::ZERO, Vec::new(), Vec::new());
    let (mut r, mut keys) = (Vec::new(), Vec::new());
    let mut known: BTreeMap<PublicKey, EdwardsPoint> = BTreeMap::new();
    for one in signed {
        let mut bytes = [0; 16];
        random.fill_bytes(&mut bytes);
        let multiple = Scalar::from(u128::from_le_bytes(bytes));
        let (encoded, s) = one.signature.split_first_chunk::<32>().unwrap();
        let s = Scalar::from_canonical_bytes(s.try_into().unwrap()).unwrap();
        let k = Sha512::new()
            .chain_update(encoded)
            .chain_update(one.key.as_bytes())
            .chain_update(one.hash.as_slice());
        base += multiple * s;
        of_r.push(multiple);
        of_keys.push(multiple * Scalar::from_bytes_mod_order_wide(&k.finalize().into()));
        r.push(CompressedEdwardsY(*encoded).decompress().unwrap());
        // Keys are decompressed before `verify_batch` begins.
        let decompress = || CompressedEdwardsY(*one.key.as_bytes()).decompress().unwrap();
        keys.push(*known.entry(one.key).or_insert_with(decompress));
    }
    let scalars = once(-base).chain(of_r).chain(of_keys);
    let points = once(ED25519_BASEPOINT_POINT).chain(r).chain(keys);
    EdwardsPoint::vartime_multiscalar_mul(scalars, points).is_identity()
}

fn main() {
    let mut stage = Stage::new();
    let worker = stage.worker_key();
    let proxy = PublicKey::from(&stage.key);
    let mut signed = Vec::with_capacity(2 * RECEIPTS);
    let entries = (0..RECEIPTS).map(|_| {
        let receipt = stage.receipt(7);
        let receipt = SignedReceipt::sign(receipt, &stage.key);
        let hashes = receipt.receipt.hashes();
        let signature = stage.sign_as_worker(&hashes.statement);
        let of = |key, hash, signature| Signed { key, hash, signature };
        signed.push(of(proxy, hashes.id.0, receipt.proxy_signature.0));
        signed.push(of(worker, hashes.statement, signature.0));
        Entry::Boc {
            id: hashes.id,
            boc: receipt.to_boc().into(),
            signature: Some(signature),
        }
    });
    let entries = entries.collect();
    let log = InMemory {
        entries,
        evidence: stage.certificates(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let mut random = StdRng::from_os_rng();
    let names = [
        "signatures one by one, strict",
        "signatures together, as verify_batch",
        "signatures together, strict as here",
        "the whole audit",
    ];
    let mut seconds = [0.0; 4];
    for _ in 0..ROUNDS {
        for (at, seconds) in seconds.iter_mut().enumerate() {
            let before = processor_seconds();
            match at {
                0 => assert!(signed.iter().all(|one| black_box(one).verifies())),
                1 => assert!(signed.chunks(TOGETHER).all(|some| batch_equation(some, &mut random))),
                2 => assert!(
                    signed
                        .chunks(TOGETHER)
                        .all(|some| wrong(some, StdRng::from_os_rng).is_empty())
                ),
                _ => {
                    let options = Options {
                        cores: 1,
                        ..Options::default()
                    };
                    let audited = runtime
                        .block_on(run_with(&log, &stage.chain, &stage.proxy, options))
                        .unwrap();
                    assert_eq!(audited.report.difference, None);
                    assert_eq!(audited.report.totals.signed_by_worker, RECEIPTS as u64);
                }
            }
            *seconds += processor_seconds() - before;
        }
    }
    let per_second = seconds.map(|seconds| (ROUNDS * RECEIPTS) as f64 / seconds);
    println!("receipts per second of one core, two signatures each:");
    for (name, per_second) in names.iter().zip(per_second) {
        println!("  {name:<38} {per_second:>8.0}");
    }
    println!(
        "the audit is at {:.2} of verify_batch alone",
        per_second[3] / per_second[1]
    );
}
