//! A proxy whose answers are the test's.

use std::sync::Arc;

use cocoon_attest::simulated::SimulatedPlatform;
use cocoon_bindings::ton::{Address, friendly};
use cocoon_bindings::units::PublicKey;
use cocoon_chain::RootView;
use cocoon_client::ProxyIdentity;
use cocoon_protocol::Version;
use cocoon_protocol::answer::{Answer, AnswerBody, FinalInfo};
use cocoon_protocol::client::{
    PaymentStatus, ProxyConnectionAuth, RunQueryEx, WorkerInstanceV2, WorkerTypeV2, WorkerTypesV2,
};
use cocoon_protocol::codec::{decode, encode};
use cocoon_protocol::context::{ContextLength, Contexts, ModelContext};
use cocoon_protocol::extension::{Evidence, GetQuote, Quote, QuoteTerms};
use cocoon_protocol::handshake::{AuthorizeStep, ProxyClientHandshake, ProxyRules};
use cocoon_protocol::http::{Header, Response};
use cocoon_protocol::message::{ClientPacket, ClientQuery};
use cocoon_protocol::proxy::{Params, SignedPayment, TokensUsed};
use cocoon_protocol::quote::signed_bytes;
use cocoon_protocol::version::VersionRange;
use cocoon_ratls::{
    Acceptor, Connection, Identity, IdentityKeeper, PeerPolicy, Simulated, SystemClock, TrustSettings, TrustStore,
};
use cocoon_runner::link::{Link, LinkConfig, LinkEvent, LinkHandle};
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

use super::Options;

/// Keys and contracts of the proxy.
pub(crate) struct ProxyKeys {
    pub(crate) key: SigningKey,
    pub(crate) owner: Address,
    pub(crate) root: Arc<RootView>,
    pub(crate) identity: ProxyIdentity,
}

impl ProxyKeys {
    pub(crate) fn new(root: Arc<RootView>) -> Self {
        let key = SigningKey::from_bytes(&[3; 32]);
        let owner = Address::new(0, [8; 32].into());
        let identity = ProxyIdentity::derive(&root, &owner, PublicKey::from(&key)).unwrap();
        Self {
            key,
            owner,
            root,
            identity,
        }
    }
}

/// The proxy: the test takes its clients' requests and answers them.
pub(crate) struct FakeProxy {
    pub(crate) keys: Arc<ProxyKeys>,
    pub(crate) worker: Arc<Identity>,
    /// Certificate of the proxy itself.
    pub(crate) evidence_hash: [u8; 32],
    requests: Mutex<mpsc::UnboundedReceiver<Incoming>>,
}

/// What a client sent after the handshake.
pub(crate) enum Incoming {
    /// A request.
    Request(Box<Request>),
    /// A cancel.
    Cancel([u8; 32]),
}

/// A request with the means to answer it.
pub(crate) struct Request {
    pub(crate) query: RunQueryEx,
    /// The quote that it names.
    pub(crate) quote: Option<[u8; 32]>,
    pub(crate) link: LinkHandle,
    pub(crate) version: Version,
    pub(crate) client_contract: Address,
}

impl FakeProxy {
    pub(crate) fn start(listener: TcpListener, keys: ProxyKeys, platform: SimulatedPlatform, options: Options) -> Self {
        let clock = SystemClock::shared();
        let worker = Identity::issue(&Simulated::for_role(platform.clone(), "worker"), clock.now()).unwrap();
        let source = Arc::new(Simulated::for_role(platform, "proxy"));
        let identities = Arc::new(IdentityKeeper::new(source, clock.clone()).unwrap());
        let evidence_hash = identities.peek().evidence_hash();
        let trust = TrustSettings::real(cocoon_attest::Endorsements::none()).unwrap();
        let acceptor =
            Acceptor::new(identities, Arc::new(TrustStore::new(trust)), PeerPolicy::Any, clock).with_difficulty(1);
        let (sender, requests) = mpsc::unbounded_channel();
        let (keys, worker) = (Arc::new(keys), Arc::new(worker));
        let serving = (Arc::clone(&keys), Arc::clone(&worker));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let Ok(connection) = acceptor.accept(tcp).await else {
                    continue;
                };
                let (keys, worker) = serving.clone();
                tokio::spawn(serve(connection, keys, worker, options.clone(), sender.clone()));
            }
        });
        Self {
            keys,
            worker,
            evidence_hash,
            requests: Mutex::new(requests),
        }
    }

    pub(crate) async fn next(&self) -> Incoming {
        let wait = async { self.requests.lock().await.recv().await };
        tokio::time::timeout(std::time::Duration::from_secs(10), wait)
            .await
            .unwrap()
            .unwrap()
    }

    pub(crate) async fn request(&self) -> Request {
        match self.next().await {
            Incoming::Request(request) => *request,
            Incoming::Cancel(_) => panic!("a cancel came instead of a request"),
        }
    }
}

async fn serve(
    connection: Connection,
    keys: Arc<ProxyKeys>,
    worker: Arc<Identity>,
    options: Options,
    sender: mpsc::UnboundedSender<Incoming>,
) {
    let Ok((link, mut events)) = Link::accept(connection.stream, LinkConfig::default()).await else {
        return;
    };
    let mut handshake = ProxyClientHandshake::default();
    let mut contract = None;
    while let Some(event) = events.recv().await {
        match event {
            LinkEvent::Query { id, data } => {
                let query = ClientQuery::decode(&data).unwrap();
                let answer = match &query {
                    ClientQuery::ConnectToProxy(m) => {
                        let owner = cocoon_bindings::ton::parse_address(&m.params.client_owner_address).unwrap();
                        let init = keys.identity.client_contract(&keys.root, &owner).unwrap();
                        let address = contract.insert(init.address().unwrap());
                        greet(&mut handshake, &query, &keys, address, &options)
                    }
                    ClientQuery::AuthorizeShort(_) | ClientQuery::AuthorizeLong(_) => {
                        if let AuthorizeStep::AwaitRegistration { .. } = handshake.authorize(&query).unwrap() {
                            // Whether it really came is for the test to look up on its chain.
                            handshake.registered().unwrap();
                        }
                        handshake.success(SignedPayment::Empty, 0, 0)
                    }
                    ClientQuery::UpdatePaymentStatus(_) => encode(&PaymentStatus {
                        signed_payment: SignedPayment::Empty,
                        db_tokens: 0,
                        max_tokens: 0,
                    }),
                    ClientQuery::GetWorkerTypesV2(_) => encode(&models()),
                    ClientQuery::GetContexts(_) if options.contexts.is_some() => {
                        assert!(options.version >= 3, "a deployed proxy is not asked");
                        contexts(options.contexts.unwrap())
                    }
                    ClientQuery::GetQuote(m) if options.version >= 3 => {
                        encode(&sign_quote(&keys, contract.as_ref().unwrap(), m, options.forged_quote))
                    }
                    ClientQuery::GetEvidence(m) if m.hash == worker.evidence_hash() => encode(&Evidence {
                        certificate: worker.certificate_der().to_vec().into(),
                    }),
                    _ => {
                        let _ = link.answer_error(id, 0, "Lost promise").await;
                        continue;
                    }
                };
                let _ = link.answer(id, answer).await;
            }
            LinkEvent::Packet(data) => match ClientPacket::decode(&data).unwrap() {
                ClientPacket::RunQuoted(quoted) => {
                    let request = Request {
                        query: decode(&quoted.run).unwrap(),
                        quote: Some(quoted.quote_id),
                        link: link.clone(),
                        version: handshake.ready().unwrap(),
                        client_contract: contract.clone().unwrap(),
                    };
                    let _ = sender.send(Incoming::Request(Box::new(request)));
                }
                ClientPacket::RunQueryEx(query) => {
                    let version = handshake.ready().unwrap();
                    let client_contract = contract.clone().unwrap();
                    let request = Request {
                        query,
                        quote: None,
                        link: link.clone(),
                        version,
                        client_contract,
                    };
                    let _ = sender.send(Incoming::Request(Box::new(request)));
                }
                ClientPacket::Cancel(m) => {
                    let _ = sender.send(Incoming::Cancel(m.request_id));
                }
                other => panic!("{other:?}"),
            },
            LinkEvent::Closed(_) => return,
        }
    }
}

fn greet(
    handshake: &mut ProxyClientHandshake,
    query: &ClientQuery,
    keys: &ProxyKeys,
    client_contract: &Address,
    options: &Options,
) -> bytes::Bytes {
    let rules = ProxyRules {
        is_test: true,
        // The newest that a test lists.
        config_version: 4,
        versions: VersionRange {
            min: 0,
            max: options.version,
        },
    };
    handshake.connect(query, &rules).unwrap();
    let text = |address: &Address| friendly(address, false, false);
    let named = if options.foreign_contract {
        Address::new(0, [1; 32].into())
    } else {
        keys.identity.contract.clone()
    };
    let params = Params {
        flags: (),
        proxy_public_key: *keys.identity.public_key.as_bytes(),
        proxy_owner_address: text(&keys.owner),
        proxy_sc_address: text(&named),
        is_test: Some(true),
        proto_version: None,
    };
    let auth = match options.long_nonce {
        Some(nonce) => ProxyConnectionAuth::Long { nonce },
        None => ProxyConnectionAuth::Short {
            secret_hash: Sha256::digest(b"open sesame").into(),
            nonce: 1,
        },
    };
    handshake
        .challenge(params, text(client_contract), auth, SignedPayment::Empty)
        .unwrap()
}

/// A quote at coefficient 1500 for what was asked; with the signature of another key if it is to be forged.
fn sign_quote(keys: &ProxyKeys, client: &Address, asked: &GetQuote, is_forged: bool) -> Quote {
    let text = |address: &Address| friendly(address, false, true);
    let terms = encode(&QuoteTerms {
        quote_id: [0xab; 32],
        proxy_sc_address: text(&keys.identity.contract),
        client_sc_address: text(client),
        model: format!("{}@1:2", asked.model),
        worker_evidence: [5; 32],
        coefficient: 1500,
        max_tokens: asked.max_tokens,
        first_token_seconds: 0.25,
        issued_ms: 1_000,
        expires_ms: 21_000,
    });
    let other = SigningKey::from_bytes(&[4; 32]);
    let key = if is_forged { &other } else { &keys.key };
    let signature = key.sign(&signed_bytes(&terms)).to_bytes().to_vec().into();
    Quote { terms, signature }
}

/// What the model takes, as bytes: a proxy may say what our types do not.
fn contexts(lengths: [i32; 2]) -> bytes::Bytes {
    let row = ModelContext {
        name: "tiny".into(),
        shortest: ContextLength::MAX,
        longest: ContextLength::MAX,
    };
    let mut bytes = encode(&Contexts { models: vec![row] }).to_vec();
    bytes.truncate(bytes.len() - 8);
    bytes.extend(lengths.into_iter().flat_map(i32::to_le_bytes));
    bytes.into()
}

fn models() -> WorkerTypesV2 {
    let worker = WorkerInstanceV2 {
        flags: (),
        coefficient: 1000,
        active_requests: 1,
        max_active_requests: 4,
    };
    WorkerTypesV2 {
        types: vec![WorkerTypeV2 {
            name: "tiny".into(),
            workers: vec![worker],
        }],
    }
}

impl Request {
    pub(crate) async fn send(&self, body: AnswerBody, final_info: Option<FinalInfo>) {
        let answer = Answer {
            request_id: self.query.request_id,
            body,
            final_info,
        };
        self.link
            .send_packet(answer.to_client(self.version).encode())
            .await
            .unwrap();
    }

    pub(crate) async fn head(&self, content_type: &str) {
        self.head_with_status(200, content_type).await;
    }

    pub(crate) async fn head_with_status(&self, status: u16, content_type: &str) {
        let headers = vec![
            Header {
                name: "Content-Type".into(),
                value: content_type.into(),
            },
            Header {
                name: "Content-Length".into(),
                value: "420".into(),
            },
            Header {
                name: "Transfer-Encoding".into(),
                value: "chunked".into(),
            },
            Header {
                name: "X-Cocoon-Worker-Start".into(),
                value: "1.5".into(),
            },
        ];
        let head = Response::new(status, "OK", headers);
        self.send(AnswerBody::Head(head.encode()), None).await;
    }

    pub(crate) async fn part(&self, text: &str) {
        self.send(AnswerBody::Part(text.to_owned().into()), None).await;
    }

    pub(crate) async fn last(&self, text: &str) {
        let tokens = TokensUsed {
            prompt: 3,
            completion: 4,
            total: 7,
            ..Default::default()
        };
        let info = FinalInfo {
            tokens,
            ..FinalInfo::default()
        };
        self.send(AnswerBody::Part(text.to_owned().into()), Some(info)).await;
    }

    pub(crate) async fn refuse(&self, code: i32, text: &str) {
        let answer = Answer::error(self.query.request_id, code, text, false);
        self.link
            .send_packet(answer.to_client(self.version).encode())
            .await
            .unwrap();
    }

    /// As the deployed proxy refuses, whatever the version.
    pub(crate) async fn refuse_old(&self, code: i32, text: &str) {
        let answer = Answer::error(self.query.request_id, code, text, false);
        self.link
            .send_packet(answer.to_client(Version::V0).encode())
            .await
            .unwrap();
    }
}
