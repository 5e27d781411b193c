//! Where the chat template stands: a file of its own, or a field of `tokenizer_config.json`.

use super::read_bounded;
use crate::error::EngineError;
use crate::limits::MAX_CONFIG_BYTES;
use crate::text::template::ChatTemplate;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

const OWN: &str = "chat_template.jinja";
const CONFIG: &str = "tokenizer_config.json";

/// The template, if the model has one, and the files that it was read from.
pub(super) fn read(folder: &Path) -> Result<(Option<ChatTemplate>, Vec<PathBuf>), EngineError> {
    let mut files = Vec::new();
    let config = folder.join(CONFIG);
    let mut fields = Map::new();
    if config.exists() {
        let bytes = read_bounded(&config, MAX_CONFIG_BYTES)?;
        fields = serde_json::from_slice(&bytes).map_err(|source| EngineError::Json { file: CONFIG, source })?;
        files.push(PathBuf::from(CONFIG));
    }
    let own = folder.join(OWN);
    let source = if own.exists() {
        files.push(PathBuf::from(OWN));
        let bytes = read_bounded(&own, MAX_CONFIG_BYTES)?;
        Some(String::from_utf8(bytes).map_err(|_| EngineError::Template { line: 0 })?)
    } else {
        template_field(&fields)
    };
    let special = ["bos_token", "eos_token", "pad_token", "unk_token"];
    let special = special
        .into_iter()
        .filter_map(|name| Some((name, token_text(fields.get(name)?)?)));
    let template = source
        .map(|source| ChatTemplate::new(source, special.collect()))
        .transpose()?;
    Ok((template, files))
}

/// One template, or a list of named ones of which `default` is taken.
fn template_field(fields: &Map<String, Value>) -> Option<String> {
    match fields.get("chat_template")? {
        Value::String(source) => Some(source.clone()),
        Value::Array(list) => {
            let default = list.iter().find(|entry| entry["name"] == "default")?;
            default["template"].as_str().map(str::to_owned)
        }
        _ => None,
    }
}

/// A token is written as its text, or as an object with its text.
fn token_text(value: &Value) -> Option<String> {
    value
        .as_str()
        .or_else(|| value.get("content")?.as_str())
        .map(str::to_owned)
}
