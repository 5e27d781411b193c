//! Stories with an inference server as the model.

use super::play::{Play, chat};
use crate::backend::{Backend, Upstream};
use cocoon_protocol::version::VersionRange;
use serde_json::Value;
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
    let router = axum::Router::new().route("/v1/chat/completions", axum::routing::post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Backend::Upstream(Upstream::new(&url).unwrap())
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
