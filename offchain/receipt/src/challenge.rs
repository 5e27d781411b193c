//! What a proxy says of a request that two workers answered: a record beside the receipts of both (docs/challenges.md).
//!
//! The receipts themselves, with both workers' signatures, stand in the log. The record is the proxy's word alone: only it has seen both
//! answers.

use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;

use crate::ed25519::{ContractKey, verifies};
use crate::receipt::ReceiptId;
use crate::signed::Signature;

/// Bytes of a record with its signature.
pub const CHALLENGE_BYTES: usize = BODY_BYTES + 64;

const BODY_BYTES: usize = 1 + 1 + 4 + 8 + 32 + 32;
const VERSION: u8 = 1;
/// Before what is signed: no cell's hash and no note begins like this.
const CONTEXT: &[u8] = b"cocoon challenge v1\n";

/// How two answers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChallengeResult {
    /// The same texts, calls, probabilities and ends.
    Equal,
    /// Another answer.
    Different {
        /// How many characters, tokens or calls are the same before; 0 where nothing is counted.
        after: u32,
    },
    /// One of them failed, or says nothing that can be compared.
    NotComparable,
}

/// A request that a second worker answered too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChallengeRecord {
    /// How the answers compare.
    pub result: ChallengeResult,
    /// When they were compared, Unix milliseconds by the proxy's clock.
    pub time_ms: u64,
    /// Receipt of the answer that a client got, or of the one before this one.
    pub first: ReceiptId,
    /// Receipt of the answer that the proxy paid for.
    pub second: ReceiptId,
}

/// A record with the proxy's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedChallenge {
    /// What is signed.
    pub record: ChallengeRecord,
    /// By the key of the proxy's contracts.
    pub signature: Signature,
}

impl ChallengeResult {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Different { .. } => "different",
            Self::NotComparable => "not_comparable",
        }
    }
}

impl ChallengeRecord {
    fn body(&self) -> [u8; BODY_BYTES] {
        let (result, after) = match self.result {
            ChallengeResult::Equal => (1, 0),
            ChallengeResult::Different { after } => (2, after),
            ChallengeResult::NotComparable => (3, 0),
        };
        let mut body = [0; BODY_BYTES];
        body[0] = VERSION;
        body[1] = result;
        body[2..6].copy_from_slice(&after.to_be_bytes());
        body[6..14].copy_from_slice(&self.time_ms.to_be_bytes());
        body[14..46].copy_from_slice(self.first.0.as_slice());
        body[46..].copy_from_slice(self.second.0.as_slice());
        body
    }

    fn parse(body: &[u8; BODY_BYTES]) -> Option<Self> {
        let after = u32::from_be_bytes(body[2..6].try_into().ok()?);
        let result = match (body[1], after) {
            (1, 0) => ChallengeResult::Equal,
            (2, after) => ChallengeResult::Different { after },
            (3, 0) => ChallengeResult::NotComparable,
            _ => return None,
        };
        let record = Self {
            result,
            time_ms: u64::from_be_bytes(body[6..14].try_into().ok()?),
            first: ReceiptId(HashBytes(body[14..46].try_into().ok()?)),
            second: ReceiptId(HashBytes(body[46..].try_into().ok()?)),
        };
        (body[0] == VERSION && record.first != record.second).then_some(record)
    }

    /// Signs it.
    pub fn sign(self, key: &ContractKey) -> SignedChallenge {
        SignedChallenge {
            record: self,
            signature: key.sign(&signed(&self.body())),
        }
    }
}

impl SignedChallenge {
    /// As it stands in the log.
    pub fn to_bytes(&self) -> [u8; CHALLENGE_BYTES] {
        let mut bytes = [0; CHALLENGE_BYTES];
        bytes[..BODY_BYTES].copy_from_slice(&self.record.body());
        bytes[BODY_BYTES..].copy_from_slice(&self.signature.0);
        bytes
    }

    /// From the log, if it is one that `key` signed.
    pub fn open(bytes: &[u8], key: &PublicKey) -> Option<Self> {
        let bytes: &[u8; CHALLENGE_BYTES] = bytes.try_into().ok()?;
        let (body, signature) = bytes.split_first_chunk::<BODY_BYTES>()?;
        let signature: [u8; 64] = signature.try_into().ok()?;
        let record = ChallengeRecord::parse(body)?;
        verifies(key, &signed(body), &signature).then_some(Self {
            record,
            signature: Signature(signature),
        })
    }
}

fn signed(body: &[u8; BODY_BYTES]) -> Vec<u8> {
    [CONTEXT, body].concat()
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn record(result: ChallengeResult) -> ChallengeRecord {
        ChallengeRecord {
            result,
            time_ms: 1_790_000_000_123,
            first: ReceiptId(HashBytes([1; 32])),
            second: ReceiptId(HashBytes([2; 32])),
        }
    }

    fn any_result() -> impl Strategy<Value = ChallengeResult> {
        prop_oneof![
            Just(ChallengeResult::Equal),
            any::<u32>().prop_map(|after| ChallengeResult::Different { after }),
            Just(ChallengeResult::NotComparable),
        ]
    }

    #[test]
    fn a_record_of_one_receipt_alone_is_none() {
        let mut same = record(ChallengeResult::Equal);
        same.second = same.first;
        let bytes = same.sign(&key().into()).to_bytes();
        assert_eq!(SignedChallenge::open(&bytes, &PublicKey::from(&key())), None);
    }

    proptest! {
        #[test]
        fn a_signed_record_survives_its_bytes(result in any_result()) {
            let signed = record(result).sign(&key().into());
            prop_assert_eq!(SignedChallenge::open(&signed.to_bytes(), &PublicKey::from(&key())), Some(signed));
        }

        #[test]
        fn a_flipped_bit_is_noticed(result in any_result(), bit in 0..8 * CHALLENGE_BYTES) {
            let mut bytes = record(result).sign(&key().into()).to_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(SignedChallenge::open(&bytes, &PublicKey::from(&key())), None);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(SignedChallenge::open(&bytes, &PublicKey::from(&key())), None);
        }
    }
}
