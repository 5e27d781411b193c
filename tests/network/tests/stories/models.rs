//! One worker with two models: one that writes texts and one that makes vectors.

use std::time::{Duration, Instant};

use cocoon_network_tests::{
    api::{Api, Reply, question},
    inprocess::{Network, write_embedding_model},
};
use serde_json::{Value, json};

const TEXTS: &str = "texts";
const VECTORS: &str = "vectors";

async fn start() -> Network {
    let with_both = Network::start_with(|dir, options| {
        let texts = dir.join(TEXTS);
        cocoon_engine::tiny::write_to(&texts).unwrap();
        options.models = vec![texts, write_embedding_model(dir, VECTORS)?];
        Ok(())
    });
    with_both.await.unwrap()
}

async fn vector(api: &Api, text: &str) -> Reply {
    let body = json!({"model": VECTORS, "input": text}).to_string();
    api.post("/v1/embeddings", body.into_bytes()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_models_are_listed_and_answer_side_by_side_with_receipts_of_their_own() {
    let network = start().await;
    let api = network.api();
    let listed = api.get("/v1/models").await.unwrap().body;
    let ids: Vec<&str> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, [TEXTS, VECTORS]);

    let asked = (0..20).map(|number| {
        let api = api.clone();
        tokio::spawn(async move {
            let reply = match number % 2 {
                0 => api
                    .chat(&question(TEXTS, &format!("Question {number}"), 6))
                    .await
                    .unwrap(),
                _ => vector(&api, &format!("Text {number}")).await,
            };
            (number % 2, reply)
        })
    });
    let mut models = [Vec::new(), Vec::new()];
    for answer in asked.collect::<Vec<_>>() {
        let (kind, reply) = answer.await.unwrap();
        assert_eq!(reply.status, 200, "{:#}", reply.body);
        let receipt = api.receipt(&reply.receipt_id.unwrap()).await.unwrap().body;
        assert_eq!(receipt["verified"], true, "{receipt:#}");
        assert_eq!(receipt["signed_by_worker"], true, "{receipt:#}");
        models[kind].push(receipt["model_hash"].as_str().unwrap().to_owned());
    }
    let [texts, vectors] = models;
    assert!(texts.iter().all(|model| *model == texts[0]), "{texts:?}");
    assert!(vectors.iter().all(|model| *model == vectors[0]), "{vectors:?}");
    assert_ne!(texts[0], vectors[0]);

    let worker = Api::new(&network.local().file().worker_url).unwrap();
    let stats = worker.get("/jsonstats").await.unwrap().body;
    assert_eq!(stats["models"].as_array().unwrap().len(), 2, "{stats:#}");
    for (at, name) in [(0, TEXTS), (1, VECTORS)] {
        let model = &stats["models"][at];
        assert!(model["model"].as_str().unwrap().starts_with(name), "{model:#}");
        assert_eq!(
            (&model["state"], &model["stats"]["success"][0]),
            (&json!("ready"), &json!(10.0))
        );
        assert!(model["manifest_hash"].is_string(), "{model:#}");
    }
    assert_eq!(stats["stats"]["success"][0], 20.0);
    // On a busy machine what the engines take comes to the client later than their answers.
    let deadline = Instant::now() + Duration::from_secs(30);
    let listed = loop {
        let listed = api.get("/v1/models").await.unwrap().body;
        let is_told = [0, 1].iter().all(|at| listed["data"][at]["context_length"].is_u64());
        if is_told || Instant::now() > deadline {
            break listed;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    for at in [0, 1] {
        let (row, takes) = (&listed["data"][at], &stats["models"][at]["backend"]["max_model_len"]);
        assert!(takes.as_u64().is_some_and(|tokens| tokens > 0), "{stats:#}");
        assert_eq!(
            (&row["context_length"], row.get("context_range")),
            (takes, None),
            "{listed:#}"
        );
    }
    // One contract earns for both: the owner claims once.
    let claims = worker.get("/claims").await.unwrap().body;
    assert_eq!(claims.as_array().unwrap().len(), 1, "{claims:#}");
    network.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_model_is_switched_off_while_the_other_goes_on() {
    let network = start().await;
    let worker = network.local().file().worker_url.clone();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let switch = |verb: &str, model: &str| http.post(format!("{worker}/request/{verb}?model={model}")).send();
    assert_eq!(switch("disable", "no-such-model").await.unwrap().status(), 404);
    assert_eq!(switch("disable", VECTORS).await.unwrap().status(), 200);

    let api = network.api();
    let deadline = Instant::now() + Duration::from_secs(30);
    let refused = loop {
        let reply = vector(api, "Hello!").await;
        if reply.status != 200 || Instant::now() > deadline {
            break reply;
        }
    };
    assert_eq!(
        (refused.status, refused.error_code()),
        (503, Some("no_worker_available"))
    );
    let reply = api.chat(&question(TEXTS, "Hello!", 4)).await.unwrap();
    assert_eq!(reply.status, 200, "{:#}", reply.body);

    let health: Value = http
        .get(format!("{worker}/health"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&health["models"][TEXTS], &health["models"][VECTORS]),
        (&json!("ready"), &json!("disabled"))
    );
    assert_eq!(health["proxy_connections"], 2);
    let metrics = http
        .get(format!("{worker}/metrics"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for line in [
        format!("cocoon_worker_ready{{model=\"{TEXTS}\"}} 1"),
        format!("cocoon_worker_ready{{model=\"{VECTORS}\"}} 0"),
        format!("cocoon_worker_requests_total{{model=\"{TEXTS}\",result=\"success\"}} 1"),
        format!("cocoon_worker_time_to_first_token_seconds_count{{model=\"{TEXTS}\"}} 1"),
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    assert_eq!(switch("enable", VECTORS).await.unwrap().status(), 200);
    network.stop().await.unwrap();
}
