//! Answers, plain and streamed, and their receipts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails, fails loudly")]

use std::time::{Duration, Instant};

use crate::common::{Options, World, receipts};
use cocoon_receipt::ChannelHead;
use futures_util::StreamExt;
use serde_json::Value;

const ANSWER: &str = r#"{"id":"a","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;

fn deployed() -> Options {
    Options {
        version: 2,
        ..Options::default()
    }
}

#[tokio::test]
async fn a_plain_answer_comes_unchanged_from_a_deployed_proxy() {
    let world = World::new(deployed()).await;
    let fields = r#","max_tokens":50,"timeout":40,"max_coefficient":2000,"request_guid":"g","custom":{"b":1,"a":2}"#;
    let (response, request) = tokio::join!(world.chat(fields), async {
        let request = world.proxy.request().await;
        request.head("application/json").await;
        request.part(&ANSWER[..40]).await;
        request.last(&ANSWER[40..]).await;
        request
    });
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["x-cocoon-worker-start"], "1.5");
    assert_eq!(
        headers["x-cocoon-request-id"],
        hex::encode(request.query.request_id).as_str()
    );
    assert!(!headers.contains_key("x-cocoon-receipt-id"));
    assert_eq!(response.text().await.unwrap(), ANSWER);
    let query = &request.query;
    assert_eq!(
        (query.max_coefficient, query.max_tokens, query.timeout),
        (2000, 50, 38.0)
    );
    assert_eq!(query.model_name, "tiny");
    let sent = cocoon_protocol::http::Request::decode(&query.query).unwrap();
    let kept = crate::common::chat_body(r#","max_tokens":50,"custom":{"b":1,"a":2}"#);
    assert_eq!(String::from_utf8_lossy(&sent.payload), kept);
    assert_eq!(
        (sent.url.as_str(), sent.header("content-length")),
        ("/v1/chat/completions", Some(kept.len().to_string().as_str()))
    );
}

#[tokio::test]
async fn events_arrive_one_by_one_and_whole() {
    let world = World::new(deployed()).await;
    let (response, request) = tokio::join!(world.chat(r#","stream":true"#), async {
        let request = world.proxy.request().await;
        request.head("text/event-stream; charset=utf-8").await;
        request
    });
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    let mut body = response.bytes_stream();
    request.part("data: {\"n\":1}\n\ndata: {\"n\"").await;
    assert_eq!(body.next().await.unwrap().unwrap(), "data: {\"n\":1}\n\n");
    request.part(":2}\n\n").await;
    assert_eq!(body.next().await.unwrap().unwrap(), "data: {\"n\":2}\n\n");
    request.last("data: [DONE]\n\n").await;
    assert_eq!(body.next().await.unwrap().unwrap(), "data: [DONE]\n\n");
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn a_receipt_is_verified_kept_and_shown() {
    let world = World::new(Options::default()).await;
    let mut head = ChannelHead::GENESIS;
    for _ in 0..2 {
        let (response, signed) = tokio::join!(world.chat(""), async {
            let request = world.proxy.request().await;
            request.head("application/json").await;
            request.last(ANSWER).await;
            let signed = receipts::honest(&world.proxy, &request, ANSWER, &head);
            receipts::send(&request, &signed).await;
            signed
        });
        head = receipts::after(&signed);
        let id = response.headers()["x-cocoon-receipt-id"].to_str().unwrap().to_owned();
        let request_id = response.headers()["x-cocoon-request-id"].to_str().unwrap().to_owned();
        assert_eq!(id, signed.id().to_string());
        for name in [id, request_id] {
            let shown: Value = world
                .get(&format!("/v1/cocoon/receipts/{name}"))
                .await
                .json()
                .await
                .unwrap();
            assert_eq!(shown["fault"], Value::Null, "{shown}");
            assert_eq!(shown["verified"], true);
            assert_eq!(shown["signed_by_worker"], true);
            assert_eq!(shown["tokens_charged"], 7);
            assert_eq!(shown["channel"]["seqno"], head.seqno);
            let worker = shown["worker_evidence"].as_str().unwrap();
            let judged = world.get(&format!("/v1/cocoon/attestation/{worker}")).await;
            let judged: Value = judged.json().await.unwrap();
            let certificate = &judged["certificate"];
            assert_eq!(certificate["verdict"], "simulated", "{judged}");
            assert_eq!(certificate["listed_for_workers"], true);
            assert_eq!(certificate["listed_for_proxies"], false);
            assert_eq!(certificate["claims"]["table"][1]["name"], "debug_off");
        }
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_receipt() {
    let world = World::new(Options::default()).await;
    let body = "data: {\"a\":1}\n\ndata: [DONE]\n\n";
    let (response, signed) = tokio::join!(world.chat(r#","stream":true"#), async {
        let request = world.proxy.request().await;
        request.head("text/event-stream").await;
        request.part("data: {\"a\":1}\n\n").await;
        request.last("data: [DONE]\n\n").await;
        let signed = receipts::honest(&world.proxy, &request, body, &ChannelHead::GENESIS);
        receipts::send(&request, &signed).await;
        signed
    });
    let text = response.text().await.unwrap();
    assert_eq!(text, format!("{body}: cocoon-receipt-id {}\n\n", signed.id()));
}

#[tokio::test]
async fn a_receipt_for_other_bytes_shows_its_fault() {
    let world = World::new(Options::default()).await;
    let (response, ()) = tokio::join!(world.chat(""), async {
        let request = world.proxy.request().await;
        request.head("application/json").await;
        request.last(ANSWER).await;
        let signed = receipts::honest(&world.proxy, &request, "another answer", &ChannelHead::GENESIS);
        receipts::send(&request, &signed).await;
    });
    let id = response.headers()["x-cocoon-receipt-id"].to_str().unwrap().to_owned();
    let shown: Value = world
        .get(&format!("/v1/cocoon/receipts/{id}"))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(shown["verified"], false);
    assert!(shown["fault"].as_str().unwrap().contains("response bytes"), "{shown}");
}

#[tokio::test]
async fn receipts_with_a_wrong_price_worker_or_place_show_their_fault() {
    let world = World::new(Options::default()).await;
    let mut head = ChannelHead::GENESIS;
    for (number, expected) in [
        (0, "adjusted tokens"),
        (1, "worker's signature"),
        (2, "continues"),
        (3, "coefficient"),
    ] {
        let fields = if number == 3 { r#","max_coefficient":999"# } else { "" };
        let (response, signed) = tokio::join!(world.chat(fields), async {
            let request = world.proxy.request().await;
            request.head("application/json").await;
            request.last(ANSWER).await;
            let mut signed = receipts::honest(&world.proxy, &request, ANSWER, &head);
            match number {
                0 => {
                    let statement = &mut signed.receipt.statement;
                    statement.counts.as_mut().unwrap().prompt = 4;
                    resign(&mut signed, &world);
                }
                1 => signed.worker_signature.as_mut().unwrap().0[0] ^= 1,
                2 => {
                    signed.receipt.channel.previous.0[0] ^= 1;
                    resign(&mut signed, &world);
                }
                _ => {}
            }
            receipts::send(&request, &signed).await;
            signed
        });
        // Only the one that does not continue the channel leaves it where it was.
        if number != 2 {
            head = receipts::after(&signed);
        }
        let id = response.headers()["x-cocoon-receipt-id"].to_str().unwrap().to_owned();
        let shown: Value = world
            .get(&format!("/v1/cocoon/receipts/{id}"))
            .await
            .json()
            .await
            .unwrap();
        assert!(
            shown["fault"].as_str().unwrap_or("none").contains(expected),
            "{number}: {shown}"
        );
        if number == 3 {
            // Whoever judges it again without this client is told what was accepted.
            assert_eq!(shown["verification"]["max_coefficient"], 999, "{shown}");
            let checks = shown["checks"].as_array().unwrap();
            let price = checks.iter().find(|check| check["name"] == "price").unwrap();
            assert_eq!(price["outcome"], "refuted", "{price}");
        }
    }
}

fn resign(signed: &mut cocoon_receipt::SignedReceipt, world: &World) {
    let worker = cocoon_receipt::Signature(world.proxy.worker.sign(signed.receipt.statement.hash().as_slice()));
    *signed = cocoon_receipt::SignedReceipt::sign(signed.receipt.clone(), &world.proxy.keys.key);
    signed.worker_signature = Some(worker);
}

#[tokio::test]
async fn an_answer_without_its_receipt_is_not_held_for_long() {
    let world = World::new(Options::default()).await;
    let begun = Instant::now();
    let (response, ()) = tokio::join!(world.chat(""), async {
        let request = world.proxy.request().await;
        request.head("application/json").await;
        request.last(ANSWER).await;
    });
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("x-cocoon-receipt-id"));
    assert!(begun.elapsed() < Duration::from_secs(6));
}

fn hasty() -> Options {
    Options {
        wait_for_receipts: false,
        ..Options::default()
    }
}

#[tokio::test]
async fn a_whole_answer_does_not_wait_for_its_receipt_and_the_receipts_page_does() {
    let world = World::new(hasty()).await;
    let (response, request) = tokio::join!(world.chat(""), async {
        let request = world.proxy.request().await;
        request.head("application/json").await;
        request.last(ANSWER).await;
        request
    });
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("x-cocoon-receipt-id"));
    let id = response.headers()["x-cocoon-request-id"].to_str().unwrap().to_owned();
    assert_eq!(id, hex::encode(request.query.request_id));
    assert_eq!(response.text().await.unwrap(), ANSWER);
    // Only now does the receipt leave, while somebody already asks for it.
    let signed = receipts::honest(&world.proxy, &request, ANSWER, &ChannelHead::GENESIS);
    let path = format!("/v1/cocoon/receipts/{id}");
    let (shown, ()) = tokio::join!(world.get(&path), receipts::send(&request, &signed));
    assert_eq!(shown.status(), 200);
    let shown: Value = shown.json().await.unwrap();
    assert_eq!(
        (&shown["id"], &shown["verified"]),
        (&signed.id().to_string().into(), &true.into()),
        "{shown}"
    );
}

#[tokio::test]
async fn a_caller_may_ask_a_whole_answer_to_wait_for_its_receipt() {
    let world = World::new(hasty()).await;
    let ask = |word: &'static str| {
        let url = world.url("/v1/chat/completions");
        let request = world.http.post(url).header("x-cocoon-receipt", word);
        request.body(crate::common::chat_body("")).send()
    };
    let (response, signed) = tokio::join!(ask("wait"), async {
        let request = world.proxy.request().await;
        request.head("application/json").await;
        request.last(ANSWER).await;
        let signed = receipts::honest(&world.proxy, &request, ANSWER, &ChannelHead::GENESIS);
        receipts::send(&request, &signed).await;
        signed
    });
    let response = response.unwrap();
    assert_eq!(
        response.headers()["x-cocoon-receipt-id"],
        signed.id().to_string().as_str()
    );
    // A word that is not known is refused before anything is paid for.
    let (status, code) = crate::common::error_of(ask("soon").await.unwrap()).await;
    assert_eq!((status, code.as_str()), (400, "invalid_value"));
}

#[tokio::test]
async fn a_client_that_stops_takes_the_receipts_of_answers_that_were_given() {
    let mut world = World::new(hasty()).await;
    let (response, request) = tokio::join!(world.chat(""), async {
        let request = world.proxy.request().await;
        request.head("application/json").await;
        request.last(ANSWER).await;
        request
    });
    assert_eq!(response.text().await.unwrap(), ANSWER);
    world.stop.cancel();
    // It no longer listens, and is still there for its receipt.
    while world.http.get(world.url("/health")).send().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let signed = receipts::honest(&world.proxy, &request, ANSWER, &ChannelHead::GENESIS);
    receipts::send(&request, &signed).await;
    world.client.join().await.unwrap();
    let store = cocoon_store::ClientStore::open(&world.folder.path().join("client")).unwrap();
    let kept = store.receipt(&signed.id()).unwrap().unwrap();
    assert_eq!(kept.fault, None);
}

#[tokio::test]
async fn surfaces_tell_models_verdict_statistics_and_health() {
    let world = World::new(Options::default()).await;
    let models: Value = world.get("/v1/models").await.json().await.unwrap();
    assert_eq!(models["data"][0]["id"], "tiny");
    assert_eq!(models["data"][0]["workers"][0]["max_running_requests"], 4);
    let model: Value = world.get("/v1/models/tiny").await.json().await.unwrap();
    assert_eq!(model["object"], "model");
    let verdict: Value = world.get("/v1/cocoon/attestation").await.json().await.unwrap();
    assert_eq!(verdict["verdict"], "simulated");
    assert_eq!(verdict["statements"]["image_is_listed_by_root"], "proven");
    let table = verdict["claims"]["table"].as_array().unwrap();
    let row = |name: &str| table.iter().find(|row| row["name"] == name).unwrap();
    assert_eq!(
        (&row("hardware")["fact"], &row("hardware")["ruling"]),
        (&"refuted".into(), &"not_asked".into())
    );
    assert!(row("hardware")["value"].as_str().unwrap().starts_with("SIMULATED"));
    assert_eq!(row("tcb_up_to_date")["source"]["document"], "tcb_info");
    assert_eq!(row("tcb_up_to_date")["ruling"], "met");
    assert_eq!(row("gpu_confidential")["fact"], "unknown");
    assert_eq!(verdict["claims"]["objections"], serde_json::json!([]));
    let stats: Value = world.get("/jsonstats").await.json().await.unwrap();
    for key in [
        "status",
        "stats",
        "wallet",
        "localconf",
        "root_contract_config",
        "proxy_connections",
        "proxies",
    ] {
        assert!(!stats[key].is_null(), "{key}");
    }
    assert_eq!(stats["stats"]["queries"].as_array().unwrap().len(), 7);
    assert_eq!(stats["proxy_connections"][0]["is_ready"], true);
    assert_eq!(stats["root_contract_config"]["params_version"], 2);
    let health: Value = world.get("/health").await.json().await.unwrap();
    assert_eq!(
        (health["status"].as_str(), health["simulated_attestation"].as_bool()),
        (Some("ready"), Some(true))
    );
}

#[tokio::test]
async fn debug_records_are_added_on_request() {
    let world = World::new(deployed()).await;
    let (response, request) = tokio::join!(world.chat(r#","enable_debug":true"#), async {
        let request = world.proxy.request().await;
        request.head("application/json").await;
        let info = cocoon_protocol::answer::FinalInfo {
            worker_debug: Some(r#"{"type":"worker_stats"}"#.into()),
            proxy_debug: Some("not json".into()),
            ..Default::default()
        };
        let body = cocoon_protocol::answer::AnswerBody::Part(ANSWER.into());
        request.send(body, Some(info)).await;
        request
    });
    assert_eq!(request.query.enable_debug, Some(true));
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["debug"]["worker"]["type"], "worker_stats");
    assert_eq!(body["debug"]["proxy"], Value::Null);
    assert_eq!(body["choices"][0]["message"]["content"], "hello");
}
