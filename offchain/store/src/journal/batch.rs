//! The bytes of one batch in a journal.
//!
//! ```text
//! batch   = header payload zeros                                    (up to the next multiple of 4096 bytes)
//! header  = mark:4 length:4 generation:8 sequence:8 check:8 payload_check:8
//! payload = log_offset:8 log_length:4 log:log_length row*
//! row     = table:1 key_length:2 value_length:4 key value           (integers little-endian)
//! ```
//! A check is the first eight bytes of SHA-256: the payload's over the file's salt and the payload, the header's over the salt
//! and all of the header but itself. So a batch that was being written is told from one that is there; nobody who has a say in
//! what a batch holds can make a part of it pass for a batch; and no page that holds an acknowledged batch is written again
//! before the batch is in the database.

use sha2::{Digest, Sha256};

use crate::limits::MAX_JOURNAL_BATCH_BYTES;
use crate::table::Table;

/// Batches begin at multiples of this: a page, the smallest piece that the system writes.
pub(crate) const ALIGNMENT: u64 = 4096;
/// Bytes of a salt.
pub(crate) const SALT_BYTES: usize = 16;
/// Bytes before the payload.
pub(crate) const HEADER_BYTES: usize = 40;

/// Random bytes of a journal file, known to nobody else.
pub(crate) type Salt = [u8; SALT_BYTES];

const MARK: [u8; 4] = *b"cjb1";
const LOG_BYTES: usize = 12;
const ROW_BYTES: usize = 7;

/// One row that is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Put {
    pub(crate) table: Table,
    pub(crate) key: Box<[u8]>,
    pub(crate) value: Box<[u8]>,
}

/// What a batch says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payload {
    /// Where in the receipt log its records belong.
    pub(crate) log_offset: u64,
    /// Their bytes.
    pub(crate) log: Vec<u8>,
    /// Rows, in the order in which they were put.
    pub(crate) puts: Vec<Put>,
}

/// The part of a batch that says which one it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) length: u32,
    pub(crate) generation: u64,
    pub(crate) sequence: u64,
    payload_check: [u8; 8],
}

/// Writes a batch into `buffer`, whose former content goes; `None` when it would be longer than any batch may be.
pub(crate) fn encode(
    buffer: &mut Vec<u8>,
    salt: &Salt,
    (generation, sequence): (u64, u64),
    (log_offset, log): (u64, &[u8]),
    puts: &[Put],
) -> Option<()> {
    buffer.clear();
    buffer.resize(HEADER_BYTES, 0);
    buffer.extend_from_slice(&log_offset.to_le_bytes());
    buffer.extend_from_slice(&u32::try_from(log.len()).ok()?.to_le_bytes());
    buffer.extend_from_slice(log);
    for Put { table, key, value } in puts {
        buffer.push(table.number);
        buffer.extend_from_slice(&u16::try_from(key.len()).ok()?.to_le_bytes());
        buffer.extend_from_slice(&u32::try_from(value.len()).ok()?.to_le_bytes());
        buffer.extend_from_slice(key);
        buffer.extend_from_slice(value);
    }
    let length = u32::try_from(buffer.len() - HEADER_BYTES).ok()?;
    if length > MAX_JOURNAL_BATCH_BYTES {
        return None;
    }
    let payload_check = check(&[salt, &buffer[HEADER_BYTES..]]);
    let header = Header {
        length,
        generation,
        sequence,
        payload_check,
    };
    buffer[..HEADER_BYTES].copy_from_slice(&header.encode(salt));
    let padded = buffer.len().next_multiple_of(ALIGNMENT as usize);
    buffer.resize(padded, 0);
    Some(())
}

impl Header {
    fn encode(&self, salt: &Salt) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&MARK);
        bytes[4..8].copy_from_slice(&self.length.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.generation.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[32..].copy_from_slice(&self.payload_check);
        let check = check(&[salt, &bytes[..24], &bytes[32..]]);
        bytes[24..32].copy_from_slice(&check);
        bytes
    }

    /// The header, if these bytes are one of a file with this salt.
    pub(crate) fn parse(bytes: &[u8], salt: &Salt) -> Option<Self> {
        let bytes: &[u8; HEADER_BYTES] = bytes.get(..HEADER_BYTES)?.try_into().ok()?;
        if bytes[..4] != MARK {
            return None;
        }
        let mut rest = &bytes[4..];
        let header = Self {
            length: u32::from_le_bytes(take(&mut rest)?),
            generation: u64::from_le_bytes(take(&mut rest)?),
            sequence: u64::from_le_bytes(take(&mut rest)?),
            payload_check: bytes[32..].try_into().ok()?,
        };
        (header.length <= MAX_JOURNAL_BATCH_BYTES && header.encode(salt) == *bytes).then_some(header)
    }

    /// Whether this is the payload that belongs to it.
    pub(crate) fn fits(&self, payload: &[u8], salt: &Salt) -> bool {
        payload.len() == self.length as usize && check(&[salt, payload]) == self.payload_check
    }

    /// Bytes from its beginning to where the next one begins.
    pub(crate) fn stride(&self) -> u64 {
        (HEADER_BYTES as u64 + u64::from(self.length)).next_multiple_of(ALIGNMENT)
    }
}

impl Payload {
    /// Reads a payload; nothing may be left over. An error says what is wrong.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.len() < LOG_BYTES {
            return Err("it ends within its first part");
        }
        let mut rest = bytes;
        let log_offset = u64::from_le_bytes(take(&mut rest).ok_or("it has no offset")?);
        let length = u32::from_le_bytes(take(&mut rest).ok_or("it has no length")?);
        let log = take_slice(&mut rest, length as usize)
            .ok_or("its records end early")?
            .to_vec();
        let mut puts = Vec::new();
        while !rest.is_empty() {
            puts.push(row(&mut rest)?);
        }
        Ok(Self { log_offset, log, puts })
    }
}

fn row(rest: &mut &[u8]) -> Result<Put, &'static str> {
    if rest.len() < ROW_BYTES {
        return Err("it ends within a row");
    }
    let [number] = take(rest).ok_or("a row has no table")?;
    let key = u16::from_le_bytes(take(rest).ok_or("a row has no key")?);
    let value = u32::from_le_bytes(take(rest).ok_or("a row has no value")?);
    Ok(Put {
        table: Table::numbered(number).ok_or("a row is of an unknown table: a newer version wrote it")?,
        key: take_slice(rest, usize::from(key)).ok_or("a key ends early")?.into(),
        value: take_slice(rest, value as usize).ok_or("a value ends early")?.into(),
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    take_slice(rest, N)?.try_into().ok()
}

fn take_slice<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn check(parts: &[&[u8]]) -> [u8; 8] {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    let mut check = [0; 8];
    check.copy_from_slice(&hasher.finalize()[..8]);
    check
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::table::TABLES;

    const SALT: Salt = [7; SALT_BYTES];

    fn any_put() -> impl Strategy<Value = Put> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..80).prop_map(Vec::into_boxed_slice);
        (prop::sample::select(TABLES.to_vec()), bytes(), bytes()).prop_map(|(table, key, value)| Put {
            table,
            key,
            value,
        })
    }

    fn any_payload() -> impl Strategy<Value = Payload> {
        let log = prop::collection::vec(any::<u8>(), 0..900);
        let puts = prop::collection::vec(any_put(), 0..8);
        (any::<u64>(), log, puts).prop_map(|(log_offset, log, puts)| Payload { log_offset, log, puts })
    }

    proptest! {
        #[test]
        fn a_batch_survives_its_bytes(payload in any_payload(), generation: u64, sequence: u64) {
            let mut bytes = vec![1, 2, 3];
            let place = (generation, sequence);
            encode(&mut bytes, &SALT, place, (payload.log_offset, &payload.log), &payload.puts).unwrap();
            let header = Header::parse(&bytes, &SALT).unwrap();
            prop_assert_eq!((header.generation, header.sequence), place);
            prop_assert_eq!(header.stride(), bytes.len() as u64);
            let read = &bytes[HEADER_BYTES..][..header.length as usize];
            prop_assert!(header.fits(read, &SALT));
            prop_assert!(Header::parse(&bytes, &[8; SALT_BYTES]).is_none(), "a header of another file");
            prop_assert_eq!(Payload::decode(read).unwrap(), payload);
        }

        #[test]
        fn a_flipped_byte_is_never_taken_for_the_batch(
            payload in any_payload(), at in any::<prop::sample::Index>(), flip in 1u8..
        ) {
            let mut bytes = Vec::new();
            encode(&mut bytes, &SALT, (3, 4), (payload.log_offset, &payload.log), &payload.puts).unwrap();
            let used = HEADER_BYTES + Header::parse(&bytes, &SALT).unwrap().length as usize;
            bytes[at.index(used)] ^= flip;
            let is_whole = Header::parse(&bytes, &SALT)
                .is_some_and(|header| header.fits(&bytes[HEADER_BYTES..][..header.length as usize], &SALT));
            prop_assert!(!is_whole);
        }

        #[test]
        fn decoding_garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Header::parse(&bytes, &SALT);
            if let Ok(payload) = Payload::decode(&bytes) {
                let mut again = Vec::new();
                encode(&mut again, &SALT, (0, 0), (payload.log_offset, &payload.log), &payload.puts).unwrap();
                prop_assert_eq!(&again[HEADER_BYTES..][..bytes.len()], &bytes[..]);
            }
        }
    }
}
