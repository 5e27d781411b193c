//! Records of challenges beside the tree: files of up to 256, of which the last one grows (docs/challenges.md).

use std::collections::HashMap;

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{ModelHash, PublicKey};
use cocoon_receipt::log::TILE_WIDTH;
use cocoon_receipt::{CHALLENGE_BYTES, ChallengedReceipt, ReceiptId, SignedChallenge, SignedReceipt};

use crate::error::TlogError;
use crate::limits::{MAX_CHALLENGE_FILES, READ_CHALLENGE_FILES};
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

/// The records of a log, with the receipts that they name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparisons {
    /// Those that are valid.
    pub compared: Vec<Compared>,
    /// Those that say nothing: of one worker, or of two models.
    pub void: u64,
    /// Those whose receipts are not under the checkpoint: a log may have grown since that was read.
    pub unknown: u64,
    /// Those that were not looked at, because they stand before the newest [`READ_CHALLENGE_FILES`] files.
    pub older: u64,
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

    fn side(&self, id: ReceiptId) -> ChallengedReceipt<'_> {
        let (worker, model) = (&self.worker, &self.model);
        ChallengedReceipt { id, worker, model }
    }
}

/// Puts records and receipts together. What cannot be joined says nothing about the log, and is only counted.
pub(crate) fn join(records: Records, found: &HashMap<HashBytes, Answerer>) -> Comparisons {
    let mut joined = Comparisons {
        older: records.older,
        ..Comparisons::default()
    };
    for challenge in records.newest {
        let record = &challenge.record;
        let of = |id: ReceiptId| found.get(&id.0).cloned();
        let (Some(first), Some(second)) = (of(record.first), of(record.second)) else {
            joined.unknown += 1;
            continue;
        };
        if record.is_of(first.side(record.first), second.side(record.second)) {
            joined.compared.push(Compared {
                challenge,
                first,
                second,
            });
        } else {
            joined.void += 1;
        }
    }
    joined
}

/// The newest records of a log, each signed with its key, in their order.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) newest: Vec<SignedChallenge>,
    /// How many stand before them.
    pub(crate) older: u64,
}

/// Reads the newest records. Their number is the publisher's choice, so only so many are looked at.
pub(crate) async fn read(source: &SharedSource, key: &PublicKey) -> Result<Records, TlogError> {
    let end = files(source).await?;
    let first = end.saturating_sub(READ_CHALLENGE_FILES);
    let mut records = Records {
        newest: Vec::new(),
        older: first * TILE_WIDTH,
    };
    for number in first..end {
        let Some(bytes) = source.read(&paths::challenges(number)).await? else {
            break;
        };
        records.newest.extend(open(number, &bytes, key)?);
    }
    Ok(records)
}

/// How many files of records there are, one behind the other.
async fn files(source: &SharedSource) -> Result<u64, TlogError> {
    async fn is_there(source: &SharedSource, number: u64) -> Result<bool, TlogError> {
        Ok(source.read(&paths::challenges(number)).await?.is_some())
    }
    // Most logs have few.
    let (mut known, mut absent) = (0_u64, 1_u64);
    while absent <= MAX_CHALLENGE_FILES && is_there(source, absent - 1).await? {
        (known, absent) = (absent, absent * 2);
    }
    absent = absent.min(MAX_CHALLENGE_FILES + 1);
    // The first `known` files are there, and those from `absent - 1` on are not.
    while known + 1 < absent {
        let middle = known.midpoint(absent);
        if is_there(source, middle - 1).await? {
            known = middle;
        } else {
            absent = middle;
        }
    }
    Ok(known)
}

/// The records of one file.
pub(crate) fn open(number: u64, bytes: &[u8], key: &PublicKey) -> Result<Vec<SignedChallenge>, TlogError> {
    let index = |at: usize| number.saturating_mul(TILE_WIDTH).saturating_add(at as u64);
    let records = bytes.chunks(CHALLENGE_BYTES).enumerate();
    records
        .map(|(at, bytes)| SignedChallenge::open(bytes, key).ok_or(TlogError::Challenge { index: index(at) }))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use bytes::Bytes;
    use cocoon_receipt::{ChallengeRecord, ChallengeResult, ContractKey};
    use ed25519_dalek::SigningKey;

    use super::*;

    /// So many full files of one record again and again.
    #[derive(Debug)]
    struct Full(u64, Bytes);

    #[async_trait]
    impl crate::LogSource for Full {
        async fn read(&self, path: &str) -> Result<Option<Bytes>, TlogError> {
            let is_there = (0..self.0).any(|number| paths::challenges(number) == path);
            Ok(is_there.then(|| self.1.clone()))
        }
    }

    fn signed(first: u8, second: u8) -> SignedChallenge {
        let id = |tag| ReceiptId(HashBytes([tag; 32]));
        let record = ChallengeRecord {
            result: ChallengeResult::Equal,
            time_ms: 1,
            first: id(first),
            second: id(second),
        };
        record.sign(&ContractKey::from(SigningKey::from_bytes(&[7; 32])))
    }

    #[test]
    fn what_cannot_be_joined_is_counted_and_accuses_nobody() {
        let answerer = |worker, model| Answerer {
            worker: Address::new(0, HashBytes([worker; 32])),
            model: ModelHash::new([model; 32]),
            evidence: HashBytes::ZERO,
            is_signed: true,
        };
        let sides = [
            (1, answerer(1, 1)),
            (2, answerer(2, 1)),
            (3, answerer(1, 1)),
            (4, answerer(4, 2)),
        ];
        let found = sides.map(|(id, side)| (HashBytes([id; 32]), side)).into();
        let records = Records {
            newest: vec![signed(1, 2), signed(1, 3), signed(1, 4), signed(1, 9)],
            older: 5,
        };
        let joined = join(records, &found);
        assert_eq!(joined.compared.len(), 1);
        assert_eq!((joined.void, joined.unknown, joined.older), (2, 1, 5));
    }

    #[tokio::test]
    async fn only_the_newest_records_are_read() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let file: Bytes = signed(1, 2).to_bytes().repeat(TILE_WIDTH as usize).into();
        for count in [0, 1, 2, 3, READ_CHALLENGE_FILES, READ_CHALLENGE_FILES + 3] {
            let source: SharedSource = Arc::new(Full(count, file.clone()));
            let records = read(&source, &PublicKey::from(&key)).await.unwrap();
            let older = count.saturating_sub(READ_CHALLENGE_FILES);
            assert_eq!(records.older, older * TILE_WIDTH);
            assert_eq!(records.newest.len() as u64, (count - older) * TILE_WIDTH);
        }
    }
}
