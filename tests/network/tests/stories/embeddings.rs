//! What a developer does with `/v1/embeddings`.

use cocoon_network_tests::{
    api::question,
    inprocess::{Network, write_embedding_model},
};
use cocoon_openai::embeddings::EmbeddingResponse;
use serde_json::{Value, json};

async fn start() -> Network {
    let with_vectors = Network::start_with(|dir, options| {
        options.models = vec![write_embedding_model(dir, "tiny-embeddings")?];
        Ok(())
    });
    with_vectors.await.unwrap()
}

async fn embed(network: &Network, body: &Value) -> cocoon_network_tests::api::Reply {
    let body = body.to_string().into_bytes();
    network.api().post("/v1/embeddings", body).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_have_usage_and_a_verified_receipt() {
    let network = start().await;
    let reply = embed(
        &network,
        &json!({"model": network.model(), "input": ["What is Cocoon?", "Hello!"]}),
    )
    .await;
    assert_eq!(reply.status, 200, "{:#}", reply.body);
    let answer: EmbeddingResponse = serde_json::from_value(reply.body.clone()).unwrap();
    assert_eq!((answer.data.len(), answer.data[1].index), (2, 1));
    assert!(answer.usage.prompt_tokens > 2 && answer.usage.completion_tokens == 0);

    let receipt = network.api().receipt(&reply.receipt_id.unwrap()).await.unwrap().body;
    assert_eq!(receipt["verified"], true, "{receipt:#}");
    assert_eq!(receipt["signed_by_worker"], true, "{receipt:#}");
    assert_eq!(receipt["counts"]["prompt"], answer.usage.prompt_tokens);
    assert_eq!(receipt["counts"]["completion"], 0);

    // The same text in other company, in the other format.
    let asked = json!({"model": network.model(), "input": ["Hello!"], "encoding_format": "base64"});
    let other: EmbeddingResponse = serde_json::from_value(embed(&network, &asked).await.body).unwrap();
    assert_eq!(
        other.data[0].embedding.numbers().unwrap(),
        answer.data[1].embedding.numbers().unwrap()
    );
    network.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_at_once_are_all_answered_and_bad_ones_refused() {
    let network = start().await;
    let questions = (0..16).map(|number| {
        let api = network.api().clone();
        let text = format!("Text {number}. ").repeat(number + 1);
        let body = json!({"model": network.model(), "input": [text, "same"]}).to_string();
        tokio::spawn(async move { api.post("/v1/embeddings", body.into_bytes()).await })
    });
    let mut same = None;
    for answer in questions.collect::<Vec<_>>() {
        let reply = answer.await.unwrap().unwrap();
        assert_eq!(reply.status, 200, "{:#}", reply.body);
        let vector = reply.body["data"][1]["embedding"].clone();
        assert_eq!(same.get_or_insert(vector.clone()), &vector);
    }

    let model = network.model();
    for (body, status, code) in [
        (json!({"model": model}), 400, "missing_required_parameter"),
        (json!({"model": model, "input": [1, "a"]}), 400, "invalid_value"),
        (
            json!({"model": model, "input": "x", "temperature": 1}),
            400,
            "unsupported_parameter",
        ),
        (json!({"model": "no-such-model", "input": "x"}), 404, "model_not_found"),
    ] {
        let reply = embed(&network, &body).await;
        assert_eq!((reply.status, reply.error_code()), (status, Some(code)), "{body}");
    }
    let reply = network.api().chat(&question(model, "Hello", 4)).await.unwrap();
    assert_eq!((reply.status, reply.error_code()), (400, Some("bad_request")));
    network.stop().await.unwrap();
}
