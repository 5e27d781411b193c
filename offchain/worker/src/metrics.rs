//! The engine's figures in the text format of Prometheus. No label names a client or a proxy.

use cocoon_engine::{EngineLoad, Histogram, Occupancy};
use std::fmt::Write as _;

/// The content type of the format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// All figures of an engine.
pub(crate) fn text(load: &EngineLoad) -> String {
    let Occupancy {
        running,
        waiting,
        kv_blocks,
        kv_blocks_used,
        kv_blocks_cached,
        preemptions,
        prompt_tokens,
        cached_tokens,
        step_seqs,
        step_tokens,
        ..
    } = load.occupancy;
    let mut text = String::new();
    let gauges = [
        ("running_sequences", running, "Sequences that run."),
        (
            "waiting_sequences",
            waiting,
            "Sequences that wait, preempted ones included.",
        ),
        ("kv_blocks", kv_blocks, "Blocks of the KV cache."),
        ("kv_blocks_used", kv_blocks_used, "Blocks that sequences use."),
        (
            "kv_blocks_cached",
            kv_blocks_cached,
            "Free blocks that the prefix cache can still find.",
        ),
        ("batch_sequences", step_seqs, "Sequences in the last step."),
        ("batch_tokens", step_tokens, "Tokens in the last step."),
    ];
    for (name, value, help) in gauges {
        figure(&mut text, name, "gauge", help, value as u64);
    }
    let counters = [
        (
            "preemptions_total",
            preemptions,
            "Sequences that lost their blocks to older ones.",
        ),
        (
            "prompt_tokens_total",
            prompt_tokens,
            "Prompt tokens of sequences that began to run.",
        ),
        (
            "cached_prompt_tokens_total",
            cached_tokens,
            "Prompt tokens that the prefix cache had.",
        ),
    ];
    for (name, value, help) in counters {
        figure(&mut text, name, "counter", help, value);
    }
    let histograms = [
        (
            "time_to_first_token_seconds",
            &load.time_to_first_token,
            "From a request to its first token.",
        ),
        (
            "inter_token_latency_seconds",
            &load.inter_token_latency,
            "Between the tokens of an answer.",
        ),
    ];
    for (name, histogram, help) in histograms {
        distribution(&mut text, name, help, histogram);
    }
    text
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "# HELP cocoon_worker_{name} {help}\n# TYPE cocoon_worker_{name} {kind}"
    );
}

fn figure(text: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    head(text, name, kind, help);
    let _ = writeln!(text, "cocoon_worker_{name} {value}");
}

fn distribution(text: &mut String, name: &str, help: &str, histogram: &Histogram) {
    head(text, name, "histogram", help);
    for (bound, count) in histogram.cumulative() {
        let bound = bound.as_secs_f64();
        let _ = writeln!(text, "cocoon_worker_{name}_bucket{{le=\"{bound}\"}} {count}");
    }
    let (count, sum) = (histogram.count(), histogram.sum().as_secs_f64());
    let _ = writeln!(text, "cocoon_worker_{name}_bucket{{le=\"+Inf\"}} {count}");
    let _ = writeln!(
        text,
        "cocoon_worker_{name}_sum {sum}\ncocoon_worker_{name}_count {count}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use cocoon_engine::{EngineEvent, EngineHandle, Parrot, SubmitRequest};
    use std::collections::BTreeMap;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    #[test]
    fn an_answer_is_counted_token_by_token() {
        let engine = EngineHandle::spawn(Box::new(Parrot::default()), 1).unwrap();
        let (sender, receiver) = channel();
        let sink = Box::new(move |event| drop(sender.send(event)));
        let _ticket = engine
            .submit(SubmitRequest::chat_of_user("one two three"), sink)
            .unwrap();
        let is_last =
            |event: &EngineEvent| matches!(event, EngineEvent::Output(output) if output.finish_reason.is_some());
        while !is_last(&receiver.recv_timeout(Duration::from_secs(30)).unwrap()) {}

        let text = text(&engine.load());
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples: BTreeMap<&str, f64> = samples
            .map(|line| line.rsplit_once(' ').unwrap())
            .map(|(name, value)| (name, value.parse().unwrap()))
            .collect();
        assert!(samples.keys().all(|name| name.starts_with("cocoon_worker_")));
        for (name, count) in [("time_to_first_token", 1.0), ("inter_token_latency", 2.0)] {
            let sample = |end: &str| samples[format!("cocoon_worker_{name}_seconds_{end}").as_str()];
            assert_eq!(
                (sample("count"), sample("bucket{le=\"+Inf\"}")),
                (count, count),
                "{name}"
            );
            assert!(sample("bucket{le=\"0.001\"}") <= sample("bucket{le=\"30\"}"));
        }
        assert_eq!(text.matches("# TYPE").count(), text.matches("# HELP").count());
    }
}
