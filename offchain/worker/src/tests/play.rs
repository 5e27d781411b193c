//! The proxy that tests play over a pipe, and the worker at its other end.

use crate::backend::{Backend, Local};
use crate::config::{Parsed, WorkerConfig};
use crate::connect::{TlsSession, serve_link};
use crate::error::WorkerError;
use crate::worker::{Shared, Worker};
use bytes::Bytes;
use cocoon_bindings::tokens::{TokenCounts, TokensUsed};
use cocoon_bindings::ton::{Address, HashBytes, friendly};
use cocoon_bindings::units::{Coefficient, Nanoton, ParamsVersion, PublicKey};
use cocoon_bindings::{ContractKind, Multipliers, Params, RootData, proxy_state_init, worker_state_init};
use cocoon_chain::RootView;
use cocoon_engine::{EngineHandle, Parrot};
use cocoon_protocol::answer::{Answer, AnswerBody, FinalInfo};
use cocoon_protocol::extension::{Countersigned, WorkProgress, WorkReport};
use cocoon_protocol::handshake::{ProxyRules, ProxyWorkerHandshake, WorkerStep};
use cocoon_protocol::http::{Request, Response};
use cocoon_protocol::message::{ProxyToWorker, WorkerPacket, WorkerQuery};
use cocoon_protocol::proxy::{Params as ProxyParams, RunQueryEx, SignedPayment};
use cocoon_protocol::version::VersionRange;
use cocoon_ratls::{Identity, ManualClock, NoEvidence, SystemClock};
use cocoon_receipt::{ChannelHead, FinishReason, Timing, WorkStatement};
use cocoon_runner::link::{Link, LinkConfig, LinkEvent, LinkHandle};
use cocoon_runner::wear::Wear;
use cocoon_store::WorkerStore;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub(super) const LIMIT: Duration = Duration::from_secs(20);

pub(super) fn address(byte: u8) -> Address {
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
pub(super) struct Play {
    pub(super) worker: Arc<Worker>,
    pub(super) identity: Arc<Identity>,
    /// By which the certificates of the connection grow old.
    pub(super) age: Arc<ManualClock>,
    pub(super) link: LinkHandle,
    pub(super) events: mpsc::Receiver<LinkEvent>,
    pub(super) serving: JoinHandle<Result<String, WorkerError>>,
    pub(super) contracts: [Address; 2],
    pub(super) _root: watch::Sender<Arc<RootView>>,
    pub(super) _folder: tempfile::TempDir,
}

/// Everything that came for one request.
#[derive(Default)]
pub(super) struct Got {
    pub(super) head: Option<Response>,
    pub(super) body: Vec<u8>,
    pub(super) parts: usize,
    pub(super) progress: Vec<WorkProgress>,
    pub(super) report: Option<WorkReport>,
    pub(super) error: Option<(i32, String)>,
    pub(super) info: Option<FinalInfo>,
}

impl Play {
    pub(super) async fn begin(max_active_requests: u32, versions: VersionRange) -> Self {
        let engine = EngineHandle::spawn(Box::new(Parrot::default()), 8).unwrap();
        let backend = Backend::Local(Local::new(engine, "parrot".to_owned()));
        Self::begin_with(backend, max_active_requests, versions).await
    }

    pub(super) async fn begin_with(backend: Backend, max_active_requests: u32, versions: VersionRange) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config: WorkerConfig = toml::from_str(&format!(
            "owner = '{}'\ndata_dir = 'x'\nchain = {{ url = 'http://127.0.0.1:1', root = '{}' }}\n[[models]]\n\
             name = 'parrot@1:2'\nmax_active_requests = {max_active_requests}\n\
             backend = {{ kind = 'upstream', url = 'x' }}",
            address(4),
            address(1)
        ))
        .unwrap();
        let mut parsed: Parsed = config.parse().unwrap();
        let store = Arc::new(WorkerStore::open(folder.path()).unwrap());
        let (sender, receiver) = watch::channel(Arc::new(root()));
        let shared = Shared {
            owner: parsed.owner,
            root: receiver,
            store,
            clock: SystemClock::shared(),
            proxy_connections: config.proxy_connections,
            tracer: Default::default(),
        };
        let worker = Arc::new(Worker::new(shared, parsed.models.remove(0), backend, None));
        worker.switch.change(|state| state.healthy = true);
        let identity = Arc::new(Identity::issue(&NoEvidence, worker.clock.now()).unwrap());
        let age = Arc::new(ManualClock::new(worker.clock.now()));
        let wear = Wear::new(age.clone(), [None, Some(identity.expires_at())]);

        let (near, far) = tokio::io::duplex(1 << 16);
        let dialing = {
            let (worker, identity) = (worker.clone(), identity.clone());
            async move {
                let open = Link::dial(near, LinkConfig::default()).await?;
                let session = TlsSession {
                    identity,
                    binding: None,
                    versions: VersionRange::OFFERED,
                    wear: Some(wear),
                };
                serve_link(&worker, open, session, || {}).await
            }
        };
        let serving = tokio::spawn(dialing);
        let (link, mut events) = Link::accept(far, LinkConfig::default()).await.unwrap();
        let contracts = shake(&link, &mut events, versions).await;
        Self {
            worker,
            identity,
            age,
            link,
            events,
            serving,
            contracts,
            _root: sender,
            _folder: folder,
        }
    }

    pub(super) async fn ask(&self, id: u8, body: &Value) -> Bytes {
        let path = "/v1/chat/completions";
        self.ask_raw(id, Request::post_json(path, Bytes::from(body.to_string())).encode())
            .await
    }

    pub(super) async fn ask_raw(&self, id: u8, query: Bytes) -> Bytes {
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

    pub(super) async fn packet(&mut self) -> WorkerPacket {
        loop {
            match tokio::time::timeout(LIMIT, self.events.recv()).await.unwrap().unwrap() {
                LinkEvent::Packet(data) => return WorkerPacket::decode(&data).unwrap(),
                LinkEvent::Query { .. } => {}
                LinkEvent::Closed(reason) => panic!("closed: {reason}"),
            }
        }
    }

    pub(super) async fn answer(&mut self, id: u8) -> Got {
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

    /// The proxy signs a statement too.
    pub(super) async fn countersign(&self, statement: &WorkStatement) {
        let packet = ProxyToWorker::from(Countersigned {
            statement_hash: statement.hash().0,
            signature: proxy_key().sign(statement.hash().as_slice()).to_bytes().to_vec().into(),
        });
        self.link.send_packet(packet.encode()).await.unwrap();
    }

    /// How serving ended.
    pub(super) async fn ended(&mut self) -> Result<String, WorkerError> {
        tokio::time::timeout(LIMIT, &mut self.serving).await.unwrap().unwrap()
    }

    pub(super) fn statement(&self, id: u8, got: &Got, head: &ChannelHead) -> WorkStatement {
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

pub(super) fn chat(text: &str, extra: &[(&str, Value)]) -> Value {
    let mut body = json!({ "model": "parrot", "messages": [{ "role": "user", "content": text }] });
    for (name, value) in extra {
        body[*name] = value.clone();
    }
    body
}
