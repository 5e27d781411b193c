//! The list of models.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::prices::Prices;

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
    /// Lowest and highest price of a worker, thousandths of the network's; `None` while nobody tells a price.
    #[serde(default)]
    pub coefficient: Option<CoefficientRange>,
    /// What the cheapest worker costs.
    #[serde(default)]
    pub pricing: Option<Prices>,
    /// Whether the proxy that lists it gave evidence that was checked.
    #[serde(default)]
    pub attested: bool,
    /// Whether that evidence is of a simulated platform, which protects nothing.
    #[serde(default)]
    pub simulated: bool,
    /// Tokens of a prompt and its answer together that every worker takes of those that tell it; absent while none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_length: Option<u32>,
    /// From the worker that takes least to the one that takes most, where they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_range: Option<ContextRange>,
    /// SHA-256 of its full name, in hex, as the root contract lists it; `None` while only its short name is known.
    #[serde(default)]
    pub model_hash: Option<String>,
    /// Hash of its manifest, in hex, where the root contract tells it.
    #[serde(default)]
    pub manifest_hash: Option<String>,
    /// Unix seconds after which it may not be served any more, where the root contract sets a date.
    #[serde(default)]
    pub retires_at: Option<u64>,
    /// Everything else that was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// From the cheapest worker to the dearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoefficientRange {
    /// Thousandths.
    pub min: u32,
    /// Thousandths.
    pub max: u32,
}

/// From the shortest context to the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextRange {
    /// Tokens.
    pub min: u32,
    /// Tokens.
    pub max: u32,
}

impl ContextRange {
    /// The range that holds both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }
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
            coefficient: range(&workers),
            workers,
            pricing: None,
            attested: false,
            simulated: false,
            context_length: None,
            context_range: None,
            model_hash: None,
            manifest_hash: None,
            retires_at: None,
            extra: Map::new(),
        }
    }

    /// Tells what its workers take.
    pub fn set_context(&mut self, range: ContextRange) {
        self.context_length = Some(range.min);
        self.context_range = (range.min != range.max).then_some(range);
    }
}

fn range(workers: &[ModelWorker]) -> Option<CoefficientRange> {
    let coefficients = || workers.iter().map(|worker| worker.coefficient);
    Some(CoefficientRange {
        min: coefficients().min()?,
        max: coefficients().max()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_tells_the_range_of_its_workers_and_nothing_that_is_not_known() {
        let worker = |coefficient| ModelWorker {
            coefficient,
            running_requests: 0,
            max_running_requests: 1,
        };
        let row = serde_json::to_value(Model::new("m", "o", vec![worker(900), worker(1500)])).unwrap();
        assert_eq!(row["coefficient"], serde_json::json!({"min": 900, "max": 1500}));
        assert_eq!(
            (&row["manifest_hash"], &row["retires_at"]),
            (&Value::Null, &Value::Null)
        );
        assert!(
            row.get("context_length").is_none() && row.get("context_range").is_none(),
            "{row}"
        );
        let mut model = Model::new("m", "o", Vec::new());
        let (short, long) = (ContextRange { min: 40, max: 40 }, ContextRange { min: 64, max: 64 });
        model.set_context(short);
        assert_eq!((model.context_length, model.context_range), (Some(40), None));
        model.set_context(long.and(short));
        let row = serde_json::to_value(&model).unwrap();
        assert_eq!(row["context_length"], 40);
        assert_eq!(row["context_range"], serde_json::json!({"min": 40, "max": 64}));
        assert_eq!(Model::new("m", "o", Vec::new()).coefficient, None);
        // As clients of before wrote it.
        let old: Model = serde_json::from_str(r#"{"id":"m","object":"model","created":0,"owned_by":"o"}"#).unwrap();
        assert_eq!(old.pricing, None);
    }
}
