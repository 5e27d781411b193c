//! The client's store: the receipts that it verified, and what it must remember of each proxy.

use std::collections::BTreeSet;
use std::path::Path;

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_receipt::{ChannelHead, ReceiptId, SignedReceipt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoints;
use crate::disk::{RealDisk, SharedDisk};
use crate::error::StoreError;
use crate::evidence::EvidenceFolder;
use crate::log::ReceiptLog;
use crate::proxy::files;
use crate::reader::io;
use crate::record::LogRecord;
use crate::rows::Rows;
use crate::table::{PROXIES, RECEIPTS, REQUESTS, STATE};

/// A receipt with what is needed to check it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReceipt {
    /// The receipt.
    pub receipt: SignedReceipt,
    /// Salt of the request hash.
    pub request_salt: [u8; 32],
    /// Salt of the response hash.
    pub response_salt: [u8; 32],
    /// Unix seconds when it was verified.
    pub verified_at: u64,
    /// What did not verify, in words; `None` when everything did.
    pub fault: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct ReceiptRow {
    receipt: String,
    request_salt: HashBytes,
    response_salt: HashBytes,
    verified_at: u64,
    fault: Option<String>,
}

/// Receipts, channel heads, evidence and settings of one client.
pub struct ClientStore {
    rows: Rows,
    log: ReceiptLog,
    evidence: EvidenceFolder,
}

impl ClientStore {
    /// Opens or creates the store in `folder`.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_on(RealDisk::shared(), folder)
    }

    /// The same on a disk.
    pub fn open_on(disk: SharedDisk, folder: &Path) -> Result<Self, StoreError> {
        disk.create_folder(folder).map_err(io("create", folder))?;
        let rows = Rows::open(
            disk.as_ref(),
            &folder.join(files::DATABASE),
            &[RECEIPTS, REQUESTS, PROXIES, STATE],
            Some(&folder.join(files::RECEIPTS)),
        )?;
        let evidence = EvidenceFolder::open_on(disk.clone(), &folder.join(files::EVIDENCE))?;
        let acknowledged = rows.get(STATE, b"log_length")?.unwrap_or(0);
        let log = ReceiptLog::open_on(disk, &folder.join(files::RECEIPTS), acknowledged, |_| Ok(()))?;
        rows.keep_with(&log);
        Ok(Self { rows, log, evidence })
    }

    /// Keeps receipts, and where the channel between the two contracts stands after them. Durable when it returns. A receipt
    /// that is kept already is replaced in the index and not appended again.
    pub fn put_receipts(
        &mut self,
        receipts: &[StoredReceipt],
        (proxy, client, head): (&Address, &Address, &ChannelHead),
    ) -> Result<(), StoreError> {
        let ids: Vec<ReceiptId> = receipts.iter().map(|stored| stored.receipt.id()).collect();
        let mut records = Vec::new();
        let mut is_new = BTreeSet::new();
        for (id, stored) in ids.iter().zip(receipts) {
            if is_new.insert(*id) && !self.rows.has(RECEIPTS, id.0.as_slice())? {
                records.push(LogRecord::Receipt(stored.receipt.clone()).encode());
            }
        }
        let mut batch = self.rows.begin();
        for (id, stored) in ids.iter().zip(receipts) {
            let row = ReceiptRow {
                receipt: hex(&stored.receipt.to_boc()),
                request_salt: HashBytes(stored.request_salt),
                response_salt: HashBytes(stored.response_salt),
                verified_at: stored.verified_at,
                fault: stored.fault.clone(),
            };
            batch.put(RECEIPTS, id.0.as_slice(), &row)?;
            batch.put(REQUESTS, stored.receipt.receipt.request_id.as_slice(), id)?;
        }
        if *head != ChannelHead::GENESIS {
            batch.put(PROXIES, head_key(proxy, client).as_bytes(), head)?;
        }
        let bytes = records
            .iter()
            .map(|record| record.len() as u64)
            .fold(0, u64::saturating_add);
        batch.put(STATE, b"log_length", &self.log.length().saturating_add(bytes))?;
        self.rows.commit_with(batch, &mut self.log, &records)
    }

    /// A receipt by its id.
    pub fn receipt(&self, id: &ReceiptId) -> Result<Option<StoredReceipt>, StoreError> {
        let row: Option<ReceiptRow> = self.rows.get(RECEIPTS, id.0.as_slice())?;
        row.map(|row| {
            let boc =
                unhex(&row.receipt).ok_or(StoreError::Receipt(cocoon_receipt::ReceiptError::Boc("not hex".into())))?;
            Ok(StoredReceipt {
                receipt: SignedReceipt::from_boc(&boc)?,
                request_salt: row.request_salt.0,
                response_salt: row.response_salt.0,
                verified_at: row.verified_at,
                fault: row.fault,
            })
        })
        .transpose()
    }

    /// The receipt of a request of this client.
    pub fn by_request(&self, request_id: &HashBytes) -> Result<Option<StoredReceipt>, StoreError> {
        match self.rows.get::<ReceiptId>(REQUESTS, request_id.as_slice())? {
            Some(id) => self.receipt(&id),
            None => Ok(None),
        }
    }

    /// The receipt at which each channel ends: what this client can prove to a contract.
    pub fn latest_receipts(&self) -> Result<Vec<StoredReceipt>, StoreError> {
        let mut latest = Vec::new();
        for (_, head) in self.rows.all::<ChannelHead>(PROXIES)? {
            latest.extend(self.receipt(&ReceiptId(head.hash))?);
        }
        Ok(latest)
    }

    /// Where the channel of `client` at `proxy` stands by the receipts verified here.
    pub fn head(&self, proxy: &Address, client: &Address) -> Result<ChannelHead, StoreError> {
        Ok(self
            .rows
            .get(PROXIES, head_key(proxy, client).as_bytes())?
            .unwrap_or(ChannelHead::GENESIS))
    }

    /// Moves what only the journal holds into the database: for an orderly end.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        self.rows.checkpoint()
    }

    /// Whoever makes checkpoints beside whoever writes.
    pub fn checkpoints(&self) -> Checkpoints {
        self.rows.checkpoints()
    }

    /// A setting.
    pub fn state<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        self.rows.get(STATE, name.as_bytes())
    }

    /// Writes a setting; durable when it returns.
    pub fn put_state<T: Serialize>(&self, name: &str, value: &T) -> Result<(), StoreError> {
        let mut batch = self.rows.begin();
        batch.put(STATE, name.as_bytes(), value)?;
        self.rows.commit(batch)
    }

    /// Certificates of proxies and workers.
    pub fn evidence(&self) -> &EvidenceFolder {
        &self.evidence
    }

    /// The receipt log.
    pub fn log(&self) -> &ReceiptLog {
        &self.log
    }
}

fn head_key(proxy: &Address, client: &Address) -> String {
    format!("{proxy} {client}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    bytes
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
