//! What operators see and do: statistics, figures, switches.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a story that fails, fails loudly")]

use cocoon_network_tests::{api::question, inprocess::Network};
use cocoon_runner::report::Metric;
use serde_json::Value;

/// The members of `/jsonstats` that daemons of the deployed network answered with, values blanked.
const DEPLOYED: &str = include_str!("deployed/jsonstats.json");

async fn page(url: &str, path: &str) -> String {
    let answer = reqwest::get(format!("{url}{path}")).await.unwrap();
    assert_eq!(answer.status(), 200, "{url}{path}");
    answer.text().await.unwrap()
}

fn runners(network: &Network) -> [(&'static str, String, &'static [Metric]); 3] {
    let file = network.local().file();
    [
        ("client", file.client_url.clone(), cocoon_client::METRICS),
        ("proxy", file.proxy_url.clone(), cocoon_proxy::METRICS),
        ("worker", file.worker_url.clone(), cocoon_worker::METRICS),
    ]
}

/// Where `ours` lacks a member of `deployed` or has another kind of value.
fn missing(place: &str, deployed: &Value, ours: &Value) -> Vec<String> {
    match (deployed, ours) {
        (Value::Object(members), Value::Object(own)) => members
            .iter()
            .flat_map(|(name, member)| {
                let place = format!("{place}.{name}");
                match own.get(name) {
                    Some(value) => missing(&place, member, value),
                    None => vec![format!("{place} is missing")],
                }
            })
            .collect(),
        (Value::Array(items), Value::Array(own)) => match (items.as_slice(), own.as_slice()) {
            ([item], [first, ..]) => missing(&format!("{place}[]"), item, first),
            ([item], []) if item.is_object() => vec![format!("{place} is empty")],
            ([_, ..], _) if items.len() != own.len() => vec![format!("{place} has another length")],
            _ => Vec::new(),
        },
        _ if std::mem::discriminant(deployed) == std::mem::discriminant(ours) => Vec::new(),
        _ => vec![format!("{place} is {ours}")],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_have_every_member_of_the_deployed_ones_and_figures_are_complete_without_content() {
    let network = Network::start().await.unwrap();
    let marker = "a question that nobody must find again";
    let asked = question(network.model(), marker, 6);
    assert_eq!(network.api().chat(&asked).await.unwrap().status, 200);
    let streamed = network.api().stream(&asked).await.unwrap().rest().await;
    assert!(streamed.done, "{streamed:?}");

    let deployed: Value = serde_json::from_str(DEPLOYED).unwrap();
    for (role, url, metrics) in runners(&network) {
        let statistics: Value = serde_json::from_str(&page(&url, "/jsonstats").await).unwrap();
        let differences = missing(role, &deployed[role], &statistics);
        assert!(differences.is_empty(), "{differences:#?}\n{statistics:#}");
        assert_eq!(statistics["stats"]["success"][0].as_f64(), Some(2.0), "{statistics:#}");

        let html = page(&url, "/stats").await;
        assert!(
            html.starts_with("<!doctype html>") && html.contains("<h2>stats</h2>"),
            "{html}"
        );
        assert!(page(&url, "/perf").await.contains("cpu_seconds "));

        let figures = page(&url, "/metrics").await;
        for metric in metrics.iter().chain(cocoon_runner::report::METRICS) {
            let head = format!("# TYPE {} {}\n", metric.name, metric.kind.word());
            assert_eq!(figures.matches(&head).count(), 1, "{head}{figures}");
        }
        assert!(figures.contains(&format!("cocoon_{role}_requests_total")), "{figures}");
        let first_token = format!("cocoon_{role}_time_to_first_token_seconds_count");
        let counted = figures.lines().find(|line| line.starts_with(&first_token)).unwrap();
        assert!(counted.ends_with(" 2"), "{counted}");
        // Labels name models, roles and results, and nobody.
        for word in [marker, "EQ", "UQ", "kQ", "0Q", "0:", "127.0.0.1"] {
            assert!(!figures.contains(word), "{word}: {figures}");
        }
    }
    network.stop().await.unwrap();
}
