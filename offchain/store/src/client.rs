//! The client's store: the receipts that it verified, and what it must remember of each proxy.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_receipt::{BuiltReceipt, ChannelHead, ReceiptId, SignedReceipt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::checkpoint::Checkpoints;
use crate::disk::{RealDisk, SharedDisk};
use crate::error::StoreError;
use crate::evidence::EvidenceFolder;
use crate::log::ReceiptLog;
use crate::proxy::files;
use crate::reader::io;
use crate::record::{LogRecord, NewRecord};
use crate::row::{Place, ReceiptRow, decode_id};
use crate::rows::{Records, Rows};
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
    /// The highest coefficient that its request accepted, thousandths; `None` when that was not known any more, and in what
    /// versions before kept.
    pub max_coefficient: Option<u32>,
    /// Unix seconds when it was verified.
    pub verified_at: u64,
    /// What did not verify, in words; `None` when everything did.
    pub fault: Option<String>,
}

/// A receipt that is to be kept.
#[derive(Debug, Clone)]
pub struct NewReceipt {
    /// The receipt.
    pub receipt: BuiltReceipt,
    /// Salt of the request hash.
    pub request_salt: [u8; 32],
    /// Salt of the response hash.
    pub response_salt: [u8; 32],
    /// The highest coefficient that its request accepted, thousandths; `None` when that was not known any more, and in what
    /// versions before kept.
    pub max_coefficient: Option<u32>,
    /// Unix seconds when it was verified.
    pub verified_at: u64,
    /// What did not verify, in words; `None` when everything did.
    pub fault: Option<String>,
}

impl From<StoredReceipt> for NewReceipt {
    fn from(stored: StoredReceipt) -> Self {
        Self {
            receipt: stored.receipt.into(),
            request_salt: stored.request_salt,
            response_salt: stored.response_salt,
            max_coefficient: stored.max_coefficient,
            verified_at: stored.verified_at,
            fault: stored.fault,
        }
    }
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
        receipts: &[NewReceipt],
        (proxy, client, head): (&Address, &Address, &ChannelHead),
    ) -> Result<(), StoreError> {
        let mut batch = self.rows.begin();
        let mut records = Records::default();
        let ids: Vec<ReceiptId> = receipts.iter().map(|new| new.receipt.id()).collect();
        let keys: Vec<&[u8]> = ids.iter().map(|id| id.0.as_slice()).collect();
        let known = self.rows.have(RECEIPTS, &keys)?;
        let mut seen = BTreeSet::new();
        for ((new, id), is_known) in receipts.iter().zip(&ids).zip(known) {
            let place = if !is_known && seen.insert(id) {
                let offset = self.log.length().saturating_add(records.bytes.len() as u64);
                NewRecord::encode_receipt(&new.receipt, &mut records.bytes);
                records.count += 1;
                Place::Log(offset)
            } else {
                Place::Here(new.receipt.to_boc())
            };
            let row = ReceiptRow {
                place,
                request_salt: new.request_salt,
                response_salt: new.response_salt,
                max_coefficient: new.max_coefficient,
                verified_at: new.verified_at,
                fault: new.fault.clone(),
            };
            let request = &new.receipt.signed().receipt.request_id;
            batch.put_bytes(RECEIPTS, id.0.as_slice(), row.encode());
            batch.put_bytes(REQUESTS, request.as_slice(), id.0.as_slice());
        }
        if *head != ChannelHead::GENESIS {
            batch.put(PROXIES, head_key(proxy, client).as_bytes(), head)?;
        }
        let length = self.log.length().saturating_add(records.bytes.len() as u64);
        batch.put(STATE, b"log_length", &length)?;
        self.rows.commit_with(batch, &mut self.log, &records)
    }

    /// A receipt by its id.
    pub fn receipt(&self, id: &ReceiptId) -> Result<Option<StoredReceipt>, StoreError> {
        let Some(bytes) = self.rows.get_bytes(RECEIPTS, id.0.as_slice())? else {
            return Ok(None);
        };
        let malformed = |reason: &str| self.rows.malformed(RECEIPTS, id.to_string().as_bytes(), reason);
        let row = ReceiptRow::decode(&bytes).map_err(malformed)?;
        let receipt = match row.place {
            Place::Here(boc) => SignedReceipt::from_boc(&boc)?,
            Place::Log(offset) => match self.log.record_at(offset)? {
                Ok(LogRecord::Receipt(receipt)) if receipt.id() == *id => receipt,
                Ok(_) => return Err(malformed("another record is at its place in the log")),
                Err(reason) => return Err(malformed(&format!("its record in the log: {reason}"))),
            },
        };
        Ok(Some(StoredReceipt {
            receipt,
            request_salt: row.request_salt,
            response_salt: row.response_salt,
            max_coefficient: row.max_coefficient,
            verified_at: row.verified_at,
            fault: row.fault,
        }))
    }

    /// The receipt of a request of this client.
    pub fn by_request(&self, request_id: &HashBytes) -> Result<Option<StoredReceipt>, StoreError> {
        let Some(bytes) = self.rows.get_bytes(REQUESTS, request_id.as_slice())? else {
            return Ok(None);
        };
        let malformed = |reason| self.rows.malformed(REQUESTS, request_id.to_string().as_bytes(), reason);
        self.receipt(&decode_id(&bytes).map_err(malformed)?)
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

    /// Writes settings together; durable when it returns.
    pub fn put_states<T: Serialize>(&self, settings: &BTreeMap<String, T>) -> Result<(), StoreError> {
        let mut batch = self.rows.begin();
        for (name, value) in settings {
            batch.put(STATE, name.as_bytes(), value)?;
        }
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
