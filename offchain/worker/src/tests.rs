//! A worker with the parrot as its model against a proxy that this test plays over a pipe.

use crate::answering::unix_seconds;
use crate::backend::{Backend, Local, Upstream};
use crate::config::{Parsed, WorkerConfig};
use crate::connect::serve_link;
use crate::error::WorkerError;
use crate::worker::Worker;
use bytes::Bytes;
use cocoon_bindings::tokens::{TokenCounts, TokensUsed};
use cocoon_bindings::ton::{Address, HashBytes, friendly};
use cocoon_bindings::units::{Coefficient, Nanoton, ParamsVersion, PublicKey};
use cocoon_bindings::{ContractKind, Multipliers, Params, RootData, proxy_state_init, worker_state_init};
use cocoon_chain::RootView;
use cocoon_engine::{EngineHandle, Parrot};
use cocoon_protocol::answer::{Answer, AnswerBody, FinalInfo};
use cocoon_protocol::codec::{decode, encode};
use cocoon_protocol::extension::{Cancel, ReceiptSignature, SignReceipt, WorkProgress, WorkReport};
use cocoon_protocol::handshake::{ProxyRules, ProxyWorkerHandshake, WorkerStep};
use cocoon_protocol::http::{Request, Response};
use cocoon_protocol::message::{ProxyToWorker, WorkerPacket, WorkerQuery};
use cocoon_protocol::proxy::{Params as ProxyParams, RunQueryEx, SignedPayment, WorkerRequestPayment};
use cocoon_protocol::version::{Version, VersionRange};
use cocoon_ratls::{Identity, NoEvidence};
use cocoon_receipt::{ChannelHead, FinishReason, Signature, Timing, WorkStatement, salted_hash};
use cocoon_runner::link::{Link, LinkConfig, LinkEvent, LinkHandle};
use cocoon_store::WorkerStore;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

const LIMIT: Duration = Duration::from_secs(20);

fn address(byte: u8) -> Address {
    Address::new(0, HashBytes([byte; 32]))
}

fn proxy_key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn root() -> RootView {
    let code = |kind: ContractKind| Some(kind.code().unwrap());
    let params = Params {
        struct_version: 3,
        params_version: ParamsVersion::new(5),
        unique_id: 1,
        is_test: true,
        price_per_token: Nanoton::new(20),
        worker_fee_per_token: Nanoton::new(18),
        multipliers: Multipliers {
            completion: 20_000,
            ..Multipliers::default()
        },
        proxy_delay_before_close: 600,
        client_delay_before_close: 300,
        min_proxy_stake: Nanoton::from_ton(1),
        min_client_stake: Nanoton::from_ton(1),
        proxy_code: code(ContractKind::Proxy),
        worker_code: code(ContractKind::Worker),
        client_code: code(ContractKind::Client),
    };
    RootView {
        address: address(1),
        owner: address(2),
        version: 7,
        params,
        data: RootData::default(),
        time: 0,
    }
}

/// The worker, and the proxy that this test plays.
struct Play {
    worker: Arc<Worker>,
    identity: Arc<Identity>,
    link: LinkHandle,
    events: mpsc::Receiver<LinkEvent>,
    serving: JoinHandle<Result<String, WorkerError>>,
    contracts: [Address; 2],
    _root: watch::Sender<Arc<RootView>>,
    _folder: tempfile::TempDir,
}

/// Everything that came for one request.
#[derive(Default)]
struct Got {
    head: Option<Response>,
    body: Vec<u8>,
    parts: usize,
    progress: Vec<WorkProgress>,
    report: Option<WorkReport>,
    error: Option<(i32, String)>,
    info: Option<FinalInfo>,
}

impl Play {
    async fn begin(max_active_requests: u32, versions: VersionRange) -> Self {
        let engine = EngineHandle::spawn(Box::new(Parrot::default()), 8).unwrap();
        let backend = Backend::Local(Local::new(engine, "parrot".to_owned()));
        Self::begin_with(backend, max_active_requests, versions).await
    }

    async fn begin_with(backend: Backend, max_active_requests: u32, versions: VersionRange) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config: WorkerConfig = toml::from_str(&format!(
            "model = 'parrot@1:2'\nowner = '{}'\nmax_active_requests = {max_active_requests}\ndata_dir = 'x'\n\
             chain = {{ url = 'http://127.0.0.1:1', root = '{}' }}\nbackend = {{ kind = 'upstream', url = 'x' }}",
            address(4),
            address(1)
        ))
        .unwrap();
        let parsed: Parsed = config.parse().unwrap();
        let store = Arc::new(WorkerStore::open(folder.path()).unwrap());
        let (sender, receiver) = watch::channel(Arc::new(root()));
        let worker = Arc::new(Worker::new(&config, parsed, receiver, backend, store));
        worker.switch.change(|state| state.healthy = true);
        let identity = Arc::new(Identity::issue(&NoEvidence, unix_seconds() as u64).unwrap());

        let (near, far) = tokio::io::duplex(1 << 16);
        let dialing = {
            let (worker, identity) = (worker.clone(), identity.clone());
            async move {
                let open = Link::dial(near, LinkConfig::default()).await?;
                serve_link(&worker, open, identity, || {}).await
            }
        };
        let serving = tokio::spawn(dialing);
        let (link, mut events) = Link::accept(far, LinkConfig::default()).await.unwrap();
        let contracts = shake(&link, &mut events, versions).await;
        Self {
            worker,
            identity,
            link,
            events,
            serving,
            contracts,
            _root: sender,
            _folder: folder,
        }
    }

    async fn ask(&self, id: u8, body: &Value) -> Bytes {
        let path = "/v1/chat/completions";
        self.ask_raw(id, Request::post_json(path, Bytes::from(body.to_string())).encode())
            .await
    }

    async fn ask_raw(&self, id: u8, query: Bytes) -> Bytes {
        let packet = ProxyToWorker::from(RunQueryEx {
            query: query.clone(),
            signed_payment: SignedPayment::Empty,
            coefficient: 1000,
            timeout: 10.0,
            request_id: [id; 32],
            flags: (),
            enable_debug: Some(false),
        });
        self.link.send_packet(packet.encode()).await.unwrap();
        query
    }

    async fn packet(&mut self) -> WorkerPacket {
        loop {
            match tokio::time::timeout(LIMIT, self.events.recv()).await.unwrap().unwrap() {
                LinkEvent::Packet(data) => return WorkerPacket::decode(&data).unwrap(),
                LinkEvent::Query { .. } => {}
                LinkEvent::Closed(reason) => panic!("closed: {reason}"),
            }
        }
    }

    async fn answer(&mut self, id: u8) -> Got {
        let mut got = Got::default();
        while got.info.is_none() {
            match self.packet().await {
                WorkerPacket::Progress(progress) => got.progress.push(progress),
                WorkerPacket::Report(report) => got.report = Some(report),
                other => {
                    let Ok(answer) = Answer::from_worker(other) else {
                        continue;
                    };
                    assert_eq!(answer.request_id, [id; 32]);
                    match answer.body {
                        AnswerBody::Head(head) => got.head = Some(Response::decode(&head).unwrap()),
                        AnswerBody::Part(part) => {
                            got.parts += 1;
                            got.body.extend_from_slice(&part);
                        }
                        AnswerBody::Error { code, message, .. } => got.error = Some((code, message)),
                    }
                    got.info = answer.final_info;
                }
            }
        }
        got
    }

    fn statement(&self, id: u8, got: &Got, head: &ChannelHead) -> WorkStatement {
        let report = got.report.as_ref().unwrap();
        let tokens = got.info.as_ref().unwrap().tokens;
        let number = |number: i64| u64::try_from(number).unwrap();
        let used = TokensUsed {
            prompt: number(tokens.prompt),
            cached: number(tokens.cached),
            completion: number(tokens.completion),
            reasoning: number(tokens.reasoning),
            total: number(tokens.total),
        };
        let counts = report.counts;
        WorkStatement {
            root: root().address,
            params_version: ParamsVersion::new(5),
            proxy: self.contracts[0].clone(),
            worker: self.contracts[1].clone(),
            client: HashBytes([1; 32]),
            request_id: HashBytes([id; 32]),
            channel: head.next(used.total).unwrap(),
            request_hash: HashBytes(report.request_hash),
            response_hash: HashBytes(report.response_hash),
            sampling_hash: HashBytes(report.sampling_hash),
            seed: report.seed.cast_unsigned(),
            model: self.worker.model.model_hash(),
            worker_evidence: HashBytes(self.identity.evidence_hash()),
            counts: Some(TokenCounts {
                prompt: number(counts.prompt),
                cached: number(counts.cached),
                completion: number(counts.completion),
                reasoning: number(counts.reasoning),
            }),
            used,
            coefficient: Coefficient::new(1000),
            timing: Timing {
                started_ms: 1,
                first_token_ms: 2,
                finished_ms: 3,
            },
            finish: FinishReason::from_word(&report.finish_reason),
        }
    }
}

/// The proxy's side of the handshake.
async fn shake(link: &LinkHandle, events: &mut mpsc::Receiver<LinkEvent>, versions: VersionRange) -> [Address; 2] {
    let root = root();
    let key = PublicKey::from(&proxy_key());
    let proxy = proxy_state_init(&address(6), &key, &root.address, &root.params)
        .unwrap()
        .address()
        .unwrap();
    let own = worker_state_init(&address(4), &proxy, &key, &root.params)
        .unwrap()
        .address()
        .unwrap();
    let params = ProxyParams {
        flags: (),
        proxy_public_key: *key.as_bytes(),
        proxy_owner_address: friendly(&address(6), false, true),
        proxy_sc_address: friendly(&proxy, true, true),
        is_test: Some(true),
        proto_version: None,
    };
    let rules = ProxyRules {
        is_test: true,
        config_version: 7,
        versions,
    };
    let mut handshake = ProxyWorkerHandshake::default();
    while handshake.ready().is_none() {
        let Some(LinkEvent::Query { id, data }) = tokio::time::timeout(LIMIT, events.recv()).await.unwrap() else {
            panic!("a question must come");
        };
        let question = WorkerQuery::decode(&data).unwrap();
        let answer = if matches!(question, WorkerQuery::ConnectToProxy(_)) {
            let hello = handshake.connect(&question, &rules).unwrap();
            assert_eq!((hello.model.as_str(), hello.coefficient), ("parrot@1:2", 1000));
            handshake.greet(params.clone(), friendly(&own, true, true)).unwrap()
        } else {
            match handshake.next(&question).unwrap() {
                WorkerStep::Compare(_) => handshake.balances(SignedPayment::Empty, 0, 0, false).unwrap(),
                WorkerStep::Complete { is_disabled } => {
                    assert!(!is_disabled);
                    handshake.completed().unwrap()
                }
                _ => panic!("unexpected step"),
            }
        };
        link.answer(id, answer).await.unwrap();
    }
    [proxy, own]
}

fn chat(text: &str, extra: &[(&str, Value)]) -> Value {
    let mut body = json!({ "model": "parrot", "messages": [{ "role": "user", "content": text }] });
    for (name, value) in extra {
        body[*name] = value.clone();
    }
    body
}

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
    let mut lie = statement;
    lie.used.prompt += 1;
    lie.used.total += 1;
    assert!(play.link.query(ask(&lie), LIMIT).await.is_err());
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
            post("/v1/chat/completions", &chat("x", &[("tools", json!([]))]).to_string()),
            400,
        ),
        (
            post("/v1/chat/completions", &chat("x", &[("n", 3.into())]).to_string()),
            400,
        ),
        (
            post(
                "/v1/chat/completions",
                r#"{"model":"other","messages":[{"role":"user","content":"x"}]}"#,
            ),
            404,
        ),
        (post("/v1/embeddings", "{}"), 404),
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
    assert!(Version::V2 < Version::V3);
}

#[tokio::test]
async fn a_proxy_whose_totals_go_down_loses_the_connection() {
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
    let result = tokio::time::timeout(LIMIT, &mut play.serving).await.unwrap().unwrap();
    assert!(
        matches!(
            result,
            Err(WorkerError::WentDown {
                which: "all",
                known: 10,
                found: 9
            })
        ),
        "{result:?}"
    );
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
