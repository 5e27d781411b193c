//! A receipt, against everything that whoever asks has at hand.

mod content;
mod parties;
mod shown;
mod worker;

use cocoon_attest::Fact;
use cocoon_bindings::Multipliers;
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::PublicKey;
use cocoon_ledger::pricing;
use cocoon_receipt::{BuiltReceipt, ChannelHead, Receipt};
use serde::Serialize;

use crate::check::{self, Check};
use crate::exchange::{Received, Sent};
use crate::inclusion::{self, Inclusion, ShownCheckpoint};
pub use parties::Expected;
pub use shown::{ShownLink, ShownReceipt};

/// Bytes behind a content hash, and its salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened<T> {
    /// The salt that came with the receipt.
    pub salt: [u8; 32],
    /// The bytes, if they are at hand.
    pub bytes: Option<T>,
}

/// Prices of the root contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prices {
    /// Version of the parameters.
    pub version: u32,
    /// Weights of the classes of tokens.
    pub multipliers: Multipliers,
}

/// What a receipt is judged by. What is `None` is unknown.
#[derive(Debug, Clone, Default)]
pub struct ReceiptInput<'a> {
    /// The signed receipt, a bag of cells.
    pub receipt: &'a [u8],
    /// Key of the proxy's contract, from the chain.
    pub proxy_key: Option<PublicKey>,
    /// Who and what it should be about.
    pub expected: Expected,
    /// The request.
    pub request: Option<Opened<Sent<'a>>>,
    /// The answer.
    pub response: Option<Opened<Received<'a>>>,
    /// The highest coefficient that was accepted.
    pub max_coefficient: Option<u32>,
    /// What the root contract asks for tokens.
    pub prices: Option<Prices>,
    /// Certificate of the worker (DER).
    pub worker_certificate: Option<&'a [u8]>,
    /// Certificate of the proxy (DER).
    pub proxy_certificate: Option<&'a [u8]>,
    /// Where it is in its proxy's log.
    pub inclusion: Option<Inclusion>,
    /// Where the channel stood before.
    pub previous: Option<ChannelHead>,
}

/// What a receipt proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiptReport {
    /// All of it in a word.
    pub verdict: Fact,
    /// Check by check.
    pub checks: Vec<Check>,
    /// What it says; absent when it cannot be read.
    pub receipt: Option<ShownReceipt>,
    /// The head of the log that it is in, once that was proven.
    pub checkpoint: Option<ShownCheckpoint>,
}

/// Checks that a verdict needs: that this was asked and answered, by whom, and that it costs what it says.
const ESSENTIAL: [&str; 8] = [
    "form",
    "proxy_signature",
    "parties",
    "request_bytes",
    "response_bytes",
    "arithmetic",
    "price",
    "worker_signature",
];

/// Judges a receipt.
pub fn judge(input: &ReceiptInput<'_>) -> ReceiptReport {
    let built = match BuiltReceipt::from_boc(input.receipt) {
        Ok(built) => built,
        Err(error) => {
            return ReceiptReport {
                verdict: Fact::Refuted,
                checks: vec![Check::refuted("form", error.to_string())],
                receipt: None,
                checkpoint: None,
            };
        }
    };
    let receipt = &built.signed().receipt;
    let (included, checkpoint) = inclusion::check(&built.id(), input.inclusion.as_ref(), input.proxy_key.as_ref());
    let checks = vec![
        Check::proven("form", "It is a receipt of a form that is known."),
        proxy_signature(&built, input.proxy_key.as_ref()),
        parties::check(receipt, &input.expected),
        content::request(receipt, input.request.as_ref()),
        content::response(receipt, input.response.as_ref()),
        Check::of(
            "arithmetic",
            receipt.check_arithmetic(),
            "Its numbers agree with each other.",
        ),
        price(receipt, input),
        channel(&built, input.previous.as_ref()),
        worker::signature(&built, input.worker_certificate),
        worker::proxy_evidence(receipt, input.proxy_certificate),
        included,
    ];
    ReceiptReport {
        verdict: check::verdict(&checks, &ESSENTIAL),
        checks,
        receipt: Some(ShownReceipt::from(&built)),
        checkpoint,
    }
}

fn proxy_signature(built: &BuiltReceipt, key: Option<&PublicKey>) -> Check {
    const NAME: &str = "proxy_signature";
    match key {
        None => Check::unknown(NAME, "The key of the proxy's contract is not at hand."),
        Some(key) => Check::of(
            NAME,
            built.verify_proxy(key),
            "The proxy signed it with the key of its contract.",
        ),
    }
}

/// That the adjusted tokens follow from the counts, and that the coefficient was accepted.
fn price(receipt: &Receipt, input: &ReceiptInput<'_>) -> Check {
    const NAME: &str = "price";
    let statement = &receipt.statement;
    let coefficient = statement.coefficient;
    if let Some(highest) = input.max_coefficient
        && coefficient.get() > highest
    {
        return Check::refuted(
            NAME,
            format!("The coefficient {coefficient} is higher than the {highest} that was accepted."),
        );
    }
    let Some(prices) = input.prices else {
        return Check::unknown(NAME, "The root contract's prices are not at hand.");
    };
    let version = statement.params_version.get();
    if version != prices.version {
        let says = format!(
            "It is priced by version {version} of the parameters, at hand is {}.",
            prices.version
        );
        return Check::unknown(NAME, says);
    }
    let Some(counts) = &statement.counts else {
        return Check::unknown(
            NAME,
            "It has no raw counts: an older worker reported adjusted tokens only.",
        );
    };
    if pricing::adjust(counts, coefficient, &prices.multipliers) != statement.used {
        return Check::refuted(NAME, "The adjusted tokens do not follow from the counts.");
    }
    Check::proven(
        NAME,
        format!(
            "Its {} tokens follow from the counts, the coefficient {coefficient} and the root contract's prices.",
            statement.used.total
        ),
    )
}

fn channel(built: &BuiltReceipt, previous: Option<&ChannelHead>) -> Check {
    const NAME: &str = "channel";
    let link = &built.signed().receipt.channel;
    match previous.map(|head| head.follow(link, built.id().0)) {
        None => Check::unknown(NAME, "Where the channel stood before is not at hand."),
        Some(Ok((_, 0))) => Check::proven(NAME, "It continues the receipt before it."),
        Some(Ok((_, missing))) => Check::unknown(
            NAME,
            format!("{missing} receipts between it and the last one at hand are missing; the totals only grew."),
        ),
        Some(Err(fault)) => Check::refuted(NAME, fault.to_string()),
    }
}

/// A hash of 32 bytes as hex.
fn hex_of(hash: &HashBytes) -> String {
    hex::encode(hash.0)
}

/// Whether an address is the expected one, as words for people otherwise.
fn differs(what: &str, found: &Address, expected: Option<&Address>) -> Option<String> {
    let expected = expected.filter(|expected| *expected != found)?;
    Some(format!("It is of {what} {found}, not {expected}."))
}
