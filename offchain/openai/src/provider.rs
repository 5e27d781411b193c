//! The `provider` object of a request: who may serve it. It is read and taken out before the request leaves.
//!
//! Its members have the names that other gateways gave them, where they mean the same. What nobody here can promise is refused by name:
//! a wish that is ignored is worse than none.

use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::limits::MAX_NAMED;
use crate::prices::MaxPrices;

/// Who may serve a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Ceilings of the price.
    pub max_price: MaxPrices,
    /// Proxies that may get it, by their contracts or places; all when empty.
    pub only: Vec<String>,
    /// Proxies that may not.
    pub ignore: Vec<String>,
    /// Whether another proxy is tried when one cannot be reached.
    pub allow_fallbacks: bool,
    /// What the proxy must have proven.
    pub attestation: Option<Attestation>,
    /// Models that may answer, each by its model hash or the hash of its manifest; all when empty.
    pub manifests: Vec<[u8; 32]>,
    /// Kinds of parts that the caller knows the model to take besides texts, such as `image`.
    pub input_modalities: Vec<String>,
}

/// Which evidence is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attestation {
    /// Evidence of hardware.
    Real,
    /// Any evidence that was checked, of a simulated platform too.
    Simulated,
}

impl Default for Provider {
    fn default() -> Self {
        Self {
            max_price: MaxPrices::default(),
            only: Vec::new(),
            ignore: Vec::new(),
            allow_fallbacks: true,
            attestation: None,
            manifests: Vec::new(),
            input_modalities: Vec::new(),
        }
    }
}

impl Provider {
    /// Reads the object.
    pub fn read(value: &Value) -> Result<Self, ApiError> {
        let members = value
            .as_object()
            .ok_or_else(|| ApiError::invalid_field("provider", "must be an object"))?;
        let mut provider = Self::default();
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            provider.take(name, value)?;
        }
        Ok(provider)
    }

    fn take(&mut self, name: &str, value: &Value) -> Result<(), ApiError> {
        let bad = |problem: &str| ApiError::invalid_field(format!("provider.{name}"), problem);
        match name {
            "max_price" => self.max_price = max_prices(value)?,
            // Nobody at all is surely not meant, and everybody would be the opposite of what is said.
            "only" | "manifests" if value.as_array().is_some_and(Vec::is_empty) => {
                return Err(bad("must name at least one"));
            }
            "only" => self.only = names(name, value)?,
            "ignore" => self.ignore = names(name, value)?,
            "input_modalities" => self.input_modalities = names(name, value)?,
            "allow_fallbacks" => self.allow_fallbacks = value.as_bool().ok_or_else(|| bad("must be true or false"))?,
            // Workers refuse by name what they do not take: this is how it always is.
            "require_parameters" if value.is_boolean() => {}
            "require_parameters" => return Err(bad("must be true or false")),
            "attestation" => self.attestation = attestation(value)?,
            "manifest" if value.is_string() => self.manifests.push(hash("provider.manifest", value)?),
            "manifest" => return Err(bad("must be 64 hex digits")),
            "manifests" => {
                let listed = names(name, value)?;
                let hashes = listed.iter().enumerate();
                let read = hashes.map(|(at, text)| hash(&format!("provider.manifests[{at}]"), &text.as_str().into()));
                self.manifests.extend(read.collect::<Result<Vec<_>, _>>()?);
            }
            "quantizations" => {
                return Err(bad(
                    "cannot be promised: no proxy tells how a model's weights are stored; name its manifest instead",
                ));
            }
            "order" | "sort" | "preferred_min_throughput" | "preferred_max_latency" => {
                return Err(bad("cannot be promised: the proxy chooses among its workers"));
            }
            "data_collection" | "zdr" => {
                return Err(bad(
                    "is no choice here: what a node keeps follows from its image, which the root contract lists; ask for `attestation`",
                ));
            }
            name => return Err(ApiError::unsupported_field(format!("provider.{name}"))),
        }
        Ok(())
    }
}

fn max_prices(value: &Value) -> Result<MaxPrices, ApiError> {
    let members = value
        .as_object()
        .ok_or_else(|| ApiError::invalid_field("provider.max_price", "must be an object"))?;
    let mut prices = MaxPrices::default();
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        let class = match name.as_str() {
            "prompt" => &mut prices.prompt,
            "cached" => &mut prices.cached,
            "completion" => &mut prices.completion,
            "reasoning" => &mut prices.reasoning,
            name => return Err(ApiError::unsupported_field(format!("provider.max_price.{name}"))),
        };
        let problem = "must be a whole number of nanoton for a million tokens";
        let price = value.as_u64();
        *class = Some(price.ok_or_else(|| ApiError::invalid_field(format!("provider.max_price.{name}"), problem))?);
    }
    Ok(prices)
}

fn attestation(value: &Value) -> Result<Option<Attestation>, ApiError> {
    let required = |members: &Map<String, Value>| match members.iter().find(|(name, _)| *name != "required") {
        Some((name, _)) => Err(ApiError::unsupported_field(format!("provider.attestation.{name}"))),
        None => Ok(members.get("required").cloned().unwrap_or_default()),
    };
    let members = value
        .as_object()
        .ok_or_else(|| ApiError::invalid_field("provider.attestation", "must be an object"))?;
    match required(members)? {
        Value::Null => Ok(None),
        Value::String(word) if word == "real" => Ok(Some(Attestation::Real)),
        Value::String(word) if word == "simulated" => Ok(Some(Attestation::Simulated)),
        _ => Err(ApiError::invalid_field(
            "provider.attestation.required",
            "must be \"real\" or \"simulated\"",
        )),
    }
}

fn names(name: &str, value: &Value) -> Result<Vec<String>, ApiError> {
    let list = value.as_array().filter(|list| list.len() <= MAX_NAMED);
    let texts = list.and_then(|list| list.iter().map(|name| name.as_str().map(str::to_owned)).collect());
    texts.ok_or_else(|| ApiError::invalid_field(format!("provider.{name}"), "must be an array of at most 64 strings"))
}

fn hash(place: &str, value: &Value) -> Result<[u8; 32], ApiError> {
    let bad = || ApiError::invalid_field(place, "must be 64 hex digits");
    let text = value
        .as_str()
        .filter(|text| text.len() == 64 && text.is_ascii())
        .ok_or_else(bad)?;
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        let digits = text.get(2 * at..2 * at + 2).ok_or_else(bad)?;
        // A sign is no digit.
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        *byte = u8::from_str_radix(digits, 16).ok().filter(|_| is_hex).ok_or_else(bad)?;
    }
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn all_members_are_read() {
        let provider = Provider::read(&json!({
            "max_price": {"prompt": 20_000_000, "completion": 160_000_000, "cached": null},
            "only": ["EQA"], "ignore": ["127.0.0.1:1"], "allow_fallbacks": false, "require_parameters": true,
            "attestation": {"required": "real"}, "manifest": "0a".repeat(32), "manifests": ["0B".repeat(32)],
            "input_modalities": ["image"], "quantizations": null,
        }))
        .unwrap();
        assert_eq!(provider.max_price.prompt, Some(20_000_000));
        assert_eq!(
            (provider.max_price.cached, provider.max_price.completion),
            (None, Some(160_000_000))
        );
        assert_eq!(
            (provider.only, provider.ignore),
            (vec!["EQA".to_owned()], vec!["127.0.0.1:1".to_owned()])
        );
        assert_eq!(provider.manifests, vec![[10; 32], [11; 32]]);
        assert_eq!(provider.attestation, Some(Attestation::Real));
        assert!(!provider.allow_fallbacks);
        assert_eq!(Provider::read(&json!({})).unwrap(), Provider::default());
    }

    #[test]
    fn what_cannot_be_promised_is_refused_by_name() {
        for (value, name) in [
            (json!([]), "provider"),
            (json!({"order": ["a"]}), "provider.order"),
            (json!({"sort": "price"}), "provider.sort"),
            (json!({"quantizations": ["fp8"]}), "provider.quantizations"),
            (json!({"data_collection": "deny"}), "provider.data_collection"),
            (json!({"zdr": true}), "provider.zdr"),
            (json!({"unknown": 1}), "provider.unknown"),
            (json!({"max_price": {"image": 1}}), "provider.max_price.image"),
            (json!({"max_price": {"prompt": 1.5}}), "provider.max_price.prompt"),
            (json!({"max_price": {"prompt": -1}}), "provider.max_price.prompt"),
            (
                json!({"attestation": {"required": "any"}}),
                "provider.attestation.required",
            ),
            (json!({"attestation": {"tcb": "any"}}), "provider.attestation.tcb"),
            (json!({"manifest": "+a".repeat(32)}), "provider.manifest"),
            (json!({"manifests": ["00"]}), "provider.manifests[0]"),
            (json!({"only": "a"}), "provider.only"),
            (json!({"only": []}), "provider.only"),
            (json!({"manifests": []}), "provider.manifests"),
            (json!({"ignore": vec!["a"; 65]}), "provider.ignore"),
        ] {
            let error = Provider::read(&value).unwrap_err();
            assert_eq!((error.status, error.param.as_deref()), (400, Some(name)));
        }
    }

    proptest! {
        #[test]
        fn any_json_is_read_or_refused(value in crate::samples::any_json()) {
            let _ = Provider::read(&value);
        }
    }
}
