//! The worker's figures for Prometheus, told apart by the label `model`. No label names a client or a proxy.

use crate::counters::Counters;
use crate::worker::Worker;
use cocoon_engine::{EngineLoad, Histogram, Occupancy};
use cocoon_runner::report::{Exposition, Metric};

const READY: Metric = Metric::gauge("cocoon_worker_ready", "Whether the model takes requests.").by(&["model"]);
const RUNNING: Metric = Metric::gauge("cocoon_worker_running_requests", "Requests that run.").by(&["model"]);
const PLACES: Metric = Metric::gauge("cocoon_worker_max_requests", "Requests that may run at once.").by(&["model"]);
const CONNECTIONS: Metric =
    Metric::gauge("cocoon_worker_proxy_connections", "Connections to proxies that serve.").by(&["model"]);
const COEFFICIENT: Metric =
    Metric::gauge("cocoon_worker_coefficient", "Price in thousandths of the network's.").by(&["model"]);
const LOAD: Metric = Metric::gauge(
    "cocoon_worker_pricing_load",
    "Mean share of the places in use before the last move of the price; only of models with [models.pricing].",
)
.by(&["model"]);
const REQUESTS: Metric =
    Metric::counter("cocoon_worker_requests_total", "Requests that ended.").by(&["model", "result"]);
const BYTES: Metric =
    Metric::counter("cocoon_worker_bytes_total", "Bytes of requests and of answers.").by(&["model", "direction"]);
const TOKENS: Metric =
    Metric::counter("cocoon_worker_adjusted_tokens_total", "Adjusted tokens used, by class.").by(&["model", "class"]);
const REQUEST_TIME: Metric =
    Metric::histogram("cocoon_worker_request_seconds", "From a request to its last message.").by(&["model"]);
const UNSETTLED: Metric = Metric::gauge(
    "cocoon_worker_unsettled_tokens",
    "Adjusted tokens that proxies owe beyond the last payout that was seen; without [payout] none is seen.",
);
const CHAIN_AGE: Metric = Metric::gauge(
    "cocoon_worker_chain_age_seconds",
    "Age of the last view of the root contract, by the chain's clock.",
);
const CERTIFICATE: Metric = Metric::gauge(
    "cocoon_worker_certificate_left_seconds",
    "For how long peers accept the certificate of new connections; it is renewed when 8 hours are left.",
);
const FIRST_TOKEN: Metric = Metric::histogram(
    "cocoon_worker_time_to_first_token_seconds",
    "From a request to its first token, or to its vectors.",
)
.by(&["model"]);
const INTER_TOKEN: Metric = Metric::histogram(
    "cocoon_worker_inter_token_latency_seconds",
    "Between the tokens of an answer.",
)
.by(&["model"]);

/// A figure, and where it stands in an engine's occupancy.
type OfOccupancy = (Metric, fn(&Occupancy) -> u64);

/// A figure, its label, and the names of the counters with their values of the label.
type OfCounters = (&'static Metric, &'static str, &'static [(&'static str, &'static str)]);

/// What is told of an engine's occupancy.
const OCCUPANCY: [OfOccupancy; 10] = [
    (
        Metric::gauge("cocoon_worker_running_sequences", "Sequences that run.").by(&["model"]),
        |o| o.running as u64,
    ),
    (
        Metric::gauge(
            "cocoon_worker_waiting_sequences",
            "Sequences that wait, preempted ones included.",
        )
        .by(&["model"]),
        |o| o.waiting as u64,
    ),
    (
        Metric::gauge("cocoon_worker_kv_blocks", "Blocks of the KV cache.").by(&["model"]),
        |o| o.kv_blocks as u64,
    ),
    (
        Metric::gauge("cocoon_worker_kv_blocks_used", "Blocks that sequences use.").by(&["model"]),
        |o| o.kv_blocks_used as u64,
    ),
    (
        Metric::gauge(
            "cocoon_worker_kv_blocks_cached",
            "Free blocks that the prefix cache can still find.",
        )
        .by(&["model"]),
        |o| o.kv_blocks_cached as u64,
    ),
    (
        Metric::gauge("cocoon_worker_batch_sequences", "Sequences in the last step.").by(&["model"]),
        |o| o.step_seqs as u64,
    ),
    (
        Metric::gauge("cocoon_worker_batch_tokens", "Tokens in the last step.").by(&["model"]),
        |o| o.step_tokens as u64,
    ),
    (
        Metric::counter(
            "cocoon_worker_preemptions_total",
            "Sequences that lost their blocks to older ones.",
        )
        .by(&["model"]),
        |o| o.preemptions,
    ),
    (
        Metric::counter(
            "cocoon_worker_prompt_tokens_total",
            "Prompt tokens of sequences that began to run.",
        )
        .by(&["model"]),
        |o| o.prompt_tokens,
    ),
    (
        Metric::counter(
            "cocoon_worker_cached_prompt_tokens_total",
            "Prompt tokens that the prefix cache had.",
        )
        .by(&["model"]),
        |o| o.cached_tokens,
    ),
];

/// Every figure of a worker. The last twelve come from the engine; a server beside this program has figures of its own.
pub const METRICS: &[Metric] = &[
    READY,
    RUNNING,
    PLACES,
    CONNECTIONS,
    COEFFICIENT,
    LOAD,
    REQUESTS,
    BYTES,
    TOKENS,
    REQUEST_TIME,
    UNSETTLED,
    CHAIN_AGE,
    CERTIFICATE,
    OCCUPANCY[0].0,
    OCCUPANCY[1].0,
    OCCUPANCY[2].0,
    OCCUPANCY[3].0,
    OCCUPANCY[4].0,
    OCCUPANCY[5].0,
    OCCUPANCY[6].0,
    OCCUPANCY[7].0,
    OCCUPANCY[8].0,
    OCCUPANCY[9].0,
    FIRST_TOKEN,
    INTER_TOKEN,
];

/// What is told of one model.
pub(crate) struct Figures<'a> {
    model: &'a str,
    running: usize,
    places: u32,
    connections: u32,
    coefficient: u32,
    /// Absent without automatic pricing, and before its first move.
    pricing_load: Option<f64>,
    is_ready: bool,
    counters: &'a Counters,
    /// Absent when a server beside this program answers.
    load: Option<EngineLoad>,
}

impl<'a> Figures<'a> {
    pub(crate) fn of(worker: &'a Worker) -> Self {
        Self {
            model: worker.model.base(),
            running: worker.active_requests(),
            places: worker.max_active_requests,
            connections: worker.connections(),
            coefficient: worker.coefficient().borrow().get(),
            pricing_load: worker.pricing.load(),
            is_ready: worker.word() == "ready",
            counters: &worker.counters,
            load: worker.backend.load(),
        }
    }
}

/// What is told of all models together.
pub(crate) struct OfAll {
    /// Adjusted tokens that proxies owe.
    pub(crate) unsettled_tokens: u64,
    pub(crate) chain_age_seconds: u64,
    pub(crate) certificate_left_seconds: u64,
}

/// Writes the figures of each model and of all together.
pub(crate) fn write(page: &mut Exposition, models: &[Figures<'_>], all: &OfAll) {
    of_worker(page, models);
    page.one(&UNSETTLED, all.unsettled_tokens as f64);
    page.one(&CHAIN_AGE, all.chain_age_seconds as f64);
    page.one(&CERTIFICATE, all.certificate_left_seconds as f64);
    let loads: Vec<(&str, EngineLoad)> = models
        .iter()
        .filter_map(|figures| Some((figures.model, figures.load?)))
        .collect();
    if !loads.is_empty() {
        of_engine(page, &loads);
    }
}

fn of_worker(page: &mut Exposition, models: &[Figures<'_>]) {
    type Get = fn(&Figures<'_>) -> f64;
    let gauges: [(&Metric, Get); 5] = [
        (&READY, |f| f64::from(u8::from(f.is_ready))),
        (&RUNNING, |f| f.running as f64),
        (&PLACES, |f| f64::from(f.places)),
        (&CONNECTIONS, |f| f64::from(f.connections)),
        (&COEFFICIENT, |f| f64::from(f.coefficient)),
    ];
    for (metric, get) in gauges {
        let mut samples = page.metric(metric);
        for figures in models {
            samples.sample(&[("model", figures.model)], get(figures));
        }
    }
    let mut samples = page.metric(&LOAD);
    for figures in models {
        if let Some(load) = figures.pricing_load {
            samples.sample(&[("model", figures.model)], load);
        }
    }
    // The counters of `/jsonstats`, each under the name and the label that it has here.
    let counters: [OfCounters; 3] = [
        (&REQUESTS, "result", &[("success", "success"), ("failed", "failure")]),
        (
            &BYTES,
            "direction",
            &[("bytes_received", "received"), ("bytes_sent", "sent")],
        ),
        (
            &TOKENS,
            "class",
            &[
                ("total_adjusted_tokens_used", "total"),
                ("prompt_adjusted_tokens_used", "prompt"),
                ("cached_adjusted_tokens_used", "cached"),
                ("completion_adjusted_tokens_used", "completion"),
                ("reasoning_adjusted_tokens_used", "reasoning"),
            ],
        ),
    ];
    for (metric, label, parts) in counters {
        let mut samples = page.metric(metric);
        for figures in models {
            let totals = figures.counters.totals();
            for (name, content) in parts {
                let total = totals.iter().find(|(counted, _)| counted == name);
                let labels = [("model", figures.model), (label, *content)];
                samples.sample(&labels, total.map_or(0.0, |(_, total)| *total));
            }
        }
    }
    let mut samples = page.metric(&REQUEST_TIME);
    for figures in models {
        samples.distribution(&[("model", figures.model)], &figures.counters.request_time);
    }
}

fn of_engine(page: &mut Exposition, loads: &[(&str, EngineLoad)]) {
    for (metric, get) in &OCCUPANCY {
        let mut samples = page.metric(metric);
        for (model, load) in loads {
            samples.sample(&[("model", model)], get(&load.occupancy) as f64);
        }
    }
    type GetTimes = fn(&EngineLoad) -> &Histogram;
    let histograms: [(&Metric, GetTimes); 2] = [
        (&FIRST_TOKEN, |l| &l.time_to_first_token),
        (&INTER_TOKEN, |l| &l.inter_token_latency),
    ];
    for (metric, get) in histograms {
        let mut samples = page.metric(metric);
        for (model, load) in loads {
            let seen = get(load);
            let buckets = seen.cumulative().map(|(bound, count)| (bound.as_secs_f64(), count));
            let sum = seen.sum().as_secs_f64();
            samples.cumulative(&[("model", model)], buckets, sum, seen.count());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::Finished;
    use cocoon_engine::{EngineEvent, EngineHandle, Parrot, SubmitRequest};
    use std::collections::BTreeMap;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    fn figures<'a>(model: &'a str, counters: &'a Counters, load: Option<EngineLoad>) -> Figures<'a> {
        Figures {
            model,
            running: 1,
            places: 16,
            connections: 2,
            coefficient: 1000,
            pricing_load: Some(0.5),
            is_ready: true,
            counters,
            load,
        }
    }

    #[test]
    fn an_answer_is_counted_token_by_token_under_its_models_name() {
        let engine = EngineHandle::spawn(Box::new(Parrot::default()), 1).unwrap();
        let (sender, receiver) = channel();
        let sink = Box::new(move |event| drop(sender.send(event)));
        let _ticket = engine
            .submit(SubmitRequest::chat_of_user("one two three"), sink)
            .unwrap();
        let is_last =
            |event: &EngineEvent| matches!(event, EngineEvent::Output(output) if output.finish_reason.is_some());
        while !is_last(&receiver.recv_timeout(Duration::from_secs(30)).unwrap()) {}

        let counters = Counters::new();
        for success in [true, true, true, false, false, false, false] {
            counters.finish(&Finished {
                success,
                ..Finished::default()
            });
        }
        let mut page = Exposition::default();
        let models = [
            figures("a/b", &counters, Some(engine.load())),
            figures("c\"d", &counters, None),
        ];
        let all = OfAll {
            unsettled_tokens: 7,
            chain_age_seconds: 3,
            certificate_left_seconds: 5,
        };
        write(&mut page, &models, &all);
        let text = page.into_text();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples: BTreeMap<&str, f64> = samples
            .map(|line| line.rsplit_once(' ').unwrap())
            .map(|(name, value)| (name, value.parse().unwrap()))
            .collect();
        let of_all = [UNSETTLED.name, CHAIN_AGE.name, CERTIFICATE.name];
        assert!(
            samples
                .keys()
                .all(|name| name.starts_with("cocoon_worker_") && (name.contains("{model=\"") || of_all.contains(name)))
        );
        for (name, count) in [("time_to_first_token", 1.0), ("inter_token_latency", 2.0)] {
            let sample = |end: &str, more: &str| {
                samples[format!("cocoon_worker_{name}_seconds_{end}{{model=\"a/b\"{more}}}").as_str()]
            };
            assert_eq!(
                (sample("count", ""), sample("bucket", ",le=\"+Inf\"")),
                (count, count),
                "{name}"
            );
            assert!(sample("bucket", ",le=\"0.001\"") <= sample("bucket", ",le=\"30\""));
        }
        // A server beside this program has figures of its own, but its requests are counted.
        assert_eq!(
            samples["cocoon_worker_requests_total{model=\"c\\\"d\",result=\"failure\"}"],
            4.0
        );
        assert!(!text.contains("kv_blocks{model=\"c"));
        assert_eq!(text.matches("# TYPE").count(), text.matches("# HELP").count());
        assert_eq!(text.matches("# TYPE cocoon_worker_ready").count(), 1);
        let missing = METRICS
            .iter()
            .find(|metric| !text.contains(&format!("# TYPE {} ", metric.name)));
        assert_eq!(missing, None);
    }
}
