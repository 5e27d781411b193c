//! One client's connection: handshake, questions, requests.

mod handshake;
mod models;
pub(crate) mod receipts;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::Coefficient;
use cocoon_openai::limits::DEFAULT_MAX_TOKENS;
use cocoon_openai::{Endpoint, OutputBound};
use cocoon_protocol::answer::Answer;
use cocoon_protocol::client::{PaymentStatus, Refund, RunQueryEx};
use cocoon_protocol::codec::{decode, encode};
use cocoon_protocol::extension::{Evidence, ProofCompared};
use cocoon_protocol::http;
use cocoon_protocol::message::{ClientPacket, ClientQuery};
use cocoon_protocol::{ErrorCode, Version};
use cocoon_ratls::SessionBinding;
use cocoon_runner::link::{LinkEvent, LinkHandle, OpenLink};
use cocoon_runner::off_thread;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use self::receipts::ReceiptQueue;
use crate::challenge;
use crate::instance::Instance;
use crate::limits::{MAX_REQUEST_TIMEOUT, MAX_REQUESTS_PER_CONNECTION, MAX_UNFINISHED_PER_CONNECTION};
use crate::listen::close;
use crate::proof;
use crate::quotes;
use crate::request::{self, Failure, Request};
use crate::settle;
use crate::state::Proxy;

/// A client whose connection serves.
pub(crate) struct ClientPeer {
    pub(crate) id: u64,
    /// The proxy contract that it deals with.
    pub(crate) instance: Arc<Instance>,
    pub(crate) contract: Address,
    pub(crate) version: Version,
    /// SHA-256 of the certificate that this proxy showed it.
    pub(crate) evidence: HashBytes,
    pub(crate) link: LinkHandle,
    pub(crate) receipts: ReceiptQueue,
    /// Held while totals are read and sent: the client must never see them go down.
    pub(crate) telling: Arc<tokio::sync::Mutex<()>>,
    /// Those that have no answer yet.
    requests: Mutex<HashMap<[u8; 32], CancellationToken>>,
    /// All requests, until their receipts have left too.
    unfinished: TaskTracker,
}

impl ClientPeer {
    /// Sends a message of an answer in the family of the client's version; false when the client is gone.
    pub(crate) async fn send(&self, answer: &Answer) -> bool {
        self.link
            .send_packet(answer.to_client(self.version).encode())
            .await
            .is_ok()
    }

    /// A request has its answer: it can no longer be cancelled.
    pub(crate) fn forget(&self, id: &[u8; 32]) {
        self.requests().remove(id);
    }

    /// Requests that have no answer yet.
    pub(crate) fn running(&self) -> usize {
        self.requests().len()
    }

    /// Keeps the client busy until it is dropped.
    pub(crate) fn busy(&self) -> TaskTrackerToken {
        self.unfinished.token()
    }

    /// Whether a request has no answer yet, or is still to be paid and signed for.
    pub(crate) fn is_busy(&self) -> bool {
        !self.unfinished.is_empty()
    }

    /// A client whose connection serves, known to everybody who looks for clients.
    pub(crate) fn open(
        proxy: &Arc<Proxy>,
        instance: Arc<Instance>,
        contract: Address,
        version: Version,
        evidence: HashBytes,
        link: LinkHandle,
    ) -> Arc<Self> {
        let (payer, paid) = (Arc::clone(proxy), contract.clone());
        let pay = move |request_id, tokens| settle::payment(&payer, &paid, request_id, tokens);
        let telling = Arc::default();
        let (receipts, send_receipts) = ReceiptQueue::new(link.clone(), Arc::clone(&telling), pay);
        proxy.shutdown.spawn(send_receipts);
        proxy.clients.add(Self {
            id: 0,
            instance,
            contract,
            version,
            evidence,
            link,
            receipts,
            telling,
            requests: Mutex::default(),
            unfinished: TaskTracker::new(),
        })
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<[u8; 32], CancellationToken>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All clients whose connections serve.
#[derive(Default)]
pub(crate) struct Clients {
    peers: Mutex<HashMap<u64, Arc<ClientPeer>>>,
    next_id: AtomicU64,
}

impl Clients {
    pub(crate) fn all(&self) -> Vec<Arc<ClientPeer>> {
        self.peers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    fn add(&self, peer: ClientPeer) -> Arc<ClientPeer> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let peer = Arc::new(ClientPeer { id, ..peer });
        self.peers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, Arc::clone(&peer));
        peer
    }

    pub(crate) fn remove(&self, id: u64) {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

/// Serves a client's connection to its end. `evidence` is the hash of the certificate that it was shown.
pub(crate) async fn serve(
    proxy: Arc<Proxy>,
    (link, mut events): OpenLink,
    session: Option<SessionBinding>,
    evidence: HashBytes,
) {
    let greeted = Box::pin(handshake::run(&proxy, &link, &mut events, session.as_ref())).await;
    let Some(greeted) = greeted else {
        close(&link).await;
        return;
    };
    let handshake::Greeted {
        instance,
        contract,
        version,
    } = greeted;
    let client = ClientPeer::open(&proxy, instance, contract, version, evidence, link);
    tracing::info!(client = client.id, version = client.version.to_wire(), "client serves");
    while let Some(event) = events.recv().await {
        let is_good = match event {
            LinkEvent::Packet(data) => packet(&proxy, &client, &data).await,
            LinkEvent::Query { id, data } => query(&proxy, &client, id, &data).await,
            LinkEvent::Closed(reason) => {
                tracing::info!(client = client.id, %reason, "client gone");
                false
            }
        };
        if !is_good {
            break;
        }
    }
    client.requests().values().for_each(CancellationToken::cancel);
    proxy.clients.remove(client.id);
    close(&client.link).await;
}

/// Takes a one-way message; false ends the connection.
async fn packet(proxy: &Arc<Proxy>, client: &Arc<ClientPeer>, data: &[u8]) -> bool {
    let decoded = ClientPacket::decode(data).and_then(|packet| match packet {
        // What it holds is a message of its own.
        ClientPacket::RunQuoted(quoted) => Ok((Some(quoted.quote_id), ClientPacket::RunQueryEx(decode(&quoted.run)?))),
        packet => Ok((None, packet)),
    });
    let (query, quote) = match decoded {
        Ok((quote, ClientPacket::RunQueryEx(query))) => (query, quote),
        Ok((_, ClientPacket::RunQuery(old))) => (from_old(old), None),
        Ok((_, ClientPacket::Cancel(cancel))) => {
            if let Some(token) = client.requests().get(&cancel.request_id) {
                token.cancel();
            }
            return true;
        }
        Ok(_) => return true,
        Err(error) => {
            tracing::warn!(client = client.id, %error, "the client sent a malformed message");
            return false;
        }
    };
    let id = query.request_id;
    let cancel = CancellationToken::new();
    let request = match request_of(query, quote, cancel.clone(), proxy.unix_ms())
        .and_then(|request| admit(client, id, cancel, request))
    {
        Ok(mut request) => {
            request.sample_slot = sample_slot(proxy, &request);
            request.is_sampled = request.sample_slot.is_some();
            request
        }
        Err(failure) => {
            let code = failure.code.for_version(client.version);
            return client.send(&Answer::error(id, code, failure.message, false)).await;
        }
    };
    let (proxy, client) = (Arc::clone(proxy), Arc::clone(client));
    let unfinished = client.unfinished.token();
    proxy.shutdown.clone().spawn(async move {
        request::serve(proxy, client, request).await;
        drop(unfinished);
    });
    true
}

/// The place of a request whose answer will be compared with another worker's. Drawn first: most requests are not looked at.
fn sample_slot(proxy: &Proxy, request: &Request) -> Option<OwnedSemaphorePermit> {
    let config = &proxy.config.challenge;
    let is_drawn = config.is_on() && rand::random::<f64>() < config.rate;
    let is_chosen = is_drawn && challenge::may_sample(config, &request.model, &request.query);
    is_chosen.then(|| proxy.challenges.sample_slot()).flatten()
}

fn from_old(old: cocoon_protocol::client::RunQuery) -> RunQueryEx {
    RunQueryEx {
        model_name: old.model_name,
        query: old.query,
        max_coefficient: old.max_coefficient,
        max_tokens: old.max_tokens,
        timeout: old.timeout,
        request_id: old.request_id,
        min_config_version: old.min_config_version,
        flags: (),
        enable_debug: None,
    }
}

/// A request whose numbers make sense.
fn request_of(
    query: RunQueryEx,
    quote: Option<[u8; 32]>,
    cancel: CancellationToken,
    received_ms: u64,
) -> Result<Request, Failure> {
    let bad = |what| Failure::new(ErrorCode::BadRequest, what);
    let max_tokens = u64::try_from(query.max_tokens).map_err(|_| bad("max_tokens is negative"))?;
    let max_coefficient = u32::try_from(query.max_coefficient).map_err(|_| bad("max_coefficient is negative"))?;
    if !(query.timeout > 0.0 && query.timeout.is_finite()) {
        return Err(bad("timeout is not a positive number of seconds"));
    }
    let timeout = Duration::from_secs_f64(query.timeout.min(MAX_REQUEST_TIMEOUT.as_secs_f64()));
    let (bound, max_tokens) = to_reserve(&query.query, max_tokens)?;
    let model = query.model_name.split('@').next().unwrap_or_default().to_owned();
    Ok(Request {
        id: query.request_id,
        model,
        query: query.query,
        max_coefficient: Coefficient::new(max_coefficient),
        max_tokens,
        bound,
        timeout,
        min_config_version: query.min_config_version,
        quote,
        is_debug: query.enable_debug.unwrap_or(false),
        is_sampled: false,
        sample_slot: None,
        received: Instant::now(),
        received_ms,
        cancel,
    })
}

/// What a body asks for, and the tokens to reserve for it when the client says `max_tokens`. The worker obeys the body, so a
/// body may not ask for more than the client says; of several answers each may be as long as that, as deployed clients mean
/// it; and without a number a worker takes its own.
fn to_reserve(query: &Bytes, max_tokens: u64) -> Result<(OutputBound, u64), Failure> {
    let bad = |what| Failure::new(ErrorCode::BadRequest, what);
    let http = http::Request::decode(query).map_err(|_| bad("the query is not an HTTP request"))?;
    let bound = OutputBound::of_body(&http.payload).ok_or_else(|| bad("the body is not a JSON object"))?;
    if bound.tokens.is_some_and(|tokens| tokens > max_tokens) {
        return Err(bad("the body asks for more tokens than max_tokens says"));
    }
    let asked = match bound.all_tokens() {
        Some(tokens) => tokens,
        None if Endpoint::from_path(&http.url) == Some(Endpoint::Embeddings) => 0,
        None => DEFAULT_MAX_TOKENS.saturating_mul(bound.choices),
    };
    Ok((bound, max_tokens.max(asked)))
}

/// Enters a request into the connection's list, unless the list is full or has the id.
fn admit(client: &ClientPeer, id: [u8; 32], cancel: CancellationToken, request: Request) -> Result<Request, Failure> {
    let mut requests = client.requests();
    if requests.len() >= MAX_REQUESTS_PER_CONNECTION || client.unfinished.len() >= MAX_UNFINISHED_PER_CONNECTION {
        return Err(Failure::new(
            ErrorCode::TooManyRequests,
            "too many requests on this connection",
        ));
    }
    if requests.contains_key(&id) {
        return Err(Failure::new(ErrorCode::ProtocolViolation, "this request id is in use"));
    }
    requests.insert(id, cancel);
    Ok(request)
}

/// Answers a question; false ends the connection.
async fn query(proxy: &Arc<Proxy>, client: &Arc<ClientPeer>, id: i64, data: &[u8]) -> bool {
    let link = &client.link;
    let answer = match ClientQuery::decode(data) {
        Ok(ClientQuery::UpdatePaymentStatus(_)) => {
            let _in_order = client.telling.lock().await;
            let shown = proxy.vouchers.for_client(&client.contract);
            let status = PaymentStatus {
                signed_payment: shown.payment,
                db_tokens: shown.db_tokens,
                max_tokens: shown.max_tokens,
            };
            return link.answer(id, encode(&status)).await.is_ok();
        }
        Ok(ClientQuery::GetWorkerTypesV2(_)) => encode(&models::list(proxy)),
        Ok(ClientQuery::GetWorkerTypes(_)) => encode(&models::old_list(proxy)),
        Ok(ClientQuery::GetContexts(_)) if client.version.has_extensions() => encode(&models::contexts(proxy)),
        Ok(ClientQuery::RequestRefund(_)) => {
            let active_queries = i64::try_from(client.running()).unwrap_or(i64::MAX);
            encode(&Refund::Rejected { active_queries })
        }
        Ok(ClientQuery::CompareProof(question)) => {
            match proof::compare(proxy, &client.instance, &client.contract, &question.proof) {
                Ok(()) => encode(&ProofCompared),
                Err(refusal) => {
                    // It is closed next, whether it hears this or not.
                    let _ = link.answer_error(id, refusal.code.to_wire(), refusal.message).await;
                    return false;
                }
            }
        }
        Ok(ClientQuery::GetQuote(question)) if client.version.has_extensions() => {
            match quotes::issue(proxy, client, &question) {
                Ok(quote) => encode(&quote),
                Err(failure) => {
                    let (code, message) = failure.told(client.version);
                    return link.answer_error(id, code, message).await.is_ok();
                }
            }
        }
        Ok(ClientQuery::GetEvidence(question)) => return evidence(proxy, link, id, question.hash).await,
        Ok(_) => {
            return link
                .answer_error(id, ErrorCode::ProtocolViolation.to_wire(), "not now")
                .await
                .is_ok();
        }
        Err(error) => {
            return link
                .answer_error(id, ErrorCode::Plain.to_wire(), error.to_string())
                .await
                .is_ok();
        }
    };
    link.answer(id, answer).await.is_ok()
}

async fn evidence(proxy: &Proxy, link: &LinkHandle, id: i64, hash: [u8; 32]) -> bool {
    let folder = proxy.books.reader().evidence().clone();
    let read = off_thread(move || folder.get(&HashBytes(hash))).await;
    match read {
        Ok(Ok(Some(certificate))) => {
            link.answer(
                id,
                encode(&Evidence {
                    certificate: Bytes::from(certificate),
                }),
            )
            .await
        }
        _ => {
            link.answer_error(id, ErrorCode::Plain.to_wire(), "no such evidence")
                .await
        }
    }
    .is_ok()
}
