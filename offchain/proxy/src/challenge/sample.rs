//! What is compared: a request, and what workers answered to it. In memory only, bounded, and never shown.

use std::time::Duration;

use bytes::Bytes;
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{Coefficient, ModelHash};
use cocoon_openai::{Endpoint, OutputBound, Request as Asked, Said};
use cocoon_protocol::http;
use cocoon_receipt::{ChallengeResult, ReceiptId};

use super::ChallengeConfig;
use crate::limits::{MAX_SAMPLED_ANSWER_BYTES, MAX_SAMPLED_REQUEST_BYTES};
use crate::request::Request;
use crate::run::{Ended, Work};
use crate::workers::WorkerPeer;

/// The bytes of an answer as they pass, until they are too many.
#[derive(Default)]
pub(crate) struct Kept(Option<Vec<u8>>);

impl Kept {
    /// Keeps the answer to this request, or nothing.
    pub(crate) fn of(request: &Request) -> Self {
        Self(request.is_sampled.then(Vec::new))
    }

    /// The next bytes.
    pub(crate) fn add(&mut self, part: &[u8]) {
        if let Some(kept) = &mut self.0 {
            if kept.len() + part.len() > MAX_SAMPLED_ANSWER_BYTES {
                self.0 = None;
            } else {
                kept.extend_from_slice(part);
            }
        }
    }
}

/// One worker's whole answer.
pub(crate) struct Answered {
    pub(crate) receipt: ReceiptId,
    pub(crate) owner: Address,
    pub(crate) contract: Address,
    /// Base name.
    pub(crate) model: String,
    hash: ModelHash,
    pub(super) seed: i64,
    sampling: [u8; 32],
    body: Vec<u8>,
}

/// A request that a client had answered.
pub(crate) struct Sampled {
    /// The proxy contract of its receipt.
    pub(super) proxy: Address,
    query: Bytes,
    pub(super) max_coefficient: Coefficient,
    pub(super) max_tokens: u64,
    pub(super) bound: OutputBound,
    pub(super) timeout: Duration,
    pub(super) min_config_version: i32,
    pub(super) answered: Answered,
}

/// Whether the bytes of a request may be given to a second worker.
pub(crate) fn may_sample(config: &ChallengeConfig, model: &str, query: &Bytes) -> bool {
    if query.len() > MAX_SAMPLED_REQUEST_BYTES || !config.models.iter().any(|known| known == model) {
        return false;
    }
    let Ok(http) = http::Request::decode(query) else {
        return false;
    };
    let has_refused = http
        .headers
        .iter()
        .any(|line| line.name.eq_ignore_ascii_case(http::NO_CHALLENGE));
    !has_refused && asked(&http).is_some()
}

/// The request as a worker reads it, if its answer follows from it.
fn asked(http: &http::Request) -> Option<Asked> {
    let endpoint = Endpoint::from_path(&http.url)?;
    let is_text = matches!(endpoint, Endpoint::Chat | Endpoint::Completion);
    is_text.then(|| Asked::parse(endpoint, &http.payload).ok()).flatten()
}

/// What a worker answered, if it is whole, it told how it sampled, and its receipt is written.
pub(crate) fn answered(work: &mut Work, worker: &WorkerPeer, receipt: ReceiptId) -> Option<Answered> {
    let report = work.report.as_ref().filter(|_| work.ended == Ended::Finished)?;
    let body = work.kept.0.take()?;
    Some(Answered {
        receipt,
        owner: worker.owner.clone(),
        contract: worker.contract.clone(),
        model: worker.model.base().to_owned(),
        hash: worker.model.model_hash(),
        seed: report.seed,
        sampling: report.sampling_hash,
        body,
    })
}

impl Sampled {
    /// Of a client's request, when its worker told how it sampled.
    pub(crate) fn new(request: &Request, proxy: &Address, answered: Answered) -> Option<Self> {
        let is_told = HashBytes(answered.sampling) != HashBytes::ZERO;
        is_told.then(|| Self {
            proxy: proxy.clone(),
            query: request.query.clone(),
            max_coefficient: request.max_coefficient,
            max_tokens: request.max_tokens,
            bound: request.bound,
            timeout: request.timeout,
            min_config_version: request.min_config_version,
            answered,
        })
    }

    /// The request for another worker: the same bytes, with the seed of the first answer where the caller named none.
    pub(super) fn query(&self) -> Option<Bytes> {
        let http = http::Request::decode(&self.query).ok()?;
        let asked = asked(&http)?;
        if asked.seed().is_some() {
            return Some(self.query.clone());
        }
        with_seed(&http.payload, self.answered.seed).map(|payload| http::Request::post_json(http.url, payload).encode())
    }

    /// How two answers to it compare.
    pub(super) fn compare(&self, first: &Answered, second: &Answered) -> ChallengeResult {
        let other = ChallengeResult::Different { after: 0 };
        if HashBytes(second.sampling) == HashBytes::ZERO {
            return ChallengeResult::NotComparable;
        }
        // One model, one request, one seed: all that an answer follows from.
        if first.hash != second.hash || first.sampling != second.sampling || first.seed != second.seed {
            return other;
        }
        let read = |answered: &Answered| {
            let http = http::Request::decode(&self.query).ok()?;
            Said::read(&asked(&http)?, &answered.body).ok().map(Said::without_names)
        };
        let (Some(one), Some(two)) = (read(first), read(second)) else {
            return ChallengeResult::NotComparable;
        };
        match one.difference(&two, false) {
            None => ChallengeResult::Equal,
            Some(found) => ChallengeResult::Different {
                after: u32::try_from(found.after()).unwrap_or(u32::MAX),
            },
        }
    }
}

/// The body with a seed before its first member; `None` when it has a member of that name, which says nothing.
fn with_seed(body: &[u8], seed: i64) -> Option<Bytes> {
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
    if fields.contains_key("seed") || fields.is_empty() {
        return None;
    }
    let start = body.iter().position(|byte| *byte == b'{')? + 1;
    let seed = format!("\"seed\":{seed},");
    Some([&body[..start], seed.as_bytes(), &body[start..]].concat().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str, tag: u8) -> Answered {
        Answered {
            receipt: ReceiptId(HashBytes([tag; 32])),
            owner: Address::new(0, HashBytes([tag; 32])),
            contract: Address::new(0, HashBytes([tag; 32])),
            model: "m".into(),
            hash: ModelHash::new([1; 32]),
            seed: 7,
            sampling: [3; 32],
            body: body.as_bytes().to_vec(),
        }
    }

    fn query(body: &str) -> Bytes {
        http::Request::post_json("/v1/chat/completions", Bytes::from(body.to_owned())).encode()
    }

    fn sampled(body: &str) -> Sampled {
        Sampled {
            proxy: Address::new(0, HashBytes([9; 32])),
            query: query(body),
            max_coefficient: Coefficient::new(1000),
            max_tokens: 100,
            bound: OutputBound::NONE,
            timeout: Duration::from_secs(1),
            min_config_version: 0,
            answered: answer("", 1),
        }
    }

    const ASKED: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

    fn said(text: &str) -> String {
        format!(
            r#"{{"id":"chatcmpl-1","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}]}}"#
        )
    }

    #[test]
    fn the_second_worker_gets_the_seed_of_the_first_unless_the_caller_named_one() {
        let seeded = sampled(ASKED).query().unwrap();
        let http = http::Request::decode(&seeded).unwrap();
        assert_eq!(&http.payload[..], format!("{{\"seed\":7,{}", &ASKED[1..]).as_bytes());
        let own = ASKED.replacen('{', "{\"seed\":1,", 1);
        assert_eq!(sampled(&own).query().unwrap(), query(&own));
    }

    #[test]
    fn equal_answers_are_equal_whatever_their_names_and_others_are_not() {
        let sampled = sampled(ASKED);
        let one = answer(&said("yes"), 1);
        let compare = |two: &Answered| sampled.compare(&one, two);
        let named = said("yes").replace("chatcmpl-1", "chatcmpl-2");
        assert_eq!(compare(&answer(&named, 2)), ChallengeResult::Equal);
        assert_eq!(
            compare(&answer(&said("yea"), 2)),
            ChallengeResult::Different { after: 2 }
        );
        assert_eq!(compare(&answer("no JSON", 2)), ChallengeResult::NotComparable);
        let mut other = answer(&said("yes"), 2);
        other.hash = ModelHash::new([2; 32]);
        assert_eq!(compare(&other), ChallengeResult::Different { after: 0 });
        let mut untold = answer(&said("yes"), 2);
        untold.sampling = [0; 32];
        assert_eq!(compare(&untold), ChallengeResult::NotComparable);
    }

    #[test]
    fn only_named_models_short_requests_and_callers_who_do_not_refuse_are_compared() {
        let config = ChallengeConfig {
            models: vec!["m".into()],
            ..ChallengeConfig::default()
        };
        assert!(may_sample(&config, "m", &query(ASKED)));
        assert!(!may_sample(&config, "other", &query(ASKED)));
        assert!(!may_sample(&config, "m", &query("{}")));
        let mut refused = http::Request::post_json("/v1/chat/completions", Bytes::from(ASKED));
        refused.headers.push(http::Header {
            name: "X-Cocoon-No-Challenge".into(),
            value: "1".into(),
        });
        assert!(!may_sample(&config, "m", &refused.encode()));
        let vectors = http::Request::post_json("/v1/embeddings", Bytes::from(ASKED));
        assert!(!may_sample(&config, "m", &vectors.encode()));
        let long = ASKED.replace("hi", &"x".repeat(MAX_SAMPLED_REQUEST_BYTES));
        assert!(!may_sample(&config, "m", &query(&long)));
    }
}
