//! The six failures of the deployed network, each played against our runners. What made a process end, a request hang or
//! an answer go uncharged there is an ordinary event here.

use std::time::Duration;

use cocoon_network_tests::{
    api::{Api, Reply, question},
    deployed::{DeployedWorker, Known, Scripted, Writer},
    parts::Parts,
    stranger::{Mask, Stranger},
    upstream::Upstream,
};
use serde_json::{Value, json};
use tokio::time::timeout;

/// No request may take longer than this to end, well or badly.
const HANG: Duration = Duration::from_secs(15);
const CHAT: &str = "/v1/chat/completions";

/// Proxy and client; the client's model has no worker yet.
async fn without_worker() -> (Parts, Api) {
    let parts = Parts::deploy().await.unwrap();
    parts.start_proxy().await.unwrap();
    let (client, api) = parts.start_client(|_| {}).await.unwrap();
    let mut upstream = client.upstream();
    let connected = upstream.wait_for(|up| up.connection.is_some());
    timeout(HANG, connected).await.unwrap().unwrap();
    (parts, api)
}

/// Everything, with a server that speaks a word per `pace`.
async fn whole(pace: Duration) -> (Parts, Api, Upstream) {
    let (parts, api) = without_worker().await;
    let upstream = Upstream::start(&parts.network().model, pace, 400).await.unwrap();
    parts.start_worker(upstream.url()).await.unwrap();
    until_listed(&parts, &api).await;
    (parts, api, upstream)
}

async fn until_listed(parts: &Parts, api: &Api) {
    let listed = async {
        while api.get("/v1/models").await.unwrap().body["data"] == json!([]) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(HANG, listed)
        .await
        .unwrap_or_else(|_| panic!("{} has no worker", parts.network().model));
}

async fn asked(api: &Api, question: &Value) -> Reply {
    timeout(HANG, api.chat(question))
        .await
        .expect("the request hangs")
        .unwrap()
}

async fn assert_serves(parts: &Parts, api: &Api) {
    let reply = asked(api, &question(&parts.network().model, "Still there?", 2)).await;
    assert_eq!(reply.status, 200, "{:#}", reply.body);
}

async fn deployed_worker(parts: &Parts, stranger: &Stranger, known: Known) -> DeployedWorker {
    let connection = stranger.connect(stranger.workers, Mask::Image("worker")).await.unwrap();
    let (owner, model) = (&parts.network().worker_owner, &parts.network().deployed_model);
    let worker = DeployedWorker::connect(connection.stream, 2, (owner, model), known)
        .await
        .unwrap();
    // The end of the handshake is told before the proxy has entered the worker among those that serve.
    worker.payment_status().await.unwrap();
    worker
}

/// Deployed: HTTP 500 without a body, then the client process dies.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_request_does_not_kill_the_client() {
    let (parts, api, upstream) = whole(Duration::from_millis(1)).await;
    let good = question(&parts.network().model, "Hello", 2);
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body.to_string().into_bytes()
    };
    let bad: [(&str, Vec<u8>, u16); 9] = [
        (CHAT, b"not json".to_vec(), 400),
        (CHAT, b"[]".to_vec(), 400),
        (CHAT, Vec::new(), 400),
        (CHAT, br#"{"messages":[{"role":"user","content":"x"}]}"#.to_vec(), 400),
        (CHAT, with("no_such_field", 1.into()), 400),
        (CHAT, with("messages", "x".into()), 400),
        (CHAT, with("timeout", (-1).into()), 400),
        ("/v1/no/such/path", good.to_string().into_bytes(), 404),
        ("/v1/chat", good.to_string().into_bytes(), 404),
    ];
    for (path, body, status) in bad {
        let shown = String::from_utf8_lossy(&body).into_owned();
        let reply = timeout(HANG, api.post(path, body)).await.expect("a hang").unwrap();
        assert_eq!(reply.status, status, "{path} {shown}: {:#}", reply.body);
        assert!(reply.error_code().is_some(), "{path} {shown}: {:#}", reply.body);
    }
    assert_eq!(upstream.asked(), 0);
    // A query in the path is ignored, as OpenAI does.
    let reply = api
        .post(&format!("{CHAT}?api-version=1"), good.to_string().into_bytes())
        .await;
    assert_eq!(reply.unwrap().status, 200);
    assert_serves(&parts, &api).await;
    parts.stop().await.unwrap();
}

/// Deployed: the proxy answers by a message that the client does not know, and the HTTP request hangs for ever.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_proxy_does_not_hang_the_request() {
    let (parts, api, _upstream) = whole(Duration::from_millis(200)).await;
    let model = parts.network().model.clone();
    let with = |max_tokens: u32, name: &str, value: Value| {
        let mut body = question(&model, "Hello", max_tokens);
        body[name] = value;
        body
    };
    let cases = [
        (question("nope", "Hello", 4), 404, "model_not_found"),
        (question(&model, "Hello", 2_000_000_000), 402, "insufficient_quota"),
        (with(4, "max_coefficient", 1.into()), 503, "no_worker_available"),
        // The server needs 80 s for what it was given one for.
        (with(400, "timeout", 1.into()), 504, "timeout"),
    ];
    for (body, status, code) in cases {
        let reply = asked(&api, &body).await;
        assert_eq!(
            (reply.status, reply.error_code()),
            (status, Some(code)),
            "{:#}",
            reply.body
        );
    }
    assert_serves(&parts, &api).await;
    parts.stop().await.unwrap();
}

/// Deployed: an event stream is held back to its end and costs nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_stream_is_streamed_and_charged() {
    let pace = Duration::from_millis(100);
    let (parts, api, _upstream) = whole(pace).await;
    let asked_for = question(&parts.network().model, "Hello", 5);
    let mut events = api.stream(&asked_for).await.unwrap();
    let streamed = timeout(HANG, events.rest()).await.unwrap();
    assert!(streamed.done && streamed.error.is_none(), "{streamed:?}");
    assert_eq!(streamed.pieces, 5);
    // The first word was there while the server had still most of the others to say.
    let apart = streamed.last.unwrap().duration_since(streamed.first.unwrap());
    assert!(apart >= pace * 2, "{apart:?}");
    let receipt = api.receipt(&streamed.receipt_id.unwrap()).await.unwrap().body;
    let plain = asked(&api, &asked_for).await;
    let plain = api.receipt(&plain.receipt_id.unwrap()).await.unwrap().body;
    assert_eq!(receipt["verified"], true, "{receipt:#}");
    assert_eq!(receipt["counts"]["completion"], 5, "{receipt:#}");
    assert_eq!(receipt["counts"], plain["counts"]);
    assert!(receipt["tokens_charged"].as_u64() > Some(5), "{receipt:#}");
    assert_eq!(receipt["tokens_charged"], plain["tokens_charged"]);
    parts.stop().await.unwrap();
}

/// Deployed: any worker that claims more than the database has, or cuts a message, ends the proxy's process.
#[tokio::test(flavor = "multi_thread")]
async fn one_packet_of_a_worker_does_not_abort_the_proxy() {
    let (parts, api) = without_worker().await;
    let stranger = parts.stranger().unwrap();
    const MOON: i64 = 1_000_000_000_000;
    for known in [
        [MOON, 0, 0],
        [0, MOON, 0],
        [MOON, MOON, MOON],
        [-1, -1, -1],
        [i64::MIN; 3],
        [i64::MAX; 3],
    ] {
        let connection = stranger.connect(stranger.workers, Mask::Image("worker")).await.unwrap();
        let (owner, model) = (&parts.network().worker_owner, &parts.network().deployed_model);
        // Whether such a worker is let in is the proxy's choice; that the proxy lives on is not.
        if let Ok(mut worker) = DeployedWorker::connect(connection.stream, 2, (owner, model), known).await {
            worker.hang_up().await.unwrap();
        }
    }
    // `proxy.queryAnswerPartEx`, cut; an object of no kind; a coefficient below zero.
    let packets = [
        Writer::of(0x6d85_b50f).raw(&[7; 16]),
        Writer::of(0x0bad_cafe),
        Writer::of(0x6af0_92b0).int(-1),
    ];
    for packet in packets {
        let mut worker = deployed_worker(&parts, &stranger, [0; 3]).await;
        worker.send(packet).await.unwrap();
        worker.until_closed().await.unwrap();
    }
    let mut worker = deployed_worker(&parts, &stranger, [0; 3]).await;
    let body = question(&parts.network().model, "Hello", 4);
    let (reply, served) = tokio::join!(asked(&api, &body), async { worker.serve(&Scripted::json(3)).await });
    assert_eq!((reply.status, served.unwrap().1[2]), (200, 8), "{:#}", reply.body);
    parts.stop().await.unwrap();
}

/// Deployed: a proxy that crashed before it stored its last requests refuses each worker that remembers them.
#[tokio::test(flavor = "multi_thread")]
async fn an_unflushed_crash_does_not_block_workers() {
    let (parts, api) = without_worker().await;
    let stranger = parts.stranger().unwrap();
    // Three requests that this proxy has no memory of.
    let mut worker = deployed_worker(&parts, &stranger, [0, 0, 670]).await;
    assert!(worker.was_ahead);
    for number in 1..=2 {
        let body = question(&parts.network().model, "Hello", 4);
        let (reply, served) = tokio::join!(asked(&api, &body), async { worker.serve(&Scripted::json(3)).await });
        assert_eq!(reply.status, 200, "{:#}", reply.body);
        // Counting goes on from the proxy's number.
        assert_eq!(served.unwrap().1, [8 * number, 8 * number, 8]);
    }
    worker.hang_up().await.unwrap();
    let again = deployed_worker(&parts, &stranger, [0, 16, 16]).await;
    assert!(!again.was_ahead);
    parts.stop().await.unwrap();
}

/// Deployed: 4294967295 becomes -1, and a reservation of less than nothing always fits.
#[tokio::test(flavor = "multi_thread")]
async fn a_max_tokens_beyond_int32_is_no_negative_reservation() {
    let (parts, api, upstream) = whole(Duration::from_millis(1)).await;
    let good = question(&parts.network().model, "Hello", 4);
    for field in ["max_tokens", "max_completion_tokens"] {
        for value in [
            "4294967295",
            "2147483648",
            "18446744073709551615",
            "99999999999999999999",
            "-1",
            "0",
            "1e3",
            "1.5",
        ] {
            let body = good
                .to_string()
                .replace(r#""max_tokens":4"#, &format!(r#""{field}":{value}"#));
            assert!(body.contains(value));
            let reply = timeout(HANG, api.post(CHAT, body.into_bytes())).await.unwrap().unwrap();
            assert_eq!(reply.status, 400, "{field} {value}: {:#}", reply.body);
        }
    }
    // The largest that the wire can carry is a reservation that nobody here can pay, several answers included.
    let mut many = question(&parts.network().model, "Hello", i32::MAX as u32);
    assert_eq!(asked(&api, &many).await.error_code(), Some("insufficient_quota"));
    many["n"] = 16.into();
    assert_eq!(asked(&api, &many).await.error_code(), Some("insufficient_quota"));
    assert_eq!(upstream.asked(), 0);
    assert_serves(&parts, &api).await;
    parts.stop().await.unwrap();
}
