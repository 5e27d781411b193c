//! A worker that does as it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use cocoon_bindings::ton::{Address, friendly};
use cocoon_protocol::answer::{Answer, AnswerBody, FinalInfo};
use cocoon_protocol::codec::encode;
use cocoon_protocol::extension::{Countersigned, Proof, ReceiptSignature, TokenCounts, WorkProgress, WorkReport};
use cocoon_protocol::handshake::{WorkerBalances, WorkerConnecting, WorkerOffer};
use cocoon_protocol::http::Response;
use cocoon_protocol::message::{ProxyQuery, ProxyToWorker, WorkerPacket, WorkerQuery};
use cocoon_protocol::proxy::{TokensUsed, WorkerRequestPayment};
use cocoon_protocol::session_proof::Role;
use cocoon_protocol::version::{Version, VersionRange};
use cocoon_protocol::worker::UpdatePaymentStatus;
use cocoon_ratls::{
    Connector, Identity, IdentityKeeper, PeerPolicy, SessionBinding, Simulated, SystemClock, TrustSettings, TrustStore,
};
use cocoon_receipt::{SaltedHasher, WorkStatement, salted_hash};
use cocoon_runner::link::{Link, LinkConfig, LinkEvent, LinkHandle, prove_session};
use tokio::time::Instant;

use super::{MODEL, Network, Proving};

/// What the worker does with each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Answers "one two three" in three parts.
    Answer,
    /// Is gone after the first part and its progress.
    DieAfterFirstPart,
    /// Refuses: no slot.
    Refuse,
    /// Sends a part and its progress every 50 ms until it is cancelled.
    Endless,
    /// Answers, and does not sign.
    AnswerUnsigned,
    /// Answers, and signs one statement every two seconds.
    AnswerSigningSlowly,
    /// Answers, and never says whether it signs.
    AnswerSilent,
    /// Answers "one two three", with a pause before each part but the first.
    Unhurried,
    /// Sends garbage.
    Garbage,
    /// Takes the request and never says anything.
    Silent,
    /// Sends a part every 20 ms until it is cancelled, each of 50 tokens, as it tells with each.
    Endless50,
    /// Sends large parts as fast as it can until it is cancelled.
    Torrent,
    /// Sends a part and no head, and goes on.
    Headless,
    /// Answers with a stream of 5000 events in one part at its end, and tells no tokens, as deployed.
    HeldBack,
    /// Answers and claims a million tokens.
    Overclaim,
    /// Answers with a document of 40,000 bytes and counts so many tokens at its end, as deployed.
    Document(i64),
    /// Answers with a chat's document that says this.
    Say(&'static str),
    /// Answers that it has no room, as an answer of an engine with a full queue.
    Full,
}

pub(crate) struct Worker {
    pub(crate) link: LinkHandle,
    pub(crate) payments: Arc<Mutex<Vec<WorkerRequestPayment>>>,
    pub(crate) identity: Arc<Identity>,
    /// Statements that the proxy signed too.
    pub(crate) countersigned: Arc<Mutex<Vec<Countersigned>>>,
    /// Blinded ids of those who asked.
    pub(crate) payers: Arc<Mutex<Vec<[u8; 32]>>>,
}

/// The image that a worker runs unless it is told otherwise.
const IMAGE: &str = "worker";

impl Worker {
    pub(crate) async fn connect(network: &Network, to: SocketAddr, owner: Address, act: Act) -> Self {
        Self::connect_as(
            network,
            to,
            owner,
            act,
            VersionRange::OFFERED.with_session_proof(),
            WorkerBalances::default(),
        )
        .await
        .unwrap()
    }

    pub(crate) async fn connect_as(
        network: &Network,
        to: SocketAddr,
        owner: Address,
        act: Act,
        versions: VersionRange,
        known: WorkerBalances,
    ) -> Result<Self, String> {
        Self::open(network, to, (owner, IMAGE), act, versions, (known, None)).await
    }

    /// A worker that remembers so many tokens as stored by the proxy, and shows this for it.
    pub(crate) async fn connect_showing(
        network: &Network,
        to: SocketAddr,
        owner: Address,
        tokens: i64,
        proof: Proof,
    ) -> Result<Self, String> {
        let versions = VersionRange::OFFERED.with_session_proof();
        let known = WorkerBalances {
            tokens_committed_to_blockchain: 0,
            tokens_committed_to_db: tokens,
            max_tokens: tokens,
        };
        Self::open(network, to, (owner, IMAGE), Act::Answer, versions, (known, Some(proof))).await
    }

    /// A worker with another image; `image` names its measurements.
    pub(crate) async fn connect_image(
        network: &Network,
        to: SocketAddr,
        owner: Address,
        image: &str,
        act: Act,
    ) -> Result<Self, String> {
        let (versions, known) = (VersionRange::OFFERED.with_session_proof(), WorkerBalances::default());
        Self::open(network, to, (owner, image), act, versions, (known, None)).await
    }

    async fn open(
        network: &Network,
        to: SocketAddr,
        (owner, image): (Address, &str),
        act: Act,
        versions: VersionRange,
        memory: (WorkerBalances, Option<Proof>),
    ) -> Result<Self, String> {
        let clock = SystemClock::shared();
        let source = Arc::new(Simulated::for_role(network.platform.clone(), image));
        let identities = Arc::new(IdentityKeeper::new(source, clock.clone()).unwrap());
        let settings = TrustSettings::real(cocoon_attest::Endorsements::none()).unwrap();
        let settings = settings.with_simulated(&network.platform, clock.now()).unwrap();
        let trust = Arc::new(TrustStore::new(settings));
        let connection = Connector::new(identities, trust, PeerPolicy::Any, clock)
            .connect(to)
            .await
            .map_err(|e| e.to_string())?;
        let identity = connection.identity;
        let (link, events) = Link::dial(connection.stream, LinkConfig::default())
            .await
            .map_err(|e| e.to_string())?;
        let version = handshake(&link, connection.session.as_ref(), &owner, versions, memory).await?;
        // Answered by whoever serves: from then on the proxy counts on it.
        let question = WorkerQuery::from(UpdatePaymentStatus).encode();
        link.query(question, Duration::from_secs(30))
            .await
            .map_err(|e| e.to_string())?;
        let worker = Self {
            link: link.clone(),
            payments: Arc::default(),
            identity: Arc::clone(&identity),
            countersigned: Arc::default(),
            payers: Arc::default(),
        };
        let heard = (
            Arc::clone(&worker.payments),
            Arc::clone(&worker.countersigned),
            Arc::clone(&worker.payers),
        );
        tokio::spawn(serve(link, events, act, version, heard, identity));
        Ok(worker)
    }
}

async fn handshake(
    link: &LinkHandle,
    session: Option<&SessionBinding>,
    owner: &Address,
    versions: VersionRange,
    (known, proof): (WorkerBalances, Option<Proof>),
) -> Result<Version, String> {
    let ask = async |question: Bytes| {
        link.query(question, Duration::from_secs(10))
            .await
            .map_err(|e| e.to_string())
    };
    let (state, question) = WorkerConnecting::start(WorkerOffer {
        owner_address: friendly(owner, false, true),
        model: MODEL.into(),
        coefficient: 1000,
        is_test: true,
        proxy_cnt: 1,
        max_active_requests: 4,
        versions,
    });
    let step = state.connected(&ask(question).await?).map_err(|e| e.to_string())?;
    let state = prove_session::<_, Proving>(link, step, session, Role::Worker)
        .await
        .map_err(|e| format!("{e:?}"))?;
    let version = state.proxy.version;
    let (state, question) = state.compare(known);
    let state = match &proof {
        Some(proof) => state.with_proof(proof),
        None => state,
    };
    let state = match state.compared(&ask(question).await?).map_err(|e| e.to_string())? {
        Ok(state) => state,
        Err((state, question)) => state.extended(&ask(question).await?).map_err(|e| e.to_string())?,
    };
    let (state, question) = state.complete(false);
    state.completed(&ask(question).await?).map_err(|e| e.to_string())?;
    Ok(version)
}

/// What the proxy told: payments, signed statements, blinded ids of payers.
type Heard = (
    Arc<Mutex<Vec<WorkerRequestPayment>>>,
    Arc<Mutex<Vec<Countersigned>>>,
    Arc<Mutex<Vec<[u8; 32]>>>,
);

async fn serve(
    link: LinkHandle,
    mut events: tokio::sync::mpsc::Receiver<LinkEvent>,
    act: Act,
    version: Version,
    (payments, countersigned, payers): Heard,
    identity: Arc<Identity>,
) {
    let cancelled = Arc::new(Mutex::new(std::collections::HashSet::new()));
    let mut signs_at = Instant::now();
    while let Some(event) = events.recv().await {
        match event {
            LinkEvent::Packet(data) => match ProxyToWorker::decode(&data).unwrap() {
                ProxyToWorker::RunFor(query) => {
                    payers.lock().unwrap().push(query.payer);
                    let query = (query.request_id, query.query);
                    tokio::spawn(run(link.clone(), query, act, version, Arc::clone(&cancelled)));
                }
                ProxyToWorker::RunQueryEx(query) => {
                    let query = (query.request_id, query.query);
                    tokio::spawn(run(link.clone(), query, act, version, Arc::clone(&cancelled)));
                }
                ProxyToWorker::RequestPayment(payment) => payments.lock().unwrap().push(payment),
                ProxyToWorker::Countersigned(message) => countersigned.lock().unwrap().push(message),
                ProxyToWorker::Cancel(cancel) => {
                    cancelled.lock().unwrap().insert(cancel.request_id);
                }
                _ => {}
            },
            LinkEvent::Query { id, data } => {
                let ProxyQuery::SignReceipt(question) = ProxyQuery::decode(&data).unwrap() else {
                    panic!()
                };
                let statement = WorkStatement::from_boc(&question.statement).unwrap();
                if act == Act::AnswerSilent {
                    continue;
                }
                if act == Act::AnswerUnsigned {
                    link.answer_error(id, 0, "no").await.unwrap();
                    continue;
                }
                let signature = identity.sign(statement.hash().as_slice()).to_vec();
                let answer = encode(&ReceiptSignature {
                    signature: signature.into(),
                });
                if act == Act::AnswerSigningSlowly {
                    signs_at = signs_at.max(Instant::now()) + Duration::from_secs(2);
                    let (link, at) = (link.clone(), signs_at);
                    tokio::spawn(async move {
                        tokio::time::sleep_until(at).await;
                        let _ = link.answer(id, answer).await;
                    });
                    continue;
                }
                let _ = link.answer(id, answer).await;
            }
            LinkEvent::Closed(_) => return,
        }
    }
}

fn counts(completion: i64) -> TokenCounts {
    TokenCounts {
        prompt: 10,
        cached: 4,
        completion,
        reasoning: 0,
    }
}

async fn run(
    link: LinkHandle,
    (request_id, query): ([u8; 32], Bytes),
    act: Act,
    version: Version,
    cancelled: Arc<Mutex<std::collections::HashSet<[u8; 32]>>>,
) {
    let send = async |packet: WorkerPacket| link.send_packet(packet.encode()).await;
    let answer = |body, final_info| {
        Answer {
            request_id,
            body,
            final_info,
        }
        .to_proxy(version)
    };
    if act == Act::Refuse {
        let _ = send(Answer::error(request_id, 602, "too many active queries", false).to_proxy(version)).await;
        return;
    }
    if act == Act::Silent {
        return;
    }
    if act == Act::Garbage {
        let _ = link.send_packet(vec![1u8, 2, 3, 4, 5, 6, 7, 8]).await;
        return;
    }
    if act != Act::Headless {
        let (status, reason) = if act == Act::Full {
            (429, "Too Many Requests")
        } else {
            (200, "OK")
        };
        let head = Response::new(status, reason, vec![]).encode();
        let _ = send(answer(AnswerBody::Head(head), None)).await;
    }
    if act == Act::HeldBack {
        let stream = "data: {}\n\n".repeat(5000);
        let last = AnswerBody::Part(stream.into());
        let _ = send(answer(last, Some(FinalInfo::default()))).await;
        return;
    }
    if let Act::Document(completion) = act {
        for _ in 0..3 {
            let _ = send(answer(AnswerBody::Part(vec![b'x'; 10_000].into()), None)).await;
        }
        let tokens = TokensUsed {
            prompt: 0,
            cached: 0,
            completion,
            reasoning: 0,
            total: completion,
        };
        let final_info = Some(FinalInfo {
            tokens,
            ..FinalInfo::default()
        });
        let _ = send(answer(AnswerBody::Part(vec![b'x'; 10_000].into()), final_info)).await;
        return;
    }
    let is_endless = matches!(act, Act::Endless | Act::Endless50 | Act::Torrent | Act::Headless);
    let torrent = Bytes::from(vec![b'x'; 16 << 10]);
    let weight = if act == Act::Endless50 { 50 } else { 1 };
    // Hashed as it goes: the account of a long answer must come soon after a cancel.
    let (request_salt, response_salt) = ([1; 32], [2; 32]);
    let mut body = SaltedHasher::new(&response_salt);
    let parts = match act {
        Act::Say(text) => {
            let message = serde_json::json!({ "role": "assistant", "content": text });
            let choice = serde_json::json!({ "index": 0, "message": message, "finish_reason": "stop" });
            let document = serde_json::json!({ "id": format!("chatcmpl-{}", request_id[0]), "choices": [choice] });
            let mut first = document.to_string();
            let second = first.split_off(first.len() / 2);
            [first, second, "\n".to_owned()]
        }
        Act::Full => [r#"{"error":"#, r#"{"message":"the queue is full"}"#, "}"].map(str::to_owned),
        _ => ["one ", "two ", "three"].map(str::to_owned),
    };
    let mut produced = 0;
    loop {
        let part = if act == Act::Torrent {
            torrent.clone()
        } else {
            Bytes::from(parts[produced.min(2)].clone())
        };
        produced += 1;
        if !is_endless && produced == parts.len() {
            body.update(&part);
            break;
        }
        body.update(&part);
        if send(answer(AnswerBody::Part(part), None)).await.is_err() {
            return;
        }
        if version.has_extensions() {
            let _ = send(
                WorkProgress {
                    request_id,
                    counts: counts(produced as i64 * weight),
                }
                .into(),
            )
            .await;
        }
        if act == Act::DieAfterFirstPart {
            // Let what was sent get out before the connection ends.
            tokio::time::sleep(Duration::from_millis(100)).await;
            link.close().await;
            return;
        }
        if act == Act::Unhurried {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        if is_endless {
            if cancelled.lock().unwrap().contains(&request_id) {
                break;
            }
            let pause = match act {
                Act::Torrent => 0,
                Act::Endless50 => 20,
                _ => 50,
            };
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }
    if version.has_extensions() {
        let finish_reason = match act {
            Act::Full => "failed",
            _ if is_endless => "cancelled",
            _ => "stop",
        };
        let report = WorkReport {
            request_id,
            counts: counts(produced as i64 * weight),
            request_salt,
            request_hash: salted_hash(&request_salt, &query).0,
            response_salt,
            response_hash: body.finish().0,
            sampling_hash: [3; 32],
            seed: 42,
            first_token_time: 0.0,
            finish_reason: finish_reason.into(),
        };
        let _ = send(report.into()).await;
    }
    let tokens = TokensUsed {
        prompt: 6,
        cached: 4,
        completion: produced as i64,
        reasoning: 0,
        total: 10 + produced as i64,
    };
    let tokens = if act == Act::Overclaim {
        TokensUsed {
            completion: 1_000_000,
            total: 1_000_010,
            ..tokens
        }
    } else {
        tokens
    };
    let final_info = Some(FinalInfo {
        tokens,
        ..FinalInfo::default()
    });
    let last = if is_endless {
        Bytes::new()
    } else {
        Bytes::from(parts[2].clone())
    };
    let _ = send(answer(AnswerBody::Part(last), final_info)).await;
}
