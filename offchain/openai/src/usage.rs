//! Token usage: as it stands in answers, and as it is counted from them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The `usage` object of an answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Prompt tokens, cached ones included.
    #[serde(default)]
    pub prompt_tokens: u64,
    /// Generated tokens, reasoning included.
    #[serde(default)]
    pub completion_tokens: u64,
    /// Sum of both.
    #[serde(default)]
    pub total_tokens: u64,
    /// Of the prompt tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens_details: Option<PromptTokensDetails>,
    /// Of the generated tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_tokens_details: Option<CompletionTokensDetails>,
    /// Price of the prompt, nanoton.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_total_cost: Option<u64>,
    /// Price of the generated tokens, nanoton.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_total_cost: Option<u64>,
    /// Price of the answer, nanoton.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_cost: Option<u64>,
    /// Everything else that was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Details of the prompt tokens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PromptTokensDetails {
    /// Tokens that came from a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// Everything else that was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Details of the generated tokens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CompletionTokensDetails {
    /// Tokens of reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// Everything else that was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Usage {
    /// Usage from raw counts. `cached` is part of `prompt`, `reasoning` part of `completion`.
    pub fn from_counts(counts: RawCounts) -> Self {
        let RawCounts {
            prompt,
            cached,
            completion,
            reasoning,
        } = counts;
        Self {
            prompt_tokens: prompt,
            completion_tokens: completion,
            total_tokens: prompt.saturating_add(completion),
            prompt_tokens_details: Some(PromptTokensDetails {
                cached_tokens: Some(cached),
                extra: Map::new(),
            }),
            completion_tokens_details: Some(CompletionTokensDetails {
                reasoning_tokens: Some(reasoning),
                extra: Map::new(),
            }),
            ..Self::default()
        }
    }

    /// The same with what it costs, in nanoton.
    pub fn with_costs(self, prompt: u64, completion: u64) -> Self {
        Self {
            prompt_total_cost: Some(prompt),
            completion_total_cost: Some(completion),
            total_cost: Some(prompt.saturating_add(completion)),
            ..self
        }
    }
}

/// Raw tokens of one answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RawCounts {
    /// All prompt tokens.
    pub prompt: u64,
    /// Prompt tokens from a cache.
    pub cached: u64,
    /// All generated tokens.
    pub completion: u64,
    /// Generated tokens of reasoning.
    pub reasoning: u64,
}

/// Counts tokens of an answer as the deployed worker does: from every JSON document of the body, each counter keeping
/// the highest value seen.
#[derive(Debug, Clone, Default)]
pub struct UsageMeter {
    counts: RawCounts,
}

impl UsageMeter {
    /// Looks at one document. Says whether a counter grew.
    pub fn observe(&mut self, document: &Value) -> bool {
        let before = self.counts;
        let Some(usage) = document.get("usage") else {
            return false;
        };
        let at = |path: &[&str]| path.iter().try_fold(usage, |v, key| v.get(key)).and_then(Value::as_u64);
        let raise = |counter: &mut u64, value: Option<u64>| *counter = (*counter).max(value.unwrap_or(0));
        raise(&mut self.counts.prompt, at(&["prompt_tokens"]));
        raise(&mut self.counts.cached, at(&["prompt_tokens_details", "cached_tokens"]));
        raise(&mut self.counts.completion, at(&["completion_tokens"]));
        raise(
            &mut self.counts.reasoning,
            at(&["completion_tokens_details", "reasoning_tokens"]),
        );
        raise(&mut self.counts.reasoning, at(&["reasoning_tokens"]));
        self.counts != before
    }

    /// What was seen so far.
    pub fn counts(&self) -> RawCounts {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_counter_keeps_its_maximum() {
        let mut meter = UsageMeter::default();
        assert!(meter.observe(&json!({"usage": {"prompt_tokens": 34, "completion_tokens": 7}})));
        assert!(
            meter.observe(&json!({"usage": {"prompt_tokens": 3, "completion_tokens": 100,
            "prompt_tokens_details": {"cached_tokens": 11}, "completion_tokens_details": {"reasoning_tokens": 10}}}))
        );
        assert!(!meter.observe(&json!({"usage": {"completion_tokens": 100, "reasoning_tokens": 9}})));
        assert!(!meter.observe(&json!({"usage": null})));
        assert!(!meter.observe(&json!({"usage": {"prompt_tokens": -5, "completion_tokens": "900"}})));
        assert_eq!(
            meter.counts(),
            RawCounts {
                prompt: 34,
                cached: 11,
                completion: 100,
                reasoning: 10
            }
        );
    }

    #[test]
    fn unknown_members_survive() {
        let text = r#"{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":4},"queue_time":0.5}"#;
        let usage: Usage = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&usage).unwrap(), text);
    }

    #[test]
    fn the_cost_fields_of_the_deployed_worker_are_read() {
        // From the recorded charged query.
        let usage: Usage = serde_json::from_value(json!({
            "completion_tokens": 100, "completion_tokens_details": {"reasoning_tokens": 10},
            "completion_total_cost": 300, "prompt_tokens": 34, "prompt_tokens_details": {"cached_tokens": 11},
            "prompt_total_cost": 100, "total_cost": 400, "total_tokens": 134
        }))
        .unwrap();
        assert_eq!(usage.total_cost, Some(400));
        assert!(usage.extra.is_empty());
    }
}
