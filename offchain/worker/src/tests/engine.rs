//! Stories with the parrot as the model.

use super::play::{LIMIT, Play, chat};
use crate::error::WorkerError;
use bytes::Bytes;
use cocoon_bindings::units::Coefficient;
use cocoon_protocol::codec::{decode, encode};
use cocoon_protocol::context::{ContextTold, TellContext};
use cocoon_protocol::extension::{Cancel, Countersigned, ReceiptSignature, SignReceipt};
use cocoon_protocol::http::Request;
use cocoon_protocol::message::{ProxyToWorker, WorkerPacket, WorkerQuery};
use cocoon_protocol::proxy::{SignedPayment, WorkerRequestPayment};
use cocoon_protocol::version::VersionRange;
use cocoon_receipt::{ChannelHead, Signature, WorkStatement, salted_hash};
use cocoon_runner::link::LinkEvent;
use serde_json::{Value, json};

#[tokio::test]
async fn a_plain_answer_is_complete_counted_reported_and_signed() {
    let mut play = Play::begin(2, VersionRange::ACCEPTED).await;
    let query = play.ask(1, &chat("one two three", &[])).await;
    let got = play.answer(1).await;
    let head = got.head.as_ref().unwrap();
    assert_eq!(
        (head.status_code, head.header("content-type")),
        (200, Some("application/json"))
    );
    let body: Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(body["choices"][0]["message"]["content"], "one two three");
    assert_eq!(body["usage"]["completion_tokens"], 3);
    let report = got.report.as_ref().unwrap();
    assert_eq!(report.request_hash, salted_hash(&report.request_salt, &query).0);
    assert_eq!(report.response_hash, salted_hash(&report.response_salt, &got.body).0);
    assert_eq!(
        (
            report.counts.prompt,
            report.counts.completion,
            report.finish_reason.as_str()
        ),
        (3, 3, "stop")
    );
    let tokens = got.info.as_ref().unwrap().tokens;
    // 20 nanoton a token, as the root contract of the play says.
    let costs = (tokens.prompt * 20, tokens.completion * 20, tokens.total * 20);
    let usage = &body["usage"];
    assert_eq!(
        (
            &usage["prompt_total_cost"],
            &usage["completion_total_cost"],
            &usage["total_cost"]
        ),
        (&json!(costs.0), &json!(costs.1), &json!(costs.2))
    );
    assert_eq!((tokens.prompt, tokens.completion, tokens.total), (3, 6, 9));

    let statement = play.statement(1, &got, &ChannelHead::GENESIS);
    let ask = |statement: &WorkStatement| {
        encode(&SignReceipt {
            statement: statement.to_boc().into(),
        })
    };
    let signature = play.link.query(ask(&statement), LIMIT).await.unwrap();
    let signature: ReceiptSignature = decode(&signature).unwrap();
    let signature = Signature(signature.signature.as_ref().try_into().unwrap());
    statement.verify(&signature, &play.identity.leaf_key()).unwrap();
    play.countersign(&statement).await;
    let mut lie = statement.clone();
    lie.used.prompt += 1;
    lie.used.total += 1;
    assert!(play.link.query(ask(&lie), LIMIT).await.is_err());
    let claims = play.worker.store.claims().unwrap();
    assert_eq!((claims.len(), &claims[0].statement), (1, &statement));
    assert_eq!(claims[0].claim.tokens, statement.channel.after);
}

#[tokio::test]
async fn a_signature_that_is_not_the_proxys_ends_the_connection() {
    let mut play = Play::begin(2, VersionRange::ACCEPTED).await;
    let message = ProxyToWorker::from(Countersigned {
        statement_hash: [1; 32],
        signature: vec![2; 64].into(),
    });
    play.link.send_packet(message.encode()).await.unwrap();
    let ended = play.ended().await;
    assert!(matches!(ended, Err(WorkerError::Countersignature)), "{ended:?}");
}

#[tokio::test]
async fn a_stream_comes_in_parts_and_ends_with_usage_and_mark() {
    let mut play = Play::begin(2, VersionRange::ACCEPTED).await;
    let text = "word ".repeat(300);
    play.ask(1, &chat(text.trim_end(), &[("stream", true.into())])).await;
    let got = play.answer(1).await;
    let body = String::from_utf8(got.body.clone()).unwrap();
    assert!(body.ends_with("data: [DONE]\n\n"));
    let words: String = body
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|chunk| Some(chunk["choices"].get(0)?["delta"]["content"].as_str()?.to_owned()))
        .collect();
    assert_eq!(words, text.trim_end());
    assert!(body.contains("\"usage\""));
    assert!(got.parts > 1);
    let report = got.report.unwrap();
    assert_eq!(report.response_hash, salted_hash(&report.response_salt, &got.body).0);
    assert!(
        got.progress
            .iter()
            .all(|progress| progress.counts.completion <= report.counts.completion)
    );
}

#[tokio::test]
async fn several_answers_share_a_prompt_and_are_counted_together() {
    let mut play = Play::begin(2, VersionRange::ACCEPTED).await;
    play.ask(1, &chat("one two three", &[("n", 3.into()), ("logprobs", true.into())]))
        .await;
    let got = play.answer(1).await;
    let body: Value = serde_json::from_slice(&got.body).unwrap();
    let choices = body["choices"].as_array().unwrap();
    let said: Vec<_> = choices
        .iter()
        .map(|choice| (&choice["index"], &choice["message"]["content"]))
        .collect();
    let text = json!("one two three");
    assert_eq!(said, [(&json!(0), &text), (&json!(1), &text), (&json!(2), &text)]);
    assert_eq!(choices[2]["logprobs"]["content"][1]["token"], "two ");
    assert_eq!(
        (&body["usage"]["prompt_tokens"], &body["usage"]["completion_tokens"]),
        (&json!(3), &json!(9))
    );
    let counts = got.report.unwrap().counts;
    assert_eq!((counts.prompt, counts.completion), (3, 9));

    play.ask(2, &chat("one two three", &[("n", 2.into()), ("stream", true.into())]))
        .await;
    let got = play.answer(2).await;
    let mut texts = [String::new(), String::new()];
    let mut ends = 0;
    for chunk in chunks(&got.body) {
        for choice in chunk["choices"].as_array().unwrap() {
            let index = usize::try_from(choice["index"].as_u64().unwrap()).unwrap();
            texts[index] += choice["delta"]["content"].as_str().unwrap_or_default();
            ends += usize::from(choice["finish_reason"] == "stop");
        }
    }
    assert_eq!(
        (texts, ends),
        (["one two three".to_owned(), "one two three".to_owned()], 2)
    );
}

#[tokio::test]
async fn calls_of_tools_are_told_apart_from_reasoning_and_text() {
    let mut play = Play::begin(2, VersionRange::ACCEPTED).await;
    let said = "<think> so </think> Let me see. <tool_call> {\"name\": \"f\", \"arguments\": {\"a\": 1}} </tool_call>";
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let extra = [("tools", tools), ("stream", false.into())];
    play.ask(1, &chat(said, &extra)).await;
    let got = play.answer(1).await;
    let body: Value = serde_json::from_slice(&got.body).unwrap();
    let choice = &body["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    let message = &choice["message"];
    assert_eq!(
        (&message["reasoning_content"], &message["content"]),
        (&json!("so"), &json!("Let me see."))
    );
    assert_eq!(
        message["tool_calls"][0]["function"],
        json!({"name": "f", "arguments": "{\"a\": 1}"})
    );
    assert_eq!(got.report.unwrap().finish_reason, "tool_calls");

    play.ask(2, &chat(said, &[extra[0].clone(), ("stream", true.into())]))
        .await;
    let got = play.answer(2).await;
    let (mut name, mut arguments, mut deltas) = (None, String::new(), 0);
    for chunk in chunks(&got.body) {
        let call = &chunk["choices"][0]["delta"]["tool_calls"][0];
        name = name.or(call["function"]["name"].as_str().map(str::to_owned));
        arguments += call["function"]["arguments"].as_str().unwrap_or_default();
        deltas += usize::from(call.is_object());
    }
    assert_eq!((name.as_deref(), arguments.as_str()), (Some("f"), "{\"a\": 1}"));
    assert!(deltas >= 1);
}

/// The JSON events of a stream.
fn chunks(body: &[u8]) -> Vec<Value> {
    let body = std::str::from_utf8(body).unwrap();
    let data = body.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter_map(|data| serde_json::from_str(data).ok()).collect()
}

#[tokio::test]
async fn a_cancelled_request_ends_with_what_was_delivered() {
    let mut play = Play::begin(1, VersionRange::ACCEPTED).await;
    let text = "word ".repeat(2_000_000);
    let body = chat(&text, &[("stream", true.into()), ("max_tokens", 2_000_000_000.into())]);
    play.ask(1, &body).await;
    loop {
        if matches!(play.packet().await, WorkerPacket::Progress(_)) {
            break;
        }
    }
    play.ask(2, &chat("too many", &[])).await;
    let refused = loop {
        if let WorkerPacket::ErrorEx(error) = play.packet().await {
            break error;
        }
    };
    assert_eq!((refused.request_id, refused.error_code), ([2; 32], 602));
    play.link
        .send_packet(ProxyToWorker::from(Cancel { request_id: [1; 32] }).encode())
        .await
        .unwrap();
    let got = play.answer(1).await;
    let report = got.report.unwrap();
    assert_eq!(report.finish_reason, "cancelled");
    assert!(report.counts.completion > 0 && report.counts.completion < 2_000_000);
    tokio::time::timeout(LIMIT, play.worker.idle()).await.unwrap();
    play.ask(3, &chat("again", &[])).await;
    assert_eq!(play.answer(3).await.head.unwrap().status_code, 200);
}

#[tokio::test]
async fn bad_requests_get_errors_in_openai_shape_and_cost_nothing() {
    let mut play = Play::begin(2, VersionRange::ACCEPTED).await;
    let post = |path: &str, body: &str| Request::post_json(path, Bytes::from(body.to_owned())).encode();
    let cases = [
        (post("/v1/chat/completions", "no json"), 400),
        (
            post("/v1/chat/completions", &chat("x", &[("tools", json!(1))]).to_string()),
            400,
        ),
        (
            post("/v1/chat/completions", &chat("x", &[("n", 17.into())]).to_string()),
            400,
        ),
        (
            post(
                "/v1/chat/completions",
                r#"{"model":"other","messages":[{"role":"user","content":"x"}]}"#,
            ),
            404,
        ),
        (post("/v1/images", "{}"), 404),
        (Bytes::from_static(b"nonsense"), 400),
    ];
    for (id, (query, status)) in (1u8..).zip(cases) {
        play.ask_raw(id, query).await;
        let got = play.answer(id).await;
        let head = got.head.unwrap();
        assert_eq!(head.status_code, status, "case {id}");
        let body: Value = serde_json::from_slice(&got.body).unwrap();
        assert!(body["error"]["message"].is_string(), "case {id}");
        assert_eq!(got.info.unwrap().tokens.total, 0);
    }
}

#[tokio::test]
async fn an_older_proxy_gets_no_extension() {
    let mut play = Play::begin(2, VersionRange { min: 0, max: 2 }).await;
    play.ask(1, &chat("one two", &[("stream", true.into())])).await;
    let got = play.answer(1).await;
    assert!(got.report.is_none() && got.progress.is_empty());
    assert_eq!(got.info.unwrap().tokens.total, 2 + 4);
}

#[tokio::test]
async fn news_that_was_overtaken_neither_counts_nor_costs_the_connection() {
    let mut play = Play::begin(2, VersionRange::ACCEPTED).await;
    let payment = |max_tokens| {
        ProxyToWorker::from(WorkerRequestPayment {
            request_id: [1; 32],
            signed_payment: SignedPayment::Empty,
            db_tokens: 0,
            max_tokens,
            request_tokens: 1,
            request_client_owner: String::new(),
        })
        .encode()
    };
    play.link.send_packet(payment(10)).await.unwrap();
    play.link.send_packet(payment(9)).await.unwrap();
    play.ask(1, &chat("one two", &[("stream", true.into())])).await;
    assert_eq!(play.answer(1).await.info.unwrap().tokens.total, 2 + 4);
    assert!(!play.serving.is_finished());
}

#[tokio::test]
async fn the_proxy_hears_of_switches_and_prices() {
    let mut play = Play::begin(2, VersionRange::ACCEPTED).await;
    play.worker.switch.change(|state| state.enabled = false);
    assert!(matches!(play.packet().await, WorkerPacket::EnabledDisabled(told) if told.disabled == 1));
    play.worker.switch.change(|state| state.enabled = true);
    assert!(matches!(play.packet().await, WorkerPacket::EnabledDisabled(told) if told.disabled == 0));
    play.worker.coefficient().send_replace(Coefficient::new(1500));
    assert!(matches!(play.packet().await, WorkerPacket::NewCoefficient(told) if told.new_coefficient == 1500));
}

/// The next question; `None` when none comes within a second, which is long before the first one about payments.
async fn asked(play: &mut Play, is_expected: bool) -> Option<(i64, WorkerQuery)> {
    let wait = if is_expected {
        LIMIT
    } else {
        std::time::Duration::from_secs(1)
    };
    match tokio::time::timeout(wait, play.events.recv()).await.ok()? {
        Some(LinkEvent::Query { id, data }) => Some((id, WorkerQuery::decode(&data).unwrap())),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_proxy_hears_once_what_the_model_takes() {
    let mut play = Play::begin(2, VersionRange::ACCEPTED).await;
    let (id, question) = asked(&mut play, true).await.unwrap();
    let WorkerQuery::TellContext(TellContext { length }) = question else {
        panic!("{question:?}")
    };
    // The parrot's own.
    assert_eq!(length.tokens(), 1 << 20);
    play.link.answer(id, encode(&ContextTold)).await.unwrap();
    assert_eq!(asked(&mut play, false).await, None);
}

#[tokio::test]
async fn a_proxy_that_does_not_know_what_a_context_is_is_served_all_the_same() {
    let mut play = Play::begin(2, VersionRange::ACCEPTED).await;
    let (id, _) = asked(&mut play, true).await.unwrap();
    let refused = play.link.answer_error(id, 0, "unexpected constructor 0x12345678");
    refused.await.unwrap();
    play.ask(1, &chat("one two", &[])).await;
    assert!(play.answer(1).await.report.is_some());
}

#[tokio::test]
async fn a_deployed_proxy_is_not_told_what_the_model_takes() {
    let mut play = Play::begin(2, VersionRange { min: 0, max: 2 }).await;
    assert_eq!(asked(&mut play, false).await, None);
    assert!(!play.serving.is_finished());
}

#[tokio::test]
async fn a_connection_whose_certificates_are_old_is_made_anew_when_nothing_runs() {
    let mut play = Play::begin(2, VersionRange::ACCEPTED).await;
    let (id, _) = asked(&mut play, true).await.unwrap();
    play.link.answer(id, encode(&ContextTold)).await.unwrap();
    play.age.advance(22 * 3600);
    let ended = tokio::time::timeout(LIMIT, &mut play.serving).await;
    assert!(ended.unwrap().unwrap().is_ok());
}

#[tokio::test]
async fn a_connection_to_a_deployed_proxy_stays_however_old_its_certificates_are() {
    let mut play = Play::begin(2, VersionRange { min: 0, max: 2 }).await;
    play.age.advance(48 * 3600);
    // At a newer proxy the first look, after a second, would end it.
    for _ in 0..3 {
        assert_eq!(asked(&mut play, false).await, None);
    }
    assert!(!play.serving.is_finished());
}
