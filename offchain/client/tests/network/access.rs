//! Keys, budgets and idempotency keys, through the HTTP interface.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails, fails loudly")]

use std::time::Duration;

use cocoon_bindings::units::Nanoton;
use cocoon_client::AccessConfig;
use cocoon_client::access::keys::{ApiKey, KeysFile, Scope};
use cocoon_protocol::answer::{AnswerBody, FinalInfo};
use cocoon_protocol::proxy::TokensUsed;
use cocoon_receipt::ChannelHead;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use serde_json::Value;

use crate::common::proxy::{Incoming, Request};
use crate::common::{Options, World, chat_body, error_of, receipts};

const ANSWER: &str = r#"{"id":"a","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;
const EVENTS: [&str; 3] = ["data: {\"n\":1}\n\n", "data: {\"n\":2}\n\n", "data: [DONE]\n\n"];
/// What a receipt of the test charges: adjusted tokens at the price of the test's root contract, nanoton.
const COST: u64 = 7 * 20;
const CHAT: &str = "/v1/chat/completions";

/// A world whose callers need a key.
async fn guarded(options: Options) -> (World, tempfile::TempDir) {
    let keys = tempfile::tempdir().unwrap();
    let options = Options {
        access: AccessConfig {
            keys_file: Some(keys.path().join("keys.json")),
            require_keys: true,
            ..AccessConfig::default()
        },
        ..options
    };
    (World::new(options).await, keys)
}

/// A new key; it counts once the file was looked at again.
async fn key(folder: &tempfile::TempDir, name: &str, change: impl FnOnce(&mut ApiKey)) -> String {
    let (mut key, secret) = ApiKey::draw(name, 0).unwrap();
    change(&mut key);
    KeysFile::change(&folder.path().join("keys.json"), |file| file.add(key)).unwrap();
    tokio::time::sleep(cocoon_client::limits::KEYS_LOOK_EVERY).await;
    secret.to_string()
}

fn ask(world: &World, secret: &str, fields: &str) -> reqwest::RequestBuilder {
    let request = world.http.post(world.url(CHAT)).bearer_auth(secret);
    request.body(chat_body(fields))
}

async fn account(world: &World, secret: &str) -> Value {
    let shown = world.http.get(world.url("/v1/cocoon/key")).bearer_auth(secret).send();
    shown.await.unwrap().json().await.unwrap()
}

/// Answers a request, and sends the receipt that continues the channel.
async fn serve(world: &World, request: &Request, head: &mut ChannelHead) {
    request.head("application/json").await;
    request.last(ANSWER).await;
    let signed = receipts::honest(&world.proxy, request, ANSWER, head);
    receipts::send(request, &signed).await;
    *head = receipts::after(&signed);
}

#[tokio::test]
async fn callers_show_a_key_that_is_for_what_they_ask() {
    let (world, folder) = guarded(Options::default()).await;
    let (status, code) = error_of(world.chat("").await).await;
    assert_eq!((status, code.as_str()), (401, "invalid_api_key"));
    let wrong = ask(&world, "ck-0000", "").send().await.unwrap();
    assert_eq!(wrong.headers()["www-authenticate"], "Bearer");
    assert_eq!(error_of(wrong).await.0, 401);
    let reader = key(&folder, "reader", |key| key.scopes = [Scope::Read].into()).await;
    let (status, code) = error_of(ask(&world, &reader, "").send().await.unwrap()).await;
    assert_eq!((status, code.as_str()), (403, "insufficient_permissions"));
    // As Anthropic's packages send it.
    let models = world.http.get(world.url("/v1/models")).header("x-api-key", &reader);
    assert_eq!(models.send().await.unwrap().status(), 200);
    let other = key(&folder, "other", |key| key.models = ["large".to_owned()].into()).await;
    let (status, code) = error_of(ask(&world, &other, "").send().await.unwrap()).await;
    assert_eq!((status, code.as_str()), (403, "model_not_allowed"));
    assert_eq!(world.get("/health").await.status(), 200);
    let figures = world
        .http
        .get(world.url("/metrics"))
        .bearer_auth(&reader)
        .send()
        .await
        .unwrap();
    let figures = figures.text().await.unwrap();
    assert!(
        figures.contains(r#"cocoon_client_access_refusals_total{reason="scope"} 1"#),
        "{figures}"
    );
    assert!(!figures.contains("reader") && !figures.contains(&reader));
}

#[tokio::test]
async fn web_pages_of_others_may_not_ask() {
    let world = World::new(Options::default()).await;
    let with = |name: &'static str, value: &'static str| {
        let request = world.http.post(world.url(CHAT)).header(name, value);
        request.body(chat_body("")).send()
    };
    let rebound = with("host", "evil.example").await.unwrap();
    assert_eq!(error_of(rebound).await, (403, "host_not_allowed".to_owned()));
    let foreign = with("origin", "http://evil.example").await.unwrap();
    assert_eq!(error_of(foreign).await, (403, "origin_not_allowed".to_owned()));
}

#[tokio::test]
async fn a_key_that_asks_too_fast_is_told_how_long_to_wait() {
    let (world, folder) = guarded(Options::default()).await;
    let slow = key(&folder, "slow", |key| key.limits.requests_per_minute = Some(30)).await;
    let ask = || world.http.get(world.url("/v1/models")).bearer_auth(&slow).send();
    let mut refused = ask().await.unwrap();
    while refused.status() == 200 {
        refused = ask().await.unwrap();
    }
    let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert_eq!(error_of(refused).await, (429, "rate_limit_exceeded".to_owned()));
    assert!((1..=2).contains(&seconds), "{seconds}");
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    assert_eq!(ask().await.unwrap().status(), 200);
}

/// Many requests at once over one key: those that reach the proxy could all be charged their most and would stay within the limit.
#[tokio::test]
async fn requests_at_once_never_exceed_the_limit_of_their_key() {
    const AT_ONCE: usize = 40;
    // Each may use 100 tokens of an answer, and those of its body, at the plain price.
    const LIMIT: u64 = 40_000;
    let options = Options {
        max_requests: AT_ONCE,
        ..Options::default()
    };
    let (world, folder) = guarded(options).await;
    let secret = key(&folder, "a", |key| key.limits.spend = Some(Nanoton::new(LIMIT.into()))).await;
    let fields = r#","max_tokens":100,"max_coefficient":1000"#;
    let mut head = ChannelHead::GENESIS;
    let mut charged = 0;
    for _ in 0..3 {
        let asked = join_all((0..AT_ONCE).map(|_| ask(&world, &secret, fields).send()));
        let answered = async {
            // All that are let through come before any is answered.
            let mut waiting = Vec::new();
            while let Ok(next) = tokio::time::timeout(Duration::from_millis(700), world.proxy.next()).await {
                match next {
                    Incoming::Request(request) => waiting.push(request),
                    Incoming::Cancel(_) => panic!("nobody left"),
                }
            }
            let held: Value = account(&world, &secret).await;
            let held: u64 = held["held"].as_str().unwrap().parse().unwrap();
            for request in &waiting {
                serve(&world, request, &mut head).await;
            }
            (waiting.len() as u64, held)
        };
        let (responses, (reached, held)) = tokio::join!(asked, answered);
        let statuses: Vec<u16> = responses
            .iter()
            .map(|response| response.as_ref().unwrap().status().as_u16())
            .collect();
        let good = statuses.iter().filter(|status| **status == 200).count() as u64;
        assert_eq!(good, reached, "{statuses:?}");
        assert!(
            statuses.iter().all(|status| [200, 402].contains(status)),
            "{statuses:?}"
        );
        // The most of those that ran, and what was charged before.
        assert!(held >= reached * 100 * 20, "{held} for {reached}");
        assert!(charged + held <= LIMIT, "{charged} and {held}");
        // Several ran at once, and most had to be refused.
        assert!((2..AT_ONCE as u64 / 2).contains(&good), "{good}");
        charged += good * COST;
        let shown = account(&world, &secret).await;
        assert_eq!(shown["spent"], charged.to_string(), "{shown}");
        assert_eq!(shown["held"], "0", "{shown}");
    }
    let lower = |file: &mut KeysFile| {
        file.find("a")
            .map(|key| key.limits.spend = Some(Nanoton::new(charged.into())))
    };
    KeysFile::change(&folder.path().join("keys.json"), lower).unwrap();
    tokio::time::sleep(cocoon_client::limits::KEYS_LOOK_EVERY).await;
    let refused = ask(&world, &secret, fields).send().await.unwrap();
    assert_eq!(error_of(refused).await, (402, "insufficient_quota".to_owned()));
}

#[tokio::test]
async fn an_attempt_that_the_proxy_refuses_costs_its_key_nothing() {
    let (world, folder) = guarded(Options::default()).await;
    let secret = key(&folder, "a", |key| key.limits.spend = Some(Nanoton::new(1_000_000))).await;
    let (refused, ()) = tokio::join!(ask(&world, &secret, "").send(), async {
        world.proxy.request().await.refuse(703, "no worker").await;
    });
    assert_eq!(error_of(refused.unwrap()).await.0, 503);
    let shown = account(&world, &secret).await;
    assert_eq!((&shown["spent"], &shown["held"]), (&"0".into(), &"0".into()), "{shown}");
}

/// The proxy ends it by the word that it also has for a request that it does not take.
#[tokio::test]
async fn an_answer_that_used_up_its_reservation_is_not_free_and_not_run_again() {
    let (world, folder) = guarded(Options::default()).await;
    let secret = key(&folder, "a", |key| key.limits.spend = Some(Nanoton::new(1_000_000))).await;
    let once = || ask(&world, &secret, "").header("idempotency-key", "long").send();
    let (ended, ()) = tokio::join!(once(), async {
        let body = AnswerBody::Error {
            code: 704,
            message: "the answer has used up what max_tokens reserves for it".to_owned(),
            after_head: false,
        };
        let tokens = TokensUsed {
            total: 7,
            ..TokensUsed::default()
        };
        let info = FinalInfo {
            tokens,
            ..FinalInfo::default()
        };
        world.proxy.request().await.send(body, Some(info)).await;
    });
    let status = ended.unwrap().status();
    assert!(status.is_client_error(), "{status}");
    let shown = account(&world, &secret).await;
    assert_eq!(shown["spent"], "0", "{shown}");
    assert_eq!(shown["held"], COST.to_string(), "{shown}");
    let again = once().await.unwrap();
    assert_eq!(again.status(), status);
    assert_eq!(again.headers()["idempotency-replayed"], "true");
}

/// A proxy of the deployed network gives no receipts: what an answer that broke off may have cost stays held until the operator says.
#[tokio::test]
async fn what_a_broken_answer_holds_is_listed_and_settled_by_the_operator() {
    let options = Options {
        version: 2,
        ..Options::default()
    };
    let (world, folder) = guarded(options).await;
    let secret = key(&folder, "a", |key| key.limits.spend = Some(Nanoton::new(1_000_000))).await;
    let socket = world.folder.path().join("client/admin.sock");
    let operator = reqwest::Client::builder().unix_socket(socket).no_proxy();
    let operator = operator.build().unwrap();
    let holds = async || {
        let listed = operator.get("http://client/access/holds").send().await.unwrap();
        let mut listed: Value = listed.json().await.unwrap();
        listed["holds"].take()
    };
    let settle = async |id: &str, how: &str| {
        let url = format!("http://client/access/holds/{id}{how}");
        let settled = operator.post(url).send().await.unwrap();
        (settled.status().as_u16(), settled.json::<Value>().await.unwrap())
    };
    assert_eq!(holds().await, serde_json::json!([]));
    let (begun, request) = tokio::join!(ask(&world, &secret, r#","stream":true"#).send(), async {
        let request = world.proxy.request().await;
        request.head("text/event-stream").await;
        request.part(EVENTS[0]).await;
        request
    });
    let id = hex::encode(request.query.request_id);
    let shown = holds().await;
    assert_eq!(
        (&shown[0]["hold"], &shown[0]["running"]),
        (&id.as_str().into(), &true.into()),
        "{shown}"
    );
    assert_eq!(settle(&id, "?release=true").await.0, 409);
    drop(begun.unwrap());
    let mut shown = holds().await;
    for _ in 0..100 {
        if shown[0]["running"] == false {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        shown = holds().await;
    }
    let (open, of_key) = (&shown[0], account(&world, &secret).await);
    assert_eq!(
        (&open["key"], &open["running"]),
        (&"a".into(), &false.into()),
        "{shown}"
    );
    assert_eq!(open["proxy"], world.proxy.keys.identity.contract.to_string(), "{shown}");
    assert!(open["why"].as_str().unwrap().contains("gives no receipts"), "{shown}");
    assert!(open["since"].as_u64().is_some() && open["receipt"].is_null(), "{shown}");
    assert_eq!(
        (&open["amount"], &of_key["spent"]),
        (&of_key["held"], &"0".into()),
        "{shown} {of_key}"
    );
    for how in [
        "",
        "?charge=1&release=true",
        "?release=false",
        "?charge=-1",
        "?charge=900000000",
    ] {
        let (status, body) = settle(&id, how).await;
        assert_eq!((status, body["hint"].is_string()), (400, true), "{how}: {body}");
    }
    let (status, settled) = settle(&id, "?charge=140").await;
    assert_eq!((status, &settled["charged"]), (200, &"140".into()), "{settled}");
    assert_eq!(settled["held"], open["amount"], "{settled}");
    let of_key = account(&world, &secret).await;
    assert_eq!(
        (&of_key["spent"], &of_key["held"]),
        (&"140".into(), &"0".into()),
        "{of_key}"
    );
    assert_eq!(
        (holds().await, settle(&id, "?charge=140").await.0),
        (serde_json::json!([]), 404)
    );
    // Not over the port for questions, whatever the key may.
    let admin = key(&folder, "admin", |key| key.scopes = [Scope::Admin].into()).await;
    let over_port = world.http.post(world.url(&format!("/access/holds/{id}?release=true")));
    assert_eq!(over_port.bearer_auth(&admin).send().await.unwrap().status(), 404);
}

/// The connection is dropped before the answer; the retry gets it, from the same run, and is charged once.
#[tokio::test]
async fn a_retry_of_a_dropped_request_gets_its_answer_and_is_charged_once() {
    let (world, folder) = guarded(Options::default()).await;
    let secret = key(&folder, "a", |key| key.limits.spend = Some(Nanoton::new(1_000_000))).await;
    let once = |body: &str| ask(&world, &secret, body).header("idempotency-key", "order-1");
    let mut head = ChannelHead::GENESIS;
    let dropped = once("").timeout(Duration::from_millis(300)).send();
    let (dropped, request) = tokio::join!(dropped, world.proxy.request());
    assert!(dropped.unwrap_err().is_timeout());
    let (joined, ()) = tokio::join!(once("").send(), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        serve(&world, &request, &mut head).await;
    });
    let joined = joined.unwrap();
    let late = once("").send().await.unwrap();
    for response in [joined, late] {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["idempotency-replayed"], "true");
        let id = hex::encode(request.query.request_id);
        assert_eq!(response.headers()["x-cocoon-request-id"], id.as_str());
        let receipt = response.headers()["x-cocoon-receipt-id"].to_str().unwrap().to_owned();
        assert_eq!(receipt, head.hash.to_string());
        assert_eq!(response.text().await.unwrap(), ANSWER);
    }
    let other = once(r#","seed":1"#).send().await.unwrap();
    assert_eq!(error_of(other).await, (422, "idempotency_key_reused".to_owned()));
    // Nothing else came to the proxy, not even a cancel, and one receipt was charged.
    let more = tokio::time::timeout(Duration::from_millis(300), world.proxy.next()).await;
    assert!(more.is_err());
    let shown = account(&world, &secret).await;
    assert_eq!(
        (&shown["spent"], &shown["held"]),
        (&COST.to_string().into(), &"0".into()),
        "{shown}"
    );
}

#[tokio::test]
async fn a_retry_of_a_dropped_stream_gets_it_from_its_beginning() {
    let (world, folder) = guarded(Options::default()).await;
    let secret = key(&folder, "a", |_| {}).await;
    let once = || {
        ask(&world, &secret, r#","stream":true"#)
            .header("idempotency-key", "order-1")
            .send()
    };
    let (first, request) = tokio::join!(once(), async {
        let request = world.proxy.request().await;
        request.head("text/event-stream").await;
        request.part(EVENTS[0]).await;
        request
    });
    let mut body = first.unwrap().bytes_stream();
    assert_eq!(body.next().await.unwrap().unwrap(), EVENTS[0]);
    drop(body);
    let second = once().await.unwrap();
    assert_eq!(second.headers()["idempotency-replayed"], "true");
    let mut body = second.bytes_stream();
    assert_eq!(body.next().await.unwrap().unwrap(), EVENTS[0]);
    request.part(EVENTS[1]).await;
    assert_eq!(body.next().await.unwrap().unwrap(), EVENTS[1]);
    request.last(EVENTS[2]).await;
    let whole = EVENTS.concat();
    let signed = receipts::honest(&world.proxy, &request, &whole, &ChannelHead::GENESIS);
    receipts::send(&request, &signed).await;
    let rest: Vec<_> = body.map(|piece| piece.unwrap()).collect().await;
    let ended = format!("{}: cocoon-receipt-id {}\n\n", EVENTS[2], signed.id());
    assert_eq!(rest.concat(), ended.as_bytes());
    let again = once().await.unwrap().text().await.unwrap();
    assert_eq!(again, format!("{}{}{ended}", EVENTS[0], EVENTS[1]));
    assert!(
        tokio::time::timeout(Duration::from_millis(300), world.proxy.next())
            .await
            .is_err()
    );
    let shown = account(&world, &secret).await;
    assert_eq!(shown["spent"], COST.to_string(), "{shown}");
}

#[tokio::test]
async fn what_was_refused_is_run_when_it_is_asked_again() {
    let world = World::new(Options::default()).await;
    let once = || {
        let request = world.http.post(world.url(CHAT)).header("idempotency-key", "order-1");
        request.body(chat_body("")).send()
    };
    let (refused, ()) = tokio::join!(once(), async {
        world
            .proxy
            .request()
            .await
            .refuse(705, "too many; retry after 1 s")
            .await;
    });
    assert_eq!(error_of(refused.unwrap()).await.0, 429);
    let mut head = ChannelHead::GENESIS;
    let (answered, ()) = tokio::join!(once(), async {
        let request = world.proxy.request().await;
        serve(&world, &request, &mut head).await;
    });
    let answered = answered.unwrap();
    assert!(!answered.headers().contains_key("idempotency-replayed"));
    assert_eq!(answered.text().await.unwrap(), ANSWER);
}
