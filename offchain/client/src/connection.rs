//! One connection to a proxy: the handshake, then the loop that takes its messages.

mod handshake;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cocoon_bindings::ton::Address;
use cocoon_protocol::ErrorCode;
use cocoon_protocol::Version;
use cocoon_protocol::answer::Answer;
use cocoon_protocol::client::{GetWorkerTypes, GetWorkerTypesV2, PaymentStatus, UpdatePaymentStatus};
use cocoon_protocol::client::{WorkerTypes, WorkerTypesV2};
use cocoon_protocol::codec::{DecodeError, decode, encode};
use cocoon_protocol::context::{Contexts, GetContexts};
use cocoon_protocol::limits::{CONTEXTS_TIMEOUT, PAYMENT_STATUS_TIMEOUT, WORKER_TYPES_TIMEOUT};
use cocoon_protocol::message::{ClientPacket, ProxyToClient};
use cocoon_protocol::proxy::SignedPayment;
use cocoon_ratls::{Peer, SessionBinding};
use cocoon_runner::link::{LinkError, LinkEvent, LinkHandle};
use cocoon_runner::off_thread;
use cocoon_runner::standing::Standing;
use cocoon_runner::telemetry::Tracer;
use cocoon_runner::wear::Wear;
use cocoon_store::ClientStore;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

use crate::calls::{Call, Calls, RequestId};
use crate::context::Context;
use crate::contract::ProxyIdentity;
use crate::error::ClientError;
use crate::limits::{MAX_ANSWERS_AHEAD, PAYMENT_STATUS_EVERY};
use crate::payments::{Payments, VoucherRules};
use crate::quotes;
use crate::receipts::{ReceiptJob, ReceiptKeeper};

/// A proxy that serves us.
pub struct ProxyConnection {
    /// Where it is, as the root contract lists it.
    pub address: String,
    /// Who it is by its certificate.
    pub peer: Peer,
    /// Who it is on chain.
    pub proxy: ProxyIdentity,
    /// Our contract at it.
    pub client_contract: Address,
    /// What the connection speaks.
    pub version: Version,
    link: LinkHandle,
    calls: Arc<Calls>,
    ahead: Arc<Semaphore>,
    payments: Mutex<Payments>,
    rules: VoucherRules,
    store: Arc<Mutex<ClientStore>>,
    pub(crate) tracer: Tracer,
}

impl ProxyConnection {
    /// Shakes hands over an open link and starts to serve. `session` is what can be proven of its TLS session.
    pub async fn open(
        link: LinkHandle,
        events: mpsc::Receiver<LinkEvent>,
        peer: Peer,
        session: Option<SessionBinding>,
        address: String,
        context: &Context,
    ) -> Result<Arc<Self>, ClientError> {
        let shaken = handshake::shake_hands(&link, session.as_ref(), context).await;
        let (identity, client_contract, version, payments) = match shaken {
            Ok(done) => done,
            Err(error) => {
                link.close().await;
                return Err(error);
            }
        };
        let rules = VoucherRules {
            proxy_key: identity.public_key,
            contract: client_contract.clone(),
        };
        let (receipts, jobs) = mpsc::unbounded_channel();
        let keeper = ReceiptKeeper {
            link: link.clone(),
            store: Arc::clone(&context.store),
            failed: context.failed.clone(),
            root: context.root.clone(),
            rules: context.certificate_rules(),
            proxy: identity.contract.clone(),
            proxy_key: identity.public_key,
            proxy_evidence: peer.evidence_hash(),
            client: client_contract.clone(),
            disclosures: context.disclosures.clone(),
        };
        let connection = Arc::new(Self {
            address,
            peer,
            proxy: identity,
            client_contract,
            version,
            link,
            calls: Arc::new(Calls::default()),
            ahead: Arc::new(Semaphore::new(MAX_ANSWERS_AHEAD)),
            payments: Mutex::new(payments),
            rules,
            store: Arc::clone(&context.store),
            tracer: context.tracer.clone(),
        });
        connection.keep_voucher();
        tokio::spawn(keeper.run(jobs));
        tokio::spawn(Arc::clone(&connection).take_events(events, receipts));
        tokio::spawn(Arc::clone(&connection).ask_for_payments());
        Ok(connection)
    }

    /// Opens a place for a request and sends it.
    pub(crate) async fn run(
        &self,
        id: RequestId,
        request: bytes::Bytes,
        query: cocoon_protocol::client::RunQueryEx,
        quote: Option<[u8; 32]>,
    ) -> Result<Call, LinkError> {
        let max_coefficient = u32::try_from(query.max_coefficient).unwrap_or(0);
        let call = self
            .calls
            .open(id, request, max_coefficient)
            .map_err(|_| self.closed_error())?;
        let packet = if let Some(quote) = quote {
            quotes::run_quoted(quote, encode(&query))
        } else if self.version.has_ex_answers() {
            ClientPacket::RunQueryEx(query).encode()
        } else {
            ClientPacket::RunQuery(cocoon_protocol::client::RunQuery {
                model_name: query.model_name,
                query: query.query,
                max_coefficient: query.max_coefficient,
                max_tokens: query.max_tokens,
                timeout: query.timeout,
                request_id: query.request_id,
                min_config_version: query.min_config_version,
            })
            .encode()
        };
        self.link.send_packet(packet).await?;
        Ok(call)
    }

    /// Waits for a place among the answers that are ahead of their receipts.
    pub(crate) async fn place_ahead(&self) -> Option<OwnedSemaphorePermit> {
        // Never closed.
        Arc::clone(&self.ahead).acquire_owned().await.ok()
    }

    /// Waits until a request is no longer in flight: its receipt has been kept, or is not awaited any more.
    pub(crate) async fn receipt_taken(&self, id: &RequestId) {
        self.calls.closed(id).await;
    }

    /// Asks the proxy to stop a request, if it knows how.
    pub(crate) async fn cancel(&self, id: RequestId) {
        if self.version.has_extensions() {
            let packet = ClientPacket::Cancel(cocoon_protocol::extension::Cancel { request_id: id });
            // A dead link needs no cancel.
            let _ = self.link.send_packet(packet.encode()).await;
        }
    }

    /// Asks the proxy something.
    pub(crate) async fn query(&self, question: Bytes, limit: Duration) -> Result<Bytes, LinkError> {
        self.link.query(question, limit).await
    }

    /// The models of this proxy.
    pub async fn worker_types(&self) -> Result<WorkerTypesV2, LinkError> {
        if self.version.has_ex_answers() {
            let answer = self.link.query(encode(&GetWorkerTypesV2), WORKER_TYPES_TIMEOUT).await?;
            return decode(&answer).map_err(malformed);
        }
        let answer = self.link.query(encode(&GetWorkerTypes), WORKER_TYPES_TIMEOUT).await?;
        let old: WorkerTypes = decode(&answer).map_err(malformed)?;
        let types = old.types.into_iter().map(|t| cocoon_protocol::client::WorkerTypeV2 {
            name: t.name,
            workers: vec![],
        });
        Ok(WorkerTypesV2 { types: types.collect() })
    }

    /// What the models of this proxy take. `None`: it is of an earlier build, or did not say it in time.
    pub(crate) async fn contexts(&self) -> Option<Contexts> {
        if !self.version.has_extensions() {
            return None;
        }
        let answer = self.link.query(encode(&GetContexts), CONTEXTS_TIMEOUT).await;
        let contexts = answer.and_then(|answer| decode(&answer).map_err(malformed));
        if let Err(error) = &contexts {
            tracing::debug!(proxy = %self.proxy.contract, %error, "the proxy did not tell what its models take");
        }
        contexts.ok()
    }

    /// Totals and the latest voucher.
    pub fn payments(&self) -> Payments {
        self.payments.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests in flight.
    pub fn running_requests(&self) -> usize {
        self.calls.len()
    }

    /// Waits for the end; says why.
    pub async fn closed(&self) -> String {
        self.link.closed().await.to_string()
    }

    /// Whether it has ended.
    pub fn is_closed(&self) -> bool {
        self.link.is_closed()
    }

    /// Ends it when the root contract takes back what the proxy was admitted for, and when its certificate is worn.
    pub(crate) async fn keep_while(self: Arc<Self>, mut standing: Standing, wear: Wear) {
        tokio::select! {
            biased;
            _ = self.link.closed() => {}
            revoked = standing.revoked() => {
                tracing::warn!(proxy = %self.proxy.contract, image = ?self.peer.image_hash, %revoked, "proxy dropped");
                self.link.revoke(revoked);
            }
            () = wear.worn_out(|| self.running_requests() == 0) => {
                tracing::info!(proxy = %self.proxy.contract, "the proxy's certificate is worn: the connection is made anew");
                self.link.close().await;
            }
        }
    }

    /// Ends it.
    pub async fn close(&self) {
        self.link.close().await;
    }

    async fn take_events(
        self: Arc<Self>,
        mut events: mpsc::Receiver<LinkEvent>,
        receipts: mpsc::UnboundedSender<ReceiptJob>,
    ) {
        let mut reason = "the connection to the proxy ended".to_owned();
        while let Some(event) = events.recv().await {
            match event {
                LinkEvent::Packet(data) => {
                    if let Err(fault) = self.take_packet(&data, &receipts) {
                        tracing::error!(proxy = %self.proxy.contract, fault, "the proxy broke the protocol");
                        reason = format!("the proxy broke the protocol: {fault}");
                        break;
                    }
                }
                LinkEvent::Query { id, .. } => {
                    let code = ErrorCode::ProtocolViolation.to_wire();
                    let _ = self.link.answer_error(id, code, "a client answers no questions").await;
                }
                LinkEvent::Closed(why) => {
                    reason = format!("the connection to the proxy ended: {why}");
                    break;
                }
            }
        }
        self.calls.fail_all(&reason);
        self.link.close().await;
    }

    fn take_packet(&self, data: &[u8], receipts: &mpsc::UnboundedSender<ReceiptJob>) -> Result<(), String> {
        let packet = match ProxyToClient::decode(data) {
            Ok(packet) => packet,
            Err(DecodeError::UnknownConstructor(id)) => {
                tracing::warn!(
                    id = format!("{id:#010x}"),
                    "the proxy sent a message of a newer version"
                );
                return Ok(());
            }
            Err(error) => return Err(error.to_string()),
        };
        match Answer::from_proxy(packet).map_err(|packet| *packet) {
            Ok(answer) => self.calls.answer(answer),
            Err(ProxyToClient::RequestPayment(m)) => {
                self.take_payment(&m.signed_payment, Some((m.db_tokens, m.max_tokens)), None)?;
            }
            Err(ProxyToClient::SignedPayment(m)) => self.take_payment(&m, None, None)?,
            Err(ProxyToClient::Receipt(message)) => {
                let (exchange, reply) = self.calls.exchange(&message.request_id).unzip();
                // The keeper lives as long as this loop.
                let _ = receipts.send(ReceiptJob {
                    message,
                    exchange,
                    reply,
                });
            }
            Err(_) => tracing::warn!("a message of the proxy was not used"),
        }
        Ok(())
    }

    fn take_payment(
        &self,
        payment: &SignedPayment,
        totals: Option<(i64, i64)>,
        asked: Option<Instant>,
    ) -> Result<(), String> {
        let has_grown = {
            let mut payments = self.payments.lock().unwrap_or_else(PoisonError::into_inner);
            let before = payments.signed;
            payments
                .update(&self.rules, payment, totals)
                .map_err(|e| e.to_string())?;
            payments.asked = asked.or(payments.asked);
            payments.signed > before
        };
        if has_grown {
            self.keep_voucher();
        }
        Ok(())
    }

    /// Writes the latest voucher to the store, in the background: the next one supersedes it anyway.
    fn keep_voucher(&self) {
        let Some(voucher) = self.payments().voucher else { return };
        let (store, name) = (Arc::clone(&self.store), format!("voucher {}", self.client_contract));
        let keep = off_thread(move || {
            let store = store.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = store.put_state(&name, &hex::encode(voucher)) {
                tracing::warn!(%error, "the latest voucher could not be kept");
            }
        });
        tokio::spawn(keep);
    }

    async fn ask_for_payments(self: Arc<Self>) {
        loop {
            let (least, most) = PAYMENT_STATUS_EVERY;
            let pause = least + (most - least).mul_f64(rand::random::<f64>());
            tokio::select! {
                _ = self.link.closed() => return,
                () = tokio::time::sleep(pause) => {}
            }
            let asked = Instant::now();
            let answer = self
                .link
                .query(encode(&UpdatePaymentStatus), PAYMENT_STATUS_TIMEOUT)
                .await;
            let taken = answer.map_err(|e| e.to_string()).and_then(|answer| {
                let status: PaymentStatus = decode(&answer).map_err(|e| e.to_string())?;
                self.take_payment(
                    &status.signed_payment,
                    Some((status.db_tokens, status.max_tokens)),
                    Some(asked),
                )
            });
            if let Err(fault) = taken {
                tracing::warn!(fault, "payment status is not known");
            }
        }
    }

    fn closed_error(&self) -> LinkError {
        LinkError::Closed(cocoon_runner::link::CloseReason::Remote)
    }
}

impl std::fmt::Debug for ProxyConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProxyConnection({} at {})", self.proxy.contract, self.address)
    }
}

fn malformed(error: DecodeError) -> LinkError {
    LinkError::Refused {
        code: ErrorCode::Parse.to_wire(),
        message: error.to_string(),
    }
}
