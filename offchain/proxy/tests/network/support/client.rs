//! A client that notes everything it gets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cocoon_bindings::ton::{Address, friendly};
use cocoon_protocol::answer::{Answer, AnswerBody};
use cocoon_protocol::client::RunQueryEx;
use cocoon_protocol::codec::{decode, encode};
use cocoon_protocol::extension::{Cancel, Receipt as WireReceipt};
use cocoon_protocol::handshake::{Authorized, ClientConnecting, ClientOffer};
use cocoon_protocol::http::{Request, Response};
use cocoon_protocol::message::ProxyToClient;
use cocoon_protocol::proxy::{ClientRequestPayment, TokensUsed};
use cocoon_protocol::session_proof::Role;
use cocoon_protocol::version::VersionRange;
use cocoon_ratls::{Connector, IdentityKeeper, NoEvidence, PeerPolicy, SystemClock, TrustSettings, TrustStore};
use cocoon_receipt::SignedReceipt;
use cocoon_runner::link::{Link, LinkConfig, LinkEvent, LinkHandle, prove_session};
use tokio::sync::mpsc;

use super::{MODEL, Network, Proving, SECRET};

pub(crate) struct Client {
    pub(crate) link: LinkHandle,
    events: mpsc::Receiver<LinkEvent>,
    pub(crate) authorized: Authorized,
    /// The nonce of a registration through the chain, if the proxy wanted one.
    pub(crate) registered: bool,
}

/// Everything about one request.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) has_head: bool,
    /// Seconds, as the head of an answer without the chain tells them.
    pub(crate) chain_age: Option<u64>,
    pub(crate) body: Vec<u8>,
    pub(crate) error: Option<(i32, String)>,
    pub(crate) tokens: Option<TokensUsed>,
    pub(crate) payment: Option<ClientRequestPayment>,
    pub(crate) receipt: Option<SignedReceipt>,
    pub(crate) wire_receipt: Option<WireReceipt>,
}

/// What a client asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    pub(crate) body: &'static str,
    pub(crate) max_tokens: i32,
    pub(crate) max_coefficient: i32,
    pub(crate) timeout: f64,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            body: "{}",
            max_tokens: 1000,
            max_coefficient: 4000,
            timeout: 20.0,
        }
    }
}

pub(crate) fn request() -> Bytes {
    Request::post_json("/v1/chat/completions", Bytes::from_static(b"{}")).encode()
}

impl Client {
    pub(crate) async fn connect(network: &Network, to: SocketAddr, owner: Address) -> Self {
        Self::connect_as(network, to, owner, VersionRange::OFFERED.with_session_proof())
            .await
            .unwrap()
    }

    pub(crate) async fn connect_as(
        network: &Network,
        to: SocketAddr,
        owner: Address,
        versions: VersionRange,
    ) -> Result<Self, String> {
        let clock = SystemClock::shared();
        let identities = Arc::new(IdentityKeeper::new(Arc::new(NoEvidence), clock.clone()).unwrap());
        let settings = TrustSettings::real(cocoon_attest::Endorsements::none()).unwrap();
        let settings = settings.with_simulated(&network.platform, clock.now()).unwrap();
        let trust = Arc::new(TrustStore::new(settings));
        let image = cocoon_attest::simulated::simulated_measurements("proxy").image_hash();
        let policy = PeerPolicy::attested(move |hash| *hash == image);
        let connection = Connector::new(identities, trust, policy, clock)
            .connect(to)
            .await
            .map_err(|e| e.to_string())?;
        let (link, events) = Link::dial(connection.stream, LinkConfig::default())
            .await
            .map_err(|e| e.to_string())?;
        let ask = async |question: Bytes| {
            link.query(question, Duration::from_secs(20))
                .await
                .map_err(|e| e.to_string())
        };
        let (state, question) = ClientConnecting::start(ClientOffer {
            owner_address: friendly(&owner, false, true),
            is_test: true,
            min_config_version: 1,
            versions,
        });
        let step = state.connected(&ask(question).await?).map_err(|e| e.to_string())?;
        let state = prove_session::<_, Proving>(&link, step, connection.session.as_ref(), Role::Client)
            .await
            .map_err(|e| format!("{e:?}"))?;
        assert_eq!(state.proxy.public_key, *network.proxy_key().as_bytes());
        assert_eq!(
            state.client_contract_address,
            friendly(&network.client_contract(&owner), false, true)
        );
        let (state, question) = state.authorize(SECRET);
        let registered = state.register_nonce.is_some();
        let answer = match state.register_nonce {
            None => ask(question).await?,
            Some(nonce) => {
                let (answer, ()) = tokio::join!(ask(question), async { register(network, &owner, nonce) });
                answer?
            }
        };
        let authorized = state.finished(&answer).map_err(|e| e.to_string())?;
        Ok(Self {
            link,
            events,
            authorized,
            registered,
        })
    }

    /// The whole body of a request's answer; fails with the error when there is one.
    pub(crate) async fn answered(&mut self, id: u8) -> Vec<u8> {
        let outcome = self.outcome(id).await;
        assert_eq!(outcome.error, None, "request {id}");
        outcome.body
    }

    pub(crate) async fn ask(&mut self, id: u8) -> Outcome {
        self.send(id, MODEL, 1000).await;
        self.outcome(id).await
    }

    pub(crate) async fn send(&self, id: u8, model: &str, max_tokens: i32) {
        let wish = Wish {
            max_tokens,
            ..Wish::default()
        };
        self.send_wish(id, model, &wish).await;
    }

    pub(crate) async fn send_wish(&self, id: u8, model: &str, wish: &Wish) {
        self.link
            .send_packet(encode(&Self::query(id, model, wish)))
            .await
            .unwrap();
    }

    pub(crate) fn query(id: u8, model: &str, wish: &Wish) -> RunQueryEx {
        RunQueryEx {
            model_name: model.into(),
            query: Request::post_json("/v1/chat/completions", wish.body.into()).encode(),
            max_coefficient: wish.max_coefficient,
            max_tokens: wish.max_tokens,
            timeout: wish.timeout,
            request_id: [id; 32],
            min_config_version: 1,
            flags: (),
            enable_debug: Some(false),
        }
    }

    pub(crate) async fn cancel(&self, id: u8) {
        self.link
            .send_packet(encode(&Cancel { request_id: [id; 32] }))
            .await
            .unwrap();
    }

    /// Reads until the first body part of a request.
    pub(crate) async fn first_part(&mut self, id: u8) -> Bytes {
        loop {
            if let Ok(Answer {
                request_id,
                body: AnswerBody::Part(part),
                ..
            }) = Answer::from_proxy(self.next().await)
                && request_id == [id; 32]
            {
                return part;
            }
        }
    }

    /// Reads everything about a request, the receipt included when there has to be one.
    pub(crate) async fn outcome(&mut self, id: u8) -> Outcome {
        let mut outcome = Outcome::default();
        while outcome.receipt.is_none() {
            match self.next().await {
                ProxyToClient::RequestPayment(payment) if payment.request_id == [id; 32] => {
                    let is_free = outcome.error.is_some() && payment.request_tokens == 0 && !outcome.has_head;
                    outcome.payment = Some(payment);
                    if is_free {
                        return outcome;
                    }
                }
                ProxyToClient::Receipt(receipt) if receipt.request_id == [id; 32] => {
                    outcome.receipt = Some(SignedReceipt::from_boc(&receipt.receipt).unwrap());
                    outcome.wire_receipt = Some(receipt);
                }
                other => {
                    let Ok(answer) = Answer::from_proxy(other) else {
                        continue;
                    };
                    if answer.request_id != [id; 32] {
                        continue;
                    }
                    // Clients before version 3 get totals with a refusal, all zeros.
                    let said = answer.final_info.as_ref().filter(|info| {
                        info.tokens != TokensUsed::default() || info.proxy_times.is_some_and(|times| times.end > 0.0)
                    });
                    let is_refusal = said.is_none() && answer.is_last();
                    outcome.tokens = answer.final_info.map(|info| info.tokens).or(outcome.tokens);
                    match answer.body {
                        AnswerBody::Head(head) => {
                            outcome.has_head = true;
                            outcome.chain_age = chain_age(&head);
                        }
                        AnswerBody::Part(part) => outcome.body.extend_from_slice(&part),
                        AnswerBody::Error { code, message, .. } => outcome.error = Some((code, message)),
                    }
                    if is_refusal {
                        return outcome;
                    }
                }
            }
        }
        outcome
    }

    /// Reads a request's answer to its last message, which everything else must follow.
    pub(crate) async fn answer(&mut self, id: u8) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let message = self.next().await;
            let answer =
                Answer::from_proxy(message).unwrap_or_else(|other| panic!("before the answer's end: {other:?}"));
            assert_eq!(answer.request_id, [id; 32]);
            let is_last = answer.is_last();
            if let AnswerBody::Part(part) = answer.body {
                body.extend_from_slice(&part);
            }
            if is_last {
                return body;
            }
        }
    }

    /// Reads a request's answer to its last message; payments and receipts of others are passed over. Gives the error's message, if
    /// it is one.
    pub(crate) async fn answered_only(&mut self, id: u8) -> Option<String> {
        loop {
            if let Ok(answer) = Answer::from_proxy(self.next().await)
                && answer.request_id == [id; 32]
                && answer.is_last()
            {
                return match answer.body {
                    AnswerBody::Error { message, .. } => Some(message),
                    AnswerBody::Head(_) | AnswerBody::Part(_) => None,
                };
            }
        }
    }

    /// How many answers end within this time.
    pub(crate) async fn ends_within(&mut self, time: Duration) -> usize {
        let (until, mut ended) = (tokio::time::Instant::now() + time, 0);
        while let Ok(Some(LinkEvent::Packet(data))) = tokio::time::timeout_at(until, self.events.recv()).await {
            let answer = Answer::from_proxy(ProxyToClient::decode(&data).unwrap());
            ended += usize::from(answer.is_ok_and(|answer| answer.is_last()));
        }
        ended
    }

    /// Whether nothing comes for so long.
    pub(crate) async fn is_silent_for(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.events.recv()).await.is_err()
    }

    /// Reads until a request's payment.
    pub(crate) async fn payment(&mut self, id: u8) -> ClientRequestPayment {
        loop {
            if let ProxyToClient::RequestPayment(payment) = self.next().await
                && payment.request_id == [id; 32]
            {
                return payment;
            }
        }
    }

    /// Reads until so many receipts have come.
    pub(crate) async fn receipts(&mut self, count: usize, receipts: &mut Vec<SignedReceipt>) {
        while receipts.len() < count {
            if let ProxyToClient::Receipt(receipt) = self.next().await {
                receipts.push(SignedReceipt::from_boc(&receipt.receipt).unwrap());
            }
        }
    }

    async fn next(&mut self) -> ProxyToClient {
        let event = tokio::time::timeout(Duration::from_secs(20), self.events.recv())
            .await
            .expect("an event in time");
        match event.expect("an open connection") {
            LinkEvent::Packet(data) => ProxyToClient::decode(&data).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

fn chain_age(head: &Bytes) -> Option<u64> {
    let head: Response = decode(head).ok()?;
    let header = head.headers.iter().find(|header| header.name == "X-Cocoon-Chain-Age")?;
    header.value.parse().ok()
}

/// The client's wallet tells its contract to register.
fn register(network: &Network, owner: &Address, nonce: i64) {
    let register = cocoon_bindings::client::RegisterFromOwner {
        query_id: cocoon_bindings::QueryId::new(2),
        nonce: nonce.cast_unsigned(),
        send_excesses_to: owner.clone(),
    };
    let body = cocoon_bindings::ton::to_cell(&register).unwrap();
    let contract = network.client_contract(owner);
    let params = &network.params;
    let init = cocoon_bindings::client_state_init(owner, &network.proxy_contract(), &network.proxy_key(), params);
    network.deliver(
        owner,
        &contract,
        cocoon_bindings::Nanoton::from_ton(1),
        body,
        Some(init.unwrap()),
    );
}
