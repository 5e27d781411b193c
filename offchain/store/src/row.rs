//! The bytes of the rows that are written with every receipt. Versions before wrote JSON, which is still read.
//!
//! ```text
//! receipt   = version:1 where request_salt:32 response_salt:32 ceiling verified_at:8 fault     (integers little-endian)
//! ceiling   = max_coefficient:4                                    (from version 2 on; without one the version is 1)
//! where     = 0:1 offset:8 | 1:1 length:4 boc:length              (in the log, or here)
//! fault     = 0:1 | 1:1 text                                      (UTF-8, up to the end)
//! statement = version:1 signature:64 boc                          (up to the end)
//! ```

use cocoon_bindings::ton::HashBytes;
use cocoon_receipt::{ReceiptId, Signature};
use serde::{Deserialize, Serialize};

/// First byte of a row of this version; one of JSON begins with a brace.
const VERSION: u8 = 1;
/// That of a receipt's row which says the highest coefficient that was accepted.
const WITH_CEILING: u8 = 2;
const JSON: u8 = b'{';

const NEWER: &str = "a newer version wrote it";

/// What a client keeps of a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReceiptRow {
    pub(crate) place: Place,
    pub(crate) request_salt: [u8; 32],
    pub(crate) response_salt: [u8; 32],
    pub(crate) max_coefficient: Option<u32>,
    pub(crate) verified_at: u64,
    pub(crate) fault: Option<String>,
}

/// Where the receipt itself is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A record of the receipt log, which begins there.
    Log(u64),
    /// Its bag of cells.
    Here(Vec<u8>),
}

/// A statement that a worker signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatementRow {
    pub(crate) statement: Vec<u8>,
    pub(crate) signature: Signature,
}

#[derive(Serialize, Deserialize)]
struct OldReceiptRow {
    receipt: String,
    request_salt: HashBytes,
    response_salt: HashBytes,
    verified_at: u64,
    fault: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct OldStatementRow {
    statement: Vec<u8>,
    signature: Vec<u8>,
}

impl ReceiptRow {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let here = match &self.place {
            Place::Log(_) => 0,
            Place::Here(boc) => boc.len(),
        };
        let fault = self.fault.as_deref().map_or(0, str::len);
        let mut bytes = Vec::with_capacity(88 + here + fault);
        bytes.push(self.max_coefficient.map_or(VERSION, |_| WITH_CEILING));
        match &self.place {
            Place::Log(offset) => {
                bytes.push(0);
                bytes.extend_from_slice(&offset.to_le_bytes());
            }
            Place::Here(boc) => {
                bytes.push(1);
                bytes.extend_from_slice(&(boc.len() as u32).to_le_bytes());
                bytes.extend_from_slice(boc);
            }
        }
        bytes.extend_from_slice(&self.request_salt);
        bytes.extend_from_slice(&self.response_salt);
        if let Some(highest) = self.max_coefficient {
            bytes.extend_from_slice(&highest.to_le_bytes());
        }
        bytes.extend_from_slice(&self.verified_at.to_le_bytes());
        bytes.push(u8::from(self.fault.is_some()));
        bytes.extend_from_slice(self.fault.as_deref().unwrap_or_default().as_bytes());
        bytes
    }

    /// An error says what is wrong.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.first() == Some(&JSON) {
            return old_receipt(bytes);
        }
        let has_ceiling = bytes.first() == Some(&WITH_CEILING);
        let mut rest = match bytes {
            [WITH_CEILING, rest @ ..] => rest,
            _ => versioned(bytes)?,
        };
        let place = match take(&mut rest)? {
            [0] => Place::Log(u64::from_le_bytes(take(&mut rest)?)),
            [1] => {
                let length = u32::from_le_bytes(take(&mut rest)?);
                Place::Here(take_slice(&mut rest, length as usize)?.to_vec())
            }
            _ => return Err(NEWER),
        };
        let (request_salt, response_salt) = (take(&mut rest)?, take(&mut rest)?);
        let max_coefficient = match has_ceiling {
            true => Some(u32::from_le_bytes(take(&mut rest)?)),
            false => None,
        };
        let verified_at = u64::from_le_bytes(take(&mut rest)?);
        let fault = match (take(&mut rest)?, rest) {
            ([0], []) => None,
            ([0], _) => return Err("bytes are left over"),
            ([1], text) => Some(str::from_utf8(text).map_err(|_| "its fault is no text")?.to_owned()),
            _ => return Err(NEWER),
        };
        Ok(Self {
            place,
            request_salt,
            response_salt,
            max_coefficient,
            verified_at,
            fault,
        })
    }
}

impl StatementRow {
    pub(crate) fn encode(&self) -> Vec<u8> {
        [&[VERSION], &self.signature.0[..], &self.statement].concat()
    }

    /// An error says what is wrong.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.first() == Some(&JSON) {
            return old_statement(bytes);
        }
        let mut rest = versioned(bytes)?;
        let signature = Signature(take(&mut rest)?);
        let statement = rest.to_vec();
        Ok(Self { statement, signature })
    }
}

/// The id of a receipt by its request: 32 bytes, or JSON.
pub(crate) fn decode_id(bytes: &[u8]) -> Result<ReceiptId, &'static str> {
    match bytes.try_into() {
        Ok(hash) => Ok(ReceiptId(HashBytes(hash))),
        Err(_) => serde_json::from_slice(bytes).map_err(|_| "it is no id"),
    }
}

fn old_receipt(bytes: &[u8]) -> Result<ReceiptRow, &'static str> {
    let old: OldReceiptRow = serde_json::from_slice(bytes).map_err(|_| "it is no JSON of a receipt")?;
    Ok(ReceiptRow {
        place: Place::Here(hex::decode(&old.receipt).map_err(|_| "its receipt is not hex")?),
        request_salt: old.request_salt.0,
        response_salt: old.response_salt.0,
        max_coefficient: None,
        verified_at: old.verified_at,
        fault: old.fault,
    })
}

fn old_statement(bytes: &[u8]) -> Result<StatementRow, &'static str> {
    let old: OldStatementRow = serde_json::from_slice(bytes).map_err(|_| "it is no JSON of a statement")?;
    let signature = old
        .signature
        .try_into()
        .map_err(|_| "its signature has another length")?;
    Ok(StatementRow {
        statement: old.statement,
        signature: Signature(signature),
    })
}

fn versioned(bytes: &[u8]) -> Result<&[u8], &'static str> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => Ok(rest),
        Some(_) => Err(NEWER),
        None => Err("it is empty"),
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], &'static str> {
    take_slice(rest, N)?.try_into().map_err(|_| "it ends early")
}

fn take_slice<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], &'static str> {
    let (taken, left) = rest.split_at_checked(length).ok_or("it ends early")?;
    *rest = left;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_receipt() -> impl Strategy<Value = ReceiptRow> {
        let boc = prop::collection::vec(any::<u8>(), 0..900);
        let place = prop_oneof![any::<u64>().prop_map(Place::Log), boc.prop_map(Place::Here)];
        let salts = any::<([u8; 32], [u8; 32])>();
        let fault = prop::option::of(".{0,40}");
        let read = (place, salts, any::<Option<u32>>(), any::<u64>(), fault);
        read.prop_map(
            |(place, (request_salt, response_salt), max_coefficient, verified_at, fault)| ReceiptRow {
                place,
                request_salt,
                response_salt,
                max_coefficient,
                verified_at,
                fault,
            },
        )
    }

    fn any_statement() -> impl Strategy<Value = StatementRow> {
        let signature = prop::collection::vec(any::<u8>(), 64);
        let statement = prop::collection::vec(any::<u8>(), 0..600);
        (statement, signature).prop_map(|(statement, signature)| StatementRow {
            statement,
            signature: Signature(signature.try_into().unwrap()),
        })
    }

    proptest! {
        #[test]
        fn a_receipts_row_survives_its_bytes(row in any_receipt()) {
            prop_assert_eq!(ReceiptRow::decode(&row.encode()), Ok(row));
        }

        #[test]
        fn a_statements_row_survives_its_bytes(row in any_statement()) {
            prop_assert_eq!(StatementRow::decode(&row.encode()), Ok(row));
        }

        #[test]
        fn rows_of_versions_before_are_read(row in any_receipt(), statement in any_statement(), id: [u8; 32]) {
            let boc = match &row.place {
                Place::Log(_) => Vec::new(),
                Place::Here(boc) => boc.clone(),
            };
            let old = OldReceiptRow {
                receipt: hex::encode(&boc),
                request_salt: HashBytes(row.request_salt),
                response_salt: HashBytes(row.response_salt),
                verified_at: row.verified_at,
                fault: row.fault.clone(),
            };
            let read = ReceiptRow::decode(&serde_json::to_vec(&old).unwrap());
            prop_assert_eq!(read, Ok(ReceiptRow { place: Place::Here(boc), max_coefficient: None, ..row }));
            let old = OldStatementRow {
                statement: statement.statement.clone(),
                signature: statement.signature.0.to_vec(),
            };
            prop_assert_eq!(StatementRow::decode(&serde_json::to_vec(&old).unwrap()), Ok(statement));
            let id = ReceiptId(HashBytes(id));
            prop_assert_eq!(decode_id(&serde_json::to_vec(&id).unwrap()), Ok(id));
            prop_assert_eq!(decode_id(id.0.as_slice()), Ok(id));
        }

        #[test]
        fn decoding_garbage_never_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..200), version in 0..4u8) {
            if version > 0 && let Some(first) = bytes.first_mut() {
                *first = version;
            }
            if let Ok(row) = ReceiptRow::decode(&bytes) {
                prop_assert_eq!(row.encode(), bytes.clone());
            }
            if let Ok(row) = StatementRow::decode(&bytes) {
                prop_assert_eq!(row.encode(), bytes.clone());
            }
            let _ = decode_id(&bytes);
        }
    }

    #[test]
    fn a_row_of_the_version_before_has_no_ceiling() {
        let row = |max_coefficient| ReceiptRow {
            place: Place::Log(7),
            request_salt: [1; 32],
            response_salt: [2; 32],
            max_coefficient,
            verified_at: 3,
            fault: None,
        };
        let mut before = vec![VERSION, 0, 7, 0, 0, 0, 0, 0, 0, 0];
        before.extend([[1; 32], [2; 32]].concat());
        before.extend([3, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(ReceiptRow::decode(&before), Ok(row(None)));
        assert_eq!(ReceiptRow::decode(&row(Some(999)).encode()), Ok(row(Some(999))));
    }

    #[test]
    fn a_row_of_a_newer_version_is_refused() {
        assert_eq!(ReceiptRow::decode(&[3; 90]), Err(NEWER));
        assert_eq!(StatementRow::decode(&[2; 90]), Err(NEWER));
        assert!(ReceiptRow::decode(&[]).is_err() && StatementRow::decode(&[]).is_err());
    }
}
