//! The proxy's store: its ledger and its receipts, durable together.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cocoon_bindings::ton::{Address, HashBytes, parse_address};
use cocoon_bindings::units::TokenCount;
use cocoon_ledger::{Changes, ClientChannel, Commits, Ledger, WorkerChannel};
use cocoon_receipt::tree::{Frontier, leaf_hash};
use cocoon_receipt::{Receipt, ReceiptId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoints;
use crate::disk::{RealDisk, SharedDisk};
use crate::error::StoreError;
use crate::evidence::EvidenceFolder;
use crate::log::ReceiptLog;
use crate::reader::io;
use crate::record::{LogRecord, NewRecord};
use crate::rows::{Batch, Records, Rows};
use crate::table::{BOUNDARIES, CLIENTS, SIGNED, STATE, Table, WORKERS};

use recovery::Recovery;

mod recovery;

const COMMITS_KEY: &[u8] = b"commits";
const LOG_LENGTH_KEY: &[u8] = b"log_length";

/// Files inside the folder of a store.
pub mod files {
    /// The database.
    pub const DATABASE: &str = "state.redb";
    /// The receipt log.
    pub const RECEIPTS: &str = "receipts.log";
    /// The folder of certificates.
    pub const EVIDENCE: &str = "evidence";
}

/// What one call of [`ProxyStore::write`] makes durable.
#[derive(Debug, Clone, Default)]
pub struct ProxyWrite {
    /// Ledger rows.
    pub changes: Changes,
    /// Records for the log.
    pub records: Vec<NewRecord>,
    /// Statements that workers signed, by worker contract. Their signatures are among the records.
    pub signed: Vec<(Address, SignedStatement)>,
    /// Settings by name, as JSON.
    pub state: Vec<(&'static str, serde_json::Value)>,
}

/// A statement that its worker signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SignedStatement {
    /// Cumulative tokens of the worker's channel after it.
    pub tokens: u64,
    /// Its hash.
    pub hash: HashBytes,
}

/// Ledger rows, settings, receipt log and evidence of one proxy.
pub struct ProxyStore {
    rows: Rows,
    log: ReceiptLog,
    evidence: EvidenceFolder,
    tree: SharedTree,
}

/// The durable receipts in short.
type SharedTree = Arc<Mutex<Durable>>;

/// What grows with each durable receipt.
#[derive(Debug, Clone, Default)]
struct Durable {
    /// A leaf is the hash of a receipt's id.
    tree: Frontier,
    finished_ms: u64,
}

impl Durable {
    fn push(&mut self, id: ReceiptId, finished_ms: u64) {
        self.tree.push(leaf_hash(id.0.as_slice()));
        self.finished_ms = self.finished_ms.max(finished_ms);
    }
}

/// The durable receipts at one moment: everything here follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// How many they are.
    pub size: u64,
    /// Root of the tree over them.
    pub root: HashBytes,
    /// The latest end of an answer among them, Unix milliseconds by the proxy's clock; 0 when there are none.
    pub finished_ms: u64,
}

/// The questions that may be asked while another thread writes.
#[derive(Clone)]
pub struct ProxyReader {
    rows: Rows,
    tree: SharedTree,
    evidence: EvidenceFolder,
}

/// What opening a store found.
pub struct Recovered {
    /// The ledger as it stood.
    pub ledger: Ledger,
    /// Receipts in the log.
    pub receipts: u64,
    /// Receipts that had reached the log but neither journal nor database, as versions without a journal left them: taken
    /// over now.
    pub replayed: u64,
}

impl ProxyStore {
    /// Opens or creates the store in `folder` and brings database and log together: the end of a crash.
    ///
    /// Every receipt of the log is read, and its channels must be those of the database, to the last token.
    pub fn open(folder: &Path) -> Result<(Self, Recovered), StoreError> {
        Self::open_on(RealDisk::shared(), folder)
    }

    /// The same on a disk.
    pub fn open_on(disk: SharedDisk, folder: &Path) -> Result<(Self, Recovered), StoreError> {
        disk.create_folder(folder).map_err(io("create", folder))?;
        let rows = Rows::open(
            disk.as_ref(),
            &folder.join(files::DATABASE),
            &[CLIENTS, WORKERS, BOUNDARIES, SIGNED, STATE],
            Some(&folder.join(files::RECEIPTS)),
        )?;
        let evidence = EvidenceFolder::open_on(disk.clone(), &folder.join(files::EVIDENCE))?;
        let clients = channels::<ClientChannel>(&rows, CLIENTS, folder)?;
        let workers = channels::<WorkerChannel>(&rows, WORKERS, folder)?;
        let commits: Commits = rows.get(STATE, COMMITS_KEY)?.unwrap_or_default();
        let acknowledged: u64 = rows.get(STATE, LOG_LENGTH_KEY)?.unwrap_or(0);

        let mut recovery = Recovery::new(folder.join(files::RECEIPTS), Ledger::restore(clients, workers, commits));
        let path = recovery.path.clone();
        let log = ReceiptLog::open_on(disk, &path, acknowledged, |entry| match entry.record {
            LogRecord::Receipt(receipt) => recovery.take(entry.index, entry.offset >= acknowledged, &receipt.receipt),
            LogRecord::WorkerSignature(..) => Ok(()),
        })?;
        recovery.compare()?;

        rows.keep_with(&log);
        let store = Self {
            rows,
            log,
            evidence,
            tree: Arc::new(Mutex::new(recovery.durable)),
        };
        let replayed = recovery.unwritten.len() as u64;
        if store.log.length() != acknowledged {
            let mut batch = store.rows.begin();
            put_last_changes(&mut batch, &recovery.changes)?;
            for (index, receipt) in &recovery.unwritten {
                put_boundaries(&mut batch, *index, receipt)?;
            }
            batch.put(STATE, LOG_LENGTH_KEY, &store.log.length())?;
            store.rows.commit(batch)?;
            store.rows.checkpoint()?;
        }
        Ok((
            store,
            Recovered {
                ledger: recovery.ledger,
                receipts: recovery.receipts,
                replayed,
            },
        ))
    }

    /// Makes all of it durable with one sync. What the caller shows outside after this returns survives any crash; of a
    /// crash in between everything is there again or nothing.
    pub fn write<'a>(&mut self, writes: impl IntoIterator<Item = &'a ProxyWrite>) -> Result<(), StoreError> {
        let writes: Vec<_> = writes.into_iter().collect();
        let mut batch = self.rows.begin();
        for (worker, statement) in &self.highest_signed(&writes)? {
            batch.put(SIGNED, worker.to_string().as_bytes(), statement)?;
        }
        put_last_changes(&mut batch, writes.iter().map(|write| &write.changes))?;
        for (name, value) in writes.iter().flat_map(|write| &write.state) {
            batch.put(STATE, name.as_bytes(), value)?;
        }
        let mut records = Records::default();
        let mut leaves = Vec::new();
        for (index, record) in (self.log.records()..).zip(writes.iter().flat_map(|write| &write.records)) {
            record.encode(&mut records.bytes);
            records.count += 1;
            if let NewRecord::Receipt(built) = record {
                put_boundaries(&mut batch, index, &built.signed().receipt)?;
                leaves.push((built.id(), built.signed().receipt.statement.timing.finished_ms));
            }
        }
        if records.count > 0 {
            let length = self.log.length().saturating_add(records.bytes.len() as u64);
            batch.put(STATE, LOG_LENGTH_KEY, &length)?;
        }
        self.rows.commit_with(batch, &mut self.log, &records)?;
        let mut tree = lock(&self.tree);
        leaves
            .into_iter()
            .for_each(|(id, finished_ms)| tree.push(id, finished_ms));
        Ok(())
    }

    /// Moves what only the journal holds into the database: for an orderly end.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        self.rows.checkpoint()
    }

    /// Whoever makes checkpoints beside the writer.
    pub fn checkpoints(&self) -> Checkpoints {
        self.rows.checkpoints()
    }

    /// Several connections of one owner share a channel, so signatures may come out of order: the highest one stays.
    fn highest_signed(&self, writes: &[&ProxyWrite]) -> Result<BTreeMap<Address, SignedStatement>, StoreError> {
        let mut highest: BTreeMap<Address, SignedStatement> = BTreeMap::new();
        for (worker, statement) in writes.iter().flat_map(|write| &write.signed) {
            let known = match highest.get(worker) {
                Some(known) => Some(*known),
                None => self.rows.get(SIGNED, worker.to_string().as_bytes())?,
            };
            highest.insert(worker.clone(), known.map_or(*statement, |known| known.max(*statement)));
        }
        Ok(highest)
    }

    /// A setting.
    pub fn state<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        self.rows.get(STATE, name.as_bytes())
    }

    /// Writes a setting by itself.
    pub fn put_state<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StoreError> {
        let mut batch = self.rows.begin();
        batch.put(STATE, name.as_bytes(), value)?;
        self.rows.commit(batch)
    }

    /// A handle for reading.
    pub fn reader(&self) -> ProxyReader {
        ProxyReader {
            rows: self.rows.clone(),
            tree: Arc::clone(&self.tree),
            evidence: self.evidence.clone(),
        }
    }

    /// The receipt log.
    pub fn log(&self) -> &ReceiptLog {
        &self.log
    }
}

impl ProxyReader {
    /// Whether `tokens` is the sum of a channel's receipts up to one of them: the condition for signing a voucher.
    pub fn check_backed(&self, contract: &Address, tokens: TokenCount) -> Result<(), StoreError> {
        if tokens == TokenCount::ZERO || self.rows.has(BOUNDARIES, &boundary(contract, tokens.get()))? {
            return Ok(());
        }
        Err(StoreError::NotBacked {
            contract: contract.to_string(),
            tokens: tokens.get(),
        })
    }

    /// The highest statement of a worker contract that its worker signed.
    pub fn last_signed(&self, worker: &Address) -> Result<Option<SignedStatement>, StoreError> {
        self.rows.get(SIGNED, worker.to_string().as_bytes())
    }

    /// The tree over the receipts that are durable, in the order of the log: what a checkpoint is made of.
    pub fn tree(&self) -> Frontier {
        lock(&self.tree).tree.clone()
    }

    /// The same in short, with the time of the latest answer.
    pub fn head(&self) -> LogHead {
        let durable = lock(&self.tree);
        LogHead {
            size: durable.tree.size(),
            root: durable.tree.root(),
            finished_ms: durable.finished_ms,
        }
    }

    /// Certificates of workers and of the proxy itself.
    pub fn evidence(&self) -> &EvidenceFolder {
        &self.evidence
    }
}

/// The tree is never left half changed.
fn lock(tree: &SharedTree) -> MutexGuard<'_, Durable> {
    tree.lock().unwrap_or_else(PoisonError::into_inner)
}

fn channels<T: DeserializeOwned>(rows: &Rows, table: Table, folder: &Path) -> Result<Vec<(Address, T)>, StoreError> {
    let parse = |(key, channel): (Vec<u8>, T)| {
        let text = String::from_utf8_lossy(&key).into_owned();
        let address = parse_address(&text).map_err(|error| StoreError::Row {
            path: folder.join(files::DATABASE),
            table: "clients or workers",
            key: text,
            reason: error.to_string(),
        })?;
        Ok((address, channel))
    };
    rows.all(table)?.into_iter().map(parse).collect()
}

/// Puts what each row is after all changes.
fn put_last_changes<'a>(
    batch: &mut Batch<'_>,
    changes: impl IntoIterator<Item = &'a Changes>,
) -> Result<(), StoreError> {
    let (mut clients, mut workers, mut commits) = (BTreeMap::new(), BTreeMap::new(), None);
    for changes in changes {
        clients.extend(changes.clients.iter().map(|(contract, channel)| (contract, channel)));
        workers.extend(changes.workers.iter().map(|(contract, channel)| (contract, channel)));
        commits = changes.commits.as_ref().or(commits);
    }
    for (contract, channel) in clients {
        batch.put(CLIENTS, contract.to_string().as_bytes(), channel)?;
    }
    for (contract, channel) in workers {
        batch.put(WORKERS, contract.to_string().as_bytes(), channel)?;
    }
    if let Some(commits) = commits {
        batch.put(STATE, COMMITS_KEY, commits)?;
    }
    Ok(())
}

fn put_boundaries(batch: &mut Batch<'_>, index: u64, receipt: &Receipt) -> Result<(), StoreError> {
    batch.put(BOUNDARIES, &boundary(&receipt.client, receipt.channel.after), &index)?;
    let statement = &receipt.statement;
    batch.put(
        BOUNDARIES,
        &boundary(&statement.worker, statement.channel.after),
        &index,
    )
}

fn boundary(contract: &Address, tokens: u64) -> [u8; 41] {
    let mut key = [0; 41];
    key[0] = contract.workchain as u8;
    key[1..33].copy_from_slice(contract.address.as_slice());
    key[33..].copy_from_slice(&tokens.to_be_bytes());
    key
}
