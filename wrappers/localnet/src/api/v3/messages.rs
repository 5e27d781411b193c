//! Messages, found by hash, ends, operation or time.

use std::collections::BTreeMap;

use cocoon_bindings::ton::{Address, HashBytes, parse_address};
use cocoon_emulator::{Emulator, Message, MessageKind, TransactionReport};
use serde_json::{Value, json};

use super::super::ApiError;
use super::super::params::Params;
use super::find::{self, Page, Span};
use super::shape;
use super::transactions::direction;

/// A message and the transactions at its ends.
struct Known<'a> {
    message: &'a Message,
    received: Option<&'a TransactionReport>,
    sent: Option<&'a TransactionReport>,
}

/// `messages(msg_hash[]?, body_hash?, source?, destination?, opcode?, direction?, exclude_externals?, start_…, end_…, limit,
/// offset, sort)`. An end that is `null` is the outside.
pub(super) fn page(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let (hash, body) = (params.hash("msg_hash")?, params.hash("body_hash")?);
    let (source, destination) = (End::of(params, "source")?, End::of(params, "destination")?);
    let opcode = find::opcode(params)?;
    let direction = direction(params)?;
    let internal_only = params.flag("exclude_externals")?;
    let span = Span::of(params)?;
    let all = known(chain, &span).into_iter().filter(|known| {
        let message = known.message;
        find::is_message(hash.as_ref(), message)
            && find::matches(body.as_ref(), message.body.repr_hash())
            && source.fits(message.source.as_ref())
            && destination.fits(message.destination.as_ref())
            && opcode.is_none_or(|opcode| message.body().load_u32().ok() == Some(opcode))
            && (!internal_only || message.kind == MessageKind::Internal)
            && match direction {
                Some("in") => known.received.is_some(),
                Some(_) => known.sent.is_some(),
                None => true,
            }
    });
    let found = Page::of(params)?.cut(all);
    let messages: Vec<_> = found
        .into_iter()
        .map(|known| shape::message(known.message, known.received, known.sent))
        .collect();
    Ok(json!({ "messages": messages, "address_book": {} }))
}

/// All messages of transactions in a span, in the order in which they are first met.
fn known<'a>(chain: &'a Emulator, span: &Span) -> Vec<Known<'a>> {
    let mut found: Vec<Known<'a>> = Vec::new();
    let mut places: BTreeMap<HashBytes, usize> = BTreeMap::new();
    for report in chain.all_transactions().iter().filter(|report| span.holds(report)) {
        if let Some(message) = &report.in_msg {
            match places.get(&message.hash()).and_then(|place| found.get_mut(*place)) {
                Some(known) => known.received = Some(report),
                None => found.push(Known {
                    message,
                    received: Some(report),
                    sent: None,
                }),
            }
        }
        for message in &report.out_msgs {
            places.insert(message.hash(), found.len());
            found.push(Known {
                message,
                received: None,
                sent: Some(report),
            });
        }
    }
    found
}

/// What is asked of one end of a message.
enum End {
    Any,
    Outside,
    Account(Address),
}

impl End {
    fn of(params: &Params<'_>, name: &str) -> Result<Self, ApiError> {
        match params.value(name).map(Value::as_str) {
            None => Ok(Self::Any),
            Some(Some("null")) => Ok(Self::Outside),
            Some(Some(text)) => {
                let address = parse_address(text).map_err(|error| ApiError::params(format!("{name}: {error}")))?;
                Ok(Self::Account(address))
            }
            Some(None) => Err(ApiError::params(format!("{name} must be text"))),
        }
    }

    fn fits(&self, end: Option<&Address>) -> bool {
        match self {
            Self::Any => true,
            Self::Outside => end.is_none(),
            Self::Account(address) => end == Some(address),
        }
    }
}
