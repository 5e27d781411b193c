//! `config.json`, read field by field. What no family asks for and has an effect is refused by name.

use crate::error::EngineError;
use crate::limits::MAX_DIMENSION;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Fields that do not change what a decoder computes at inference.
const WITHOUT_EFFECT: [&str; 28] = [
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "auto_map",
    "bos_token_id",
    "cache_implementation",
    "chunk_size_feed_forward",
    "classifier_dropout",
    "dtype",
    "hidden_dropout",
    "id2label",
    "initializer_range",
    "is_decoder",
    "is_encoder_decoder",
    "label2id",
    "output_attentions",
    "output_hidden_states",
    "output_router_logits",
    "pad_token_id",
    "pretraining_tp",
    "problem_type",
    "return_dict",
    "router_aux_loss_coef",
    "task_specific_params",
    "torch_dtype",
    "transformers_version",
    "use_cache",
    "vocab_size_multiple",
];

/// The fields of a configuration, and which of them have been read.
pub(crate) struct Config {
    /// What stands before a field's name in an error: nothing, or `rope_parameters.`.
    prefix: String,
    fields: Map<String, Value>,
    read: BTreeSet<String>,
}

impl Config {
    /// All fields of a file.
    pub(crate) fn new(fields: Map<String, Value>) -> Self {
        Self {
            prefix: String::new(),
            fields,
            read: BTreeSet::new(),
        }
    }

    /// Fields of an object inside.
    pub(crate) fn part(name: &str, fields: Map<String, Value>) -> Self {
        Self {
            prefix: format!("{name}."),
            ..Self::new(fields)
        }
    }

    /// A field that is there and not null.
    pub(crate) fn get(&mut self, name: &str) -> Option<&Value> {
        self.skip(name);
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// Says that a field has no effect here.
    pub(crate) fn skip(&mut self, name: &str) {
        self.read.insert(name.to_owned());
    }

    /// Whether a field is there and null.
    pub(crate) fn is_null(&mut self, name: &str) -> bool {
        self.skip(name);
        self.fields.get(name).is_some_and(Value::is_null)
    }

    /// A text.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.get(name).and_then(Value::as_str).map(str::to_owned)
    }

    /// A size from 1 to [`MAX_DIMENSION`].
    pub(crate) fn dimension(&mut self, name: &'static str) -> Result<usize, EngineError> {
        self.dimension_or(name, None)
    }

    /// A size with a default for files that lack it.
    pub(crate) fn dimension_or(&mut self, name: &'static str, default: Option<usize>) -> Result<usize, EngineError> {
        let number = match self.get(name) {
            Some(value) => value.as_u64().and_then(|number| usize::try_from(number).ok()),
            None => default,
        };
        number
            .filter(|number| (1..=MAX_DIMENSION).contains(number))
            .ok_or(Self::missing(name))
    }

    /// A number of things, possibly none, at most [`MAX_DIMENSION`], with a default for files that lack it.
    pub(crate) fn count(&mut self, name: &'static str, default: usize) -> Result<usize, EngineError> {
        match self.get(name) {
            Some(value) if value == 0 => Ok(0),
            Some(_) => self.dimension(name),
            None => Ok(default),
        }
    }

    /// A finite number with a default for files that lack it.
    pub(crate) fn number(&mut self, name: &'static str, default: Option<f64>) -> Result<f64, EngineError> {
        let number = match self.get(name) {
            Some(value) => value.as_f64(),
            None => default,
        };
        number.filter(|number| number.is_finite()).ok_or(Self::missing(name))
    }

    /// Yes or no, with a default for files that lack it.
    pub(crate) fn flag(&mut self, name: &str, default: bool) -> Result<bool, EngineError> {
        match self.get(name) {
            None => Ok(default),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(self.unsupported(name)),
        }
    }

    /// An object.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Map<String, Value>>, EngineError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(fields.clone())),
            Some(_) => Err(self.unsupported(name)),
        }
    }

    /// A list of texts.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, EngineError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let texts = value.as_array().and_then(|values| {
            let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<String>>>()
        });
        texts.map(Some).ok_or_else(|| self.unsupported(name))
    }

    /// A list of indices, empty in files that lack it.
    pub(crate) fn indices(&mut self, name: &str) -> Result<Vec<usize>, EngineError> {
        let Some(value) = self.get(name) else {
            return Ok(Vec::new());
        };
        let indices = value.as_array().and_then(|values| {
            let index = |value: &Value| value.as_u64().and_then(|index| usize::try_from(index).ok());
            values.iter().map(index).collect::<Option<Vec<usize>>>()
        });
        indices.ok_or_else(|| self.unsupported(name))
    }

    /// Refuses another value than `wanted`; a field that is not there or null is right.
    pub(crate) fn demand(&mut self, name: &str, wanted: impl Into<Value>) -> Result<(), EngineError> {
        let wanted = wanted.into();
        match self.get(name) {
            Some(found) if *found != wanted => Err(self.unsupported(name)),
            _ => Ok(()),
        }
    }

    /// Refuses fields that nobody has read.
    pub(crate) fn finish(&self) -> Result<(), EngineError> {
        let without_effect = |name: &str| WITHOUT_EFFECT.contains(&name);
        let unread = |name: &&String| !self.read.contains(*name) && !self.fields[*name].is_null();
        match self.fields.keys().filter(unread).find(|name| !without_effect(name)) {
            Some(name) => Err(self.unsupported(name)),
            None => Ok(()),
        }
    }

    /// The refusal of a field's value.
    pub(crate) fn unsupported(&self, name: &str) -> EngineError {
        let found = self.fields.get(name).unwrap_or(&Value::Null);
        EngineError::UnsupportedConfig {
            field: format!("{}{name}", self.prefix),
            found: found.to_string().chars().take(60).collect(),
        }
    }

    /// The refusal of a field that is missing or out of range.
    pub(crate) fn missing(field: &'static str) -> EngineError {
        EngineError::MissingConfig { field }
    }
}

/// One id or a list of ids.
pub(crate) fn token_ids(value: Option<&Value>) -> Vec<u32> {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        Some(Value::Array(ids)) => ids.iter().filter_map(id).collect(),
        Some(value) => id(value).into_iter().collect(),
        None => Vec::new(),
    }
}
