//! Which tokens a constraint allows next.

use super::constraint::{Constraint, bounded_blanks};
use crate::error::EngineError;
use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory, panic_utils};
use serde_json::json;
use std::sync::Arc;

/// Turns constraints into matchers; made once for a model, for it sorts the whole vocabulary.
pub(crate) struct Compiler(ParserFactory);

impl Compiler {
    /// `words` are the bytes of each token, none for those that no text has; `eos` the tokens that end an answer.
    pub(crate) fn new(words: &[Vec<u8>], eos: &[u32]) -> Result<Self, EngineError> {
        let failed = |_| EngineError::Tokenizer {
            doing: "preparing constraints",
        };
        let eos: Vec<u32> = eos
            .iter()
            .copied()
            .filter(|token| (*token as usize) < words.len())
            .collect();
        let (Some(first), Ok(size)) = (eos.first(), u32::try_from(words.len())) else {
            return Err(EngineError::Tokenizer {
                doing: "looking for its end",
            });
        };
        let trie = TokTrie::from(&TokRxInfo::new(size, *first), words).with_eos_tokens(&eos);
        // Not canonical: the matcher only rules tokens out and never forces a way of writing a text.
        let environment: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let mut factory = ParserFactory::new_simple(&environment).map_err(failed)?;
        factory.quiet();
        // Errors must not quote the grammar.
        factory.limits_mut().verbose_errors = false;
        Ok(Self(factory))
    }

    /// The token that marks a token of no text in `words`.
    pub(crate) const NO_TEXT: u8 = TokTrie::SPECIAL_TOKEN_MARKER;

    /// With another bound of the parser's items at one position.
    #[cfg(test)]
    pub(super) fn with_items(mut self, items: usize) -> Self {
        self.0.limits_mut().max_items_in_row = items;
        self
    }

    /// A matcher at its beginning.
    pub(crate) fn compile(&self, constraint: &Constraint) -> Result<Matching, EngineError> {
        let refused = EngineError::Constraint {
            kind: constraint.kind(),
        };
        let grammar = match constraint {
            Constraint::JsonObject => TopLevelGrammar::from_json_schema(bounded_blanks(json!({"type": "object"}))),
            Constraint::JsonSchema(schema) => TopLevelGrammar::from_json_schema(bounded_blanks(schema.clone())),
            Constraint::Regex(regex) => TopLevelGrammar::from_regex(regex),
            Constraint::Grammar(_) | Constraint::Made(_) => TopLevelGrammar::from_lark(constraint.text()),
        };
        let mut matcher = Matcher::new(panic_utils::catch_unwind(std::panic::AssertUnwindSafe(|| {
            self.0.create_parser(grammar)
        })));
        // Much is only prepared when it is first needed: better here than where others wait.
        if matcher.is_error() || matcher.compute_mask_or_eos().is_err() {
            return Err(refused);
        }
        Ok(Matching {
            matcher,
            kind: constraint.kind(),
        })
    }
}

/// How far an answer has come in its constraint.
pub(crate) struct Matching {
    matcher: Matcher,
    kind: &'static str,
}

impl Matching {
    /// Another one at the same place.
    pub(super) fn copy(&self) -> Self {
        Self {
            matcher: self.matcher.deep_clone(),
            kind: self.kind,
        }
    }

    /// Sets the logits of all tokens that may not follow to minus infinity, but for those in `also`.
    pub(super) fn apply(&mut self, logits: &mut [f32], also: Option<u32>) -> Result<(), EngineError> {
        let mask = self.matcher.compute_mask_or_eos().map_err(|_| self.failed())?;
        for (token, logit) in logits.iter_mut().enumerate() {
            let allowed = token < mask.len() && mask.get(token);
            if !allowed && also.is_none_or(|also| also as usize != token) {
                *logit = f32::NEG_INFINITY;
            }
        }
        Ok(())
    }

    /// Takes a token that was chosen. True if nothing may follow.
    pub(super) fn accept(&mut self, token: u32) -> Result<bool, EngineError> {
        self.matcher.consume_token(token).map_err(|_| self.failed())?;
        Ok(self.matcher.is_stopped())
    }

    /// That the answer cannot go on.
    pub(super) fn failed(&self) -> EngineError {
        EngineError::Constraint { kind: self.kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One token for each byte, then two words, then the end.
    fn compiler() -> Compiler {
        let mut words: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
        words.extend([
            b"true".to_vec(),
            b"{\"".to_vec(),
            vec![Compiler::NO_TEXT, b'<', b'e', b'>'],
        ]);
        Compiler::new(&words, &[258]).unwrap()
    }

    fn allowed(matching: &mut Matching) -> Vec<u32> {
        let mut logits = vec![0.0; 300];
        matching.apply(&mut logits, None).unwrap();
        (0u32..)
            .zip(logits)
            .filter(|(_, logit)| *logit == 0.0)
            .map(|(token, _)| token)
            .collect()
    }

    /// Whether the text passes as a whole.
    fn passes(constraint: &Constraint, text: &str) -> bool {
        let mut matching = compiler().compile(constraint).unwrap();
        for byte in text.bytes() {
            if !allowed(&mut matching).contains(&u32::from(byte)) {
                return false;
            }
            matching.accept(u32::from(byte)).unwrap();
        }
        allowed(&mut matching).contains(&258)
    }

    #[test]
    fn a_choice_allows_its_texts_only() {
        let constraint = Constraint::choice(["yes", "no \"quoted\"\n"]);
        assert!(passes(&constraint, "yes") && passes(&constraint, "no \"quoted\"\n"));
        assert!(!passes(&constraint, "ye") && !passes(&constraint, "maybe"));
    }

    #[test]
    fn a_regular_expression_is_anchored() {
        let constraint = Constraint::Regex("[a-c]{2,3}".to_owned());
        assert!(passes(&constraint, "ab") && passes(&constraint, "abc"));
        assert!(!passes(&constraint, "a") && !passes(&constraint, "abca") && !passes(&constraint, "xab"));
    }

    #[test]
    fn a_schema_says_what_json_may_be() {
        let schema = json!({
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"$ref": "#/$defs/flag"}},
            "required": ["a", "b"], "additionalProperties": false,
            "$defs": {"flag": {"type": "boolean"}},
        });
        let constraint = Constraint::JsonSchema(schema);
        for good in [r#"{"a":1,"b":true}"#, "{\n  \"a\": -12,\n  \"b\": false\n}"] {
            assert!(passes(&constraint, good), "{good}");
        }
        for bad in [
            r#"{"a":1}"#,
            r#"{"a":1.5,"b":true}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":1,"b":true,"c":1}"#,
            "[]",
        ] {
            assert!(!passes(&constraint, bad), "{bad}");
        }
        let long = format!("{{{}\"a\":1,\"b\":true}}", " ".repeat(100));
        assert!(!passes(&constraint, &long), "blanks have a bound");
        assert!(passes(&Constraint::JsonObject, r#"{"x":[1,{"y":null}]}"#));
        assert!(!passes(&Constraint::JsonObject, "[1]"));
    }

    #[test]
    fn longer_tokens_pass_too_and_the_end_is_told() {
        let mut matching = compiler().compile(&Constraint::choice(["true"])).unwrap();
        assert_eq!(allowed(&mut matching), [u32::from(b't'), 256]);
        assert!(matching.accept(256).unwrap());
        assert_eq!(allowed(&mut matching), [258]);
    }

    #[test]
    fn a_constraint_that_comes_to_a_limit_says_so() {
        // Every character may be the middle: the parser remembers each.
        let grammar = Constraint::Grammar("start: \"a\" start \"a\" | \"b\" | \"a\"".to_owned());
        let mut matching = compiler().with_items(40).compile(&grammar).unwrap();
        let end = (0..200).find_map(|_| {
            let mut logits = vec![0.0; 300];
            let applied = matching.apply(&mut logits, None);
            applied.and_then(|()| matching.accept(u32::from(b'a'))).err()
        });
        assert!(
            matches!(end, Some(EngineError::Constraint { kind: "grammar" })),
            "{end:?}"
        );
    }

    #[test]
    fn required_calls_have_the_form_of_the_model() {
        use crate::text::tools::ToolFormat;
        let find = json!({"name": "find", "parameters": {"type": "object", "properties": {
            "id": {"type": "integer"}, "text": {"type": "string"}, "kind": {"enum": ["a", "b"]}}, "required": ["text"]}});
        let stop = json!({"name": "stop"});
        let of = |format: ToolFormat, parallel| format.constraint(&[&find, &stop], parallel).unwrap();

        let coder = of(ToolFormat::Qwen3Coder, true);
        let id = "<parameter=id>\n7\n</parameter>\n";
        let text = "<parameter=text>\nif a < b {\n}</p>\n\n</parameter>\n";
        let kind = "<parameter=kind>\nb\n</parameter>\n";
        let call = |inside: &str| format!("<tool_call>\n{inside}</function>\n</tool_call>");
        let find_with = |values: &[&str]| call(&format!("<function=find>\n{}", values.concat()));
        // The order is that of the schema as this program holds it.
        let order: Vec<&String> = find["parameters"]["properties"].as_object().unwrap().keys().collect();
        let by_name = |name: &&String| match name.as_str() {
            "id" => id,
            "text" => text,
            _ => kind,
        };
        let all: Vec<&str> = order.iter().map(by_name).collect();
        assert!(passes(&coder, &find_with(&all)));
        assert!(passes(&coder, &find_with(&[text])));
        assert!(passes(&coder, &call("<function=stop>\n")));
        let two = format!("{}\n{}", find_with(&[text]), call("<function=stop>\n"));
        assert!(passes(&coder, &two) && !passes(&of(ToolFormat::Qwen3Coder, false), &two));
        let wrong = "<parameter=id>\nx\n</parameter>\n";
        for bad in [
            find_with(&[id]),
            find_with(&[wrong, text]),
            find_with(&[text, text]),
            call("<function=other>\n"),
        ] {
            assert!(!passes(&coder, &bad), "{bad}");
        }

        let harmony = of(ToolFormat::Harmony, true);
        let header = "<|channel|>commentary to=functions.";
        assert!(passes(
            &harmony,
            &format!("{header}stop <|constrain|>json<|message|>{{}}")
        ));
        let found = format!("{header}find <|constrain|>json<|message|>{{\"text\": \"x\"}}");
        assert!(passes(&harmony, &found));
        assert!(!passes(
            &harmony,
            &format!("{header}other <|constrain|>json<|message|>{{}}")
        ));
        assert!(!passes(&harmony, "<|channel|>final<|message|>no"));
    }

    #[test]
    fn what_is_not_valid_is_refused_without_quoting_it() {
        for bad in [
            Constraint::Regex("secret(".to_owned()),
            Constraint::Grammar("start: secret".to_owned()),
            Constraint::JsonSchema(json!({"type": "secret"})),
        ] {
            let error = compiler().compile(&bad).err().unwrap();
            assert!(matches!(error, EngineError::Constraint { .. }));
            assert!(!format!("{error} {error:?} {bad:?}").contains("secret"));
        }
    }
}
