//! Records of challenges beside the tree: files of up to 256, of which the last one grows (docs/challenges.md).

use std::collections::HashMap;

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{ModelHash, PublicKey};
use cocoon_receipt::log::TILE_WIDTH;
use cocoon_receipt::{CHALLENGE_BYTES, SignedChallenge, SignedReceipt};

use crate::error::TlogError;
use crate::limits::MAX_CHALLENGE_FILES;
use crate::paths;
use crate::source::SharedSource;

/// A record with the receipts that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The record.
    pub challenge: SignedChallenge,
    /// Whoever gave the first answer.
    pub first: Answerer,
    /// Whoever gave the second one.
    pub second: Answerer,
}

/// A worker by its receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answerer {
    /// Its contract.
    pub worker: Address,
    /// What it answered with.
    pub model: ModelHash,
    /// SHA-256 of its certificate.
    pub evidence: HashBytes,
    /// Whether its signature stands beside the receipt; it is not checked here.
    pub is_signed: bool,
}

impl Answerer {
    pub(crate) fn of(receipt: &SignedReceipt) -> Self {
        let statement = &receipt.receipt.statement;
        Self {
            worker: statement.worker.clone(),
            model: statement.model,
            evidence: statement.worker_evidence,
            is_signed: receipt.worker_signature.is_some(),
        }
    }
}

/// Puts records and receipts together. Those that are of one worker, or of two models, are none; those whose receipts are not there are left
/// out: a log may have grown since its checkpoint was read.
pub(crate) fn join(
    records: Vec<SignedChallenge>,
    found: &HashMap<HashBytes, Answerer>,
) -> Result<Vec<Compared>, TlogError> {
    let mut joined = Vec::new();
    for (index, challenge) in (0..).zip(records) {
        let of = |id: HashBytes| found.get(&id).cloned();
        let (Some(first), Some(second)) = (of(challenge.record.first.0), of(challenge.record.second.0)) else {
            continue;
        };
        if first.worker == second.worker || first.model != second.model {
            return Err(TlogError::Challenge { index });
        }
        joined.push(Compared {
            challenge,
            first,
            second,
        });
    }
    Ok(joined)
}

/// All records of a log, each signed with `key`, in their order.
pub(crate) async fn read(source: &SharedSource, key: &PublicKey) -> Result<Vec<SignedChallenge>, TlogError> {
    let mut records = Vec::new();
    for number in 0..MAX_CHALLENGE_FILES {
        let Some(bytes) = source.read(&paths::challenges(number)).await? else {
            break;
        };
        let found = open(number, &bytes, key)?;
        let is_last = (found.len() as u64) < TILE_WIDTH;
        records.extend(found);
        if is_last {
            break;
        }
    }
    Ok(records)
}

/// The records of one file.
pub(crate) fn open(number: u64, bytes: &[u8], key: &PublicKey) -> Result<Vec<SignedChallenge>, TlogError> {
    let index = |at: usize| number.saturating_mul(TILE_WIDTH).saturating_add(at as u64);
    let records = bytes.chunks(CHALLENGE_BYTES).enumerate();
    records
        .map(|(at, bytes)| SignedChallenge::open(bytes, key).ok_or(TlogError::Challenge { index: index(at) }))
        .collect()
}
