//! The other vendors' interfaces: what the proxy gets of them, and what their callers get of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails, fails loudly")]

use std::sync::Arc;

use crate::common::chain::{FixedChain, listing};
use crate::common::proxy::Request;
use crate::common::{Options, World, error_of, receipts};
use cocoon_bindings::units::{ManifestHash, ModelHash};
use cocoon_bindings::{HashDescriptor, HashEntry, TrustTimes};
use cocoon_receipt::ChannelHead;
use serde_json::{Value, json};
use sha2::Digest;

const ANSWER: &str = r#"{"id":"chatcmpl-0a","object":"chat.completion","created":5,"model":"tiny","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;

fn deployed() -> Options {
    Options {
        version: 2,
        ..Options::default()
    }
}

fn message(more: &Value) -> String {
    let mut body = json!({"model": "tiny", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

/// What the worker is asked.
fn asked(request: &Request) -> (String, Value) {
    let sent = cocoon_protocol::http::Request::decode(&request.query.query).unwrap();
    (sent.url.clone(), serde_json::from_slice(&sent.payload).unwrap())
}

#[tokio::test]
async fn a_message_is_asked_as_a_chat_and_its_receipt_is_of_the_chat() {
    let world = World::new(Options::default()).await;
    let body = message(&json!({"system": "Be brief.", "max_coefficient": 2000}));
    let (response, (request, signed)) = tokio::join!(world.post("/v1/messages", body), async {
        let request = world.proxy.request().await;
        request.head("application/json").await;
        request.part(&ANSWER[..40]).await;
        request.last(&ANSWER[40..]).await;
        let signed = receipts::honest(&world.proxy, &request, ANSWER, &ChannelHead::GENESIS);
        receipts::send(&request, &signed).await;
        (request, signed)
    });
    let (url, chat) = asked(&request);
    assert_eq!(url, "/v1/chat/completions");
    assert_eq!(
        chat,
        json!({"model": "tiny", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}], "max_tokens": 9})
    );
    assert_eq!((request.query.max_coefficient, request.query.max_tokens), (2000, 9));
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    assert_eq!(headers["request-id"], headers["x-cocoon-request-id"]);
    assert_eq!(headers["x-cocoon-receipt-id"], signed.id().to_string().as_str());
    let said: Value = response.json().await.unwrap();
    assert_eq!(said["content"], json!([{"type": "text", "text": "hello"}]));
    assert_eq!(
        (&said["id"], &said["stop_reason"]),
        (&json!("msg_0a"), &json!("end_turn"))
    );
    let receipt = world.get(&format!("/v1/cocoon/receipts/{}", signed.id())).await;
    let receipt: Value = receipt.json().await.unwrap();
    assert_eq!(receipt["verified"], true, "{receipt}");
}

#[tokio::test]
async fn a_streamed_message_comes_event_by_event_whatever_the_cuts() {
    let world = World::new(deployed()).await;
    let (response, request) = tokio::join!(world.post("/v1/messages", message(&json!({"stream": true}))), async {
        let request = world.proxy.request().await;
        request.head("text/event-stream").await;
        request
            .part("data: {\"id\":\"chatcmpl-0a\",\"model\":\"tiny\",\"choices\":[{\"index\":0,\"delta\":{\"cont")
            .await;
        request.part("ent\":\"he\"}}]}\n\ndata: {\"id\":\"chatcmpl-0a\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"llo\"},").await;
        request.part("\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n").await;
        request.last("data: [DONE]\n\n").await;
        request
    });
    assert_eq!(asked(&request).1["stream_options"], json!({"include_usage": true}));
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let text = response.text().await.unwrap();
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let expected = [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(names, expected, "{text}");
    assert!(
        text.contains(r#""text":"he""#) && text.contains(r#""text":"llo""#) && text.contains(r#""output_tokens":4"#)
    );
}

#[tokio::test]
async fn a_message_that_fails_fails_in_its_own_shape() {
    let world = World::new(deployed()).await;
    let (response, ()) = tokio::join!(world.post("/v1/messages", message(&json!({}))), async {
        world.proxy.request().await.refuse(701, "unknown model tiny").await;
    });
    assert_eq!(response.status(), 404);
    assert!(response.headers().contains_key("request-id"));
    let body: Value = response.json().await.unwrap();
    assert_eq!(
        body,
        json!({"type": "error", "error": {"type": "not_found_error", "message": "unknown model tiny"}})
    );
    // What the worker says of the chat is said of the message, with the same status.
    let (response, ()) = tokio::join!(world.post("/v1/messages", message(&json!({}))), async {
        let request = world.proxy.request().await;
        request.head_with_status(400, "application/json").await;
        request.last(r#"{"error":{"message":"Tools are not supported.","type":"invalid_request_error","param":"tools","code":"invalid_value"}}"#).await;
    });
    assert_eq!(response.status(), 400);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["message"], "Tools are not supported.");
    // A stream that dies ends with an error event.
    let (response, ()) = tokio::join!(world.post("/v1/messages", message(&json!({"stream": true}))), async {
        let request = world.proxy.request().await;
        request.head("text/event-stream").await;
        request
            .part("data: {\"id\":\"a\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\ndata: {")
            .await;
        request.link.close().await;
    });
    let text = response.text().await.unwrap();
    assert!(text.contains("event: message_start"), "{text}");
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    assert!(last.starts_with("event: error\ndata: {\"type\":\"error\""), "{text}");
}

#[tokio::test]
async fn what_no_worker_could_do_never_leaves() {
    let world = World::new(deployed()).await;
    let image = json!({"type": "image", "source": {"type": "url", "url": "https://secret"}});
    let shown = json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, image]}]});
    let response = world.post("/v1/messages", message(&shown)).await;
    assert_eq!(response.status(), 400);
    let body: Value = response.json().await.unwrap();
    let text = body["error"]["message"].as_str().unwrap();
    assert!(
        text.contains("messages[0].content[1]") && !text.contains("secret"),
        "{body}"
    );
    let count = world.post("/v1/messages/count_tokens", message(&json!({}))).await;
    assert_eq!(count.status(), 404);
    let body: Value = count.json().await.unwrap();
    assert_eq!(body["error"]["type"], "not_found_error");
    // The same of a chat and of a response, in OpenAI's shape.
    let chat =
        r#"{"model":"tiny","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}"#;
    let body: Value = world.post("/v1/chat/completions", chat).await.json().await.unwrap();
    assert_eq!(body["error"]["param"], "messages[0].content[0]");
    let kept = r#"{"model":"tiny","input":"a","previous_response_id":"resp_1"}"#;
    let body: Value = world.post("/v1/responses", kept).await.json().await.unwrap();
    assert_eq!(body["error"]["param"], "previous_response_id");
    // A caller that knows its model to take images is taken at its word: the parts are passed on unchanged.
    let knowing = r#"{"model":"tiny","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}],"provider":{"input_modalities":["image"]}}"#;
    let (response, request) = tokio::join!(world.post("/v1/chat/completions", knowing), async {
        let request = world.proxy.request().await;
        request.head("application/json").await;
        request.last(ANSWER).await;
        request
    });
    assert_eq!(response.status(), 200);
    assert_eq!(asked(&request).1, serde_json::from_str::<Value>(chat).unwrap());
}

#[tokio::test]
async fn a_response_is_asked_as_a_chat() {
    let world = World::new(deployed()).await;
    let body = r#"{"model":"tiny","input":"hi","instructions":"Be brief.","max_output_tokens":9,"metadata":{"a":"b"}}"#;
    let (response, request) = tokio::join!(world.post("/v1/responses", body), async {
        let request = world.proxy.request().await;
        request.head("application/json").await;
        request.last(ANSWER).await;
        request
    });
    assert_eq!(
        asked(&request).1,
        json!({"model": "tiny", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
            "max_completion_tokens": 9})
    );
    let headers = response.headers().clone();
    assert_eq!(headers["x-request-id"], headers["x-cocoon-request-id"]);
    let said: Value = response.json().await.unwrap();
    assert_eq!(
        (&said["object"], &said["status"]),
        (&json!("response"), &json!("completed"))
    );
    assert_eq!(said["output"][0]["content"][0]["text"], "hello");
    assert_eq!(
        (&said["metadata"], &said["usage"]["total_tokens"]),
        (&json!({"a": "b"}), &json!(7))
    );
    let (response, ()) = tokio::join!(
        world.post("/v1/responses", r#"{"model":"tiny","input":"hi","stream":true}"#),
        async {
            let request = world.proxy.request().await;
            request.head("text/event-stream").await;
            request.part("data: {\"id\":\"chatcmpl-0a\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"length\"}]}\n\n").await;
            request.last("data: [DONE]\n\n").await;
        }
    );
    let text = response.text().await.unwrap();
    assert!(text.starts_with("event: response.created\n"), "{text}");
    assert!(
        text.contains("event: response.incomplete\n") && !text.contains("[DONE]"),
        "{text}"
    );
}

#[tokio::test]
async fn demands_on_the_provider_are_held_to_before_the_prompt_leaves() {
    let world = World::new(Options::default()).await;
    let ask = |provider: Value| {
        let fields = format!(r#","provider":{provider}"#);
        let world = &world;
        async move { world.chat(&fields).await }
    };
    let contract = world.proxy.keys.identity.contract.to_string();
    // The only worker costs 1000 thousandths of 20 nanoton a token.
    let refused = [
        (
            json!({"attestation": {"required": "real"}}),
            404,
            "provider.attestation",
        ),
        (json!({"ignore": [contract]}), 404, "provider.ignore"),
        (json!({"only": ["127.0.0.1:1"]}), 404, "provider.only"),
        (json!({"only": ["nobody"]}), 400, "provider.only[0]"),
        (json!({"max_price": {"prompt": 19_999_999}}), 503, "provider.max_price"),
        (json!({"manifest": "00".repeat(32)}), 404, "provider.manifests"),
    ];
    for (provider, status, param) in refused {
        let response = ask(provider.clone()).await;
        assert_eq!(response.status(), status, "{provider}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"]["param"], param, "{body}");
    }
    let met = json!({"attestation": {"required": "simulated"}, "only": [contract], "max_price": {"prompt": 20_000_000, "completion": 30_000_000}});
    let (response, request) = tokio::join!(ask(met), async {
        let request = world.proxy.request().await;
        request.head("application/json").await;
        request.last(ANSWER).await;
        request
    });
    assert_eq!(response.status(), 200);
    assert_eq!(request.query.max_coefficient, 1000);
    assert!(asked(&request).1.get("provider").is_none());
    // The proxy's quote is for the full name `tiny@1:2` at 1500, and the request runs under it.
    let model: [u8; 32] = sha2::Sha256::digest(b"tiny@1:2").into();
    let (response, request) = tokio::join!(ask(json!({"manifests": [hex::encode(model)]})), async {
        let request = world.proxy.request().await;
        request.head("application/json").await;
        request.last(ANSWER).await;
        request
    });
    assert_eq!(response.status(), 200);
    assert_eq!((request.quote, request.query.max_coefficient), (Some([0xab; 32]), 1500));
    let old = World::new(deployed()).await;
    let fields = format!(r#","provider":{{"manifest":"{}"}}"#, hex::encode(model));
    let (status, _) = error_of(old.chat(&fields).await).await;
    assert_eq!(status, 502);
}

#[tokio::test]
async fn listings_tell_prices_and_what_the_root_contract_says() {
    let world = World::new(Options::default()).await;
    let models: Value = world.get("/v1/models").await.json().await.unwrap();
    let row = &models["data"][0];
    assert_eq!(row["coefficient"], json!({"min": 1000, "max": 1000}));
    assert_eq!(row["pricing"]["prompt"], 20_000_000, "{row}");
    assert_eq!((&row["attested"], &row["simulated"]), (&json!(true), &json!(true)));
    assert_eq!(
        (&row["model_hash"], &row["manifest_hash"], &row["retires_at"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    let document: Value = world.get("/v1/cocoon/openapi.json").await.json().await.unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/v1/messages"]["post"].is_object());
}

/// The only row of `/v1/models`, and the same of its own page.
async fn row(options: Options) -> Value {
    let world = World::new(options).await;
    let models: Value = world.get("/v1/models").await.json().await.unwrap();
    let one: Value = world.get("/v1/models/tiny").await.json().await.unwrap();
    assert_eq!(models["data"], json!([one]));
    one
}

#[tokio::test]
async fn listings_tell_what_models_take_as_far_as_their_proxy_does() {
    let says = |contexts| Options {
        contexts: Some(contexts),
        ..Options::default()
    };
    let equal = row(says([8192, 8192])).await;
    assert_eq!(
        (&equal["context_length"], equal.get("context_range")),
        (&json!(8192), None)
    );
    for lengths in [[4096, 8192], [8192, 4096]] {
        let apart = row(says(lengths)).await;
        assert_eq!(apart["context_length"], 4096, "{apart}");
        assert_eq!(apart["context_range"], json!({"min": 4096, "max": 8192}));
    }
    // Nonsense, an earlier build, and a deployed proxy: the row is there without it.
    for options in [says([0, 4096]), says([4096, -1]), Options::default(), deployed()] {
        let silent = row(options).await;
        assert_eq!(silent["id"], "tiny");
        assert_eq!(
            (silent.get("context_length"), silent.get("context_range")),
            (None, None)
        );
    }
}

#[tokio::test]
async fn listings_tell_the_date_on_which_the_root_contract_retires_a_model() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (chain, root) = FixedChain::new(address, false);
    let mut data = listing(address);
    let descriptor = HashDescriptor {
        manifest_hash: Some(ManifestHash::new([7; 32])),
        times: TrustTimes {
            not_before: 0,
            retire_after: 2_000_000_000,
        },
        ..HashDescriptor::default()
    };
    let hash = ModelHash::new(sha2::Sha256::digest(b"tiny").into());
    data.model_hashes
        .describe(hash, HashEntry::described(&descriptor).unwrap());
    chain.list(&data);
    let world = World::on(Arc::new(chain), root, listener, None, Options::default()).await;
    world.connected().await;
    let row: Value = world.get("/v1/models/tiny").await.json().await.unwrap();
    assert_eq!(row["retires_at"], 2_000_000_000_u32, "{row}");
    assert_eq!(row["manifest_hash"], hex::encode([7; 32]));
    assert_eq!(row["model_hash"], hash.to_string());
}
