//! What list routes have in common: bounds of time, order, pages.

use cocoon_bindings::ton::{Address, HashBytes, parse_address};
use cocoon_emulator::{Message, TransactionReport};
use serde_json::Value;

use super::super::ApiError;
use super::super::params::Params;
use crate::limits::{DEFAULT_PAGE, MAX_ADDRESSES, MAX_INDEX_PAGE};

/// The part of a list that is wanted.
pub(super) struct Page {
    offset: usize,
    limit: usize,
    oldest_first: bool,
}

impl Page {
    pub(super) fn of(params: &Params<'_>) -> Result<Self, ApiError> {
        let oldest_first = match params.value("sort").and_then(Value::as_str) {
            None | Some("desc" | "DESC") => false,
            Some("asc" | "ASC") => true,
            Some(other) => return Err(ApiError::params(format!("sort is asc or desc, not {other:?}"))),
        };
        Ok(Self {
            offset: params.number("offset")?.unwrap_or(0),
            limit: params.number("limit")?.unwrap_or(DEFAULT_PAGE).min(MAX_INDEX_PAGE),
            oldest_first,
        })
    }

    /// The wanted part of a list that runs from the oldest to the newest.
    pub(super) fn cut<T>(&self, list: impl DoubleEndedIterator<Item = T>) -> Vec<T> {
        if self.oldest_first {
            list.skip(self.offset).take(self.limit).collect()
        } else {
            list.rev().skip(self.offset).take(self.limit).collect()
        }
    }
}

/// Bounds by time and logical time, both ends included.
pub(super) struct Span {
    utime: (u32, u32),
    lt: (u64, u64),
}

impl Span {
    pub(super) fn of(params: &Params<'_>) -> Result<Self, ApiError> {
        Ok(Self {
            utime: (
                params.number("start_utime")?.unwrap_or(0),
                params.number("end_utime")?.unwrap_or(u32::MAX),
            ),
            lt: (
                params.number("start_lt")?.unwrap_or(0),
                params.number("end_lt")?.unwrap_or(u64::MAX),
            ),
        })
    }

    pub(super) fn holds(&self, report: &TransactionReport) -> bool {
        self.holds_moment(report.now, report.lt)
    }

    pub(super) fn holds_moment(&self, utime: u32, lt: u64) -> bool {
        (self.utime.0..=self.utime.1).contains(&utime) && (self.lt.0..=self.lt.1).contains(&lt)
    }
}

/// One text or several: a parameter that came more than once, or with commas.
pub(super) fn texts<'a>(params: &Params<'a>, name: &str) -> Result<Vec<&'a str>, ApiError> {
    let malformed = || ApiError::params(format!("{name} must be text"));
    let values = match params.value(name) {
        None => return Ok(Vec::new()),
        Some(Value::Array(values)) => values
            .iter()
            .map(|value| value.as_str().ok_or_else(malformed))
            .collect(),
        Some(Value::String(text)) => Ok(vec![text.as_str()]),
        Some(_) => Err(malformed()),
    };
    let texts: Vec<&str> = values?.into_iter().flat_map(|text| text.split(',')).collect();
    if texts.len() > MAX_ADDRESSES {
        return Err(ApiError::params(format!("at most {MAX_ADDRESSES} of {name} at once")));
    }
    Ok(texts)
}

pub(super) fn addresses(params: &Params<'_>, name: &str) -> Result<Vec<Address>, ApiError> {
    let read = |text: &str| parse_address(text).map_err(|error| ApiError::params(format!("{name}: {error}")));
    texts(params, name)?.into_iter().map(read).collect()
}

/// An operation: decimal, or hex with 0x.
pub(super) fn opcode(params: &Params<'_>) -> Result<Option<u32>, ApiError> {
    let Some(value) = params.value("opcode") else {
        return Ok(None);
    };
    let text = value.as_str().map(str::to_owned).unwrap_or_else(|| value.to_string());
    let read = match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text
            .parse::<u32>()
            .ok()
            .or_else(|| text.parse::<i32>().ok().map(i32::cast_unsigned)),
    };
    read.map(Some)
        .ok_or_else(|| ApiError::params("opcode is not a number of 32 bits"))
}

/// Whether a message has the wanted hash, if one is wanted: its own, or that which clients compute before they send it.
pub(super) fn is_message(wanted: Option<&HashBytes>, message: &Message) -> bool {
    wanted.is_none_or(|wanted| message.hash() == *wanted || message.normalized_hash().as_ref() == Some(wanted))
}

/// Whether a wanted hash, if there is one, is this.
pub(super) fn matches(wanted: Option<&HashBytes>, found: &HashBytes) -> bool {
    wanted.is_none_or(|wanted| wanted == found)
}
