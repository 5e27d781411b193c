//! What the parameters of functions are, for formats that write their values without saying so.

use serde_json::Value;
use std::collections::HashMap;

/// How a value stands in a call whose format has no quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueKind {
    /// A text, as it is.
    Text,
    /// A text, or the word `null`.
    TextOrNull,
    /// JSON.
    Json,
}

impl ValueKind {
    /// What a JSON schema says of a value; a text where it says nothing.
    pub(super) fn of(schema: &Value) -> Self {
        let of_type = |name: &Value| match name.as_str() {
            Some("string") => Self::Text,
            _ => Self::Json,
        };
        let of_several = |kinds: Vec<Self>| {
            let is_text = |kind: &Self| *kind != Self::Json;
            match kinds.iter().all(is_text) {
                true => Self::Text,
                false if kinds.iter().any(is_text) => Self::TextOrNull,
                false => Self::Json,
            }
        };
        let several = ["anyOf", "oneOf"].iter().find_map(|name| schema.get(name)?.as_array());
        match (schema.get("type"), several, schema.get("enum")) {
            (Some(Value::Array(names)), _, _) => of_several(names.iter().map(of_type).collect()),
            (Some(name), _, _) => of_type(name),
            (None, Some(schemas), _) => of_several(schemas.iter().map(Self::of).collect()),
            (None, None, Some(Value::Array(values))) if !values.iter().all(Value::is_string) => Self::Json,
            (None, None, None) if schema.get("$ref").is_some() => Self::Json,
            _ => Self::Text,
        }
    }

    /// A value in JSON.
    pub(super) fn json(self, text: &str) -> String {
        let quoted = || Value::from(text).to_string();
        match self {
            Self::Text => quoted(),
            Self::TextOrNull if text == "null" => text.to_owned(),
            Self::TextOrNull => quoted(),
            Self::Json => {
                // Models that write much Python write its words.
                let text = match text.trim() {
                    "True" => "true",
                    "False" => "false",
                    "None" => "null",
                    text => text,
                };
                let value = serde_json::from_str::<serde::de::IgnoredAny>(text);
                value.map_or_else(|_| quoted(), |_| text.to_owned())
            }
        }
    }
}

/// The parameters of all functions of a request.
#[derive(Default)]
pub(in crate::text) struct Parameters(HashMap<String, HashMap<String, ValueKind>>);

impl Parameters {
    /// `tools` as the OpenAI interface has them; what is not such a list has no parameters.
    pub(in crate::text) fn of(tools: Option<&Value>) -> Self {
        let list = tools.and_then(Value::as_array).into_iter().flatten();
        let functions = list.filter_map(|tool| {
            let function = tool.get("function")?;
            let name = function.get("name")?.as_str()?;
            let properties = function.get("parameters")?.get("properties")?.as_object()?;
            let kinds = properties
                .iter()
                .map(|(name, schema)| (name.clone(), ValueKind::of(schema)));
            Some((name.to_owned(), kinds.collect()))
        });
        Self(functions.collect())
    }

    /// A text where the function or the parameter is not known.
    pub(super) fn kind(&self, function: &str, parameter: &str) -> ValueKind {
        let function = self.0.get(function);
        let kind = function.and_then(|parameters| parameters.get(parameter));
        kind.copied().unwrap_or(ValueKind::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn schemas_say_what_is_a_text() {
        for (schema, kind) in [
            (json!({"type": "string"}), ValueKind::Text),
            (json!({"type": "integer"}), ValueKind::Json),
            (json!({"type": ["string", "null"]}), ValueKind::TextOrNull),
            (json!({"type": ["integer", "null"]}), ValueKind::Json),
            (
                json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
                ValueKind::TextOrNull,
            ),
            (json!({"enum": ["a", "b"]}), ValueKind::Text),
            (json!({"enum": ["a", 1]}), ValueKind::Json),
            (json!({"$ref": "#/$defs/x"}), ValueKind::Json),
            (json!({}), ValueKind::Text),
        ] {
            assert_eq!(ValueKind::of(&schema), kind, "{schema}");
        }
    }

    #[test]
    fn values_become_json() {
        for (kind, text, json) in [
            (ValueKind::Text, "a \"b\"\n", r#""a \"b\"\n""#),
            (ValueKind::Text, "null", r#""null""#),
            (ValueKind::TextOrNull, "null", "null"),
            (ValueKind::TextOrNull, "5", r#""5""#),
            (ValueKind::Json, " [1, 2] ", "[1, 2]"),
            (ValueKind::Json, "True", "true"),
            (ValueKind::Json, "not JSON", r#""not JSON""#),
        ] {
            assert_eq!(kind.json(text), json);
        }
    }
}
