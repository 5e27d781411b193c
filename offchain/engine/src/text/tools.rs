//! How models write calls of tools, and how they are made to.

mod call;
mod parameters;
mod xml;

pub(super) use call::Progress;
pub(super) use parameters::Parameters;

use crate::sampling::{Constraint, bounded_blanks};
use call::CallScanner;
use serde_json::{Value, json};
use std::fmt::Write;
use std::sync::Arc;
use xml::XmlScanner;

/// A way of writing calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ToolFormat {
    /// `<tool_call>{"name": …, "arguments": {…}}</tool_call>`, as Hermes and Qwen write it.
    Hermes,
    /// The answer is `{"name": …, "parameters": {…}}`, several of them with `;` between, as Llama 3 writes it.
    Llama,
    /// `[TOOL_CALLS][{"name": …, "arguments": {…}}]`, as Mistral writes it.
    Mistral,
    /// `<tool_call><function=…><parameter=…>…</parameter></function></tool_call>`, as Qwen3-Coder writes it.
    Qwen3Coder,
    /// A message in the channel `commentary` to the function, as GPT-OSS writes it (OpenAI's harmony format).
    Harmony,
}

/// Reads one call.
pub(super) enum Scanner {
    /// In JSON.
    Json(CallScanner),
    /// In marks.
    Xml(XmlScanner),
}

impl Scanner {
    /// For a call in this format.
    pub(super) fn new(format: Option<ToolFormat>, parameters: &Arc<Parameters>) -> Self {
        match format {
            Some(ToolFormat::Qwen3Coder) => Self::Xml(XmlScanner::new(parameters.clone())),
            _ => Self::Json(CallScanner::default()),
        }
    }

    /// Takes the next character.
    pub(super) fn push(&mut self, c: char) -> Progress {
        match self {
            Self::Json(scanner) => scanner.push(c),
            Self::Xml(scanner) => scanner.push(c),
        }
    }

    /// The name, once.
    pub(super) fn take_name(&mut self) -> Option<String> {
        match self {
            Self::Json(scanner) => scanner.take_name(),
            Self::Xml(scanner) => scanner.take_name(),
        }
    }

    /// More of the arguments, if the name is known.
    pub(super) fn take_arguments(&mut self) -> String {
        match self {
            Self::Json(scanner) => scanner.take_arguments(),
            Self::Xml(scanner) => scanner.take_arguments(),
        }
    }

    /// What was read, if no name was found in it.
    pub(super) fn nameless(self) -> Option<String> {
        match self {
            Self::Json(scanner) => scanner.nameless(),
            Self::Xml(scanner) => scanner.nameless(),
        }
    }
}

impl ToolFormat {
    /// The format that a chat template asks the model for; none if it knows no tools, or tells of them in another way.
    pub(crate) fn of_template(source: &str) -> Option<Self> {
        let has = |text: &str| source.contains(text);
        if !has("tools") {
            None
        } else if has("<|channel|>") {
            has("<|message|>").then_some(Self::Harmony)
        } else if has("<tool_call>") && has("<function=") {
            has("<parameter=").then_some(Self::Qwen3Coder)
        } else if has("<tool_call>") {
            (!has("<arg_key>")).then_some(Self::Hermes)
        } else if has("[TOOL_CALLS]") {
            (!has("[ARGS]")).then_some(Self::Mistral)
        } else {
            (has("<|python_tag|>") || has("\"parameters\": dictionary")).then_some(Self::Llama)
        }
    }

    /// As manifests write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hermes => "hermes",
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen3Coder => "qwen3-coder",
            Self::Harmony => "harmony",
        }
    }

    /// What comes before a call; Llama's may be left out. Harmony is not read by such marks.
    pub(super) fn open(self) -> &'static str {
        match self {
            Self::Hermes | Self::Qwen3Coder => "<tool_call>",
            Self::Llama => "<|python_tag|>",
            Self::Mistral => "[TOOL_CALLS]",
            Self::Harmony => "",
        }
    }

    /// What comes after a call, or after the last one.
    pub(super) fn close(self) -> &'static str {
        match self {
            Self::Hermes | Self::Qwen3Coder => "</tool_call>",
            Self::Llama | Self::Harmony => "",
            Self::Mistral => "]",
        }
    }

    /// Marks that a tokenizer may keep out of texts, of a model that writes this format, if any.
    pub(crate) fn marks(format: Option<Self>) -> &'static [&'static str] {
        match format {
            // Not those that end an answer.
            Some(Self::Harmony) => &["<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|end|>"],
            _ => &["<tool_call>", "</tool_call>", "<|python_tag|>", "[TOOL_CALLS]"],
        }
    }

    /// An answer of one call, or of several if they may be `parallel`. `functions` are objects with `name` and
    /// `parameters`, a JSON schema, as the OpenAI interface has them. None if one of them has no name.
    pub fn constraint(self, functions: &[&Value], parallel: bool) -> Option<Constraint> {
        let (before, between, after) = match self {
            Self::Hermes | Self::Qwen3Coder => ("<tool_call>\n", "\n</tool_call>\n<tool_call>\n", "\n</tool_call>"),
            Self::Llama => ("", "; ", ""),
            Self::Mistral => ("[TOOL_CALLS][", ", ", "]"),
            Self::Harmony => ("<|channel|>commentary to=functions.", "", ""),
        };
        // The mark that ends a call of this format ends the answer.
        let parallel = parallel && self != Self::Harmony;
        let arguments = if self == Self::Llama { "parameters" } else { "arguments" };
        let quoted = |text: &str| json!(text).to_string();
        let mut grammar = String::from("start: ");
        for (text, is_last) in [(before, false), (after, true)] {
            if is_last {
                grammar += "call ";
                if parallel {
                    let _ = write!(grammar, "({} call)* ", quoted(between));
                }
            }
            if !text.is_empty() {
                let _ = write!(grammar, "{} ", quoted(text));
            }
        }
        let names: Vec<String> = (0..functions.len()).map(|number| format!("call{number}")).collect();
        let _ = write!(grammar, "\ncall: {}", names.join(" | "));
        for (number, function) in functions.iter().enumerate() {
            let name = function.get("name")?.as_str()?;
            let schema = match function.get("parameters") {
                Some(schema) if schema.is_object() => schema.clone(),
                _ => json!({"type": "object"}),
            };
            let (begin, end) = match self {
                Self::Qwen3Coder => {
                    grammar += &xml::rules(number, name, &schema);
                    continue;
                }
                Self::Harmony => (format!("{name} <|constrain|>json<|message|>"), String::new()),
                _ => (
                    format!("{{\"name\": {}, {}: ", json!(name), quoted(arguments)),
                    quoted("}"),
                ),
            };
            let begin = quoted(&begin);
            let _ = write!(grammar, "\ncall{number}: {begin} arguments{number} {end}");
            let _ = write!(grammar, "\narguments{number}: %json {}", bounded_blanks(schema));
        }
        grammar.push('\n');
        let schemas = functions.iter().filter_map(|function| function.get("parameters"));
        Some(Constraint::made(grammar, schemas))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_their_templates() {
        for (source, format) in [
            (
                "{% if tools %}<tool_call>\n{\"name\": <function-name>",
                Some(ToolFormat::Hermes),
            ),
            (
                "{% if tools %}<tool_call>\n<function=example>\n<parameter=a>",
                Some(ToolFormat::Qwen3Coder),
            ),
            ("{% if tools %}<tool_call>\n<function=example>{}", None),
            ("{% if tools %}<tool_call>name\n<arg_key>", None),
            (
                "{{ tools }}<|start|>assistant<|channel|>final<|message|>",
                Some(ToolFormat::Harmony),
            ),
            ("{{ tools }}[TOOL_CALLS]", Some(ToolFormat::Mistral)),
            ("{{ tools }}[TOOL_CALLS]x[ARGS]", None),
            ("{{ tools }}<|python_tag|>", Some(ToolFormat::Llama)),
            ("{{ tools }}", None),
            ("<tool_call>", None),
        ] {
            assert_eq!(ToolFormat::of_template(source), format, "{source}");
        }
    }

    #[test]
    fn a_function_without_a_name_has_no_constraint() {
        assert!(
            ToolFormat::Hermes
                .constraint(&[&json!({"parameters": {}})], false)
                .is_none()
        );
    }
}
