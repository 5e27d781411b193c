//! Stories with a model that makes vectors: the tiny one, read as such.

use super::play::{Play, chat};
use crate::backend::{Backend, Embeddings};
use cocoon_engine::{EmbedderHandle, EngineOptions, load_embedder, tiny};
use cocoon_openai::embeddings::EmbeddingResponse;
use cocoon_protocol::http::Request;
use cocoon_protocol::version::VersionRange;
use cocoon_receipt::salted_hash;
use serde_json::{Value, json};

/// Makes the tiny model's folder one of an embedding model.
fn backend() -> Backend {
    let folder = tempfile::tempdir().unwrap();
    tiny::write_to(folder.path()).unwrap();
    let modules = json!([{"path": "", "type": "Transformer"}, {"path": "1_Pooling", "type": "Pooling"},
        {"path": "2_Normalize", "type": "Normalize"}]);
    std::fs::write(folder.path().join("modules.json"), modules.to_string()).unwrap();
    std::fs::create_dir(folder.path().join("1_Pooling")).unwrap();
    let pooling = folder.path().join("1_Pooling/config.json");
    std::fs::write(pooling, r#"{"pooling_mode": "mean"}"#).unwrap();
    let embedder = load_embedder(folder.path(), &EngineOptions::default()).unwrap();
    let handle = EmbedderHandle::spawn(embedder.into_embedder(), 8).unwrap();
    Backend::Embeddings(Embeddings::new(handle, "parrot".to_owned()))
}

async fn ask(play: &Play, id: u8, body: &Value) {
    let query = Request::post_json("/v1/embeddings", body.to_string().into());
    play.ask_raw(id, query.encode()).await;
}

#[tokio::test]
async fn vectors_are_counted_reported_and_the_same_in_both_formats() {
    let mut play = Play::begin_with(backend(), 2, VersionRange::ACCEPTED).await;
    let texts = ["What is Cocoon?", "Hello!"];
    ask(&play, 1, &json!({"model": "parrot", "input": texts})).await;
    let got = play.answer(1).await;
    assert_eq!(got.head.as_ref().unwrap().status_code, 200);
    let answer: EmbeddingResponse = serde_json::from_slice(&got.body).unwrap();
    assert_eq!((answer.object.as_str(), answer.data.len()), ("list", 2));
    let vectors: Vec<Vec<f32>> = answer.data.iter().map(|one| one.embedding.numbers().unwrap()).collect();
    for vector in &vectors {
        let length: f32 = vector.iter().map(|number| number * number).sum();
        assert!((length - 1.0).abs() < 1e-4, "{length}");
    }
    let report = got.report.unwrap();
    let counts = report.counts;
    assert!(counts.prompt > 2);
    assert_eq!((counts.completion, counts.cached, counts.reasoning), (0, 0, 0));
    assert_eq!(answer.usage.prompt_tokens, counts.prompt.cast_unsigned());
    assert_eq!(answer.usage.total_tokens, answer.usage.prompt_tokens);
    // 20 nanoton a token, as the root contract of the play says.
    assert_eq!(answer.usage.total_cost, Some(20 * answer.usage.prompt_tokens));
    assert_eq!((report.finish_reason.as_str(), report.first_token_time), ("stop", 0.0));
    assert_eq!(report.response_hash, salted_hash(&report.response_salt, &got.body).0);
    assert_eq!(got.info.unwrap().tokens.total, counts.prompt);

    let body = json!({"model": "parrot", "input": texts[1], "encoding_format": "base64"});
    ask(&play, 2, &body).await;
    let got = play.answer(2).await;
    let answer: EmbeddingResponse = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(answer.data[0].embedding.numbers().unwrap(), vectors[1]);

    let body = json!({"model": "parrot", "input": [[1, 2, 3]], "dimensions": 4});
    ask(&play, 3, &body).await;
    let got = play.answer(3).await;
    let answer: EmbeddingResponse = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(answer.data[0].embedding.numbers().unwrap().len(), 4);
    assert_eq!(answer.usage.prompt_tokens, 3);
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_by_name_and_costs_nothing() {
    let mut play = Play::begin_with(backend(), 2, VersionRange::ACCEPTED).await;
    let cases = [
        (json!({"model": "parrot", "input": []}), "input"),
        (
            json!({"model": "parrot", "input": "x", "dimensions": 60_000}),
            "dimensions",
        ),
        (json!({"model": "parrot", "input": "x", "stream": true}), "stream"),
    ];
    for (id, (body, param)) in (1u8..).zip(cases) {
        ask(&play, id, &body).await;
        let got = play.answer(id).await;
        assert_eq!(got.head.unwrap().status_code, 400);
        let body: Value = serde_json::from_slice(&got.body).unwrap();
        assert_eq!(body["error"]["param"], param);
        assert_eq!(got.info.unwrap().tokens.total, 0);
    }
    for input in [json!("word ".repeat(100_000)), json!([[4_000_000]])] {
        ask(&play, 9, &json!({"model": "parrot", "input": input})).await;
        let got = play.answer(9).await;
        assert_eq!(got.head.unwrap().status_code, 400);
    }
    play.ask(10, &chat("x", &[])).await;
    let got = play.answer(10).await;
    assert_eq!(got.head.unwrap().status_code, 400);
    assert!(String::from_utf8(got.body).unwrap().contains("/v1/embeddings"));
}

#[tokio::test]
async fn a_model_that_writes_texts_says_that_it_makes_no_vectors() {
    let mut play = Play::begin(2, VersionRange::ACCEPTED).await;
    ask(&play, 1, &json!({"model": "parrot", "input": "x"})).await;
    let got = play.answer(1).await;
    assert_eq!(got.head.unwrap().status_code, 400);
    assert!(String::from_utf8(got.body).unwrap().contains("embeddings"));
}
