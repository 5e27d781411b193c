//! Answers that must have a form: JSON, a schema, a regular expression, a grammar.

use crate::error::EngineError;
use crate::limits::{MAX_CONSTRAINT_BYTES, MAX_GRAMMAR_BYTES, MAX_PATTERN_BYTES};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt;

/// What an answer must match, from its first character to its last. The content is not shown in `Debug`.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Constraint {
    /// Any JSON object.
    JsonObject,
    /// JSON that a schema allows. Members stand in the order of the schema.
    JsonSchema(Value),
    /// A regular expression in the syntax of the `regex` crate, anchored at both ends.
    Regex(String),
    /// A context-free grammar in the Lark syntax of `llguidance`, with the rule `start`.
    Grammar(String),
    /// A grammar that was made here of a request's texts and schemas.
    Made(MadeGrammar),
}

/// A grammar in which a request has literal texts and schemas, and no regular expression but those of its schemas.
#[derive(Clone, PartialEq)]
pub struct MadeGrammar {
    text: String,
    /// Of all schemas.
    pattern_bytes: usize,
}

impl Constraint {
    /// One of several texts.
    pub fn choice<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let texts: Vec<String> = texts.into_iter().map(|text| json!(text).to_string()).collect();
        Self::made(format!("start: {}", texts.join(" | ")), [])
    }

    /// A grammar that was made of these schemas, and of literal texts.
    pub(crate) fn made<'a>(text: String, schemas: impl IntoIterator<Item = &'a Value>) -> Self {
        let pattern_bytes = schemas.into_iter().map(pattern_bytes).sum();
        Self::Made(MadeGrammar { text, pattern_bytes })
    }

    /// What kind it is, as errors name it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::JsonObject => "JSON object",
            Self::JsonSchema(_) => "JSON schema",
            Self::Regex(_) => "regular expression",
            Self::Grammar(_) | Self::Made(_) => "grammar",
        }
    }

    /// The same as text.
    pub(super) fn text(&self) -> String {
        match self {
            Self::JsonObject => String::new(),
            Self::JsonSchema(schema) => schema.to_string(),
            Self::Regex(text) | Self::Grammar(text) | Self::Made(MadeGrammar { text, .. }) => text.clone(),
        }
    }

    /// Refuses what would take too long to compile, or too much memory.
    pub(super) fn check(&self) -> Result<(), EngineError> {
        let (limit, patterns) = match self {
            Self::JsonObject => return Ok(()),
            Self::JsonSchema(schema) => (MAX_CONSTRAINT_BYTES, pattern_bytes(schema)),
            Self::Made(made) => (MAX_CONSTRAINT_BYTES, made.pattern_bytes),
            Self::Regex(_) => (MAX_PATTERN_BYTES, 0),
            Self::Grammar(_) => (MAX_GRAMMAR_BYTES, 0),
        };
        if self.text().len() > limit || patterns > MAX_PATTERN_BYTES {
            return Err(EngineError::ConstraintTooLarge { kind: self.kind() });
        }
        Ok(())
    }

    /// Adds a tag, the kind, and the text with its length.
    pub(super) fn hash_into(&self, hasher: &mut Sha256) {
        let text = self.text();
        hasher.update(b"constraint");
        hasher.update([match self {
            Self::JsonObject => 1,
            Self::JsonSchema(_) => 2,
            Self::Regex(_) => 3,
            Self::Grammar(_) | Self::Made(_) => 4,
        }]);
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
}

/// Bytes of all regular expressions of a schema, at whatever depth; what only looks like one is counted too.
fn pattern_bytes(schema: &Value) -> usize {
    match schema {
        Value::Array(parts) => parts.iter().map(pattern_bytes).sum(),
        Value::Object(fields) => {
            let of_field = |(name, value): (&String, &Value)| match (name.as_str(), value) {
                ("pattern", Value::String(pattern)) => pattern.len(),
                ("patternProperties", Value::Object(by_pattern)) => {
                    by_pattern.keys().map(String::len).sum::<usize>() + pattern_bytes(value)
                }
                _ => pattern_bytes(value),
            };
            fields.iter().map(of_field).sum()
        }
        _ => 0,
    }
}

/// At most twenty blanks between two parts of JSON: without a bound a model may go on with blanks until
/// its tokens are used up.
pub(crate) fn bounded_blanks(mut schema: Value) -> Value {
    if let Some(fields) = schema.as_object_mut() {
        let options = json!({ "whitespace_pattern": "[ \\t\\r\\n]{1,20}" });
        fields.insert("x-guidance".to_owned(), options);
    }
    schema
}

impl fmt::Debug for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Constraint({})", self.kind())
    }
}
