//! Messages of the quoting service, as Intel's DCAP publishes them (QuoteGeneration/quote_wrapper/qgs_msg_lib):
//! little-endian, a header of 16 bytes (major and minor version, type, length of the whole message, error code), then
//! for a request the lengths of report and key id list, for an answer those of the chosen key id and the quote.

use crate::limits::{MAX_QGS_MESSAGE_BYTES, MAX_QUOTE_BYTES};
use crate::report::REPORT_BYTES;
use crate::{GuestError, TdReport};

const HEADER_BYTES: usize = 16;
/// Another minor version is compatible, another major one is not.
const MAJOR: u16 = 1;
const MINOR: u16 = 0;
const TYPE_REQUEST: u32 = 0;
const TYPE_ANSWER: u32 = 1;

/// Code of a service that takes a request for none of its own.
pub(crate) const CODE_INVALID_PARAMETER: u32 = 0x1_2003;
/// Code of a service that failed otherwise.
pub(crate) const CODE_UNEXPECTED: u32 = 0x1_2001;

fn message(kind: u32, code: u32, first: u32, second: u32, data: &[u8]) -> Vec<u8> {
    let length = HEADER_BYTES + 8 + data.len();
    let mut bytes = Vec::with_capacity(length);
    bytes.extend(MAJOR.to_le_bytes());
    bytes.extend(MINOR.to_le_bytes());
    // All callers stay below the longest message.
    for word in [kind, length as u32, code, first, second] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(data);
    bytes
}

/// A request for the quote of a report, by any key.
pub(crate) fn request(report: &TdReport) -> Vec<u8> {
    message(TYPE_REQUEST, 0, REPORT_BYTES as u32, 0, report.bytes())
}

/// An answer with a quote.
pub(crate) fn answer(quote: &[u8]) -> Vec<u8> {
    message(TYPE_ANSWER, 0, 0, quote.len() as u32, quote)
}

/// An answer without a quote.
pub(crate) fn refusal(code: u32) -> Vec<u8> {
    message(TYPE_ANSWER, code, 0, 0, &[])
}

/// The report of a request.
pub(crate) fn read_request(bytes: &[u8]) -> Result<TdReport, GuestError> {
    let (header, data) = header(bytes, TYPE_REQUEST)?;
    let (report, ids) = parts(&header, data)?;
    if !ids.len().is_multiple_of(16) {
        return Err(problem("its list of key ids is cut"));
    }
    TdReport::parse(report)
}

/// The quote of an answer.
pub(crate) fn read_answer(bytes: &[u8]) -> Result<Vec<u8>, GuestError> {
    let (header, data) = header(bytes, TYPE_ANSWER)?;
    if header.code != 0 {
        return Err(GuestError::Refused { code: header.code });
    }
    let (_, quote) = parts(&header, data)?;
    if quote.is_empty() || quote.len() > MAX_QUOTE_BYTES {
        return Err(problem("its quote has an impossible length"));
    }
    Ok(quote.to_vec())
}

struct Header {
    code: u32,
    first: u32,
    second: u32,
}

fn problem(problem: &'static str) -> GuestError {
    GuestError::Message { problem }
}

fn header(bytes: &[u8], kind: u32) -> Result<(Header, &[u8]), GuestError> {
    if bytes.len() > MAX_QGS_MESSAGE_BYTES {
        return Err(problem("it is longer than any quote"));
    }
    let (head, data) = bytes
        .split_first_chunk::<{ HEADER_BYTES + 8 }>()
        .ok_or_else(|| problem("it is shorter than its header"))?;
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if u16::from_le_bytes([head[0], head[1]]) != MAJOR {
        return Err(problem("its version is not known"));
    }
    if word(4) != kind {
        return Err(problem("it is of another type"));
    }
    if word(8) as usize != bytes.len() {
        return Err(problem("its length is not the one that it names"));
    }
    let header = Header {
        code: word(12),
        first: word(16),
        second: word(20),
    };
    Ok((header, data))
}

/// The two parts behind the header; nothing may follow them.
fn parts<'a>(header: &Header, data: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), GuestError> {
    let (first, second) = data
        .split_at_checked(header.first as usize)
        .ok_or_else(|| problem("its parts do not fit"))?;
    if second.len() != header.second as usize {
        return Err(problem("its parts do not fit"));
    }
    Ok((first, second))
}

#[cfg(test)]
mod tests {
    use cocoon_attest::simulated::simulated_measurements;
    use proptest::prelude::*;

    use super::*;

    fn report() -> TdReport {
        TdReport::pretended(&simulated_measurements("worker"), &[5; 64])
    }

    #[test]
    fn a_request_has_the_published_layout() {
        let bytes = request(&report());
        assert_eq!(bytes.len(), 1048);
        let head = "01000000000000001804000000000000" // version, type, length, code
            .to_owned()
            + "0004000000000000"; // report, key ids
        assert_eq!(hex::encode(&bytes[..24]), head);
        assert_eq!(bytes[24..], *report().bytes());
    }

    #[test]
    fn an_answer_has_the_published_layout() {
        assert_eq!(
            hex::encode(answer(b"\xaa\xbb")),
            "01000000010000001a000000000000000000000002000000aabb"
        );
        assert_eq!(
            hex::encode(refusal(CODE_UNEXPECTED)),
            "010000000100000018000000012001000000000000000000"
        );
    }

    #[test]
    fn an_answer_with_the_chosen_key_is_read() {
        let bytes = message(TYPE_ANSWER, 0, 16, 2, &[[7_u8; 16].as_slice(), b"\xaa\xbb"].concat());
        assert_eq!(read_answer(&bytes).unwrap(), b"\xaa\xbb");
    }

    #[test]
    fn a_request_may_name_keys() {
        let data = [report().bytes().as_slice(), &[1; 32]].concat();
        assert_eq!(read_request(&message(0, 0, 1024, 32, &data)).unwrap(), report());
        let cut = [report().bytes().as_slice(), &[1; 31]].concat();
        assert!(read_request(&message(0, 0, 1024, 31, &cut)).is_err());
    }

    #[test]
    fn every_truncation_and_wrong_header_is_refused() {
        let good = answer(&[9; 100]);
        for length in 0..good.len() {
            assert!(
                matches!(read_answer(&good[..length]), Err(GuestError::Message { .. })),
                "{length}"
            );
        }
        // Major version, type, length, length of the key id, length of the quote.
        for at in [0, 4, 8, 16, 20] {
            let mut bad = good.clone();
            bad[at] ^= 2;
            assert!(matches!(read_answer(&bad), Err(GuestError::Message { .. })), "{at}");
        }
        let mut minor = good.clone();
        minor[2] = 1;
        assert!(read_answer(&minor).is_ok());
        assert!(matches!(read_answer(&answer(&[])), Err(GuestError::Message { .. })));
    }

    proptest! {
        #[test]
        fn quotes_read_back(quote in prop::collection::vec(any::<u8>(), 1..2000)) {
            prop_assert_eq!(read_answer(&answer(&quote)).unwrap(), quote);
        }

        #[test]
        fn reports_read_back(data in prop::array::uniform32(any::<u8>())) {
            let mut report_data = [1; 64];
            report_data[..32].copy_from_slice(&data);
            let report = TdReport::pretended(&simulated_measurements("proxy"), &report_data);
            prop_assert_eq!(read_request(&request(&report)).unwrap(), report);
        }

        #[test]
        fn reading_is_total(mut bytes in prop::collection::vec(any::<u8>(), 0..1200), fixed: bool, kind in 0_u32..3) {
            if fixed && bytes.len() > 12 {
                let length = (bytes.len() as u32).to_le_bytes();
                bytes[..4].copy_from_slice(&[1, 0, 0, 0]);
                bytes[4..8].copy_from_slice(&kind.to_le_bytes());
                bytes[8..12].copy_from_slice(&length);
            }
            let _ = read_request(&bytes);
            let _ = read_answer(&bytes);
        }
    }
}
