//! Stories with an inference server as the model.

use super::play::{Got, Play, chat};
use crate::backend::{Backend, Upstream};
use cocoon_protocol::http::Request;
use cocoon_protocol::version::VersionRange;
use cocoon_ratls::TcpNetwork;
use serde_json::{Value, json};
use std::time::Duration;

/// A server that answers each chat with the same bytes, in pieces.
async fn server(status: u16, kind: &'static str, pieces: Vec<&'static [u8]>, broken: bool) -> Backend {
    use axum::body::Body;
    use futures_util::StreamExt as _;
    let answer = move |request: axum::extract::Request| async move {
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert!(body["stream"] != true || body["stream_options"]["include_usage"] == true);
        // The end comes late: what was written before must have left the server's buffers.
        let end = futures_util::stream::once(async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            if broken {
                Err(std::io::Error::other("broken"))
            } else {
                Ok(&b""[..])
            }
        });
        let stream = futures_util::stream::iter(pieces.into_iter().map(Ok)).chain(end);
        let builder = axum::http::Response::builder()
            .status(status)
            .header("Content-Type", kind);
        builder.header("X-Server", "s").body(Body::from_stream(stream)).unwrap()
    };
    let router = axum::Router::new()
        .route("/v1/chat/completions", axum::routing::post(answer.clone()))
        .route("/v1/embeddings", axum::routing::post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Backend::Upstream(Upstream::new(TcpNetwork::shared(), &url))
}

const EVENTS: [&[u8]; 3] = [
    b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n",
    b"data: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"length\"}]}\n\ndata: {\"choices\":[],\"usage\":",
    b"{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n",
];

#[tokio::test]
async fn a_servers_stream_passes_unchanged_and_is_counted() {
    let backend = server(200, "text/event-stream", EVENTS.to_vec(), false).await;
    let mut play = Play::begin_with(backend, 2, VersionRange::ACCEPTED).await;
    play.ask(1, &chat("x", &[("stream", true.into())])).await;
    let got = play.answer(1).await;
    assert_eq!(got.body, EVENTS.concat());
    let head = got.head.unwrap();
    assert_eq!(
        (head.header("content-type"), head.header("x-server")),
        (Some("text/event-stream"), Some("s"))
    );
    let report = got.report.unwrap();
    assert_eq!(
        (
            report.counts.prompt,
            report.counts.completion,
            report.finish_reason.as_str()
        ),
        (5, 2, "length")
    );
    assert_eq!(got.info.unwrap().tokens.total, 5 + 4);
}

#[tokio::test]
async fn a_servers_error_passes_with_its_status() {
    let backend = server(
        422,
        "application/json",
        vec![b"{\"error\":{\"message\":\"no\"}}"],
        false,
    )
    .await;
    let mut play = Play::begin_with(backend, 2, VersionRange::ACCEPTED).await;
    play.ask(1, &chat("x", &[])).await;
    let got = play.answer(1).await;
    assert_eq!(
        (got.head.unwrap().status_code, got.info.unwrap().tokens.total),
        (422, 0)
    );
    assert_eq!(got.body, b"{\"error\":{\"message\":\"no\"}}");
}

#[tokio::test]
async fn a_server_that_breaks_off_is_an_error_with_what_was_delivered() {
    let backend = server(200, "text/event-stream", EVENTS[..1].to_vec(), true).await;
    let mut play = Play::begin_with(backend, 2, VersionRange::ACCEPTED).await;
    play.ask(1, &chat("x", &[("stream", true.into())])).await;
    let got = play.answer(1).await;
    assert_eq!(got.error.unwrap().0, 601);
    let report = got.report.unwrap();
    assert_eq!((report.counts.completion, report.finish_reason.as_str()), (1, "failed"));
}

/// Asks a server that answers with these pieces for a stream.
async fn streamed(pieces: Vec<&'static [u8]>) -> Got {
    let backend = server(200, "text/event-stream", pieces, false).await;
    let mut play = Play::begin_with(backend, 2, VersionRange::ACCEPTED).await;
    play.ask(1, &chat("x", &[("stream", true.into())])).await;
    play.answer(1).await
}

#[tokio::test]
async fn a_server_like_vllm_with_calls_and_logarithms_is_counted_by_its_usage() {
    let got = streamed(vec![
        b"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n",
        b"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"t\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},\"logprobs\":{\"content\":[{\"token\":\"a\",\"logprob\":-0.5}]},\"finish_reason\":null}]}\n\n",
        b"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n",
        b"data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"total_tokens\":25,\"completion_tokens\":16,\"prompt_tokens_details\":null}}\n\ndata: [DONE]\n\n",
    ])
    .await;
    let report = got.report.unwrap();
    assert_eq!(
        (
            report.counts.prompt,
            report.counts.completion,
            report.finish_reason.as_str()
        ),
        (9, 16, "tool_calls")
    );
}

#[tokio::test]
async fn a_server_like_sglang_without_usage_is_counted_by_its_pieces() {
    let got = streamed(vec![
        b"data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"so\"},\"finish_reason\":null}]}\n\n",
        b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n",
        b"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\",\"matched_stop\":2}]}\n\ndata: [DONE]\n\n",
    ])
    .await;
    let report = got.report.unwrap();
    assert_eq!(
        (
            report.counts.prompt,
            report.counts.completion,
            report.finish_reason.as_str()
        ),
        (1, 2, "stop")
    );
}

#[tokio::test]
async fn a_server_like_llama_cpp_without_end_mark_gets_one() {
    let got = streamed(vec![
        b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n",
        b"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}],\"timings\":{\"cache_n\":2,\"prompt_n\":3,\"predicted_n\":7}}\n\n",
    ])
    .await;
    assert!(got.error.is_none() && got.body.ends_with(b"\n\ndata: [DONE]\n\n"));
    let report = got.report.unwrap();
    assert_eq!(
        (report.counts.prompt, report.counts.cached, report.counts.completion),
        (5, 2, 7)
    );
    assert_eq!(report.finish_reason, "length");
    // Broken off before its end, it is no answer.
    let got = streamed(vec![
        b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n",
    ])
    .await;
    assert_eq!(got.error.unwrap().0, 601);
}

#[tokio::test]
async fn an_error_in_the_middle_ends_the_answer_with_what_was_delivered() {
    let got = streamed(vec![
        b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n",
        b"data: {\"error\":{\"object\":\"error\",\"message\":\"out of memory\",\"code\":500}}\n\ndata: [DONE]\n\n",
    ])
    .await;
    let (code, message) = got.error.unwrap();
    assert_eq!(code, 601);
    assert!(!message.contains("memory"), "{message}");
    assert!(String::from_utf8(got.body).unwrap().contains("out of memory"));
    let report = got.report.unwrap();
    assert_eq!((report.counts.completion, report.finish_reason.as_str()), (1, "failed"));
}

#[tokio::test]
async fn a_servers_embeddings_are_counted_with_and_without_usage() {
    let with: &[u8] = b"{\"object\":\"list\",\"data\":[{\"index\":0,\"embedding\":[1.0]}],\"usage\":{\"prompt_tokens\":6,\"total_tokens\":6}}";
    let without: &[u8] = b"{\"object\":\"list\",\"data\":[{\"index\":0,\"embedding\":[1.0]}]}";
    for (answer, tokens) in [(with, 6), (without, 3)] {
        let backend = server(200, "application/json", vec![answer], false).await;
        let mut play = Play::begin_with(backend, 2, VersionRange::ACCEPTED).await;
        let body = json!({"model": "parrot", "input": [[1, 2, 3]]});
        let query = cocoon_protocol::http::Request::post_json("/v1/embeddings", body.to_string().into());
        play.ask_raw(1, query.encode()).await;
        let got = play.answer(1).await;
        assert_eq!(got.body, answer);
        let report = got.report.unwrap();
        assert_eq!((report.counts.prompt, report.counts.completion), (tokens, 0));
        assert_eq!(report.finish_reason, "stop");
        assert_eq!(got.info.unwrap().tokens.total, tokens);
    }
    // What failed costs nothing, whatever was asked.
    let failed: &[u8] = b"{\"error\":{\"message\":\"no\"}}";
    let backend = server(200, "application/json", vec![failed], false).await;
    let mut play = Play::begin_with(backend, 2, VersionRange::ACCEPTED).await;
    play.ask(1, &chat("x", &[])).await;
    let got = play.answer(1).await;
    assert_eq!(
        (
            got.report.unwrap().finish_reason.as_str(),
            got.info.unwrap().tokens.total
        ),
        ("failed", 0)
    );
}

#[tokio::test]
async fn a_server_that_is_loading_is_not_healthy_yet() {
    use axum::http::StatusCode;
    use axum::routing::get;
    for (health, models, is_healthy) in [
        (StatusCode::SERVICE_UNAVAILABLE, StatusCode::OK, false),
        (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE, false),
        (StatusCode::NOT_FOUND, StatusCode::OK, true),
        (StatusCode::OK, StatusCode::OK, true),
    ] {
        let router = axum::Router::new()
            .route("/health", get(move || async move { health }))
            .route("/v1/models", get(move || async move { (models, "{}") }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let backend = Backend::Upstream(Upstream::new(TcpNetwork::shared(), &url));
        assert_eq!(backend.is_healthy().await, is_healthy, "{health} {models}");
    }
}

#[tokio::test]
async fn a_document_that_is_too_long_to_be_held_goes_on_and_is_counted_at_its_end() {
    let megabyte: &'static [u8] = vec![b'1'; 1 << 20].leak();
    let mut pieces: Vec<&'static [u8]> = vec![b"{\"object\":\"list\",\"data\":[{\"index\":0,\"embedding\":["];
    pieces.extend([megabyte; 20]);
    pieces.push(b"]}],\"usage\":{\"prompt_tokens\":7,\"total_tokens\":7}}");
    let backend = server(200, "application/json", pieces.clone(), false).await;
    let mut play = Play::begin_with(backend, 2, VersionRange::ACCEPTED).await;
    let body = json!({ "model": "parrot", "input": "x" });
    let query = Request::post_json("/v1/embeddings", body.to_string().into());
    play.ask_raw(1, query.encode()).await;
    let got = play.answer(1).await;
    assert_eq!(got.body.len(), pieces.concat().len());
    assert!(got.body == pieces.concat());
    let report = got.report.unwrap();
    assert_eq!((report.counts.prompt, report.counts.completion), (7, 0));
    assert_eq!(report.finish_reason, "stop");
}
