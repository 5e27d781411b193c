//! Receipts made durable, in batches of several sizes, next to what the disk does: as many syncs as it can. Then their publication.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cocoon_ledger::Ledger;
use cocoon_store::{Disk as _, NewRecord, ProxyStore, ProxyWrite, RealDisk, read_receipts};
use cocoon_tlog::{DiskFolder, Publisher};
use ed25519_dalek::SigningKey;
use serde_json::json;

use crate::Result;
use crate::store::{charge, open_channels};

const CHANNELS: usize = 100;
/// Receipts of one durable write.
const BATCHES: [usize; 4] = [1, 16, 64, 256];
/// Bytes of one receipt in the log with its frame, about: what a bare sync has to carry.
const RECEIPT_BYTES: usize = 800;

/// Measures each for so many seconds in a new folder inside `folder`: name one on the disk that is meant.
pub(crate) fn measure(folder: &Path, seconds: u64) -> Result<()> {
    let folder = tempfile::tempdir_in(folder)?;
    let span = Duration::from_secs(seconds);
    let key = SigningKey::from_bytes(&[1; 32]);
    let (mut store, recovered) = ProxyStore::open(&folder.path().join("store"))?;
    let mut ledger = recovered.ledger;
    open_channels(&mut store, &mut ledger, CHANNELS)?;
    let mut number = 0;
    let mut rows = Vec::new();
    for batch in BATCHES {
        let before = syncs(folder.path(), span / 2, batch * RECEIPT_BYTES)?;
        let (writes, making) = appends(&mut store, &mut ledger, &mut number, batch, span, &key)?;
        let after = syncs(folder.path(), span / 2, batch * RECEIPT_BYTES)?;
        let syncs = (before + after) / 2.0;
        let appends = writes * batch as f64;
        rows.push(json!({
            "batch": batch, "appends_per_second": appends, "writes_per_second": writes, "syncs_per_second": syncs,
            "writes_of_syncs": writes / syncs, "making_a_receipt_us": making,
        }));
    }
    drop(store);
    let receipts = read_receipts(&folder.path().join("store/receipts.log"))?;
    let publishing = Instant::now();
    let mut publisher = Publisher::open(DiskFolder::shared(folder.path().join("log")), key)?;
    for receipt in &receipts {
        publisher.add(receipt)?;
    }
    publisher.publish(None)?;
    let publishing = publishing.elapsed().as_secs_f64();
    let report = json!({
        "appending": rows,
        "publishing": { "receipts": receipts.len(), "per_second": receipts.len() as f64 / publishing },
    });
    println!("{report}");
    Ok(())
}

/// Writes of so many bytes with a sync each, per second, at the end of one growing file.
fn syncs(folder: &Path, span: Duration, bytes: usize) -> Result<f64> {
    let file = RealDisk.write(&folder.join("syncs"))?;
    let content = vec![7; bytes];
    let (begun, mut done) = (Instant::now(), 0_u64);
    while begun.elapsed() < span {
        file.write_at(done * bytes as u64, &content)?;
        file.sync()?;
        done += 1;
    }
    Ok(done as f64 / begun.elapsed().as_secs_f64())
}

/// Durable writes per second of so many receipts each, the making of the receipts left out; and the time of that, in microseconds
/// for one.
fn appends(
    store: &mut ProxyStore,
    ledger: &mut Ledger,
    number: &mut usize,
    batch: usize,
    span: Duration,
    key: &SigningKey,
) -> Result<(f64, f64)> {
    let (mut writing, mut making, mut writes) = (Duration::ZERO, Duration::ZERO, 0_u64);
    while writing < span {
        let begun = Instant::now();
        let mut made = Vec::with_capacity(batch);
        for _ in 0..batch {
            let (receipt, changes) = charge(ledger, *number, CHANNELS, key)?;
            *number += 1;
            made.push(ProxyWrite {
                changes,
                records: vec![NewRecord::Receipt(Arc::new(receipt.into()))],
                ..ProxyWrite::default()
            });
        }
        making += begun.elapsed();
        let begun = Instant::now();
        store.write(&made)?;
        writing += begun.elapsed();
        writes += 1;
    }
    let of_one = making.as_secs_f64() * 1e6 / (writes as f64 * batch as f64);
    Ok((writes as f64 / writing.as_secs_f64(), of_one))
}
