//! `modules.json` of the sentence-transformers layout: how an embedding model makes one vector out of its states.

use super::read_bounded;
use crate::error::EngineError;
use crate::limits::MAX_CONFIG_BYTES;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

pub(super) const MODULES: &str = "modules.json";

/// How states of many tokens become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PoolingKind {
    /// Their mean.
    Mean,
    /// That of the last token.
    Last,
}

/// What happens after the last layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pooling {
    pub(crate) kind: PoolingKind,
    /// Whether vectors get length 1.
    pub(crate) normalized: bool,
    /// The files that say so, relative to the folder.
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

impl Pooling {
    /// Reads the files. A step that is not known is refused by its name.
    pub(super) fn read(folder: &Path) -> Result<Self, EngineError> {
        let bytes = read_bounded(&folder.join(MODULES), MAX_CONFIG_BYTES)?;
        let modules: Vec<Module> =
            serde_json::from_slice(&bytes).map_err(|source| EngineError::Json { file: MODULES, source })?;
        let mut pooling = Self {
            kind: PoolingKind::Mean,
            normalized: false,
            files: vec![PathBuf::from(MODULES)],
        };
        let steps: Vec<&str> = modules
            .iter()
            .map(|module| module.kind.rsplit('.').next().unwrap_or(""))
            .collect();
        match steps.as_slice() {
            ["Transformer", "Pooling"] => {}
            ["Transformer", "Pooling", "Normalize"] => pooling.normalized = true,
            _ => return Err(unsupported(MODULES, &Value::from(steps.join(", ")))),
        }
        // A name of a folder inside, and of nothing outside.
        let path = Path::new(&modules[1].path);
        if path.components().count() != 1 || path.file_name().is_none() {
            return Err(unsupported(MODULES, &Value::from(modules[1].path.as_str())));
        }
        let file = path.join("config.json");
        let bytes = read_bounded(&folder.join(&file), MAX_CONFIG_BYTES)?;
        let fields: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|source| EngineError::Json {
            file: "config.json of the pooling",
            source,
        })?;
        pooling.kind = kind_of(&fields)?;
        pooling.files.push(file);
        Ok(pooling)
    }
}

/// Older files have a switch for each kind, newer ones one name.
fn kind_of(fields: &Map<String, Value>) -> Result<PoolingKind, EngineError> {
    let on = |(name, value): (&String, &Value)| (*value == Value::Bool(true)).then(|| name.clone());
    let switches = fields
        .iter()
        .filter_map(on)
        .filter_map(|name| name.strip_prefix("pooling_mode_").map(str::to_owned));
    let names: Vec<String> = match fields.get("pooling_mode").and_then(Value::as_str) {
        Some(name) => vec![name.to_owned()],
        None => switches.collect(),
    };
    match names.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["mean_tokens" | "mean"] => Ok(PoolingKind::Mean),
        ["lasttoken"] => Ok(PoolingKind::Last),
        _ => Err(unsupported("pooling_mode", &Value::from(names.join(", ")))),
    }
}

fn unsupported(field: &str, found: &Value) -> EngineError {
    EngineError::UnsupportedConfig {
        field: field.to_owned(),
        found: found.to_string().chars().take(60).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn write(modules: &Value, pooling: &Value) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("1_Pooling")).unwrap();
        std::fs::write(folder.path().join(MODULES), modules.to_string()).unwrap();
        std::fs::write(folder.path().join("1_Pooling/config.json"), pooling.to_string()).unwrap();
        folder
    }

    fn modules(last: &str) -> Value {
        json!([
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Last", "type": format!("sentence_transformers.models.{last}")},
        ])
    }

    #[test]
    fn the_published_layouts_are_read() {
        let older = json!({"word_embedding_dimension": 1024, "pooling_mode_mean_tokens": false,
            "pooling_mode_lasttoken": true, "include_prompt": true});
        let found = Pooling::read(write(&modules("Normalize"), &older).path()).unwrap();
        assert_eq!(
            (found.kind, found.normalized, found.files.len()),
            (PoolingKind::Last, true, 2)
        );
        let newer = json!({"embedding_dimension": 1024, "pooling_mode": "mean"});
        let found = Pooling::read(write(&modules("Normalize"), &newer).path()).unwrap();
        assert_eq!(found.kind, PoolingKind::Mean);
    }

    #[test]
    fn other_steps_are_refused_by_name() {
        let refused = |modules: Value, pooling: Value| match Pooling::read(write(&modules, &pooling).path()) {
            Err(EngineError::UnsupportedConfig { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        let mean = || json!({"pooling_mode_mean_tokens": true});
        assert_eq!(refused(modules("Dense"), mean()), MODULES);
        let mut outside = modules("Normalize");
        outside[1]["path"] = json!("../1_Pooling");
        assert_eq!(refused(outside, mean()), MODULES);
        let both = json!({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true});
        assert_eq!(refused(modules("Normalize"), both), "pooling_mode");
        assert_eq!(
            refused(modules("Normalize"), json!({"pooling_mode": "cls"})),
            "pooling_mode"
        );
    }
}
