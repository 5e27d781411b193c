//! What was asked and what was answered.

use cocoon_bindings::ton::HashBytes;
use cocoon_receipt::{Receipt, salted_hash};

use super::Opened;
use crate::check::Check;
use crate::exchange::{Received, Sent, Unmade};

pub(super) fn request(receipt: &Receipt, opened: Option<&Opened<Sent<'_>>>) -> Check {
    const NAME: &str = "request_bytes";
    let Some(Opened {
        salt,
        bytes: Some(sent),
    }) = opened
    else {
        return Check::unknown(NAME, "The bytes of the request are not at hand.");
    };
    match sent.bytes() {
        Ok(bytes) => compare(NAME, "request", salt, &[&bytes], receipt.statement.request_hash),
        Err(Unmade::Path) => Check::unknown(
            NAME,
            "The client writes requests to this path anew: what the worker saw cannot be computed from them.",
        ),
        Err(Unmade::Refused(error)) => Check::refuted(
            NAME,
            format!("The client would not have sent this request: {}", error.message),
        ),
    }
}

pub(super) fn response(receipt: &Receipt, opened: Option<&Opened<Received<'_>>>) -> Check {
    const NAME: &str = "response_bytes";
    let Some(Opened {
        salt,
        bytes: Some(received),
    }) = opened
    else {
        return Check::unknown(NAME, "The bytes of the answer are not at hand.");
    };
    compare(
        NAME,
        "answer",
        salt,
        &received.candidates(),
        receipt.statement.response_hash,
    )
}

fn compare(name: &'static str, what: &str, salt: &[u8; 32], candidates: &[&[u8]], stated: HashBytes) -> Check {
    if candidates.iter().any(|bytes| salted_hash(salt, bytes) == stated) {
        Check::proven(name, format!("It is for this {what}, byte for byte."))
    } else {
        Check::refuted(name, format!("It is for another {what}: the hash is another one."))
    }
}
