//! The start of a proxy's store: a log of many receipts over many channels is written, then opened.

use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

use cocoon_bindings::tokens::{TokenCounts, TokensUsed};
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{Coefficient, ModelHash, Nanoton, ParamsVersion, TokenCount};
use cocoon_ledger::{Changes, ClientOnChain, ContractState, Ledger, Position, Thresholds};
use cocoon_receipt::{ChannelLink, FinishReason, Receipt, Signature, SignedReceipt, Timing, WorkStatement};
use cocoon_store::{LogRecord, NewRecord, ProxyStore, ProxyWrite};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

use crate::Result;
use crate::chain::owner;
use crate::process::resident_bytes;

/// Receipts that are written at once; more than the proxy would, to be done sooner.
const BATCH: usize = 5_000;
/// One worker for so many clients.
const CLIENTS_OF_WORKER: usize = 10;

/// Writes `receipts` receipts and their workers' signatures, round robin over `channels` clients, and has the store opened by
/// a process that has done nothing else.
pub(crate) fn measure(receipts: usize, channels: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut store, recovered) = ProxyStore::open(folder.path())?;
    let mut ledger = recovered.ledger;
    open_channels(&mut store, &mut ledger, channels)?;
    let key = SigningKey::from_bytes(&[1; 32]);
    let writing = Instant::now();
    let mut number = 0;
    while number < receipts {
        let mut write = ProxyWrite::default();
        let mut rows = Rows::default();
        for number in number..receipts.min(number + BATCH) {
            let (receipt, changes) = charge(&mut ledger, number, channels, &key)?;
            write.records.push(LogRecord::Receipt(receipt.clone()).into());
            write
                .records
                .push(NewRecord::WorkerSignature(receipt.id(), Signature([2; 64])));
            rows.take(changes);
        }
        number += BATCH;
        write.changes = rows.changes();
        store.write(&[write])?;
    }
    let writing = writing.elapsed();
    let size = |name: &str| std::fs::metadata(folder.path().join(name)).map(|file| file.len());
    let (log, database) = (size("receipts.log")?, size("state.redb")?);
    drop((store, ledger));

    let path = folder.path().display().to_string();
    let opened = std::process::Command::new(std::env::current_exe()?)
        .args(["open", &path])
        .output()?;
    let opened: Value = serde_json::from_slice(&opened.stdout)?;
    if opened["receipts"] != receipts {
        return Err("receipts are missing".into());
    }
    let report = json!({
        "channels": channels, "log_bytes": log, "database_bytes": database, "written_in_seconds": writing.as_secs_f64(),
        "opened": opened,
    });
    println!("{report}");
    Ok(())
}

/// Opens a store, and measures the ledger's work on all its channels.
pub(crate) fn open(folder: &Path) -> Result<()> {
    let before = resident_bytes()?;
    let opening = Instant::now();
    let (_store, recovered) = ProxyStore::open(folder)?;
    let opening = opening.elapsed();
    let resident = resident_bytes()?.saturating_sub(before);
    let mut ledger = recovered.ledger;
    let mut work = serde_json::Map::new();
    let mut timed = |name: &str, action: &mut dyn FnMut(&mut Ledger) -> Result<()>| -> Result<()> {
        let started = Instant::now();
        action(&mut ledger)?;
        work.insert(name.into(), json!(started.elapsed().as_secs_f64() * 1000.0));
        Ok(())
    };
    timed("settlements", &mut |ledger| {
        ledger.settlements(0, &Thresholds::default());
        Ok(())
    })?;
    let session = HashBytes([7; 32]);
    let mut note = None;
    timed("begin_commit", &mut |ledger| {
        note = Some(ledger.begin_commit(session)?.0);
        Ok(())
    })?;
    timed("commit_landed", &mut |ledger| {
        ledger.commit_landed(note.ok_or("no commit")?)?;
        Ok(())
    })?;
    timed("has_uncommitted", &mut |ledger| {
        ledger.has_uncommitted();
        Ok(())
    })?;
    let report = json!({
        "receipts": recovered.receipts, "seconds": opening.as_secs_f64(), "rss_more_bytes": resident, "ledger_ms": work,
    });
    println!("{report}");
    Ok(())
}

/// The newest row of each channel.
#[derive(Default)]
struct Rows {
    clients: HashMap<Address, cocoon_ledger::ClientChannel>,
    workers: HashMap<Address, cocoon_ledger::WorkerChannel>,
}

impl Rows {
    fn take(&mut self, changes: Changes) {
        self.clients.extend(changes.clients);
        self.workers.extend(changes.workers);
    }

    fn changes(self) -> Changes {
        Changes {
            clients: self.clients.into_iter().collect(),
            workers: self.workers.into_iter().collect(),
            commits: None,
        }
    }
}

fn client(number: usize) -> Address {
    owner(5, number)
}

fn worker(number: usize) -> Address {
    owner(6, number / CLIENTS_OF_WORKER)
}

fn open_channels(store: &mut ProxyStore, ledger: &mut Ledger, channels: usize) -> Result<()> {
    let mut rows = Rows::default();
    for number in 0..channels {
        ledger.open_client(&client(number), &owner(4, number));
        let funded = ClientOnChain {
            state: ContractState::Normal,
            balance: Nanoton::from_ton(5),
            stake: Nanoton::from_ton(5),
            tokens_used: TokenCount::ZERO,
            price: Nanoton::new(2_000),
            secret_hash: HashBytes::ZERO,
        };
        rows.take(ledger.see_client(&client(number), funded)?);
        rows.take(ledger.open_worker(&worker(number), &owner(3, number)));
    }
    let changes = rows.changes();
    Ok(store.write(&[ProxyWrite {
        changes,
        ..ProxyWrite::default()
    }])?)
}

fn charge(ledger: &mut Ledger, number: usize, channels: usize, key: &SigningKey) -> Result<(SignedReceipt, Changes)> {
    let (client, worker) = (client(number % channels), worker(number % channels));
    let used = TokenCount::new(17);
    let reservation = ledger.reserve(&client, 0, used)?;
    let charge = ledger.prepare(reservation, &worker, used)?;
    let mut request_id = HashBytes([4; 32]);
    request_id.0[..8].copy_from_slice(&(number as u64).to_be_bytes());
    let statement = WorkStatement {
        root: owner(1, 0),
        params_version: ParamsVersion::new(1),
        proxy: owner(1, 1),
        worker,
        client: HashBytes([3; 32]),
        request_id,
        channel: link(&charge.worker_position),
        request_hash: HashBytes([5; 32]),
        response_hash: HashBytes([6; 32]),
        sampling_hash: HashBytes::ZERO,
        seed: 1,
        model: ModelHash::new([7; 32]),
        worker_evidence: HashBytes([8; 32]),
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
            finished_ms: 3,
        },
        finish: FinishReason::Stop,
    };
    let receipt = Receipt {
        statement,
        client,
        request_id,
        channel: link(&charge.client_position),
        proxy_evidence: HashBytes([9; 32]),
    };
    let changes = ledger.apply(&charge, receipt.id().0, receipt.statement.hash())?;
    ledger.persisted(&changes);
    Ok((SignedReceipt::sign(receipt, key), changes))
}

fn link(position: &Position) -> ChannelLink {
    ChannelLink {
        seqno: position.seqno,
        previous: position.previous,
        before: position.before.get(),
        after: position.after.get(),
    }
}
