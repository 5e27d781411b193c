//! The worker's store: what it signed, and what each proxy owes it.

use std::collections::BTreeMap;
use std::path::Path;

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::ModelHash;
use cocoon_receipt::{BuiltStatement, ChannelHead, Signature, WorkStatement};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoints;
use crate::disk::{RealDisk, SharedDisk};
use crate::error::StoreError;
use crate::proxy::files;
use crate::reader::io;
use crate::row::StatementRow;
use crate::rows::Rows;
use crate::table::{PROXIES, STATE, STATEMENTS};

/// What a worker remembers of one proxy; what it tells when it connects again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyMemory {
    /// The channel by the statements signed here.
    pub head: ChannelHead,
    /// Highest total known to be committed on chain.
    pub tokens_chain: u64,
    /// Highest total known to be in the proxy's database.
    pub tokens_db: u64,
    /// Highest total known.
    pub tokens_max: u64,
    /// The best voucher, as a bag of cells.
    pub voucher: Option<Vec<u8>>,
    /// The highest statement that the proxy signed too.
    #[serde(default)]
    pub claim: Option<Claim>,
}

/// What a contract accepts as proof of work when the proxy is silent: a statement kept here, signed by the proxy's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Cumulative tokens that the statement ends with.
    pub tokens: u64,
    /// Hash of the statement.
    pub statement: HashBytes,
    /// The key of the proxy's contract.
    pub proxy_key: HashBytes,
    /// Its signature over the statement.
    pub signature: Vec<u8>,
}

/// A claim with its statement and the contracts between which it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptClaim {
    /// The claim.
    pub claim: Claim,
    /// What both signed.
    pub statement: WorkStatement,
}

impl Default for ProxyMemory {
    fn default() -> Self {
        Self {
            head: ChannelHead::GENESIS,
            tokens_chain: 0,
            tokens_db: 0,
            tokens_max: 0,
            voucher: None,
            claim: None,
        }
    }
}

/// Statements, proxies and settings of one worker.
pub struct WorkerStore {
    rows: Rows,
}

impl WorkerStore {
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
            &[PROXIES, STATEMENTS, STATE],
            None,
        )?;
        Ok(Self { rows })
    }

    /// What is remembered of a proxy contract and the own worker contract there, by work with one model: each model has
    /// connections of its own, whose messages have no common order. What was remembered before there were several models
    /// counts for each.
    pub fn proxy(&self, proxy: &Address, worker: &Address, model: &ModelHash) -> Result<ProxyMemory, StoreError> {
        let key = memory_key(proxy, worker, model);
        let of_model = self.rows.get(PROXIES, key.as_bytes())?;
        let of_all = || self.rows.get(PROXIES, format!("{proxy} {worker}").as_bytes());
        Ok(match of_model {
            Some(memory) => memory,
            None => of_all()?.unwrap_or_default(),
        })
    }

    /// Remembers, together with the statements that were signed for it; durable when it returns, so before a signature
    /// leaves.
    pub fn put_proxy(
        &self,
        proxy: &Address,
        worker: &Address,
        model: &ModelHash,
        memory: &ProxyMemory,
        signed: &[(BuiltStatement, Signature)],
    ) -> Result<(), StoreError> {
        let mut batch = self.rows.begin();
        for (statement, signature) in signed {
            let row = StatementRow {
                statement: statement.to_boc(),
                signature: *signature,
            };
            batch.put_bytes(STATEMENTS, statement.hash().as_slice(), row.encode());
        }
        batch.put(PROXIES, memory_key(proxy, worker, model).as_bytes(), memory)?;
        self.rows.commit(batch)
    }

    /// The claims against all proxies that this worker ever worked for: the highest one for each contract, which contains
    /// the others.
    pub fn claims(&self) -> Result<Vec<KeptClaim>, StoreError> {
        let mut claims: BTreeMap<(Address, Address), KeptClaim> = BTreeMap::new();
        for (_, memory) in self.rows.all::<ProxyMemory>(PROXIES)? {
            let Some(claim) = memory.claim else { continue };
            let Some((statement, _)) = self.statement(&claim.statement)? else {
                continue;
            };
            let contracts = (statement.proxy.clone(), statement.worker.clone());
            let is_higher = |kept: &KeptClaim| kept.claim.tokens < claim.tokens;
            if claims.get(&contracts).is_none_or(is_higher) {
                claims.insert(contracts, KeptClaim { claim, statement });
            }
        }
        Ok(claims.into_values().collect())
    }

    /// A statement by its hash, with its signature.
    pub fn statement(&self, hash: &HashBytes) -> Result<Option<(WorkStatement, Signature)>, StoreError> {
        let Some(bytes) = self.rows.get_bytes(STATEMENTS, hash.as_slice())? else {
            return Ok(None);
        };
        let malformed = |reason| self.rows.malformed(STATEMENTS, hash.to_string().as_bytes(), reason);
        let row = StatementRow::decode(&bytes).map_err(malformed)?;
        Ok(Some((WorkStatement::from_boc(&row.statement)?, row.signature)))
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
}

fn memory_key(proxy: &Address, worker: &Address, model: &ModelHash) -> String {
    format!("{proxy} {worker} {model}")
}
