//! Answers on their way from a worker of one version to a client of another.

use super::{Reader, Writer};
use crate::Failure;

/// A message of the worker, on its way to the client.
pub(super) struct Passed {
    pub(super) id: [u8; 32],
    /// Whether it is a head, or the code and text of an error.
    pub(super) kind: Result<bool, (i32, String)>,
    pub(super) bytes: Vec<u8>,
    /// Set on the last message.
    pub(super) tokens: Option<[i64; 5]>,
}

impl Passed {
    /// Reads a message of a worker of this version; `None` when it is no part of an answer.
    pub(super) fn read(id: u32, version: i32, reader: &mut Reader<'_>) -> Result<Option<Self>, Failure> {
        let passed = match (id, version) {
            (id @ (0x1ce5_74e8 | 0x6d85_b50f), 1..) => {
                let (request, bytes) = (reader.array()?, reader.bytes()?.to_vec());
                Self {
                    id: request,
                    kind: Ok(id == 0x1ce5_74e8),
                    bytes,
                    tokens: final_info(reader)?,
                }
            }
            (0x8f7f_b0a7, 1..) => Self {
                id: reader.array()?,
                kind: Err((reader.int()?, reader.text()?)),
                bytes: Vec::new(),
                tokens: final_info(reader)?.or(Some([0; 5])),
            },
            (id @ (0x37e5_f725 | 0x72eb_00ee), 0) => {
                let (bytes, is_last) = (reader.bytes()?.to_vec(), reader.boolean()?);
                let (request, tokens) = (reader.array()?, reader.tokens()?);
                Self {
                    id: request,
                    kind: Ok(id == 0x37e5_f725),
                    bytes,
                    tokens: is_last.then_some(tokens),
                }
            }
            (0x669d_014e | 0x940e_1168, 0) => Self {
                kind: Err((reader.int()?, reader.text()?)),
                id: reader.array()?,
                bytes: Vec::new(),
                tokens: Some(reader.tokens()?),
            },
            _ => return Ok(None),
        };
        Ok(Some(passed))
    }

    /// The same for a client of this version.
    pub(super) fn for_client(&self, version: i32) -> Writer {
        let Self {
            id,
            kind,
            bytes,
            tokens,
        } = self;
        let used = tokens.unwrap_or_default();
        match (kind, version) {
            (Ok(is_head), 0) => Writer::of(if *is_head { 0x9b94_3922 } else { 0xb765_de4c })
                .bytes(bytes)
                .boolean(tokens.is_some())
                .raw(id)
                .longs(&used),
            (Err((code, text)), 0) => Writer::of(0x6d60_569a)
                .int(*code)
                .bytes(text.as_bytes())
                .raw(id)
                .longs(&used),
            (kind, _) => {
                let message = match kind {
                    Ok(is_head) => Writer::of(if *is_head { 0xcd52_4720 } else { 0xc07b_faec })
                        .raw(id)
                        .bytes(bytes),
                    Err((code, text)) => Writer::of(0x0725_62a8).raw(id).int(*code).bytes(text.as_bytes()),
                };
                match tokens {
                    None => message.int(0),
                    Some(_) if version == 1 => message.int(1).int(0).longs(&used),
                    Some(_) => [1.0, 2.0, 1.1, 1.9]
                        .into_iter()
                        .fold(message.int(1).int(2).longs(&used), Writer::double),
                }
            }
        }
    }
}

/// Flags and, if they say so, totals, debug record and times of a worker.
fn final_info(reader: &mut Reader<'_>) -> Result<Option<[i64; 5]>, Failure> {
    if reader.int()? & 1 == 0 {
        return Ok(None);
    }
    let flags = reader.int()?;
    let tokens = reader.tokens()?;
    if flags & 1 != 0 {
        reader.bytes()?;
    }
    if flags & 2 != 0 {
        let _times = (reader.double()?, reader.double()?);
    }
    Ok(Some(tokens))
}
