//! Both questions for callers that have JSON only: the page, over its WebAssembly, and the client, which hands out such
//! questions about what it keeps. `docs/verifier.md` describes the documents.

mod evidence;
mod failure;
mod receipt;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use evidence::{EvidenceDocument, ImagesDocument};
pub use failure::{Failure, FailureCode};
pub use receipt::{
    Count, ExpectedDocument, HeadDocument, InclusionDocument, PricesDocument, ReceiptDocument, RequestDocument,
    ResponseDocument, SentDocument,
};

use crate::limits::MAX_INPUT_BYTES;

/// The answer to either question.
#[derive(Serialize)]
struct Answer<T> {
    ok: bool,
    #[serde(flatten)]
    content: T,
}

#[derive(Serialize)]
struct Failed {
    error: Failure,
}

/// Judges a certificate: JSON of an [`EvidenceDocument`] in, JSON of the report or of what is wrong with the question out.
pub fn verify_evidence(question: &[u8]) -> Vec<u8> {
    answered(read(question).and_then(|document: EvidenceDocument| document.judge()))
}

/// Judges a receipt: JSON of a [`ReceiptDocument`] in, JSON of the report or of what is wrong with the question out.
pub fn verify_receipt(question: &[u8]) -> Vec<u8> {
    answered(read(question).and_then(|document: ReceiptDocument| document.judge()))
}

fn read<T: DeserializeOwned>(question: &[u8]) -> Result<T, Failure> {
    if question.len() > MAX_INPUT_BYTES {
        return Err(Failure::too_large(question.len()));
    }
    serde_json::from_slice(question).map_err(|error| {
        // The error's own text may quote the input: only the place and the kind are said.
        let (line, column) = (error.line(), error.column());
        let kind = match error.classify() {
            serde_json::error::Category::Data => "a member is missing or is of another kind",
            _ => "it is not JSON",
        };
        Failure::input(format!("the input, line {line}, column {column}: {kind}"))
    })
}

fn answered<T: Serialize>(result: Result<T, Failure>) -> Vec<u8> {
    let written = match result {
        Ok(content) => serde_json::to_vec(&Answer { ok: true, content }),
        Err(error) => serde_json::to_vec(&Answer {
            ok: false,
            content: Failed { error },
        }),
    };
    // Nothing of it has keys that are no strings, which is all that could fail.
    written.unwrap_or_else(|_| br#"{"ok":false,"error":{"code":"defect","message":"the answer cannot be written","hint":"report it, with the input"}}"#.to_vec())
}
