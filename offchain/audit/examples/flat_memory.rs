//! Audits receipts that are made while they are read, as many as are asked for, and prints what memory that takes.
//!
//! `cargo run --release -p cocoon-audit --example flat_memory -- 10000000`
//!
//! Receipts are real but for one thing: the proxy's signatures share one nonce, which gives its key away and saves the time
//! of signing. One in sixteen is signed by the worker too.
#![allow(clippy::print_stdout, reason = "the output of an example")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "an example ends where it fails")]

#[path = "../tests/replay/stage.rs"]
#[allow(dead_code, reason = "tests need more of it")]
mod stage;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_trait::async_trait;
use cocoon_audit::limits::BATCH;
use cocoon_audit::{
    AuditError, Difference, Entry, EvidenceSource, Head, Log, LogKind, Options, Piece, ReceiptSource, run_with,
};
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;
use cocoon_receipt::{Signature, SignedReceipt};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use sha2::{Digest, Sha512};
use stage::Stage;

/// Signs with one nonce for all: `s = r + k·a`.
struct Cheap {
    r: Scalar,
    encoded_r: [u8; 32],
    secret: Scalar,
    key: PublicKey,
}

impl Cheap {
    fn new(stage: &Stage) -> Self {
        let hash = Sha512::digest(stage.key.to_bytes());
        let secret = clamp_integer(hash[..32].try_into().unwrap());
        let r = Scalar::from(123_456_789_u64);
        Self {
            r,
            encoded_r: EdwardsPoint::mul_base(&r).compress().to_bytes(),
            secret: Scalar::from_bytes_mod_order(secret),
            key: PublicKey::from(&stage.key),
        }
    }

    fn sign(&self, hash: &HashBytes) -> Signature {
        let k = Sha512::new()
            .chain_update(self.encoded_r)
            .chain_update(self.key.as_bytes())
            .chain_update(hash.as_slice());
        let k = Scalar::from_bytes_mod_order_wide(&k.finalize().into());
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&self.encoded_r);
        signature[32..].copy_from_slice((self.r + k * self.secret).as_bytes());
        Signature(signature)
    }
}

struct Made {
    stage: Arc<Mutex<Stage>>,
    count: u64,
}

struct Making {
    stage: Arc<Mutex<Stage>>,
    cheap: Cheap,
    made: u64,
    count: u64,
}

#[async_trait]
impl Log for Made {
    async fn open(&self, _: &PublicKey) -> Result<Result<Box<dyn ReceiptSource>, Difference>, AuditError> {
        Ok(Ok(Box::new(Making {
            cheap: Cheap::new(&self.stage.lock().unwrap()),
            stage: Arc::clone(&self.stage),
            made: 0,
            count: self.count,
        })))
    }

    fn kind(&self) -> LogKind {
        LogKind::Published
    }

    fn evidence(&self) -> Result<Arc<dyn EvidenceSource>, AuditError> {
        Ok(Arc::new(self.stage.lock().unwrap().certificates()))
    }
}

#[async_trait]
impl ReceiptSource for Making {
    async fn next(&mut self) -> Result<Piece, AuditError> {
        let mut stage = self.stage.lock().unwrap();
        let mut entries = Vec::with_capacity(BATCH);
        while entries.len() < BATCH && self.made < self.count {
            let receipt = stage.receipt(self.made % 3);
            let hashes = receipt.hashes();
            let signed = SignedReceipt {
                receipt,
                proxy_signature: self.cheap.sign(&hashes.id.0),
                worker_signature: None,
            };
            let is_signed = self.made.is_multiple_of(16);
            entries.push(Entry::Boc {
                id: hashes.id,
                boc: signed.to_boc().into(),
                signature: is_signed.then(|| stage.sign_as_worker(&hashes.statement)),
            });
            self.made += 1;
        }
        Ok(if entries.is_empty() {
            Piece::End
        } else {
            Piece::Entries(entries)
        })
    }

    async fn skip(&mut self, _: u64) -> Result<(), AuditError> {
        Ok(())
    }

    fn len_hint(&self) -> Option<u64> {
        Some(self.count)
    }

    fn head(&self) -> Option<Head> {
        None
    }
}

/// Megabytes that this process holds now, and held at most.
fn memory() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

fn main() {
    let count = std::env::args().nth(1).map_or(1_000_000, |text| text.parse().unwrap());
    let stage = Stage::new();
    let (chain, proxy) = (stage.chain.clone(), stage.proxy.clone());
    let log = Made {
        stage: Arc::new(Mutex::new(stage)),
        count,
    };
    let (started, mut next) = (Instant::now(), 0);
    let mut progress = |done: u64, _: Option<u64>| {
        if done >= next {
            let (now, most) = memory();
            let seconds = started.elapsed().as_secs_f64();
            println!("{done:>9} receipts, {seconds:>6.1} s, {now} MiB, at most {most} MiB");
            next += count / 10;
        }
    };
    let options = Options {
        progress: Some(&mut progress),
        ..Options::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let audited = runtime.block_on(run_with(&log, &chain, &proxy, options)).unwrap();
    println!("{}", audited.report.sentence());
    assert_eq!(audited.report.difference, None);
    assert_eq!(audited.report.totals.receipts, count);
}
