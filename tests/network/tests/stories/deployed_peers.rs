//! Clients, workers and proxies as they are deployed, versions 0 to 2, with our runners at the other ends.

use std::time::Duration;

use cocoon_client::Secret;
use cocoon_network_tests::{
    api::{Api, Reply, question, streamed},
    deployed::{self, DeployedClient, DeployedProxy, DeployedWorker, ProxyKeys, Scripted, Writer},
    parts::Parts,
    stranger::{Mask, Stranger},
    upstream::{PROMPT_TOKENS, Upstream},
};
use cocoon_runner::keys::load_key;
use serde_json::{Value, json};
use tokio::time::timeout;

const VERSIONS: [i32; 3] = [0, 1, 2];
const SECRET: &[u8] = b"open sesame";
const HANG: Duration = Duration::from_secs(20);

async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(HANG, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Our client, with a secret that the story knows.
async fn client(parts: &Parts) -> Api {
    let secret = parts.path().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let (client, api) = parts
        .start_client(|config| config.secret_file = Some(secret))
        .await
        .unwrap();
    let mut upstream = client.upstream();
    let connected = upstream.wait_for(|up| up.connection.is_some());
    timeout(HANG, connected).await.unwrap().unwrap();
    api
}

async fn asked(api: &Api, question: &Value) -> Reply {
    timeout(HANG, api.chat(question))
        .await
        .expect("the request hangs")
        .unwrap()
}

fn hello(parts: &Parts) -> Value {
    question(&parts.network().model, "Hello", 4)
}

#[tokio::test(flavor = "multi_thread")]
async fn deployed_clients_are_served_by_our_proxy_and_worker() {
    let parts = Parts::deploy().await.unwrap();
    parts.start_proxy().await.unwrap();
    // Its contract, and with it the hash of the secret.
    let api = client(&parts).await;
    let model = parts.network().model.clone();
    let upstream = Upstream::start(&model, Duration::from_millis(5), 50).await.unwrap();
    parts.start_worker(upstream.url()).await.unwrap();
    eventually("a worker is listed", async || {
        api.get("/v1/models").await.unwrap().body["data"] != json!([])
    })
    .await;
    let stranger = parts.stranger().unwrap();
    let body = hello(&parts).to_string();
    let as_stream = streamed(hello(&parts)).to_string();
    let mut all = 0;
    for version in VERSIONS {
        let connection = stranger.connect(stranger.clients, Mask::Plain).await.unwrap();
        let wallet = &parts.network().client_wallet;
        let mut client = DeployedClient::connect(connection.stream, version, wallet, SECRET)
            .await
            .unwrap();
        let (old, new) = client.models().await.unwrap();
        assert_eq!((old, new), (vec![(model.clone(), 1)], vec![(model.clone(), 1)]));

        let used = i64::try_from(PROMPT_TOKENS).unwrap() + 4;
        let answered = client.ask(&model, body.as_bytes(), 100).await.unwrap();
        assert_eq!((answered.status, answered.error.clone()), (200, None), "{answered:?}");
        let answer: Value = serde_json::from_slice(&answered.body).unwrap();
        assert_eq!(answer["object"], "chat.completion", "{answer}");
        assert_eq!((answered.tokens[4], answered.has_times), (used, version == 2));
        all += used;
        assert_eq!(answered.payment, Some([all, all, used]));

        // Events come one by one, and cost what they cost in one piece.
        let answered = client.ask(&model, as_stream.as_bytes(), 100).await.unwrap();
        all += used;
        assert_eq!(answered.payment, Some([all, all, used]), "{answered:?}");
        assert!(
            answered.parts > 1 && answered.body.ends_with(b"data: [DONE]\n\n"),
            "{answered:?}"
        );
        assert_eq!(client.payment_status().await.unwrap(), [all, all]);

        // Errors of the proxy come in a form that this version knows, and the connection goes on.
        let refused = client.ask("nope", body.as_bytes(), 100).await.unwrap();
        assert_eq!(refused.error, Some((621, "unknown model nope".into())));
        for (max_tokens, code) in [(i32::MAX, 602), (-1, 621)] {
            let refused = client.ask(&model, body.as_bytes(), max_tokens).await.unwrap();
            assert_eq!(refused.error.unwrap().0, code, "version {version}, {max_tokens}");
        }
        // The worker's refusal of a body is an answer of HTTP.
        let refused = client.ask(&model, br#"{"no":"model"}"#, 100).await.unwrap();
        assert_eq!((refused.status, refused.error), (400, None));
        // Questions that are of no use any more, or of no kind.
        let (code, _text) = client.refused(Writer::of(0xff5f_a0f4)).await.unwrap();
        assert_ne!(code, 653);
        let (code, _text) = client.refused(Writer::of(0x0bad_cafe)).await.unwrap();
        assert_eq!(code, 0);
        assert_eq!(client.payment_status().await.unwrap(), [all, all]);
    }
    parts.stop().await.unwrap();
}

async fn deployed_worker(parts: &Parts, stranger: &Stranger, version: i32) -> DeployedWorker {
    let connection = stranger.connect(stranger.workers, Mask::Image("worker")).await.unwrap();
    let (owner, model) = (&parts.network().worker_owner, &parts.network().deployed_model);
    let worker = DeployedWorker::connect(connection.stream, version, (owner, model), [0; 3])
        .await
        .unwrap();
    // The end of the handshake is told before the proxy has entered the worker among those that serve.
    worker.payment_status().await.unwrap();
    worker
}

#[tokio::test(flavor = "multi_thread")]
async fn deployed_workers_serve_our_client_through_our_proxy() {
    let parts = Parts::deploy().await.unwrap();
    parts.start_proxy().await.unwrap();
    let api = client(&parts).await;
    let stranger = parts.stranger().unwrap();
    for version in VERSIONS {
        let mut worker = deployed_worker(&parts, &stranger, version).await;
        let (question, stream) = (hello(&parts), streamed(hello(&parts)));

        let script = Scripted::json(3);
        let (reply, served) = tokio::join!(asked(&api, &question), worker.serve(&script));
        let (served, earned, payer) = served.unwrap();
        assert_eq!((reply.status, &reply.body["object"]), (200, &json!("chat.completion")));
        assert_eq!((served.coefficient, earned[2], payer.as_str()), (1000, 8, ""));
        assert_eq!(
            (served.request.method.as_str(), served.request.url.as_str()),
            ("POST", "/v1/chat/completions")
        );
        // 120 s for the caller, 0.95 of it for the proxy, and 0.95 of what is left then for the worker.
        assert!((100.0..=120.0 * 0.9025).contains(&served.timeout), "{}", served.timeout);
        assert_eq!(worker.payment_status().await.unwrap(), [earned[0], earned[1]]);

        // An answer that is whole in its first message has a receipt for all of its bytes.
        let whole = Scripted {
            is_whole: true,
            ..Scripted::json(3)
        };
        let (reply, served) = tokio::join!(asked(&api, &question), worker.serve(&whole));
        assert_eq!((reply.status, served.unwrap().1[2]), (200, 8), "{:#}", reply.body);
        let receipt = api.receipt(&reply.receipt_id.unwrap()).await.unwrap().body;
        assert_eq!(
            (&receipt["verified"], &receipt["fault"]),
            (&json!(true), &Value::Null),
            "{receipt:#}"
        );

        // Events that were held back arrive after all; the worker counted none, and none are charged.
        let script = Scripted::held_back_events();
        let (events, served) = tokio::join!(api.stream(&stream), worker.serve(&script));
        let events = timeout(HANG, async { events.unwrap().rest().await }).await.unwrap();
        assert!(events.done && events.text == "hi", "{events:?}");
        assert_eq!(served.unwrap().1[2], 0);

        // What the worker's HTTP client makes of a server that hangs.
        let late = Scripted {
            status: 504,
            is_whole: true,
            parts: Vec::new(),
            tokens: [0; 5],
            ..Scripted::json(0)
        };
        let (reply, _) = tokio::join!(asked(&api, &question), worker.serve(&late));
        assert_eq!(
            (reply.status, reply.error_code().is_some()),
            (504, true),
            "{:#}",
            reply.body
        );

        let errors = [
            (602, "too many active queries", 429),
            (621, "worker: invalid http request: unsupported method", 400),
            (652, "timeout", 504),
        ];
        for (code, text, status) in errors {
            let refusal = Scripted::error(code, text);
            let (reply, _) = tokio::join!(asked(&api, &question), async {
                let (id, _) = worker.request().await.unwrap();
                worker.answer(&id, &refusal).await.unwrap();
            });
            assert_eq!(
                (reply.status, reply.error_code().is_some()),
                (status, true),
                "{text}: {:#}",
                reply.body
            );
        }
        worker.hang_up().await.unwrap();
    }
    parts.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployed_worker_that_is_off_or_too_dear_is_left_alone_until_it_is_neither() {
    let parts = Parts::deploy().await.unwrap();
    parts.start_proxy().await.unwrap();
    let api = client(&parts).await;
    let stranger = parts.stranger().unwrap();
    let mut worker = deployed_worker(&parts, &stranger, 2).await;
    let question = hello(&parts);
    // The numbers of a request that waits are not lost between two words of the worker: packets come in order.
    for (is_off, coefficient) in [(true, 1000), (false, 4001)] {
        worker.set_disabled(is_off).await.unwrap();
        worker.set_coefficient(coefficient).await.unwrap();
        worker.payment_status().await.unwrap();
        let reply = asked(&api, &question).await;
        assert_eq!(reply.error_code(), Some("no_worker_available"), "{:#}", reply.body);
    }
    worker.set_coefficient(2000).await.unwrap();
    worker.payment_status().await.unwrap();
    let script = Scripted::json(3);
    let (reply, served) = tokio::join!(asked(&api, &question), worker.serve(&script));
    assert_eq!((reply.status, served.unwrap().0.coefficient), (200, 2000));
    worker.set_coefficient(-1).await.unwrap();
    worker.until_closed().await.unwrap();
    parts.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_and_worker_serve_at_a_deployed_proxy_and_come_back_after_its_crash() {
    for version in VERSIONS {
        let parts = Parts::deploy().await.unwrap();
        let network = parts.network();
        let config = parts.proxy_config().unwrap();
        let key = load_key(config.contract_key_file.as_ref().unwrap()).unwrap();
        let keys = ProxyKeys {
            public_key: key.verifying_key().to_bytes(),
            owner: network.proxy_owner.clone(),
            contract: network.proxy_contract.clone(),
            client_contract: network.client_contract.clone(),
            worker_contract: network.worker_contract.clone(),
            secret_hash: Secret::new(SECRET).hash(),
        };
        let stranger = parts.stranger().unwrap();
        let acceptor = || stranger.acceptor(Mask::Image("proxy")).unwrap();
        let clients = (deployed::listen(stranger.clients).await.unwrap(), acceptor());
        let workers = (deployed::listen(stranger.workers).await.unwrap(), acceptor());
        let proxy = DeployedProxy::start(version, keys, [0; 3], clients, workers);
        let upstream = Upstream::start(&network.model, Duration::from_millis(5), 50)
            .await
            .unwrap();
        parts.start_worker(upstream.url()).await.unwrap();
        let api = client(&parts).await;
        eventually("client and worker are there", async || proxy.is_complete()).await;
        eventually("the worker takes work", async || proxy.seen().disabled == Some(false)).await;
        assert_eq!(api.get("/v1/models").await.unwrap().body["data"][0]["id"], "tiny");

        let question = hello(&parts);
        let reply = asked(&api, &question).await;
        assert_eq!(
            (reply.status, &reply.body["usage"]["completion_tokens"]),
            (200, &json!(4)),
            "{:#}",
            reply.body
        );
        assert_eq!(reply.receipt_id, None);
        let events = api.stream(&question).await.unwrap().rest().await;
        assert!(
            events.done && events.error.is_none() && events.pieces == 4,
            "{events:?}"
        );
        let nope = asked(&api, &self::question("nope", "Hello", 4)).await;
        assert_eq!(nope.error_code(), Some("model_not_found"), "{:#}", nope.body);

        // It had stored nothing of all this; the worker comes back, and does not insist.
        proxy.crash_to([0; 3]).await;
        eventually("the worker serves again", async || proxy.served_workers() == 2).await;
        let reply = asked(&api, &question).await;
        assert_eq!(reply.status, 200, "{:#}", reply.body);
        let seen = proxy.seen();
        assert_eq!(
            (seen.surprises.as_slice(), seen.claims.len()),
            (&[][..], 2),
            "version {version}"
        );
        parts.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_that_flood_or_send_nonsense_cost_nobody_else_anything() {
    let parts = Parts::deploy().await.unwrap();
    parts.start_proxy().await.unwrap();
    let api = client(&parts).await;
    let stranger = parts.stranger().unwrap();
    let wallet = &parts.network().client_wallet;
    let connect = async || {
        let connection = stranger.connect(stranger.clients, Mask::Plain).await.unwrap();
        DeployedClient::connect(connection.stream, 2, wallet, SECRET)
            .await
            .unwrap()
    };
    let mut worker = deployed_worker(&parts, &stranger, 2).await;
    let question = hello(&parts);

    // Packets that end a client's connection: cut, of no kind, of the other direction, longer than they say.
    let bad = [
        Writer::of(0xf54c_b74b).bytes(b"tiny"),
        Writer::of(0x0bad_cafe),
        Writer::of(0xc07b_faec).raw(&[1; 32]).bytes(b"x").int(0),
        Writer::of(0xf54c_b74b).raw(&[0xfe, 0xff, 0xff, 0xff]),
        Writer::of(0xf54c_b74b).raw(&[0xff; 64]),
    ];
    for packet in bad {
        let mut client = connect().await;
        client.send(packet).await.unwrap();
        client.until_closed().await.unwrap();
    }
    // Requests of one id, thousands of them; and answers to nobody.
    let flood = connect().await;
    for _ in 0..3000 {
        let request = Writer::of(0xf54c_b74b).bytes(b"nope").bytes(&[0; 200]).int(4000).int(1);
        let request = request.double(10.0).raw(&[9; 32]).int(0).int(1).boolean(false);
        if flood.send(request).await.is_err() {
            break;
        }
    }
    for number in 0..3000_i64 {
        let part = Writer::of(0x6d85_b50f).longs(&[number; 4]).bytes(&[0; 200]).int(0);
        worker.send(part).await.unwrap();
    }
    let script = Scripted::json(3);
    let (reply, served) = tokio::join!(asked(&api, &question), worker.serve(&script));
    assert_eq!((reply.status, served.unwrap().1[2]), (200, 8), "{:#}", reply.body);
    parts.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_larger_than_any_frame_arrives_whole() {
    let parts = Parts::deploy().await.unwrap();
    parts.start_proxy().await.unwrap();
    let api = client(&parts).await;
    let mut worker = deployed_worker(&parts, &parts.stranger().unwrap(), 2).await;
    let piece = vec![b'x'; 8 << 20];
    let long = Scripted {
        parts: vec![
            b"{\"object\":\"".to_vec(),
            piece.clone(),
            piece.clone(),
            piece,
            b"\"}".to_vec(),
        ],
        ..Scripted::json(3)
    };
    let mut question = hello(&parts);
    // A worker that counts nothing on the way gets as many bytes through as the reservation could pay for.
    question["max_tokens"] = 450_000.into();
    question["max_coefficient"] = 1000.into();
    let (reply, _) = tokio::join!(asked(&api, &question), worker.serve(&long));
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body["object"].as_str().map(str::len), Some(24 << 20));
    let receipt = api.receipt(&reply.receipt_id.unwrap()).await.unwrap().body;
    assert_eq!(receipt["verified"], true, "{receipt:#}");
    parts.stop().await.unwrap();
}
