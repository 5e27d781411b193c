//! The list of models.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Answer of `GET /v1/models`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelList {
    /// `list`
    pub object: String,
    /// The models.
    pub data: Vec<Model>,
}

/// One model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The name to put into requests.
    pub id: String,
    /// `model`
    pub object: String,
    /// Unix seconds; 0 when not known.
    pub created: u64,
    /// Who runs it.
    pub owned_by: String,
    /// Who serves it, cheapest first.
    #[serde(default)]
    pub workers: Vec<ModelWorker>,
    /// Everything else that was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One worker of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelWorker {
    /// Price, thousandths.
    pub coefficient: u32,
    /// Requests that it runs.
    pub running_requests: u32,
    /// Requests that it can run.
    pub max_running_requests: u32,
}

impl ModelList {
    /// A list of models.
    pub fn new(data: Vec<Model>) -> Self {
        Self {
            object: "list".into(),
            data,
        }
    }
}

impl Model {
    /// A model by name.
    pub fn new(id: impl Into<String>, owned_by: impl Into<String>, workers: Vec<ModelWorker>) -> Self {
        Self {
            id: id.into(),
            object: "model".into(),
            created: 0,
            owned_by: owned_by.into(),
            workers,
            extra: Map::new(),
        }
    }
}
