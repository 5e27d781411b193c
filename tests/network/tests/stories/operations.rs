//! What operators see and do: statistics, figures, switches.

use std::time::Duration;

use cocoon_network_tests::{api::question, inprocess::Network};
use cocoon_runner::report::Metric;
use serde_json::{Value, json};

/// The members of `/jsonstats` that daemons of the deployed network answered with, values blanked.
const DEPLOYED: &str = include_str!("deployed/jsonstats.json");

/// What operators read.
const MANUAL: &str = include_str!("../../../../docs/operations.md");

async fn page(url: &str, path: &str) -> String {
    let answer = reqwest::get(format!("{url}{path}")).await.unwrap();
    assert_eq!(answer.status(), 200, "{url}{path}");
    answer.text().await.unwrap()
}

/// The statistics once so many requests have ended well: a caller has the end of an answer before it is counted.
async fn counted(url: &str, success: f64) -> Value {
    for _ in 0..100 {
        let statistics: Value = serde_json::from_str(&page(url, "/jsonstats").await).unwrap();
        if statistics["stats"]["success"][0].as_f64() == Some(success) {
            return statistics;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{url} has not counted {success} requests");
}

fn runners(network: &Network) -> [(&'static str, String, &'static [Metric]); 3] {
    let file = network.local().file();
    [
        ("client", file.client_url.clone(), cocoon_client::METRICS),
        ("proxy", file.proxy_url.clone(), cocoon_proxy::METRICS),
        ("worker", file.worker_url.clone(), cocoon_worker::METRICS),
    ]
}

#[test]
fn the_manual_lists_every_figure_as_it_is() {
    let lists = [
        cocoon_runner::report::METRICS,
        cocoon_proxy::METRICS,
        cocoon_worker::METRICS,
        cocoon_client::METRICS,
    ];
    let mut count = 0;
    for metric in lists.into_iter().flatten() {
        let row = format!("| `{}` | {} | {} |", metric.name, metric.kind.word(), metric.help);
        assert!(
            MANUAL.lines().any(|line| line == row),
            "docs/operations.md lacks: {row}"
        );
        count += 1;
    }
    let listed = MANUAL
        .lines()
        .filter(|line| line.starts_with("| `cocoon_") || line.starts_with("| `process_"));
    assert_eq!(listed.count(), count, "docs/operations.md lists a figure that is none");
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
        let statistics = counted(&url, 2.0).await;
        let differences = missing(role, &deployed[role], &statistics);
        assert!(differences.is_empty(), "{differences:#?}\n{statistics:#}");

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
        crate::observability::compare(role, &figures, metrics);
        // Labels name models, roles, results and the configured chain servers, and nobody.
        let lines = figures.lines().filter(|line| !line.starts_with("cocoon_chain_"));
        let about_work: String = lines.map(|line| format!("{line}\n")).collect();
        for word in [marker, "EQ", "UQ", "kQ", "0Q", "0:", "127.0.0.1"] {
            assert!(!about_work.contains(word), "{word}: {about_work}");
        }
        for word in [marker, "EQ", "UQ", "kQ", "0Q"] {
            assert!(!figures.contains(word), "{word}: {figures}");
        }
    }
    network.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_switches_reloads_and_drains_over_the_socket() {
    let network = Network::start().await.unwrap();
    let data = network.local().data();
    let ask = |role: &str, method: reqwest::Method, path: &str| {
        let socket = data.store_dir(role).join("admin.sock");
        let http = reqwest::Client::builder()
            .unix_socket(socket)
            .no_proxy()
            .build()
            .unwrap();
        let request = http.request(method, format!("http://cocoon{path}"));
        async move {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
        }
    };
    use reqwest::Method;
    for role in ["proxy", "worker", "client"] {
        let (code, status) = ask(role, Method::GET, "/admin/status").await;
        assert_eq!(
            (code, &status["role"], &status["state"]),
            (200, &role.into(), &"ready".into()),
            "{status}"
        );
        let (code, peers) = ask(role, Method::GET, "/admin/peers").await;
        assert_eq!(code, 200, "{peers}");
        let (code, nothing) = ask(role, Method::POST, "/admin/reload").await;
        assert_eq!(
            (code, &nothing),
            (200, &json!({ "applied": [], "needs_restart": [] })),
            "{role}"
        );
    }
    let file = data.config_file("worker");
    let text = std::fs::read_to_string(&file).unwrap();
    let changed = text.replace("coefficient = 1000", "coefficient = 1500");
    std::fs::write(&file, changed.replace("proxy_connections = 1", "proxy_connections = 2")).unwrap();
    for _ in 0..2 {
        // What needs a restart goes on being told; what was applied is told once.
        let (code, report) = ask("worker", Method::POST, "/admin/reload").await;
        assert_eq!(
            (code, &report["needs_restart"]),
            (200, &json!(["proxy_connections"])),
            "{report}"
        );
    }
    let (_, statistics) = ask("worker", Method::GET, "/jsonstats").await;
    assert_eq!(statistics["localconfig"]["coefficient"], 1500);
    std::fs::write(&file, "owner = 5").unwrap();
    let (code, refused) = ask("worker", Method::POST, "/admin/reload").await;
    assert_eq!((code, refused["hint"].is_string()), (422, true), "{refused}");
    let asked = question(network.model(), "Is anybody there?", 4);
    assert_eq!(ask("client", Method::POST, "/admin/disable").await.0, 200);
    assert_eq!(network.api().chat(&asked).await.unwrap().status, 503);
    assert_eq!(ask("client", Method::POST, "/admin/enable").await.0, 200);
    assert_eq!(network.api().chat(&asked).await.unwrap().status, 200);
    // The pages of the HTTP port are here as well.
    let (code, statistics) = ask("proxy", Method::GET, "/jsonstats").await;
    assert_eq!(
        (code, statistics["stats"]["success"].as_array().unwrap().len()),
        (200, 7)
    );
    network.stop().await.unwrap();
}
