//! Calls as Qwen3-Coder writes them, read character by character:
//!
//! ```text
//! <function=NAME>
//! <parameter=KEY>
//! value, as it is, over several lines
//! </parameter>
//! </function>
//! ```
//!
//! One line break after a mark and one before `</parameter>` belong to the format. Values have no quotes; which of them are
//! texts, the schemas of the request say. What comes out is a JSON object.

use super::call::Progress;
use super::parameters::{Parameters, ValueKind};
use crate::sampling::bounded_blanks;
use serde_json::{Value, json};
use std::fmt::Write;
use std::sync::Arc;

const FUNCTION: &str = "<function=";
const PARAMETER: &str = "<parameter=";
const END_OF_VALUE: &str = "</parameter>";
const END: &str = "</function>";
/// A line break before the end of a value is none of its own.
const BREAK_AND_END: &str = "\n</parameter>";

/// Reads one call. Texts are given out while they are written, other values when they end.
#[derive(Default)]
pub(in crate::text) struct XmlScanner {
    parameters: Arc<Parameters>,
    at: At,
    /// Everything that was read, until the name is known.
    raw: String,
    /// A mark, or what of a value was not given out.
    held: String,
    name: Option<String>,
    arguments: String,
    /// Whether a parameter has begun.
    has_parameters: bool,
}

/// Where the reader stands.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In the mark of the function.
    #[default]
    Function,
    /// Between values, or in a mark there.
    Between,
    /// In a value. True until its first character has come.
    Value(ValueKind, bool),
}

impl XmlScanner {
    pub(in crate::text) fn new(parameters: Arc<Parameters>) -> Self {
        Self {
            parameters,
            ..Self::default()
        }
    }

    /// Takes the next character.
    pub(in crate::text) fn push(&mut self, c: char) -> Progress {
        if self.name.is_none() {
            self.raw.push(c);
        }
        match self.at {
            At::Function => self.function(c),
            At::Between => self.between(c),
            At::Value(kind, true) if c == '\n' => {
                self.at = At::Value(kind, false);
                Progress::More
            }
            At::Value(kind, _) => {
                self.at = At::Value(kind, false);
                self.value(kind, c);
                Progress::More
            }
        }
    }

    /// The name, once.
    pub(in crate::text) fn take_name(&mut self) -> Option<String> {
        let name = self.name.as_ref().filter(|_| !self.raw.is_empty())?;
        self.raw.clear();
        Some(name.clone())
    }

    /// More of the arguments.
    pub(in crate::text) fn take_arguments(&mut self) -> String {
        std::mem::take(&mut self.arguments)
    }

    /// What was read, if no name was found in it.
    pub(in crate::text) fn nameless(self) -> Option<String> {
        match self.name {
            Some(_) => None,
            None => Some(self.raw),
        }
    }

    fn function(&mut self, c: char) -> Progress {
        self.held.push(c);
        let is_begin = FUNCTION.starts_with(&self.held);
        match (self.held.strip_prefix(FUNCTION), c) {
            (Some(name), '>') => {
                self.name = Some(name[..name.len() - 1].trim().to_owned());
                self.held.clear();
                self.at = At::Between;
                Progress::More
            }
            (Some(_), '<' | '\n') => Progress::Broken,
            (Some(_), _) => Progress::More,
            (None, _) if is_begin => Progress::More,
            (None, _) => Progress::Broken,
        }
    }

    fn between(&mut self, c: char) -> Progress {
        if self.held.is_empty() && c.is_whitespace() {
            return Progress::More;
        }
        self.held.push(c);
        if self.held == END {
            self.arguments += if self.has_parameters { "}" } else { "{}" };
            return Progress::Done;
        }
        let is_begin = PARAMETER.starts_with(&self.held) || END.starts_with(&self.held);
        match (self.held.strip_prefix(PARAMETER), c) {
            (Some(key), '>') => {
                let key = key[..key.len() - 1].trim().to_owned();
                let kind = self.parameters.kind(self.name.as_deref().unwrap_or_default(), &key);
                self.arguments += if self.has_parameters { ", " } else { "{" };
                let _ = write!(self.arguments, "{}: ", json!(key));
                if kind == ValueKind::Text {
                    self.arguments.push('"');
                }
                self.has_parameters = true;
                self.held.clear();
                self.at = At::Value(kind, true);
                Progress::More
            }
            (Some(_), '<' | '\n') => Progress::Broken,
            (Some(_), _) => Progress::More,
            (None, _) if is_begin => Progress::More,
            (None, _) => Progress::Broken,
        }
    }

    fn value(&mut self, kind: ValueKind, c: char) {
        self.held.push(c);
        if let Some(value) = self.held.strip_suffix(END_OF_VALUE) {
            let value = value.strip_suffix('\n').unwrap_or(value);
            match kind {
                ValueKind::Text => {
                    self.arguments += &inside_quotes(value);
                    self.arguments.push('"');
                }
                kind => self.arguments += &kind.json(value),
            }
            self.held.clear();
            self.at = At::Between;
        } else if kind == ValueKind::Text {
            let may_end = |mark: &str| {
                (1..mark.len())
                    .rev()
                    .find(|length| self.held.ends_with(&mark[..*length]))
            };
            let kept = may_end(BREAK_AND_END).max(may_end(END_OF_VALUE)).unwrap_or(0);
            let free = self.held.len() - kept;
            self.arguments += &inside_quotes(&self.held[..free]);
            self.held.drain(..free);
        }
    }
}

/// A text as it stands between the quotes of JSON.
fn inside_quotes(text: &str) -> String {
    let quoted = json!(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The rules of a grammar for a call of one function, `call{number}` and what it needs. Parameters stand in the order of
/// the schema, those that are not required may be left out.
pub(super) fn rules(number: usize, name: &str, schema: &Value) -> String {
    let nothing = serde_json::Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&nothing);
    let required = |key: &String| {
        let names = schema.get("required").and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|name| name.as_str() == Some(key)))
    };
    let quoted = |text: &str| json!(text).to_string();
    let mut call = format!("\ncall{number}: {}", quoted(&format!("{FUNCTION}{name}>\n")));
    let mut rules = String::new();
    for (place, (key, value)) in properties.iter().enumerate() {
        let rule = format!("parameter{number}_{place}");
        let _ = write!(call, " {rule}{}", if required(key) { "" } else { "?" });
        let begin = quoted(&format!("{PARAMETER}{key}>\n"));
        let end = quoted("\n</parameter>\n");
        let kind = ValueKind::of(value);
        if kind == ValueKind::Json {
            let mut value = value.clone();
            for definitions in ["$defs", "definitions"] {
                if let (Some(all), Some(fields)) = (schema.get(definitions), value.as_object_mut()) {
                    fields.insert(definitions.to_owned(), all.clone());
                }
            }
            let _ = write!(rules, "\n{rule}: {begin} value{number}_{place} {end}");
            let _ = write!(rules, "\nvalue{number}_{place}: %json {}", bounded_blanks(value));
        } else if let Some(words) = value.get("enum").and_then(Value::as_array) {
            let words: Vec<String> = words.iter().filter_map(Value::as_str).map(quoted).collect();
            let _ = write!(rules, "\n{rule}: {begin} ({}) {end}", words.join(" | "));
        } else {
            let _ = write!(rules, "\n{rule}: {begin} value{number}_{place}");
            let _ = write!(rules, "\nvalue{number}_{place}[suffix={end}]: /(?s:.*)/");
        }
    }
    format!("{call} \"{END}\"{rules}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tools() -> Value {
        let properties = json!({"text": {"type": "string"}, "count": {"type": "integer"}, "list": {"type": "array"}});
        json!([{"type": "function", "function": {"name": "f", "parameters": {"properties": properties}}}])
    }

    /// What a call gives, with its arguments in the pieces in which they came.
    fn read(text: &str) -> (Progress, Option<String>, Vec<String>) {
        let mut scanner = XmlScanner::new(Arc::new(Parameters::of(Some(&tools()))));
        let (mut name, mut arguments, mut progress) = (None, Vec::new(), Progress::More);
        for c in text.chars() {
            progress = scanner.push(c);
            name = name.or(scanner.take_name());
            arguments.push(scanner.take_arguments());
            if progress != Progress::More {
                break;
            }
        }
        (progress, name, arguments)
    }

    /// A call as the template of Qwen3-Coder writes it.
    fn written(values: &[(&str, &str)]) -> String {
        let values: String = values
            .iter()
            .map(|(key, value)| format!("<parameter={key}>\n{value}\n</parameter>\n"))
            .collect();
        format!("<function=f>\n{values}</function>")
    }

    #[test]
    fn values_are_what_the_schema_says() {
        let text = "fn main() {\n    println!(\"<p>\\n</p>\");\n}\n";
        let call = written(&[
            ("text", text),
            ("count", "3"),
            ("list", "[1, {\"a\": 2}]"),
            ("other", "4"),
        ]);
        let (progress, name, arguments) = read(&call);
        assert_eq!((progress, name.as_deref()), (Progress::Done, Some("f")));
        let found: Value = serde_json::from_str(&arguments.concat()).unwrap();
        let expected = json!({"text": text, "count": 3, "list": [1, {"a": 2}], "other": "4"});
        assert_eq!(found, expected);
        assert_eq!(read("<function=g>\n</function>").2.concat(), "{}");
        let dense = "<function=f><parameter=text>a</parameter></function>";
        assert_eq!(read(dense).2.concat(), r#"{"text": "a"}"#);
    }

    #[test]
    fn texts_are_given_out_before_they_end() {
        let (progress, _, arguments) = read("<function=f>\n<parameter=text>\nonce\nupon\n</para");
        assert_eq!(progress, Progress::More);
        assert_eq!(arguments.concat(), r#"{"text": "once\nupon"#);
    }

    #[test]
    fn what_is_not_a_call_is_told() {
        for text in [
            "{",
            "<fun>",
            "<function=f\n",
            "<function=f>x",
            "<function=f><parameter=a\n",
        ] {
            assert_eq!(read(text).0, Progress::Broken, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "(a|\"|\\\\|\n|<|/|</|</parameter|</function>|<parameter=x>|\u{e9}){0,12}") {
            let (progress, _, arguments) = read(&written(&[("text", &text), ("count", "7")]));
            prop_assert_eq!(progress, Progress::Done);
            let found: Value = serde_json::from_str(&arguments.concat()).unwrap();
            prop_assert_eq!(found, json!({"text": text, "count": 7}));
        }
    }
}
