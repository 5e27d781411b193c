//! What a developer does with the OpenAI interface, well and badly.

use cocoon_network_tests::{api::question, inprocess::Network};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_answer_has_text_usage_and_a_verified_receipt() {
    let network = Network::start().await.unwrap();
    let reply = network
        .api()
        .chat(&question(network.model(), "What is Cocoon?", 12))
        .await
        .unwrap();
    assert_eq!(reply.status, 200, "{:#}", reply.body);
    let body = &reply.body;
    assert_eq!(body["object"], "chat.completion");
    assert!(
        !body["choices"][0]["message"]["content"].as_str().unwrap().is_empty(),
        "{body:#}"
    );
    let usage = &body["usage"];
    let completion = usage["completion_tokens"].as_u64().unwrap();
    assert!((1..=12).contains(&completion), "{usage}");

    let by_receipt = format!("/v1/cocoon/receipts/{}", reply.receipt_id.unwrap());
    let by_request = format!("/v1/cocoon/receipts/{}", reply.request_id.unwrap());
    let receipt = network.api().get(&by_receipt).await.unwrap();
    assert_eq!(receipt.status, 200, "{:#}", receipt.body);
    assert_eq!(receipt.body["verified"], true, "{:#}", receipt.body);
    assert_eq!(receipt.body["signed_by_worker"], true, "{:#}", receipt.body);
    assert_eq!(receipt.body["counts"]["completion"].as_u64(), Some(completion));
    assert_eq!(receipt.body["counts"]["prompt"], usage["prompt_tokens"]);
    assert_eq!(
        network.api().get(&by_request).await.unwrap().body["id"],
        receipt.body["id"]
    );
    network.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streamed_answer_comes_in_pieces_and_names_its_receipt() {
    let network = Network::start().await.unwrap();
    let mut events = network
        .api()
        .stream(&question(network.model(), "What is Cocoon?", 16))
        .await
        .unwrap();
    assert_eq!(events.status(), 200);
    let request = events.request_id().unwrap();
    let streamed = events.rest().await;
    assert!(streamed.done && streamed.error.is_none(), "{streamed:?}");
    assert!(streamed.pieces >= 2, "{streamed:?}");
    assert!(
        streamed.finish_reason.is_some() && streamed.usage.is_some(),
        "{streamed:?}"
    );
    let receipt = network
        .api()
        .get(&format!("/v1/cocoon/receipts/{}", streamed.receipt_id.unwrap()))
        .await
        .unwrap();
    assert_eq!(receipt.body["request_id"], request.as_str(), "{:#}", receipt.body);
    assert_eq!(receipt.body["verified"], true, "{:#}", receipt.body);
    network.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn streamed_and_plain_answers_are_the_same_text() {
    let network = Network::start().await.unwrap();
    let asked = question(network.model(), "Say something.", 10);
    let plain = network.api().chat(&asked).await.unwrap();
    let streamed = network.api().stream(&asked).await.unwrap().rest().await;
    assert_eq!(
        plain.body["choices"][0]["message"]["content"].as_str(),
        Some(streamed.text.as_str())
    );
    network.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_begins_like_an_earlier_one_comes_from_the_cache_and_the_receipt_says_so() {
    let network = Network::start().await.unwrap();
    let asked = question(network.model(), &"What is Cocoon, and who runs it? ".repeat(12), 4);
    let first = network.api().chat(&asked).await.unwrap().body;
    let second = network.api().chat(&asked).await.unwrap();
    let cached = |body: &serde_json::Value| body["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64();
    assert_eq!(cached(&first), Some(0), "{first:#}");
    assert!(cached(&second.body) >= Some(32), "{:#}", second.body);
    assert_eq!(second.body["choices"], first["choices"]);
    let receipt = network.api().receipt(&second.receipt_id.unwrap()).await.unwrap().body;
    assert_eq!(receipt["verified"], true, "{receipt:#}");
    assert_eq!(receipt["counts"]["cached"].as_u64(), cached(&second.body));
    network.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_is_refused_in_openais_shape() {
    let network = Network::start().await.unwrap();
    let (api, model) = (network.api(), network.model());
    let path = "/v1/chat/completions";

    let reply = api.chat(&question("no-such-model", "Hello", 4)).await.unwrap();
    assert_eq!(
        (reply.status, reply.error_code()),
        (404, Some("model_not_found")),
        "{:#}",
        reply.body
    );

    // A reservation of two thousand million tokens is more than any local client has.
    let reply = api.chat(&question(model, "Hello", 2_000_000_000)).await.unwrap();
    assert_eq!(
        (reply.status, reply.error_code()),
        (402, Some("insufficient_quota")),
        "{:#}",
        reply.body
    );

    for body in [&b"{"[..], b"", b"[1, 2]", b"\xff\xfe", b"null"] {
        let reply = api.post(path, body.to_vec()).await.unwrap();
        assert_eq!(
            (reply.status, reply.error_code()),
            (400, Some("invalid_json")),
            "{body:?}: {:#}",
            reply.body
        );
    }

    let reply = api.chat(&json!({"model": model})).await.unwrap();
    assert_eq!(
        (reply.status, reply.error_code()),
        (400, Some("missing_required_parameter")),
        "{:#}",
        reply.body
    );

    let mut odd = question(model, "Hello", 4);
    odd["no_such_field"] = 1.into();
    let reply = api.chat(&odd).await.unwrap();
    assert_eq!(
        (reply.status, reply.error_code()),
        (400, Some("unsupported_parameter")),
        "{:#}",
        reply.body
    );

    let long = "x".repeat(9 << 20);
    let reply = api.chat(&question(model, &long, 4)).await.unwrap();
    assert_eq!(
        (reply.status, reply.error_code()),
        (413, Some("request_too_large")),
        "{}",
        reply.body
    );

    // None of that harms anybody.
    let reply = api.chat(&question(model, "Hello", 4)).await.unwrap();
    assert_eq!(reply.status, 200, "{:#}", reply.body);
    network.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_questions_at_once_are_all_answered() {
    let network = Network::start().await.unwrap();
    let questions = (0..24).map(|number| {
        let (api, asked) = (
            network.api().clone(),
            question(network.model(), &format!("Question {number}"), 6),
        );
        tokio::spawn(async move { api.chat(&asked).await })
    });
    for answer in questions.collect::<Vec<_>>() {
        let reply = answer.await.unwrap().unwrap();
        // Sixteen slots: what does not find one is told to try again.
        assert!(
            [200, 429, 503].contains(&reply.status),
            "{}: {:#}",
            reply.status,
            reply.body
        );
        if reply.status == 200 {
            assert!(reply.receipt_id.is_some());
        }
    }
    network.stop().await.unwrap();
}
