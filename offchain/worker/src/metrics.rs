//! Figures of all models in the text format of Prometheus, told apart by the label `model`. No label names a client or a
//! proxy.

use crate::worker::Worker;
use cocoon_engine::{EngineLoad, Histogram, Occupancy};
use std::fmt::Write as _;
use std::sync::Arc;

/// The content type of the format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// What is told of one model.
struct Figures<'a> {
    model: &'a str,
    running: usize,
    connections: u32,
    is_ready: bool,
    succeeded: u64,
    failed: u64,
    /// Absent when a server beside this program answers: it has figures of its own.
    load: Option<EngineLoad>,
}

/// The figures of all models.
pub(crate) fn text(workers: &[Arc<Worker>]) -> String {
    let figures = workers.iter().map(|worker| {
        let (succeeded, failed) = worker.counters.ended();
        Figures {
            model: worker.model.base(),
            running: worker.active_requests(),
            connections: worker.connections(),
            is_ready: worker.word() == "ready",
            succeeded,
            failed,
            load: worker.backend.load(),
        }
    });
    text_of(&figures.collect::<Vec<_>>())
}

fn text_of(models: &[Figures<'_>]) -> String {
    let mut text = String::new();
    of_worker(&mut text, models);
    let loads: Vec<(&str, EngineLoad)> = models
        .iter()
        .filter_map(|figures| Some((figures.model, figures.load?)))
        .collect();
    if !loads.is_empty() {
        of_engine(&mut text, &loads);
    }
    text
}

fn of_worker(text: &mut String, models: &[Figures<'_>]) {
    type Get = fn(&Figures<'_>) -> u64;
    let gauges: [(&str, &str, Get); 3] = [
        ("ready", "Whether the model takes requests.", |f| f.is_ready.into()),
        ("running_requests", "Requests that run.", |f| f.running as u64),
        ("proxy_connections", "Connections to proxies that serve.", |f| {
            f.connections.into()
        }),
    ];
    for (name, help, get) in gauges {
        head(text, name, "gauge", help);
        for figures in models {
            sample(text, name, figures.model, "", &get(figures));
        }
    }
    head(text, "requests_total", "counter", "Requests that ended.");
    for figures in models {
        sample(
            text,
            "requests_total",
            figures.model,
            ",result=\"success\"",
            &figures.succeeded,
        );
        sample(
            text,
            "requests_total",
            figures.model,
            ",result=\"failure\"",
            &figures.failed,
        );
    }
}

fn of_engine(text: &mut String, loads: &[(&str, EngineLoad)]) {
    type Get = fn(&Occupancy) -> u64;
    let numbers: [(&str, &str, &str, Get); 10] = [
        ("running_sequences", "gauge", "Sequences that run.", |o| {
            o.running as u64
        }),
        (
            "waiting_sequences",
            "gauge",
            "Sequences that wait, preempted ones included.",
            |o| o.waiting as u64,
        ),
        ("kv_blocks", "gauge", "Blocks of the KV cache.", |o| o.kv_blocks as u64),
        ("kv_blocks_used", "gauge", "Blocks that sequences use.", |o| {
            o.kv_blocks_used as u64
        }),
        (
            "kv_blocks_cached",
            "gauge",
            "Free blocks that the prefix cache can still find.",
            |o| o.kv_blocks_cached as u64,
        ),
        ("batch_sequences", "gauge", "Sequences in the last step.", |o| {
            o.step_seqs as u64
        }),
        ("batch_tokens", "gauge", "Tokens in the last step.", |o| {
            o.step_tokens as u64
        }),
        (
            "preemptions_total",
            "counter",
            "Sequences that lost their blocks to older ones.",
            |o| o.preemptions,
        ),
        (
            "prompt_tokens_total",
            "counter",
            "Prompt tokens of sequences that began to run.",
            |o| o.prompt_tokens,
        ),
        (
            "cached_prompt_tokens_total",
            "counter",
            "Prompt tokens that the prefix cache had.",
            |o| o.cached_tokens,
        ),
    ];
    for (name, kind, help, get) in numbers {
        head(text, name, kind, help);
        for (model, load) in loads {
            sample(text, name, model, "", &get(&load.occupancy));
        }
    }
    type GetTimes = fn(&EngineLoad) -> &Histogram;
    let histograms: [(&str, &str, GetTimes); 2] = [
        (
            "time_to_first_token_seconds",
            "From a request to its first token, or to its vectors.",
            |l| &l.time_to_first_token,
        ),
        ("inter_token_latency_seconds", "Between the tokens of an answer.", |l| {
            &l.inter_token_latency
        }),
    ];
    for (name, help, get) in histograms {
        head(text, name, "histogram", help);
        for (model, load) in loads {
            distribution(text, name, model, get(load));
        }
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "# HELP cocoon_worker_{name} {help}\n# TYPE cocoon_worker_{name} {kind}"
    );
}

/// One line; `more` are further labels, each with a comma before it.
fn sample(text: &mut String, name: &str, model: &str, more: &str, value: &dyn std::fmt::Display) {
    let model = model.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let _ = writeln!(text, "cocoon_worker_{name}{{model=\"{model}\"{more}}} {value}");
}

fn distribution(text: &mut String, name: &str, model: &str, histogram: &Histogram) {
    let bucket = format!("{name}_bucket");
    for (bound, count) in histogram.cumulative() {
        let bound = format!(",le=\"{}\"", bound.as_secs_f64());
        sample(text, &bucket, model, &bound, &count);
    }
    let (count, sum) = (histogram.count(), histogram.sum().as_secs_f64());
    sample(text, &bucket, model, ",le=\"+Inf\"", &count);
    sample(text, &format!("{name}_sum"), model, "", &sum);
    sample(text, &format!("{name}_count"), model, "", &count);
}

#[cfg(test)]
mod tests {
    use super::*;
    use cocoon_engine::{EngineEvent, EngineHandle, Parrot, SubmitRequest};
    use std::collections::BTreeMap;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    fn figures(model: &str, load: Option<EngineLoad>) -> Figures<'_> {
        Figures {
            model,
            running: 1,
            connections: 2,
            is_ready: true,
            succeeded: 3,
            failed: 4,
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

        let text = text_of(&[figures("a/b", Some(engine.load())), figures("c\"d", None)]);
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples: BTreeMap<&str, f64> = samples
            .map(|line| line.rsplit_once(' ').unwrap())
            .map(|(name, value)| (name, value.parse().unwrap()))
            .collect();
        assert!(
            samples
                .keys()
                .all(|name| name.starts_with("cocoon_worker_") && name.contains("{model=\""))
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
    }
}
