//! What is wrong with a question.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::limits::MAX_INPUT_BYTES;

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// For programs.
    pub code: FailureCode,
    /// For people.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// Kinds of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureCode {
    /// The question is not one.
    BadInput,
    /// It is longer than any.
    TooLarge,
    /// The verifier is wrong.
    Defect,
}

impl Failure {
    pub(super) fn input(message: impl Into<String>) -> Self {
        Self {
            code: FailureCode::BadInput,
            message: message.into(),
            hint: "docs/verifier.md describes the input".to_owned(),
        }
    }

    pub(super) fn too_large(length: usize) -> Self {
        Self {
            code: FailureCode::TooLarge,
            message: format!("the input has {length} bytes, at most {MAX_INPUT_BYTES} are read"),
            hint: "leave out the bytes of the exchange".to_owned(),
        }
    }
}

pub(super) fn base64(member: &str, text: &str) -> Result<Vec<u8>, Failure> {
    let decoded = STANDARD.decode(text);
    decoded.map_err(|_| Failure::input(format!("{member} is not base64")))
}

pub(super) fn hash(member: &str, text: &str) -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    let decoded = hex::decode_to_slice(text, &mut bytes);
    decoded.map_err(|_| Failure::input(format!("{member} is not 64 hex digits")))?;
    Ok(bytes)
}
