//! What is compared: a request, and what workers answered to it. In memory only, bounded, and never shown.

use std::time::Duration;

use bytes::Bytes;
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{Coefficient, ModelHash};
use cocoon_openai::{Endpoint, OutputBound, Request as Asked, Said};
use cocoon_protocol::http;
use cocoon_receipt::{ChallengeResult, ChallengedReceipt, FinishReason, ReceiptId};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::ChallengeConfig;
use crate::limits::{
    CHALLENGE_PATIENCE, CHALLENGE_SLOWNESS, MAX_CHALLENGE_TIME, MAX_SAMPLED_AGE, MAX_SAMPLED_ANSWER_BYTES,
    MAX_SAMPLED_REQUEST_BYTES,
};
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
    pub(super) hash: ModelHash,
    /// What the worker was proven to run.
    pub(super) image: Option<String>,
    took: Duration,
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
    /// When its client had the answer.
    at: Instant,
    _slot: Option<OwnedSemaphorePermit>,
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

/// What a worker answered, if it is whole, no refusal, it told how it sampled, and its receipt is written.
pub(crate) fn answered(work: &mut Work, worker: &WorkerPeer, receipt: ReceiptId) -> Option<Answered> {
    let report = work.report.as_ref()?;
    if work.ended != Ended::Finished || !is_answer(work.status, &report.finish_reason) {
        return None;
    }
    let took = work.took();
    let body = work.kept.0.take()?;
    Some(Answered {
        receipt,
        owner: worker.owner.clone(),
        contract: worker.contract.clone(),
        model: worker.model.base().to_owned(),
        hash: worker.model.model_hash(),
        image: worker.image.clone(),
        took,
        seed: report.seed,
        sampling: report.sampling_hash,
        body,
    })
}

/// Whether this is an answer. An error, a full queue or a context that is too small say nothing of how a worker computes.
fn is_answer(status: Option<i32>, finish_reason: &str) -> bool {
    use FinishReason::{Length, Stop, ToolCalls};
    status == Some(200) && matches!(FinishReason::from_word(finish_reason), Stop | Length | ToolCalls)
}

impl Answered {
    /// What the rule of records looks at.
    pub(super) fn side(&self) -> ChallengedReceipt<'_> {
        ChallengedReceipt {
            id: self.receipt,
            worker: &self.contract,
            model: &self.hash,
        }
    }

    /// Whether this worker may answer the same: another one, of another owner, from whose answer something follows.
    pub(super) fn may_be_compared_with(&self, worker: &WorkerPeer) -> bool {
        let is_other = worker.owner != self.owner && worker.contract != self.contract;
        let is_like = worker.model.model_hash() == self.hash && worker.image == self.image;
        is_other && is_like && worker.version.has_extensions()
    }
}

impl Sampled {
    /// Of a client's request, when its worker told how it sampled.
    pub(crate) fn new(request: &mut Request, proxy: &Address, answered: Answered) -> Option<Self> {
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
            at: Instant::now(),
            _slot: request.sample_slot.take(),
        })
    }

    /// Whether it waited so long that it is given up.
    pub(super) fn is_stale(&self) -> bool {
        self.at.elapsed() >= MAX_SAMPLED_AGE
    }

    /// How long another worker has for the same: measured by the first one, so that one that stalls holds up nothing for long.
    pub(super) fn deadline(&self) -> Duration {
        let fair = self.answered.took.saturating_mul(CHALLENGE_SLOWNESS) + CHALLENGE_PATIENCE;
        fair.min(MAX_CHALLENGE_TIME).min(self.timeout)
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
        // Two builds may compute differently, and two models do.
        if first.hash != second.hash || first.image != second.image {
            return ChallengeResult::NotComparable;
        }
        // One model, one request, one seed: all that an answer follows from.
        if first.sampling != second.sampling || first.seed != second.seed {
            return other;
        }
        let read = |answered: &Answered| {
            let http = http::Request::decode(&self.query).ok()?;
            Said::read(&asked(&http)?, &answered.body).ok().map(Said::without_names)
        };
        let (Some(one), Some(two)) = (read(first), read(second)) else {
            return ChallengeResult::NotComparable;
        };
        if !one.is_whole() || !two.is_whole() {
            return ChallengeResult::NotComparable;
        }
        // Both ways: each may have what the other lacks.
        let difference = one.difference(&two, false).or_else(|| two.difference(&one, false));
        // A smaller context ends earlier and is no other computation.
        let is_shorter = |one: &Said, two: &Said| one.is_out_of_room() && one.difference(two, true).is_none();
        if difference.is_some() && (is_shorter(&one, &two) || is_shorter(&two, &one)) {
            return ChallengeResult::NotComparable;
        }
        match difference {
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
            image: None,
            took: Duration::from_secs(2),
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
            at: Instant::now(),
            _slot: None,
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
        assert_eq!(compare(&other), ChallengeResult::NotComparable, "another revision");
        let mut other = answer(&said("yes"), 2);
        other.image = Some("another".into());
        assert_eq!(compare(&other), ChallengeResult::NotComparable, "another build");
        let mut other = answer(&said("yes"), 2);
        other.seed = 8;
        assert_eq!(compare(&other), ChallengeResult::Different { after: 0 });
        let mut untold = answer(&said("yes"), 2);
        untold.sampling = [0; 32];
        assert_eq!(compare(&untold), ChallengeResult::NotComparable);
    }

    #[test]
    fn a_refusal_or_an_answer_without_an_end_is_never_a_verdict() {
        assert!(is_answer(Some(200), "stop") && is_answer(Some(200), "length") && is_answer(Some(200), "tool_calls"));
        for (status, finish) in [
            (Some(429), "stop"),
            (Some(200), "failed"),
            (Some(200), "cancelled"),
            (Some(200), ""),
            (None, "stop"),
        ] {
            assert!(!is_answer(status, finish), "{status:?} {finish}");
        }
        let sampled = sampled(ASKED);
        let good = answer(&said("yes"), 1);
        let refused = |tag| answer(r#"{"error":{"message":"too many requests"}}"#, tag);
        let endless = answer(&said("yes").replace("\"stop\"", "null"), 2);
        for (one, two) in [
            (&good, &refused(2)),
            (&refused(1), &good),
            (&refused(1), &refused(2)),
            (&good, &endless),
        ] {
            assert_eq!(sampled.compare(one, two), ChallengeResult::NotComparable);
        }
    }

    #[test]
    fn an_answer_that_had_less_room_is_not_another_one() {
        let sampled = sampled(ASKED);
        let (long, short) = (
            answer(&said("yes and no"), 1),
            answer(&said("yes").replace("stop", "length"), 2),
        );
        assert_eq!(sampled.compare(&long, &short), ChallengeResult::NotComparable);
        assert_eq!(sampled.compare(&short, &long), ChallengeResult::NotComparable);
        let other = answer(&said("no").replace("stop", "length"), 2);
        assert_eq!(sampled.compare(&long, &other), ChallengeResult::Different { after: 0 });
    }

    #[test]
    fn what_only_one_of_two_says_is_a_difference_whoever_it_is() {
        let sampled = sampled(ASKED);
        let plain = answer(&said("yes"), 1);
        let told = said("yes").replace(
            "\"finish_reason\"",
            r#""logprobs":{"content":[{"token":"yes"}]},"finish_reason""#,
        );
        let told = answer(&told, 2);
        let is_different = |one, two| matches!(sampled.compare(one, two), ChallengeResult::Different { .. });
        assert!(is_different(&plain, &told) && is_different(&told, &plain));
    }

    #[test]
    fn a_worker_that_stalls_has_little_more_time_than_the_first_one_took() {
        let mut sampled = sampled(ASKED);
        assert_eq!(
            sampled.deadline(),
            Duration::from_secs(1),
            "never more than the client gave"
        );
        sampled.timeout = Duration::from_secs(3600);
        assert_eq!(sampled.deadline(), CHALLENGE_PATIENCE + Duration::from_secs(8));
        sampled.answered.took = Duration::from_secs(3000);
        assert_eq!(sampled.deadline(), MAX_CHALLENGE_TIME);
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
