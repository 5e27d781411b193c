//! What one attempt may cost, and whether it has cost that already.

use cocoon_bindings::Multipliers;
use cocoon_bindings::tokens::TokenCounts;
use cocoon_bindings::units::Coefficient;
use cocoon_ledger::{pricing, reservation};
use cocoon_openai::OutputBound;

use crate::limits::{MAX_BYTES_PER_TOKEN, MAX_EVENTS_WITHOUT_TOKENS, USUAL_BYTES_PER_TOKEN};
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
    /// The body says how much it asks for, and a worker obeys: what it sends needs not wait.
    is_bounded: bool,
}

/// How much of a part may be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admitted {
    /// Bytes at its beginning that may go on at once.
    pub(crate) now: usize,
    /// Bytes at its beginning that may go on once the worker has said what they cost; the rest never.
    pub(crate) paid: usize,
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
            is_bounded: bound.all_tokens().is_some(),
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
    pub(crate) fn admit(&mut self, part: &[u8]) -> Admitted {
        let budget = *self;
        let is_paid = |tokens: u64| {
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
        };
        let before = self.delivered.bytes;
        let paid = self.delivered.take(part, is_paid);
        let may_wait = !self.is_bounded && self.delivered.kind == Kind::Document;
        let is_usual = |bytes: u64| is_paid(before.saturating_add(bytes) / USUAL_BYTES_PER_TOKEN);
        let now = if may_wait && !is_usual(paid as u64) {
            // The last byte that is usual for what is paid.
            let (mut usual, mut unusual) = (0, paid);
            while usual + 1 < unusual {
                let middle = usual.midpoint(unusual);
                if is_usual(middle as u64) {
                    usual = middle;
                } else {
                    unusual = middle;
                }
            }
            usual
        } else {
            paid
        };
        Admitted { now, paid }
    }

    /// Whether a document, whose worker says at its end that it cost `used` adjusted tokens, is longer than is paid for. One
    /// whose length was asked for is not: a worker that says so lies.
    pub(crate) fn is_too_long(&self, used: u64) -> bool {
        let is_document = matches!(self.delivered.kind, Kind::Unknown | Kind::Document);
        !self.is_bounded && is_document && used > self.reserved.saturating_add(1)
    }

    fn price(&self, counts: &TokenCounts) -> u64 {
        pricing::adjust(counts, self.coefficient, &self.multipliers).total
    }
}

/// Counts what goes by: an event of a stream holds a token at least, so does each of several documents that follow each other
/// in lines, and so do so many bytes of a single one.
#[derive(Debug, Clone, Copy, Default)]
struct Delivered {
    kind: Kind,
    tokens: u64,
    bytes: u64,
    /// Bytes of `data:`, or of `{` where documents come in lines, that this line began with; `None` when it began otherwise.
    matched: Option<usize>,
    /// A document that is an object: others like it may follow.
    is_object: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Unknown,
    Events,
    Document,
    /// Of which a second one has begun, each in a line of its own.
    Documents,
}

impl Kind {
    /// With what a line begins that counts.
    fn mark(self) -> &'static [u8] {
        match self {
            Self::Events => b"data:",
            _ => b"{",
        }
    }
}

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
            self.is_object = *first == b'{';
            let text = part.len() - part.trim_ascii_start().len();
            if self.kind == Kind::Document && self.is_followed(&part[text..], true) {
                self.kind = Kind::Documents;
            }
        } else if self.kind == Kind::Document && self.is_followed(part, false) {
            self.kind = Kind::Documents;
        }
        if self.kind == Kind::Document {
            self.bytes = self.bytes.saturating_add(part.len() as u64);
            return if is_paid(self.bytes / MAX_BYTES_PER_TOKEN) {
                part.len()
            } else {
                0
            };
        }
        let (mark, mut line) = (self.kind.mark(), 0);
        for (at, byte) in part.iter().enumerate() {
            if matches!(byte, b'\n' | b'\r') {
                (self.matched, line) = (Some(0), at + 1);
                continue;
            }
            let Some(matched) = self.matched else { continue };
            self.matched = (mark.get(matched) == Some(byte)).then_some(matched + 1);
            if self.matched == Some(mark.len()) {
                self.matched = None;
                self.tokens = self.tokens.saturating_add(1);
                if !is_paid(self.tokens) {
                    return line;
                }
            }
        }
        part.len()
    }

    /// Whether a second document begins in this part, at the beginning of a line. A single one that is written in lines
    /// begins no other line like that.
    fn is_followed(&mut self, part: &[u8], is_first: bool) -> bool {
        let begins = part.first() == Some(&b'{') && self.matched == Some(0);
        let goes_on = part.windows(2).any(|pair| pair == b"\n{");
        if self.is_object && (goes_on || begins && !is_first) {
            self.matched = begins.then_some(0);
            return true;
        }
        // A line may begin with the next part.
        self.matched = (part.last() == Some(&b'\n')).then_some(0);
        false
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

    #[test]
    fn documents_in_lines_are_counted_by_their_lines() {
        let line = format!("{{\"text\":\"{}\"}}\n", "x".repeat(500));
        let lines = line.repeat(3);
        // A line is taken whole, however long it is; the first one is counted by its bytes until the second comes.
        assert_eq!(through(&[&lines], 3), lines);
        assert_eq!(through(&[&lines], 2), line.repeat(2));
        assert_eq!(through(&[&line, &line, &line], 500), lines);
        assert_eq!(through(&[&line, &line, &line, &line], 9 + 1), line.repeat(4));
        let pretty = "{\n  \"a\": {\n  }\n}\n";
        let mut delivered = Delivered::default();
        delivered.take(pretty.as_bytes(), |_| true);
        assert_eq!(delivered.kind, Kind::Document);
    }

    fn budget(is_bounded: bool, reserved: u64) -> Budget {
        Budget {
            reserved,
            most: reserved,
            coefficient: Coefficient::new(1000),
            multipliers: Multipliers::default(),
            delivered: Delivered::default(),
            free: 0,
            is_bounded,
        }
    }

    #[test]
    fn a_document_of_any_length_waits_where_it_becomes_longer_than_usual() {
        let document = format!("{{\"text\":\"{}\"}}", "x".repeat(4000));
        let admitted = |is_bounded, reserved| budget(is_bounded, reserved).admit(document.as_bytes());
        let all = document.len();
        assert_eq!(admitted(true, 100), Admitted { now: all, paid: all });
        assert_eq!(admitted(false, 2000), Admitted { now: all, paid: all });
        let Admitted { now, paid } = admitted(false, 100);
        assert_eq!(paid, all);
        assert!((4 * 100..4 * 103).contains(&now), "{now}");
        assert_eq!(admitted(false, 10), Admitted { now: 0, paid: 0 });
    }

    #[test]
    fn only_a_document_of_no_length_that_was_asked_for_is_too_long() {
        let is_too_long = |is_bounded, text: &str, used| {
            let mut budget = budget(is_bounded, 100);
            budget.admit(text.as_bytes());
            budget.is_too_long(used)
        };
        assert!(is_too_long(false, "{}", 102));
        assert!(!is_too_long(false, "{}", 101));
        assert!(!is_too_long(true, "{}", 102));
        assert!(!is_too_long(false, "data: x\n\n", 102));
    }
}
