//! Chat templates: Jinja, as the `transformers` library renders it.

use crate::error::EngineError;
use crate::request::Chat;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, Value, context};

const NAME: &str = "chat";

/// Blanks of one level of indented JSON: templates use two or four.
const MAX_INDENT: usize = 16;

/// The template of one model, compiled once.
pub(crate) struct ChatTemplate {
    environment: Environment<'static>,
    source: String,
    special: Vec<(&'static str, String)>,
}

impl ChatTemplate {
    /// Compiles a template. `special` are names such as `bos_token` that the template may use.
    pub(crate) fn new(source: String, special: Vec<(&'static str, String)>) -> Result<Self, EngineError> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", raise);
        environment.add_filter("tojson", to_json);
        let add = environment.add_template_owned(NAME, source.clone());
        add.map_err(|error| EngineError::Template {
            line: error.line().unwrap_or(0),
        })?;
        Ok(Self {
            environment,
            source,
            special,
        })
    }

    /// The text of the template.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// The chat as text that ends where the assistant begins to speak.
    pub(crate) fn render(&self, chat: &Chat) -> Result<String, EngineError> {
        let template = self
            .environment
            .get_template(NAME)
            .map_err(|_| EngineError::NoTemplate)?;
        let base = context! {
            messages => Value::from_serialize(flat_messages(chat)?),
            tools => chat.tools.as_ref().map(Value::from_serialize),
            add_generation_prompt => true,
        };
        let special = Value::from_iter(
            self.special
                .iter()
                .map(|(name, text)| (*name, Value::from(text.as_str()))),
        );
        let options = Value::from_serialize(&chat.template_options);
        let names = context! { ..base, ..context! { ..options, ..special } };
        // Errors of the template may quote messages: only their kind goes on.
        template.render(names).map_err(|_| EngineError::TemplateRefused)
    }
}

/// Messages whose content is one text: OpenAI's list form (`[{"type": "text", "text": …}]`) is joined, other kinds of
/// parts are refused.
fn flat_messages(chat: &Chat) -> Result<Vec<serde_json::Value>, EngineError> {
    chat.messages
        .iter()
        .map(flat_message)
        .collect::<Option<_>>()
        .ok_or(EngineError::TemplateRefused)
}

fn flat_message(message: &serde_json::Value) -> Option<serde_json::Value> {
    let mut message = message.as_object()?.clone();
    message.get("role")?.as_str()?;
    match message.get_mut("content") {
        Some(content) => {
            if let Some(parts) = content.as_array() {
                let texts = parts.iter().map(|part| match part.get("type")?.as_str()? {
                    "text" => part.get("text")?.as_str(),
                    _ => None,
                });
                *content = texts.collect::<Option<String>>()?.into();
            } else if content.is_null() {
                *content = "".into();
            } else if !content.is_string() {
                return None;
            }
        }
        None => {
            message.insert("content".to_owned(), "".into());
        }
    }
    if let Some(calls) = message.get_mut("tool_calls").filter(|calls| !calls.is_null()) {
        calls.as_array_mut()?.iter_mut().try_for_each(call_with_object)?;
    }
    Some(message.into())
}

/// OpenAI's arguments are JSON in a string; templates write them as JSON and so need the object.
fn call_with_object(call: &mut serde_json::Value) -> Option<()> {
    let arguments = call.get_mut("function")?.get_mut("arguments")?;
    if let Some(text) = arguments.as_str() {
        let parsed: serde_json::Map<_, _> = serde_json::from_str(text).ok()?;
        *arguments = parsed.into();
    }
    Some(())
}

fn raise(message: String) -> Result<String, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// JSON as Python writes it: a blank after `:`, a blank or with `indent` a line break after `,`, nothing escaped for HTML.
fn to_json(value: Value, indent: Option<usize>, options: Kwargs) -> Result<Value, Error> {
    let indent = match indent {
        None => options.get::<Option<usize>>("indent")?,
        indent => indent,
    };
    let bad = |error: serde_json::Error| Error::new(ErrorKind::BadSerialization, error.to_string());
    let mut out = Vec::new();
    match indent {
        Some(indent) => {
            let blanks = " ".repeat(indent.min(MAX_INDENT));
            let style = serde_json::ser::PrettyFormatter::with_indent(blanks.as_bytes());
            let mut serializer = serde_json::Serializer::with_formatter(&mut out, style);
            serde::Serialize::serialize(&value, &mut serializer).map_err(bad)?;
        }
        None => {
            let mut serializer = serde_json::Serializer::with_formatter(&mut out, PythonStyle);
            serde::Serialize::serialize(&value, &mut serializer).map_err(bad)?;
        }
    }
    let text = String::from_utf8(out).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    Ok(Value::from_safe_string(text))
}

struct PythonStyle;

impl serde_json::ser::Formatter for PythonStyle {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn render(source: &str, messages: serde_json::Value) -> Result<String, EngineError> {
        let template = ChatTemplate::new(source.to_owned(), vec![("bos_token", "<s>".to_owned())])?;
        let messages = messages.as_array().unwrap().clone();
        template.render(&Chat {
            messages,
            ..Chat::default()
        })
    }

    #[test]
    fn python_methods_slices_namespaces_and_json_work() {
        let source = "{{ bos_token }}{%- set ns = namespace(last=0) %}\n\
            {%- for m in messages[::-1] %}{% if m.content.startswith('a') %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}\n\
            {{- ns.last }} {{ messages[0] | tojson }} {{ 'x</think>\n y'.split('</think>')[-1].lstrip('\n').strip() }}";
        let text = render(source, json!([{"role": "user", "content": "a<b>'é"}])).unwrap();
        assert_eq!(text, "<s>0 {\"role\": \"user\", \"content\": \"a<b>'é\"} y");
    }

    #[test]
    fn tools_and_calls_are_written_as_json() {
        let source = "{% for t in tools %}{{ t | tojson }}|{{ t | tojson(indent=2) }}{% endfor %}\
            {% for m in messages %}{% for c in m.tool_calls %}|{{ c.function.arguments | tojson }}{% endfor %}{% endfor %}";
        let template = ChatTemplate::new(source.to_owned(), Vec::new()).unwrap();
        let call =
            |arguments: &str| json!({"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}});
        let chat = |arguments: &str| Chat {
            messages: vec![json!({"role": "assistant", "content": null, "tool_calls": [call(arguments)]})],
            tools: Some(json!([{"a": 1, "b": []}])),
            ..Chat::default()
        };
        let text = template.render(&chat("{\"x\":1,\"y\":\"<\"}")).unwrap();
        let expected = "{\"a\": 1, \"b\": []}|{\n  \"a\": 1,\n  \"b\": []\n}|{\"x\": 1, \"y\": \"<\"}";
        assert_eq!(text, expected);
        assert!(matches!(
            template.render(&chat("no json")),
            Err(EngineError::TemplateRefused)
        ));
    }

    #[test]
    fn parts_of_text_are_joined_and_other_parts_refused() {
        let source = "{{ messages[0].content }}";
        let parts =
            json!([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]);
        assert_eq!(render(source, parts).unwrap(), "ab");
        for bad in [
            json!([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]),
            json!([{"role": "user", "content": 5}]),
            json!([{"content": "a"}]),
            json!(["a"]),
        ] {
            assert!(matches!(render(source, bad), Err(EngineError::TemplateRefused)));
        }
    }

    #[test]
    fn a_refusal_of_the_template_does_not_quote_the_chat() {
        let source = "{{ raise_exception('bad: ' + messages[0].content) }}";
        let error = render(source, json!([{"role": "user", "content": "secret"}])).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    #[test]
    fn a_broken_template_is_refused_with_its_line() {
        let error = render("a\n{% if %}", json!([])).unwrap_err();
        assert!(matches!(error, EngineError::Template { line: 2 }), "{error:?}");
    }
}
