//! Questions and answers as they travel: inside a message of the transport, with a number that the answer repeats.

use super::{Answer, Request};
use crate::LiteError;
use crate::tl::{Reader, Writer};

const QUERY: u32 = 0x798c_06df;
const ADNL_QUERY: u32 = 0xb48b_f97a;
const ADNL_ANSWER: u32 = 0x0fac_8416;

/// A question as it travels, with a number that its answer repeats.
pub fn wrap_question(id: &[u8; 32], request: &Request) -> Vec<u8> {
    let mut query = Writer::boxed(QUERY);
    query.bytes(&request.to_bytes());
    let mut writer = Writer::boxed(ADNL_QUERY);
    writer.raw(id);
    writer.bytes(&query.done());
    writer.done()
}

/// Reads a question and its number.
pub fn unwrap_question(bytes: &[u8]) -> Result<([u8; 32], Request), LiteError> {
    let reader = &mut Reader::new(bytes);
    if reader.u32()? != ADNL_QUERY {
        return Err(LiteError::Message("not a question"));
    }
    let id = reader.array()?;
    let query = reader.bytes()?;
    reader.end()?;
    let reader = &mut Reader::new(query);
    if reader.u32()? != QUERY {
        return Err(LiteError::Message("not a question to a lite server"));
    }
    Ok((id, Request::from_bytes(reader.bytes()?)?))
}

/// An answer as it travels.
pub fn wrap_answer(id: &[u8; 32], answer: &Answer) -> Vec<u8> {
    let mut writer = Writer::boxed(ADNL_ANSWER);
    writer.raw(id);
    writer.bytes(&answer.to_bytes());
    writer.done()
}

/// Reads an answer, if it is the one to a question; none for any other message, which may be on the way too.
pub fn unwrap_answer(id: &[u8; 32], bytes: &[u8]) -> Result<Option<Answer>, LiteError> {
    let reader = &mut Reader::new(bytes);
    if bytes.is_empty() || reader.u32()? != ADNL_ANSWER || reader.array::<32>()? != *id {
        return Ok(None);
    }
    let answer = reader.bytes()?;
    reader.end()?;
    Answer::from_bytes(answer).map(Some)
}
