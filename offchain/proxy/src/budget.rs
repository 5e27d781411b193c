//! What one attempt may cost, and whether it has cost that already.

use cocoon_bindings::Multipliers;
use cocoon_bindings::tokens::TokenCounts;
use cocoon_bindings::units::Coefficient;
use cocoon_ledger::{pricing, reservation};
use cocoon_openai::OutputBound;

use crate::limits::{MAX_BYTES_PER_TOKEN, MAX_EVENTS_WITHOUT_TOKENS};
use crate::request::Request;

/// The bounds of one attempt at one worker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// Adjusted tokens that are reserved.
    reserved: u64,
    /// Adjusted tokens that the worker may be credited with: when the body says how much it asks for, no more than that
    /// costs at the worker's own price, whatever the client would have paid.
    pub(crate) most: u64,
    coefficient: Coefficient,
    multipliers: Multipliers,
    /// Least number of tokens that what was delivered holds.
    delivered: Delivered,
    /// Of them, those that need not be paid for.
    free: u64,
}

impl Budget {
    /// Of a request at a worker of this price.
    pub(crate) fn new(request: &Request, coefficient: Coefficient, multipliers: &Multipliers) -> Self {
        let bytes = request.query.len() as u64;
        let price = |tokens, coefficient| {
            // A request that is too large was refused before.
            reservation::amount(tokens, bytes, coefficient, multipliers).map_or(u64::MAX, |amount| amount.get())
        };
        let reserved = price(request.max_tokens, request.max_coefficient);
        let bound: OutputBound = request.bound;
        let most = bound
            .all_tokens()
            .map_or(reserved, |tokens| price(tokens, coefficient).min(reserved));
        Self {
            reserved,
            most,
            coefficient,
            multipliers: *multipliers,
            delivered: Delivered::default(),
            free: bound
                .choices
                .saturating_add(1)
                .saturating_mul(MAX_EVENTS_WITHOUT_TOKENS),
        }
    }

    /// Whether work of these counts costs more than is reserved. The rounding of four classes may add one.
    pub(crate) fn is_exceeded_by(&self, counts: &TokenCounts) -> bool {
        self.price(counts) > self.reserved.saturating_add(1)
    }

    /// How many bytes of a part may be delivered, for a worker that tells no counts before it has ended: what was delivered
    /// is counted here, as little as it can be.
    pub(crate) fn admit(&mut self, part: &[u8]) -> usize {
        let budget = *self;
        self.delivered.take(part, |tokens| {
            let tokens = tokens.saturating_sub(budget.free);
            let plain = TokenCounts {
                prompt: 0,
                cached: 0,
                completion: tokens,
                reasoning: 0,
            };
            let reasoning = TokenCounts {
                reasoning: tokens,
                ..plain
            };
            budget.price(&plain).min(budget.price(&reasoning)) <= budget.reserved.saturating_add(1)
        })
    }

    fn price(&self, counts: &TokenCounts) -> u64 {
        pricing::adjust(counts, self.coefficient, &self.multipliers).total
    }
}

/// Counts what goes by: an event of a stream holds a token at least, and so do so many bytes of a document.
#[derive(Debug, Clone, Copy, Default)]
struct Delivered {
    kind: Kind,
    tokens: u64,
    bytes: u64,
    /// Bytes of `data:` that this line began with; `None` when it began otherwise.
    matched: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Unknown,
    Events,
    Document,
}

const DATA: &[u8] = b"data:";

impl Delivered {
    /// Takes as much of a part as `is_paid` allows; gives how many bytes that is. An event is taken whole or not begun, as far
    /// as it lies in this part.
    fn take(&mut self, part: &[u8], is_paid: impl Fn(u64) -> bool) -> usize {
        if self.kind == Kind::Unknown {
            let Some(first) = part.iter().find(|byte| !byte.is_ascii_whitespace()) else {
                return part.len();
            };
            // The first letters of the fields of an event, and of a comment.
            self.kind = if matches!(first, b'd' | b'e' | b'i' | b'r' | b':') {
                Kind::Events
            } else {
                Kind::Document
            };
            self.matched = Some(0);
        }
        if self.kind == Kind::Document {
            self.bytes = self.bytes.saturating_add(part.len() as u64);
            return if is_paid(self.bytes / MAX_BYTES_PER_TOKEN) {
                part.len()
            } else {
                0
            };
        }
        let mut line = 0;
        for (at, byte) in part.iter().enumerate() {
            if matches!(byte, b'\n' | b'\r') {
                (self.matched, line) = (Some(0), at + 1);
                continue;
            }
            let Some(matched) = self.matched else { continue };
            self.matched = (DATA.get(matched) == Some(byte)).then_some(matched + 1);
            if self.matched == Some(DATA.len()) {
                self.matched = None;
                self.tokens = self.tokens.saturating_add(1);
                if !is_paid(self.tokens) {
                    return line;
                }
            }
        }
        part.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes parts while at most `limit` tokens are paid; gives what was let through.
    fn through(parts: &[&str], limit: u64) -> String {
        let mut delivered = Delivered::default();
        let mut text = String::new();
        for part in parts {
            let taken = delivered.take(part.as_bytes(), |tokens| tokens <= limit);
            text.push_str(&part[..taken]);
            if taken < part.len() {
                break;
            }
        }
        text
    }

    #[test]
    fn a_stream_is_cut_before_the_event_that_is_not_paid() {
        let stream = "data: {\"a\":\"data:\"}\n\ndata: b\n\n: note\r\ndata: c\n\n";
        assert_eq!(through(&[stream], 3), stream);
        assert_eq!(through(&[stream], 1), "data: {\"a\":\"data:\"}\n\n");
        assert_eq!(
            through(&[stream], 2),
            "data: {\"a\":\"data:\"}\n\ndata: b\n\n: note\r\n"
        );
        assert_eq!(through(&[stream], 0), "");
    }

    #[test]
    fn events_are_counted_wherever_a_stream_is_cut_into_parts() {
        let stream = "\ndata: one\n\ndata: two\n\ndata: three\n\n";
        for cut in 0..=stream.len() {
            for again in cut..=stream.len() {
                let parts = [&stream[..cut], &stream[cut..again], &stream[again..]];
                assert_eq!(through(&parts, 3), stream);
                let text = through(&parts, 2);
                assert!(stream.starts_with(&text) && !text.contains("three"), "{text:?}");
                assert!(text.contains("two\n\n"), "{text:?}");
            }
        }
    }

    #[test]
    fn a_document_is_counted_by_its_bytes() {
        let document = format!("{{\"text\":\"{}\"}}", "x".repeat(1000));
        let tokens = document.len() as u64 / MAX_BYTES_PER_TOKEN;
        assert_eq!(through(&[&document], tokens), document);
        assert_eq!(through(&[&document], tokens - 1), "");
        assert_eq!(through(&["  ", "[]"], 0), "  []");
    }
}
