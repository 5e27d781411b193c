//! People see the network: the page of a client shows the receipt of a chat, who worked, what was anchored and how it was settled,
//! and its wallet pays in once.

use std::time::{Duration, Instant};

use cocoon_bindings::ton::parse_address;
use cocoon_bindings::units::Nanoton;
use cocoon_chain::ClientAccount;
use cocoon_network_tests::api::question;
use cocoon_network_tests::inprocess::Network;
use serde_json::{Value, json};

/// Longest time until the local proxy has published, settled and anchored, and the client has looked.
const SEEN: Duration = Duration::from_secs(60);

/// A page of the network once it has what is wanted.
async fn page(network: &Network, path: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + SEEN;
    loop {
        let reply = network.api().get(&format!("/v1/cocoon/network/{path}")).await.unwrap();
        if reply.status == 200 && is_wanted(&reply.body) {
            return reply.body;
        }
        assert!(Instant::now() < deadline, "{path}: {} {:#}", reply.status, reply.body);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

fn rows<'a>(page: &'a Value, name: &str) -> &'a [Value] {
    page[name].as_array().map_or(&[], Vec::as_slice)
}

/// Status and body of a POST as the page sends it.
async fn post(network: &Network, path: &str, body: Value) -> (u16, Value) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let asked = http.post(format!("{}{path}", network.local().file().client_url));
    let answer = asked.header("x-cocoon-confirm", "1").json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_is_seen_from_its_receipt_to_its_settlement_and_the_wallet_pays_in_once() {
    let network = Network::start().await.unwrap();
    let parts = network.api().get("/v1/cocoon/page").await.unwrap().body;
    assert_eq!(
        parts,
        json!({ "parts": ["chat", "wallet", "network"], "simulated": true })
    );
    let asked = network
        .api()
        .chat(&question(network.model(), "Hello", 5))
        .await
        .unwrap();
    assert_eq!(asked.status, 200, "{:#}", asked.body);
    let id = asked.receipt_id.unwrap();

    let receipts = page(&network, "receipts", |page| !rows(page, "receipts").is_empty()).await;
    let receipt = &receipts["receipts"][0];
    assert_eq!(
        (&receipt["id"], &receipt["verified"]),
        (&json!(id), &json!(true)),
        "{receipts:#}"
    );
    let file = network.local().file().clone();
    for (part, contract) in [
        ("client", &file.client_contract),
        ("worker", &file.worker_contract),
        ("proxy", &file.proxy_contract),
    ] {
        assert_eq!(receipt[part], json!(contract));
    }
    // The page of the receipt is that of the client's own, but for what only the client has.
    let own = network.api().receipt(&id).await.unwrap().body;
    let seen = page(&network, &format!("receipts/{id}"), |page| !page["inclusion"].is_null()).await;
    for member in [
        "request_hash",
        "channel",
        "worker_evidence",
        "tokens_charged",
        "finish_reason",
        "seed",
    ] {
        assert_eq!(seen[member], own[member], "{member}");
    }

    let is_paid = |one: &Value| one["tokens_paid"].as_u64().is_some_and(|tokens| tokens > 0);
    let workers = page(&network, "workers", |page| rows(page, "workers").iter().any(is_paid)).await;
    let worker = &workers["workers"][0];
    assert_eq!(
        (&worker["contract"], &worker["receipts"]),
        (&json!(file.worker_contract), &json!(1)),
        "{workers:#}"
    );
    assert_eq!(worker["reputation"], 5_000, "a day that is not over does not count");
    let models = page(&network, "models", |page| !rows(page, "models").is_empty()).await;
    assert_eq!(
        (&models["models"][0]["hash"], &models["models"][0]["is_listed"]),
        (&receipt["model_hash"], &json!(true))
    );
    let root = page(&network, "root", |_| true).await;
    assert_eq!(
        (&root["root"]["address"], &root["root"]["is_test"]),
        (&json!(file.root), &json!(true))
    );

    let charged = |page: &Value| {
        let charge = |row: &&Value| row["message"] == "ChargeSigned" && row["tokens"] == receipt["tokens_charged"];
        rows(page, "feed").iter().find(charge).cloned()
    };
    let feed = page(&network, "feed?kind=client", |page| charged(page).is_some()).await;
    let charge = charged(&feed).unwrap();
    assert_eq!(
        (&charge["success"], &charge["account"]["address"]),
        (&json!(true), &json!(file.client_contract)),
        "{charge:#}"
    );
    let paid = |page: &Value| {
        rows(page, "feed")
            .iter()
            .any(|row| row["message"] == "WorkerStep" && !row["amount"].is_null())
    };
    page(&network, "feed?kind=proxy", paid).await;
    let anchors = page(&network, "anchors", |page| {
        rows(page, "anchors").iter().any(|one| one["in_log"] == "proven")
    })
    .await;
    assert_eq!(anchors["anchors"][0]["proxy"], json!(file.proxy_contract));

    // The wallet pays in once, however often it is confirmed.
    let contract = parse_address(&file.client_contract).unwrap();
    let paid_in = async || {
        ClientAccount::fetch(network.local().chain().as_ref(), &contract)
            .await
            .unwrap()
            .balance
    };
    let before = paid_in().await;
    let (status, plan) = post(
        &network,
        &format!("/v1/cocoon/channel/{}/topup", file.client_contract),
        json!({ "amount": "2000000000" }),
    )
    .await;
    assert_eq!(status, 200, "{plan:#}");
    let confirm = json!({ "id": plan["id"] });
    let first = post(&network, "/v1/cocoon/channel/confirm", confirm.clone()).await;
    assert_eq!(first.0, 202, "{:#}", first.1);
    let second = post(&network, "/v1/cocoon/channel/confirm", confirm).await;
    assert_eq!((second.0, &second.1["error"]["code"]), (409, &json!("plan_used")));
    let path = format!("/v1/cocoon/channel/operations/{}", plan["id"].as_str().unwrap());
    let deadline = Instant::now() + SEEN;
    loop {
        let operation = network.api().get(&path).await.unwrap().body;
        if operation["status"] == "done" {
            break;
        }
        assert!(Instant::now() < deadline, "{operation:#}");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(paid_in().await, before.checked_add(Nanoton::from_ton(2)).unwrap());
    let told = |page: &Value| {
        let topped_up = |row: &Value| row["message"] == "AskToTopUp" && row["amount"] == "2000000000";
        rows(page, "feed").iter().any(topped_up)
    };
    page(&network, "feed?kind=client", told).await;
    network.stop().await.unwrap();
}
