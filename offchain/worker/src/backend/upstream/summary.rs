//! What must be known of a document that is too long to be held, taken from its bytes as they go by.

use serde_json::{Map, Value, json};

use crate::limits::{MAX_DOCUMENT_DEPTH, MAX_MEMBER_BYTES};

/// Members of the document that are kept.
const MEMBERS: [&str; 3] = ["usage", "timings", "error"];
/// Members of each element of `choices` that are kept.
const OF_CHOICE: [&str; 2] = ["index", "finish_reason"];

/// Follows one JSON object. It does not check the grammar beyond what it needs.
#[derive(Default)]
pub(super) struct Summary {
    /// Objects and arrays that are open.
    open: Vec<Open>,
    string: Option<Text>,
    /// Bytes of the member that is being kept, and at which depth its object is.
    kept: Option<(usize, Vec<u8>)>,
    members: Map<String, Value>,
    choices: Vec<Map<String, Value>>,
    is_over: bool,
    is_malformed: bool,
}

enum Open {
    Object { key: Vec<u8>, is_key_next: bool },
    Array,
}

/// A string in whose middle we are.
struct Text {
    is_escaped: bool,
    is_key: bool,
}

impl Summary {
    /// Takes the next bytes.
    pub(super) fn take(&mut self, piece: &[u8]) {
        piece.iter().for_each(|byte| self.byte(*byte));
    }

    /// What was kept, in the shape of the document; `None` when that was no object, or has no end.
    pub(super) fn document(self) -> Option<Value> {
        if self.is_malformed || !self.is_over {
            return None;
        }
        let mut document = self.members;
        let choices = self.choices.into_iter().map(|mut choice| {
            // There was something in it, whose tokens nobody counted if the usage does not say them.
            choice.insert("text".into(), json!("x"));
            Value::Object(choice)
        });
        document.insert("choices".into(), choices.collect());
        Some(Value::Object(document))
    }

    fn byte(&mut self, byte: u8) {
        if let Some(text) = &mut self.string {
            let is_end = byte == b'"' && !text.is_escaped;
            text.is_escaped = byte == b'\\' && !text.is_escaped;
            let is_key = text.is_key;
            if is_end {
                self.string = None;
            }
            if is_key && !is_end {
                self.key_byte(byte);
            }
            self.keep(byte);
            return;
        }
        match byte {
            b'"' => self.begin_string(),
            b'{' | b'[' => self.begin(byte),
            b'}' | b']' => self.end(byte),
            b':' => self.colon(),
            b',' => self.comma(),
            _ => {
                if self.open.is_empty() && !byte.is_ascii_whitespace() {
                    self.is_malformed = true;
                }
                self.keep(byte);
            }
        }
    }

    fn begin_string(&mut self) {
        let is_key = match self.open.last_mut() {
            Some(Open::Object { key, is_key_next: true }) => {
                key.clear();
                true
            }
            Some(_) => false,
            None => {
                self.is_malformed = true;
                false
            }
        };
        self.string = Some(Text {
            is_escaped: false,
            is_key,
        });
        self.keep(b'"');
    }

    /// Longer keys than those that are kept are not remembered whole.
    fn key_byte(&mut self, byte: u8) {
        if let Some(Open::Object { key, .. }) = self.open.last_mut()
            && key.len() <= 16
        {
            key.push(byte);
        }
    }

    fn begin(&mut self, byte: u8) {
        let is_root = self.open.is_empty();
        if is_root && (self.is_over || byte == b'[') || self.open.len() >= MAX_DOCUMENT_DEPTH {
            self.is_malformed = true;
            return;
        }
        self.keep(byte);
        if byte == b'{' && self.open.len() == 2 && self.is_in_choices() {
            self.choices.push(Map::new());
        }
        self.open.push(match byte {
            b'{' => Open::Object {
                key: Vec::new(),
                is_key_next: true,
            },
            _ => Open::Array,
        });
    }

    fn end(&mut self, byte: u8) {
        self.finish_member();
        self.is_malformed |= self.open.pop().is_none();
        self.is_over = self.open.is_empty();
        self.keep(byte);
    }

    fn colon(&mut self) {
        if let Some(Open::Object { is_key_next, .. }) = self.open.last_mut() {
            *is_key_next = false;
        }
        if self.kept.is_none() && self.is_wanted() {
            self.kept = Some((self.open.len(), Vec::new()));
        } else {
            self.keep(b':');
        }
    }

    fn comma(&mut self) {
        self.finish_member();
        if let Some(Open::Object { is_key_next, .. }) = self.open.last_mut() {
            *is_key_next = true;
        }
        self.keep(b',');
    }

    fn keep(&mut self, byte: u8) {
        if let Some((_, bytes)) = &mut self.kept
            && bytes.len() <= MAX_MEMBER_BYTES
        {
            bytes.push(byte);
        }
    }

    /// A member that is too long to be kept, or is no value, is as if it was not there.
    fn finish_member(&mut self) {
        let depth = self.open.len();
        let Some((_, bytes)) = self.kept.take_if(|(at, _)| *at == depth) else {
            return;
        };
        let Ok(value) = serde_json::from_slice::<Value>(&bytes) else {
            return;
        };
        let key = self.key(depth - 1).to_owned();
        match depth {
            1 => self.members.insert(key, value),
            _ => self.choices.last_mut().and_then(|choice| choice.insert(key, value)),
        };
    }

    fn is_wanted(&self) -> bool {
        match self.open.len() {
            1 => MEMBERS.contains(&self.key(0)),
            3 => self.is_in_choices() && OF_CHOICE.contains(&self.key(2)),
            _ => false,
        }
    }

    fn is_in_choices(&self) -> bool {
        self.key(0) == "choices" && matches!(self.open.get(1), Some(Open::Array))
    }

    /// The newest key of the object at a depth.
    fn key(&self, depth: usize) -> &str {
        match self.open.get(depth) {
            Some(Open::Object { key, .. }) => str::from_utf8(key).unwrap_or_default(),
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn summary(pieces: &[&[u8]]) -> Option<Value> {
        let mut summary = Summary::default();
        pieces.iter().for_each(|piece| summary.take(piece));
        summary.document()
    }

    #[test]
    fn what_counts_is_found_and_the_rest_is_not_kept() {
        let text = br#" { "object" : "list", "data":[{"embedding":[1,2,{"usage":3}],"usage":{"prompt_tokens":9}}],
            "choices":[{"finish_reason":"stop","index":1,"message":{"content":"a \"},{ b","index":7}}, {"index":0}],
            "usage" :{"prompt_tokens":5, "details":{"cached_tokens":[2]}} , "error":null } "#;
        let expected = json!({
            "choices": [{"finish_reason": "stop", "index": 1, "text": "x"}, {"index": 0, "text": "x"}],
            "usage": {"prompt_tokens": 5, "details": {"cached_tokens": [2]}}, "error": null,
        });
        assert_eq!(summary(&[text]), Some(expected));
    }

    #[test]
    fn what_is_no_whole_object_is_nothing() {
        for text in [
            "",
            "}",
            "[]",
            "7",
            "\"a\"",
            "{",
            "{\"a\":1",
            "{}{}",
            "{} x",
            "{\"a\":\"}",
        ] {
            assert_eq!(summary(&[text.as_bytes()]), None, "{text}");
        }
        let deep = "{\"a\":".repeat(MAX_DOCUMENT_DEPTH + 1);
        assert_eq!(summary(&[deep.as_bytes()]), None);
        assert_eq!(summary(&[b"{}"]), Some(json!({"choices": []})));
    }

    #[test]
    fn a_member_that_is_too_long_is_left_out() {
        let text = json!({"usage": {"a": "x".repeat(MAX_MEMBER_BYTES)}, "error": null}).to_string();
        assert_eq!(summary(&[text.as_bytes()]), Some(json!({"choices": [], "error": null})));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let key = prop_oneof![
            "[a-z\"\\\\{]{0,4}",
            Just("usage".to_owned()),
            Just("choices".to_owned())
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i32>().prop_map(Value::from),
            "[a\"\\\\{}\\[\\],:é]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key.clone(), inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_document_in_any_pieces_gives_what_a_parser_sees(
            usage in any_json(), error in any_json(), choices in prop::collection::vec((any_json(), any_json()), 0..3),
            rest in any_json(), cut in 0usize..200, is_pretty: bool,
        ) {
            let choices: Vec<Value> = choices.into_iter()
                .map(|(finish, rest)| json!({"finish_reason": finish, "message": rest, "index": 1})).collect();
            let document = json!({"data": rest, "usage": usage, "error": error, "choices": choices});
            let text = if is_pretty { format!("{document:#}") } else { document.to_string() };
            let (first, second) = text.as_bytes().split_at(cut.min(text.len()));
            let kept = choices.iter().map(|choice| {
                json!({"finish_reason": choice["finish_reason"], "index": 1, "text": "x"})
            });
            let expected = json!({"usage": usage, "error": error, "choices": kept.collect::<Vec<_>>()});
            prop_assert_eq!(summary(&[first, second]), Some(expected));
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(prop_oneof![Just(b'{'), Just(b'}'), Just(b'['), Just(b']'),
            Just(b'"'), Just(b':'), Just(b','), Just(b'\\'), any::<u8>()], 0..200)) {
            let _ = summary(&[&bytes]);
        }
    }
}
