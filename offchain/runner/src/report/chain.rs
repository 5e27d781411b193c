//! How the chain servers do. They are named by their place in the configuration and their host; no key is among it.

use cocoon_chain::EndpointReport;

use super::{Exposition, Metric};

const REQUESTS: Metric =
    Metric::counter("cocoon_chain_requests_total", "Questions asked of a chain server.").by(&["server", "host"]);
const FAILURES: Metric = Metric::counter(
    "cocoon_chain_failures_total",
    "Questions that a chain server failed to answer.",
)
.by(&["server", "host"]);
const LIMITED: Metric = Metric::counter(
    "cocoon_chain_rate_limited_total",
    "Questions that a chain server refused because there were too many.",
)
.by(&["server", "host"]);
const REFUTED: Metric = Metric::counter(
    "cocoon_chain_refuted_total",
    "Answers of a chain server that were older than what was seen, or not proven.",
)
.by(&["server", "host"]);
const LATENCY: Metric = Metric::gauge(
    "cocoon_chain_latency_seconds",
    "Smoothed time of a chain server's answers.",
)
.by(&["server", "host"]);
const READ: Metric = Metric::gauge(
    "cocoon_chain_server_is_read",
    "1 if a chain server is read, 0 while it is left alone or behind the chain.",
)
.by(&["server", "host"]);
const TIME: Metric = Metric::gauge(
    "cocoon_chain_time_seconds",
    "The chain's time that a server last told when it was compared with others.",
)
.by(&["server", "host"]);

/// What is told of every chain server.
pub const CHAIN_METRICS: &[Metric] = &[REQUESTS, FAILURES, LIMITED, REFUTED, LATENCY, READ, TIME];

/// Writes the figures of all servers.
pub(super) fn write(page: &mut Exposition, servers: &[EndpointReport]) {
    type Figure = fn(&EndpointReport) -> Option<f64>;
    let figures: [(&Metric, Figure); 7] = [
        (&REQUESTS, |server| Some(server.requests as f64)),
        (&FAILURES, |server| Some(server.failures as f64)),
        (&LIMITED, |server| Some(server.rate_limited as f64)),
        (&REFUTED, |server| Some(server.refuted as f64)),
        (&LATENCY, |server| server.latency.map(|latency| latency.as_secs_f64())),
        (&READ, |server| {
            Some(f64::from(u8::from(!server.is_open && !server.is_behind)))
        }),
        (&TIME, |server| server.head.map(|head| f64::from(head.time))),
    ];
    if servers.is_empty() {
        return;
    }
    for (metric, figure) in figures {
        let mut samples = page.metric(metric);
        for server in servers {
            let index = server.index.to_string();
            let labels = [("server", index.as_str()), ("host", server.host.as_str())];
            if let Some(value) = figure(server) {
                samples.sample(&labels, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_is_told_by_place_and_host() {
        let server = EndpointReport {
            index: 1,
            host: "a.example".to_owned(),
            requests: 7,
            failures: 1,
            rate_limited: 0,
            refuted: 0,
            latency: None,
            is_open: true,
            is_behind: false,
            head: None,
        };
        let mut page = Exposition::default();
        write(&mut page, &[server]);
        let text = page.into_text();
        assert!(CHAIN_METRICS.iter().all(|metric| text.contains(metric.name)), "{text}");
        let line = |name: &str, value: &str| format!("{name}{{server=\"1\",host=\"a.example\"}} {value}\n");
        assert!(text.contains(&line("cocoon_chain_requests_total", "7")), "{text}");
        assert!(text.contains(&line("cocoon_chain_server_is_read", "0")), "{text}");
    }

    #[test]
    fn without_servers_there_is_nothing() {
        let mut page = Exposition::default();
        write(&mut page, &[]);
        assert_eq!(page.into_text(), "");
    }
}
