//! What an answer must look like: OpenAI's `response_format` and vLLM's fields for the same.

use cocoon_engine::Constraint;
use cocoon_openai::{ApiError, Request};
use serde_json::Value;

/// vLLM's older fields, with the kinds that its newer `structured_outputs` has.
const GUIDED: [(&str, &str); 4] = [
    ("guided_json", "json"),
    ("guided_regex", "regex"),
    ("guided_choice", "choice"),
    ("guided_grammar", "grammar"),
];

/// The constraint that a request asks for, and the field that does. Two of them are refused.
pub(super) fn read(request: &Request) -> Result<Option<(&'static str, Constraint)>, ApiError> {
    let mut found = response_format(request)?.map(|constraint| ("response_format", constraint));
    let mut add = |name: &'static str, kind: &str, value: &Value| {
        let constraint = of_kind(kind, value).ok_or_else(|| ApiError::invalid_field(name, "has a wrong value"))?;
        match found.replace((name, constraint)) {
            None => Ok(()),
            Some(_) => Err(ApiError::invalid_field(name, "excludes another form of answer")),
        }
    };
    for (name, kind) in GUIDED {
        if let Some(value) = request.field(name) {
            add(name, kind, value)?;
        }
    }
    if let Some(value) = request.field("structured_outputs") {
        let name = "structured_outputs";
        let fields = value
            .as_object()
            .ok_or_else(|| ApiError::invalid_field(name, "must be an object"))?;
        for (kind, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            add(name, kind, value)?;
        }
    }
    Ok(found)
}

fn response_format(request: &Request) -> Result<Option<Constraint>, ApiError> {
    let name = "response_format";
    let Some(format) = request.field(name) else {
        return Ok(None);
    };
    match format.get("type").and_then(Value::as_str) {
        None | Some("text") => Ok(None),
        Some("json_object") => Ok(Some(Constraint::JsonObject)),
        Some("json_schema") => {
            let schema = format.get("json_schema").and_then(|named| named.get("schema"));
            let constraint = schema.and_then(|schema| of_kind("json", schema));
            let missing = || ApiError::invalid_field(name, "of type json_schema must have a schema that is an object");
            constraint.map(Some).ok_or_else(missing)
        }
        Some(_) => Err(ApiError::invalid_field(
            name,
            "must be of type text, json_object or json_schema",
        )),
    }
}

fn of_kind(kind: &str, value: &Value) -> Option<Constraint> {
    match kind {
        "json" => {
            let schema = match value {
                Value::String(text) => serde_json::from_str(text).ok()?,
                value => value.clone(),
            };
            schema.is_object().then_some(Constraint::JsonSchema(schema))
        }
        "json_object" => (value == true).then_some(Constraint::JsonObject),
        "regex" => Some(Constraint::Regex(value.as_str()?.to_owned())),
        "grammar" => Some(Constraint::Grammar(value.as_str()?.to_owned())),
        "choice" => {
            let texts: Vec<&str> = value.as_array()?.iter().map(Value::as_str).collect::<Option<_>>()?;
            (!texts.is_empty()).then(|| Constraint::choice(texts))
        }
        _ => None,
    }
}
