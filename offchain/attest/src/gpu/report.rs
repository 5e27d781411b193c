//! The layout of a report: SPDM 1.1 GET_MEASUREMENTS (0xe0) and MEASUREMENTS (0x60), DMTF DSP0274, tables 39 to 42.

use std::collections::BTreeMap;

use crate::{AttestError, limits::MAX_GPU_REPORT_BYTES};

const VERSION_1_1: u8 = 0x11;
const GET_MEASUREMENTS: u8 = 0xe0;
const MEASUREMENTS: u8 = 0x60;
const SIGNATURE_BYTES: usize = 96;
/// Bit of the measurement specification that says "as DMTF defines".
const DMTF: u8 = 1;

pub(super) struct Report<'a> {
    /// Request and answer without the signature.
    pub(super) signed: &'a [u8],
    /// `r | s` of P-384.
    pub(super) signature: &'a [u8],
    /// Of the request: what makes the answer fresh.
    pub(super) nonce: &'a [u8; 32],
    /// Values by index.
    pub(super) blocks: BTreeMap<u8, &'a [u8]>,
}

impl<'a> Report<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, AttestError> {
        if bytes.len() > MAX_GPU_REPORT_BYTES {
            return Err(malformed("is longer than any report"));
        }
        let mut rest = bytes;
        // Request: version, code, two parameters, nonce, slot.
        let [version, code, _, _] = *array::<4>(&mut rest)?;
        let nonce = array::<32>(&mut rest)?;
        let _slot = array::<1>(&mut rest)?;
        // Answer: version, code, two parameters, count of blocks, their length in three bytes.
        let [answer_version, answer_code, _, _, count] = *array::<5>(&mut rest)?;
        if (version, code, answer_version, answer_code) != (VERSION_1_1, GET_MEASUREMENTS, VERSION_1_1, MEASUREMENTS) {
            return Err(malformed(
                "is not a request for measurements and its answer in SPDM 1.1",
            ));
        }
        let [low, middle, high] = *array::<3>(&mut rest)?;
        let record = take(&mut rest, u32::from_le_bytes([low, middle, high, 0]) as usize)?;
        let _answer_nonce = array::<32>(&mut rest)?;
        let opaque = u16::from_le_bytes(*array(&mut rest)?);
        take(&mut rest, usize::from(opaque))?;
        if rest.len() != SIGNATURE_BYTES {
            return Err(malformed("does not end with one signature"));
        }
        Ok(Self {
            signed: &bytes[..bytes.len() - SIGNATURE_BYTES],
            signature: rest,
            nonce,
            blocks: blocks(record, count)?,
        })
    }
}

/// Each block: index, specification, length, and a value with a type and a length of its own.
fn blocks(mut record: &[u8], count: u8) -> Result<BTreeMap<u8, &[u8]>, AttestError> {
    let mut blocks = BTreeMap::new();
    for _ in 0..count {
        let [index, specification] = *array(&mut record)?;
        let length = u16::from_le_bytes(*array(&mut record)?);
        let mut block = take(&mut record, usize::from(length))?;
        let [_kind] = *array(&mut block)?;
        let length = u16::from_le_bytes(*array(&mut block)?);
        if specification != DMTF || usize::from(length) != block.len() {
            return Err(malformed("has a block in an unknown form"));
        }
        if blocks.insert(index, block).is_some() {
            return Err(malformed("has two blocks of one index"));
        }
    }
    if record.is_empty() {
        Ok(blocks)
    } else {
        Err(malformed("has bytes behind its blocks"))
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], AttestError> {
    let (taken, left) = rest.split_at_checked(length).ok_or(malformed("is cut short"))?;
    *rest = left;
    Ok(taken)
}

fn array<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], AttestError> {
    let (taken, left) = rest.split_first_chunk().ok_or(malformed("is cut short"))?;
    *rest = left;
    Ok(taken)
}

fn malformed(what: &'static str) -> AttestError {
    AttestError::GpuReport { what }
}

#[cfg(feature = "issuer")]
/// A report of these blocks without its signature, as a device would write it; what does not fit is cut.
pub(crate) fn unsigned(nonce: &[u8; 32], blocks: &[(u8, &[u8])]) -> Vec<u8> {
    let mut record = Vec::new();
    for (index, value) in blocks {
        record.extend([*index, DMTF]);
        record.extend((value.len() as u16).saturating_add(3).to_le_bytes());
        record.push(1);
        record.extend((value.len() as u16).to_le_bytes());
        record.extend(*value);
    }
    let mut report = vec![VERSION_1_1, GET_MEASUREMENTS, 1, 0xff];
    report.extend(nonce);
    report.push(0);
    report.extend([VERSION_1_1, MEASUREMENTS, 0, 0, blocks.len() as u8]);
    report.extend(&(record.len() as u32).to_le_bytes()[..3]);
    report.extend(record);
    report.extend([9; 32]);
    report.extend(4_u16.to_le_bytes());
    report.extend([1, 2, 3, 4]);
    report
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(nonce: [u8; 32], values in prop::collection::btree_map(any::<u8>(), prop::collection::vec(any::<u8>(), 0..70), 0..20)) {
            let blocks: Vec<_> = values.iter().map(|(index, value)| (*index, value.as_slice())).collect();
            let mut bytes = unsigned(&nonce, &blocks);
            let signed = bytes.len();
            bytes.extend([5; SIGNATURE_BYTES]);
            let report = Report::parse(&bytes).unwrap();
            prop_assert_eq!(report.nonce, &nonce);
            prop_assert_eq!(report.signed.len(), signed);
            prop_assert_eq!(report.blocks.into_iter().collect::<Vec<_>>(), blocks);
            bytes.push(0);
            prop_assert!(Report::parse(&bytes).is_err());
        }

        #[test]
        fn parsing_is_total(mut edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), cut in any::<prop::sample::Index>()) {
            let mut bytes = unsigned(&[1; 32], &[(1, &[2; 48]), (3, &[4; 48])]);
            bytes.extend([5; SIGNATURE_BYTES]);
            for (at, value) in edits.drain(..) {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = Report::parse(&bytes);
            let _ = Report::parse(&bytes[..cut.index(bytes.len())]);
        }
    }
}
