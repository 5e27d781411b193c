//! One request gives spans of all three runners that belong together, and nothing in them says what was asked or by whom.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use cocoon_network_tests::{api::question, inprocess::Network};
use serde_json::Value;

type Bodies = Arc<Mutex<Vec<Value>>>;

/// A collector of traces, which may refuse them.
async fn collector(status: StatusCode) -> (String, Bodies) {
    let bodies = Bodies::default();
    let take = move |State(bodies): State<Bodies>, headers: HeaderMap, Json(body): Json<Value>| async move {
        assert_eq!(headers["content-type"], "application/json");
        bodies.lock().unwrap().push(body);
        status
    };
    let app = Router::new().route("/v1/traces", post(take)).with_state(bodies.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, bodies)
}

/// Every span by its name, with the service that sent it.
fn spans(bodies: &Bodies) -> BTreeMap<String, Vec<(String, Value)>> {
    let mut spans: BTreeMap<String, Vec<(String, Value)>> = BTreeMap::new();
    for body in bodies.lock().unwrap().iter() {
        for of_service in body["resourceSpans"].as_array().unwrap() {
            let service = of_service["resource"]["attributes"][0]["value"]["stringValue"]
                .as_str()
                .unwrap();
            for span in of_service["scopeSpans"][0]["spans"].as_array().unwrap() {
                let name = span["name"].as_str().unwrap().to_owned();
                spans.entry(name).or_default().push((service.to_owned(), span.clone()));
            }
        }
    }
    spans
}

const EXPECTED: [(&str, &str); 11] = [
    ("client.answer", "cocoon-client"),
    ("client.receipt", "cocoon-client"),
    ("client.request", "cocoon-client"),
    ("proxy.attempt", "cocoon-proxy"),
    ("proxy.receipt", "cocoon-proxy"),
    ("proxy.request", "cocoon-proxy"),
    ("proxy.route", "cocoon-proxy"),
    ("proxy.settle", "cocoon-proxy"),
    ("worker.decode", "cocoon-worker"),
    ("worker.queue_and_prefill", "cocoon-worker"),
    ("worker.request", "cocoon-worker"),
];

#[tokio::test(flavor = "multi_thread")]
async fn one_request_is_one_trace_of_client_and_proxy_that_links_to_the_workers_and_says_nothing_of_its_content() {
    let (url, bodies) = collector(StatusCode::OK).await;
    let network = Network::start_with(|_, options| {
        options.collector = Some(url);
        Ok(())
    });
    let network = network.await.unwrap();
    let marker = "a-question-that-nobody-must-find-in-a-trace";
    let answered = network.api().chat(&question(network.model(), marker, 6)).await.unwrap();
    assert_eq!(answered.status, 200);
    let begun = Instant::now();
    let found = loop {
        let found = spans(&bodies);
        if found.len() == EXPECTED.len() {
            break found;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", found.keys());
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    for (name, service) in EXPECTED {
        let of_name = &found[name];
        assert_eq!((of_name.len(), of_name[0].0.as_str()), (1, service), "{name}");
    }
    let span = |name: &str| &found[name][0].1;
    let trace = |name: &str| span(name)["traceId"].as_str().unwrap().to_owned();
    let traces: BTreeMap<&str, BTreeSet<String>> = ["client", "proxy", "worker"]
        .into_iter()
        .map(|role| {
            let own = EXPECTED.iter().filter(|(name, _)| name.starts_with(role));
            (role, own.map(|(name, _)| trace(name)).collect())
        })
        .collect();
    assert!(traces.values().all(|of_role| of_role.len() == 1), "{traces:?}");
    assert_eq!(traces["client"], traces["proxy"]);
    // The worker does not know which request of whom it serves; the proxy does.
    assert_ne!(traces["worker"], traces["proxy"]);
    assert!(span("worker.request")["parentSpanId"].is_null() && span("worker.request")["links"].is_null());
    let link = &span("proxy.attempt")["links"][0];
    assert_eq!(
        (&link["traceId"], &link["spanId"]),
        (&span("worker.request")["traceId"], &span("worker.request")["spanId"])
    );
    assert_eq!(span("proxy.request")["parentSpanId"], span("client.request")["spanId"]);
    assert_eq!(span("proxy.route")["parentSpanId"], span("proxy.request")["spanId"]);
    assert_eq!(span("worker.decode")["parentSpanId"], span("worker.request")["spanId"]);

    let text: String = bodies.lock().unwrap().iter().map(Value::to_string).collect();
    let answer = answered.body["choices"][0]["message"]["content"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(!answer.is_empty());
    let file = network.local().file();
    let request_id = answered.request_id.clone().unwrap();
    for secret in [marker, answer.as_str(), request_id.as_str()] {
        assert!(!text.contains(secret), "{secret} is in a trace");
    }
    for word in ["EQ", "UQ", "kQ", "0Q", "0:", "127.0.0.1"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    let figures = reqwest::get(format!("{}/metrics", file.proxy_url))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        figures.contains("cocoon_process_spans_total{result=\"sent\"}"),
        "{figures}"
    );
    network.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_refuses_costs_spans_and_no_request() {
    let (url, bodies) = collector(StatusCode::SERVICE_UNAVAILABLE).await;
    let network = Network::start_with(|_, options| {
        options.collector = Some(url);
        Ok(())
    });
    let network = network.await.unwrap();
    let asked = question(network.model(), "Is anybody there?", 4);
    assert_eq!(network.api().chat(&asked).await.unwrap().status, 200);
    let url = network.local().file().proxy_url.clone();
    let begun = Instant::now();
    loop {
        let figures = reqwest::get(format!("{url}/metrics"))
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let dropped = figures
            .lines()
            .find_map(|line| line.strip_prefix("cocoon_process_spans_total{result=\"dropped\"} "));
        if dropped.is_some_and(|count| count.parse::<u64>().unwrap() >= 3) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{figures}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!bodies.lock().unwrap().is_empty());
    assert_eq!(network.api().chat(&asked).await.unwrap().status, 200);
    network.stop().await.unwrap();
}
