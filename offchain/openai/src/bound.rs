//! How much a body asks for at most, read without understanding the rest of it.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::limits::MAX_TOKENS;

/// The numbers of a body that bound how much is generated for it.
///
/// Whoever passes a body on unchanged has to know what its reader may make of it: so of several numbers the largest
/// counts, of repeated members too, and numbers in quotes or with a fraction, which lenient readers take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputBound {
    /// The larger of `max_completion_tokens` and `max_tokens`, at most [`MAX_TOKENS`]; `None` when the body has neither.
    pub tokens: Option<u64>,
    /// The larger of `n` and `best_of`: each answer may have that many tokens. At least 1.
    pub choices: u64,
}

impl OutputBound {
    /// What a body without any number asks for.
    pub const NONE: Self = Self {
        tokens: None,
        choices: 1,
    };

    /// Reads a JSON object. `None` when it is none: no reader makes anything of it.
    pub fn of_body(body: &[u8]) -> Option<Self> {
        let mut reader = serde_json::Deserializer::from_slice(body);
        let bound = reader.deserialize_map(Members).ok()?;
        reader.end().ok().map(|()| bound)
    }

    /// Tokens of all answers together.
    pub fn all_tokens(&self) -> Option<u64> {
        self.tokens.map(|tokens| tokens.saturating_mul(self.choices))
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = OutputBound;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<OutputBound, A::Error> {
        let mut bound = OutputBound::NONE;
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "max_tokens" | "max_completion_tokens" => {
                    let tokens = number(&members.next_value()?).map(|tokens| tokens.min(MAX_TOKENS));
                    bound.tokens = bound.tokens.max(tokens);
                }
                "n" | "best_of" => {
                    let choices = number(&members.next_value()?).unwrap_or(1);
                    bound.choices = bound.choices.max(choices);
                }
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(bound)
    }
}

/// A number as the most lenient reader takes it, rounded up. Negative ones are none.
fn number(value: &Value) -> Option<u64> {
    let number = match value {
        Value::Number(number) => return number.as_u64().or_else(|| number.as_f64().map(rounded_up)),
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        _ => return None,
    };
    Some(rounded_up(number))
}

fn rounded_up(number: f64) -> u64 {
    // Too large saturates, negative becomes none, and so does what is not a number.
    number.ceil() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(body: &str) -> Option<(Option<u64>, u64)> {
        OutputBound::of_body(body.as_bytes()).map(|bound| (bound.tokens, bound.choices))
    }

    #[test]
    fn the_largest_number_that_any_reader_could_take_counts() {
        assert_eq!(of(r#"{"messages":[{"max_tokens":5}]}"#), Some((None, 1)));
        assert_eq!(of(r#"{"max_tokens":9,"n":3}"#), Some((Some(9), 3)));
        assert_eq!(of(r#"{"max_completion_tokens":8,"max_tokens":9}"#), Some((Some(9), 1)));
        assert_eq!(of(r#"{"max_tokens":7,"max_tokens":1}"#), Some((Some(7), 1)));
        assert_eq!(of(r#"{"max\u005ftokens":7,"n":2,"best_of":5}"#), Some((Some(7), 5)));
        assert_eq!(of(r#"{"max_tokens":3.2e4,"n":null}"#), Some((Some(32_000), 1)));
        assert_eq!(of(r#"{"max_tokens":" 32000 ","n":0}"#), Some((Some(32_000), 1)));
        assert_eq!(of(r#"{"max_tokens":-1}"#), Some((Some(0), 1)));
        assert_eq!(of(r#"{"max_tokens":4294967295}"#), Some((Some(MAX_TOKENS), 1)));
        assert_eq!(of(r#"{"max_tokens":null}"#), Some((None, 1)));
    }

    #[test]
    fn what_is_no_object_has_no_bound() {
        for body in ["", "[]", "7", r#"{"max_tokens":1"#, r#"{"max_tokens":1}{}"#, "{'n':1}"] {
            assert_eq!(of(body), None, "{body}");
        }
    }

    #[test]
    fn many_answers_saturate() {
        let bound = OutputBound::of_body(br#"{"max_tokens":2147483647,"n":18446744073709551615}"#).unwrap();
        assert_eq!(bound.all_tokens(), Some(u64::MAX));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = OutputBound::of_body(&body);
        }

        #[test]
        fn it_agrees_with_the_validating_parser(tokens in 0u64..MAX_TOKENS, n in 1u64..100) {
            let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"max_tokens":{tokens},"n":{n}}}"#);
            let bound = OutputBound::of_body(body.as_bytes()).unwrap();
            let request = crate::Request::parse(crate::Endpoint::Chat, body.as_bytes()).unwrap();
            prop_assert_eq!(bound.tokens, request.max_tokens());
            prop_assert_eq!(bound.choices, request.n());
        }
    }
}
