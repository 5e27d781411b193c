//! What goes wrong ends in a typed error, at once, and never ends the process.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails, fails loudly")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::chain::{FixedChain, listing};
use crate::common::proxy::Incoming;
use crate::common::{Options, World, chat_body, error_of};
use futures_util::StreamExt;

fn deployed() -> Options {
    Options {
        version: 2,
        ..Options::default()
    }
}

#[tokio::test]
async fn both_families_of_refusals_become_openai_errors() {
    let world = World::new(deployed()).await;
    let cases = [
        (621, "unknown model tiny", 404, "model_not_found"),
        (
            602,
            "client balance is too low: max_tokens=1",
            402,
            "insufficient_quota",
        ),
        (651, "no ready workers for model tiny", 503, "no_worker_available"),
        (652, "timeout", 504, "timeout"),
        (705, "too many", 429, "rate_limit_exceeded"),
        (704, "too large", 413, "request_too_large"),
        (707, "field", 400, "bad_request"),
        (0, "anything", 502, "bad_gateway"),
    ];
    for (code, text, status, name) in cases {
        for old in [true, false] {
            let (response, ()) = tokio::join!(world.chat(""), async {
                let request = world.proxy.request().await;
                if old {
                    request.refuse_old(code, text).await
                } else {
                    request.refuse(code, text).await
                }
            });
            assert!(response.headers().contains_key("x-cocoon-request-id"));
            assert_eq!(
                response.headers().contains_key("retry-after"),
                status == 429 || status == 503
            );
            assert_eq!(
                error_of(response).await,
                (status, name.to_owned()),
                "{code} {text} old={old}"
            );
        }
    }
}

#[tokio::test]
async fn a_refusal_says_when_to_come_back_as_the_proxy_said_it() {
    let world = World::new(Options::default()).await;
    let cases = [
        (705, "too many requests of this client wait; retry after 17 s", "17"),
        (703, "no ready workers for model tiny in time; retry after 60 s", "60"),
        // Nothing said: the usual pause.
        (703, "no ready workers for model tiny", "5"),
    ];
    for (code, text, seconds) in cases {
        let (response, ()) = tokio::join!(world.chat(""), async {
            world.proxy.request().await.refuse(code, text).await;
        });
        assert_eq!(response.headers()["retry-after"], seconds, "{text}");
        let body: serde_json::Value = response.json().await.unwrap();
        let message = body["error"]["message"].as_str().unwrap();
        assert_eq!(Some(message), text.split("; retry").next());
    }
}

#[tokio::test]
async fn a_dead_link_fails_plain_requests_at_once_and_is_dialed_again() {
    let world = World::new(Options::default()).await;
    let begun = Instant::now();
    let (response, ()) = tokio::join!(world.chat(""), async {
        let request = world.proxy.request().await;
        request.head("application/json").await;
        request.part("{").await;
        request.link.close().await;
    });
    assert_eq!(error_of(response).await, (502, "connection_lost".to_owned()));
    assert!(begun.elapsed() < Duration::from_secs(2));
    world.connected().await;
    let (response, ()) = tokio::join!(world.chat(""), async {
        world.proxy.request().await.refuse(701, "unknown model").await;
    });
    assert_eq!(response.status(), 404);
}

#[tokio::test]
async fn a_dead_link_ends_a_stream_with_an_error_event_and_no_half_event() {
    let world = World::new(Options::default()).await;
    let (response, request) = tokio::join!(world.chat(r#","stream":true"#), async {
        let request = world.proxy.request().await;
        request.head("text/event-stream").await;
        request.part("data: {\"n\":1}\n\ndata: {\"half").await;
        request
    });
    let mut body = response.bytes_stream();
    assert_eq!(body.next().await.unwrap().unwrap(), "data: {\"n\":1}\n\n");
    request.link.close().await;
    let rest = body.next().await.unwrap().unwrap();
    let rest = std::str::from_utf8(&rest).unwrap();
    assert!(
        rest.starts_with("data: {\"error\":") && rest.ends_with("\n\n"),
        "{rest}"
    );
    assert!(rest.contains("connection_lost"));
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn truncated_objects_end_the_connection_and_not_the_process() {
    let world = World::new(Options::default()).await;
    for round in 0..2 {
        let (response, ()) = tokio::join!(world.chat(""), async {
            let request = world.proxy.request().await;
            let refusal = cocoon_protocol::answer::Answer::error(request.query.request_id, 1, "x", false);
            let packet = refusal.to_client(request.version).encode();
            request
                .link
                .send_packet(packet.slice(..packet.len() - 4))
                .await
                .unwrap();
        });
        assert_eq!(
            error_of(response).await,
            (502, "connection_lost".to_owned()),
            "round {round}"
        );
        world.connected().await;
    }
    assert_eq!(world.get("/health").await.status(), 200);
}

#[tokio::test]
async fn messages_of_a_newer_version_are_passed_over() {
    let world = World::new(Options::default()).await;
    let (response, ()) = tokio::join!(world.chat(""), async {
        let request = world.proxy.request().await;
        request.link.send_packet(vec![1, 2, 3, 4, 5, 6, 7, 8]).await.unwrap();
        request.refuse(701, "unknown model").await;
    });
    assert_eq!(response.status(), 404);
}

#[tokio::test]
async fn answers_for_strangers_and_twice_begun_answers_do_no_harm() {
    let world = World::new(Options::default()).await;
    let (response, ()) = tokio::join!(world.chat(""), async {
        let mut request = world.proxy.request().await;
        let id = request.query.request_id;
        request.query.request_id = [0xee; 32];
        request.head("application/json").await;
        request.last("{}").await;
        request.query.request_id = id;
        request.head("application/json").await;
        request.head("application/json").await;
    });
    assert_eq!(error_of(response).await, (502, "bad_gateway".to_owned()));
}

#[tokio::test]
async fn bad_requests_never_reach_the_proxy() {
    let world = World::new(Options {
        max_body_bytes: 2000,
        ..Options::default()
    })
    .await;
    let bodies = [
        ("{", 400, "invalid_json"),
        ("[]", 400, "invalid_json"),
        ("\u{0}\u{1}", 400, "invalid_json"),
        (r#"{"messages":[]}"#, 400, "missing_required_parameter"),
        (r#"{"model":"tiny","messages":"x"}"#, 400, "invalid_value"),
    ];
    for (body, status, code) in bodies {
        let response = world.post("/v1/chat/completions", body).await;
        assert_eq!(error_of(response).await, (status, code.to_owned()), "{body}");
    }
    let response = world.chat(r#","max_tokens":4294967295"#).await;
    assert_eq!(error_of(response).await.0, 400);
    let response = world
        .post(
            "/v1/chat/completions",
            chat_body(&format!(r#","pad":"{}""#, "x".repeat(3000))),
        )
        .await;
    assert_eq!(error_of(response).await, (413, "request_too_large".to_owned()));
    assert_eq!(
        error_of(world.post("/v1/embeddings", "{}").await).await,
        (400, "missing_required_parameter".to_owned())
    );
    assert_eq!(
        error_of(world.post("/v1/audio/speech", "{}").await).await,
        (404, "not_found".to_owned())
    );
    assert_eq!(
        error_of(world.get("/v1/chat/completions").await).await,
        (405, "method_not_allowed".to_owned())
    );
    assert_eq!(error_of(world.get("/v1/cocoon/receipts/zz").await).await.0, 400);
    let unknown = format!("/v1/cocoon/attestation/{}", "0".repeat(64));
    assert_eq!(error_of(world.get("/v1/cocoon/attestation/zz").await).await.0, 400);
    assert_eq!(error_of(world.get(&unknown).await).await.0, 404);
    let unknown = format!("/v1/cocoon/receipts/{}", "0".repeat(64));
    assert_eq!(error_of(world.get(&unknown).await).await.0, 404);
    assert_eq!(world.get("/health").await.status(), 200);
}

#[tokio::test]
async fn a_request_over_the_limit_gets_429() {
    let world = World::new(Options {
        max_requests: 1,
        ..Options::default()
    })
    .await;
    let ((), response) = tokio::join!(
        async {
            let request = world.proxy.request().await;
            let second = world.chat("").await;
            assert_eq!(error_of(second).await, (429, "rate_limit_exceeded".to_owned()));
            request.refuse(701, "unknown model").await;
        },
        world.chat("")
    );
    assert_eq!(response.status(), 404);
}

#[tokio::test]
async fn a_silent_proxy_means_504_in_time_and_a_cancel() {
    let world = World::new(Options::default()).await;
    let begun = Instant::now();
    let (response, id) = tokio::join!(world.chat(r#","timeout":1"#), async {
        let request = world.proxy.request().await;
        let Incoming::Cancel(id) = world.proxy.next().await else {
            panic!("no cancel")
        };
        assert_eq!(id, request.query.request_id);
        id
    });
    assert_eq!(response.headers()["x-cocoon-request-id"], hex::encode(id).as_str());
    assert_eq!(error_of(response).await, (504, "timeout".to_owned()));
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_caller_that_leaves_cancels_its_request() {
    let world = World::new(Options::default()).await;
    for stream in [r#","stream":true"#, ""] {
        let call = tokio::spawn(
            world
                .http
                .post(world.url("/v1/chat/completions"))
                .body(chat_body(stream))
                .send(),
        );
        let request = world.proxy.request().await;
        if !stream.is_empty() {
            request.head("text/event-stream").await;
            request.part("data: 1\n\n").await;
            drop(call.await.unwrap().unwrap());
        } else {
            call.abort();
        }
        let Incoming::Cancel(id) = world.proxy.next().await else {
            panic!("no cancel")
        };
        assert_eq!(id, request.query.request_id);
    }
}

#[tokio::test]
async fn errors_of_the_workers_backend_keep_their_status_and_get_the_shape() {
    let world = World::new(deployed()).await;
    let shaped = r#"{"error":{"message":"no","type":"x","param":null,"code":"y"}}"#;
    for (body, code) in [("<html>oops</html>", "bad_gateway"), (shaped, "y")] {
        let (response, ()) = tokio::join!(world.chat(r#","stream":true"#), async {
            let request = world.proxy.request().await;
            request.head_with_status(503, "application/json").await;
            request.last(body).await;
        });
        assert_eq!(error_of(response).await, (503, code.to_owned()));
    }
}

#[tokio::test]
async fn a_proxy_with_a_foreign_contract_is_not_used() {
    let world = World::unconnected(Options {
        foreign_contract: true,
        ..Options::default()
    })
    .await;
    assert!(problem(&world).await.contains("which should be"));
    assert_eq!(error_of(world.chat("").await).await, (503, "not_connected".to_owned()));
    assert_eq!(world.get("/health").await.status(), 503);
}

#[tokio::test]
async fn a_proxy_with_an_unlisted_image_is_not_used() {
    let world = World::unconnected(Options {
        unlisted_image: true,
        ..Options::default()
    })
    .await;
    assert!(problem(&world).await.contains("image"));
    assert_eq!(
        error_of(world.get("/v1/models").await).await,
        (503, "not_connected".to_owned())
    );
}

async fn problem(world: &World) -> String {
    let mut upstream = world.client.upstream();
    let waited = upstream.wait_for(|up| up.problem.is_some());
    let up = tokio::time::timeout(Duration::from_secs(20), waited)
        .await
        .unwrap()
        .unwrap();
    up.problem.clone().unwrap()
}

#[tokio::test]
async fn a_stop_lets_requests_in_flight_end() {
    let mut world = World::new(deployed()).await;
    let call = tokio::spawn(
        world
            .http
            .post(world.url("/v1/chat/completions"))
            .body(chat_body(""))
            .send(),
    );
    let request = world.proxy.request().await;
    world.stop.cancel();
    tokio::time::sleep(Duration::from_millis(100)).await;
    request.head("application/json").await;
    request.last("{}").await;
    assert_eq!(call.await.unwrap().unwrap().text().await.unwrap(), "{}");
    tokio::time::timeout(Duration::from_secs(10), world.client.join())
        .await
        .unwrap()
        .unwrap();
    assert!(request.link.closed().await.to_string().contains("closed"));
}

#[tokio::test]
async fn a_proxy_whose_image_or_entry_is_revoked_is_left_and_its_requests_end_with_an_error() {
    for what in ["image", "entry"] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (chain, root) = FixedChain::new(address, false);
        let world = World::on(Arc::new(chain.clone()), root, listener, None, Options::default()).await;
        world.connected().await;
        let mut revoked = listing(address);
        match what {
            "image" => revoked.proxy_hashes.clear(),
            _ => revoked.proxies.clear(),
        }
        let asked = Instant::now();
        let (response, _request) = tokio::join!(world.chat(""), async {
            let request = world.proxy.request().await;
            chain.list(&revoked);
            request
        });
        assert_eq!(error_of(response).await, (502, "connection_lost".to_owned()), "{what}");
        assert!(asked.elapsed() < Duration::from_secs(10), "{what}");
        let mut upstream = world.client.upstream();
        upstream.wait_for(|up| up.connection.is_none()).await.unwrap();
    }
}
