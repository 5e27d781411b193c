//! How models write calls of tools, and how they are made to.

mod call;

pub(super) use call::{CallScanner, Progress};

use crate::sampling::{Constraint, bounded_blanks};
use serde_json::{Value, json};
use std::fmt::Write;

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
}

impl ToolFormat {
    /// The format that a chat template asks the model for; none if it knows no tools, or tells of them in another way.
    pub(crate) fn of_template(source: &str) -> Option<Self> {
        let has = |text: &str| source.contains(text);
        if !has("tools") {
            None
        } else if has("<tool_call>") {
            (!has("<function=") && !has("<arg_key>")).then_some(Self::Hermes)
        } else if has("[TOOL_CALLS]") {
            (!has("[ARGS]")).then_some(Self::Mistral)
        } else {
            (has("<|python_tag|>") || has("\"parameters\": dictionary")).then_some(Self::Llama)
        }
    }

    /// What comes before a call; Llama's may be left out.
    pub(super) fn open(self) -> &'static str {
        match self {
            Self::Hermes => "<tool_call>",
            Self::Llama => "<|python_tag|>",
            Self::Mistral => "[TOOL_CALLS]",
        }
    }

    /// What comes after a call, or after the last one.
    pub(super) fn close(self) -> &'static str {
        match self {
            Self::Hermes => "</tool_call>",
            Self::Llama => "",
            Self::Mistral => "]",
        }
    }

    /// Marks that a tokenizer may keep out of texts.
    pub(crate) const MARKS: [&str; 4] = ["<tool_call>", "</tool_call>", "<|python_tag|>", "[TOOL_CALLS]"];

    /// An answer of one call, or of several if they may be `parallel`. `functions` are objects with `name` and
    /// `parameters`, a JSON schema, as the OpenAI interface has them. None if one of them has no name.
    pub fn constraint(self, functions: &[&Value], parallel: bool) -> Option<Constraint> {
        let (before, between, after) = match self {
            Self::Hermes => ("<tool_call>\n", "\n</tool_call>\n<tool_call>\n", "\n</tool_call>"),
            Self::Llama => ("", "; ", ""),
            Self::Mistral => ("[TOOL_CALLS][", ", ", "]"),
        };
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
            let begin = format!("{{\"name\": {}, {}: ", json!(name), quoted(arguments));
            let begin = quoted(&begin);
            let _ = write!(grammar, "\ncall{number}: {begin} arguments{number} \"}}\"");
            let _ = write!(grammar, "\narguments{number}: %json {}", bounded_blanks(schema));
        }
        grammar.push('\n');
        Some(Constraint::Grammar(grammar))
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
            ("{% if tools %}<tool_call>\n<function=example>", None),
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
