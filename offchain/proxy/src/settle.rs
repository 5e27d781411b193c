//! Last phase: the answer ends, and the reservation becomes a charge. Payments, signatures and the receipt follow once the
//! charge is durable.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use cocoon_bindings::ton::Address;
use cocoon_bindings::units::TokenCount;
use cocoon_protocol::answer::{Answer, AnswerBody, FinalInfo};
use cocoon_protocol::extension::Receipt as WireReceipt;
use cocoon_protocol::limits::SIGN_RECEIPT_TIMEOUT;
use cocoon_protocol::message::{ProxyToClient, ProxyToWorker};
use cocoon_protocol::proxy::{ClientRequestPayment, Span, WorkerRequestPayment};
use cocoon_receipt::{BuiltReceipt, Signature};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::challenge::{self, Answered};
use crate::client::ClientPeer;
use crate::client::receipts::{Outgoing, Place};
use crate::receipt::{Content, Parts, Usage, content, to_wire, usage};
use crate::request::Request;
use crate::reserve::Reserved;
use crate::run::{Ended, Work, take_head};
use crate::signer::SignJob;
use crate::state::Proxy;
use crate::stats::End;
use crate::workers::{Lease, WorkerPeer};

/// Ends an attempt that is not repeated: sends the end of the answer, and charges, while what is signed waits for the disk. What
/// the client still gets is left to the [`Rest`].
pub(crate) async fn settle(
    proxy: &Arc<Proxy>,
    client: &Arc<ClientPeer>,
    request: &Request,
    lease: Lease,
    reserved: Reserved,
    mut work: Work,
) -> (End, Option<Rest>) {
    let worker = Arc::clone(&lease.worker);
    let coefficient = lease.coefficient;
    // The slot is free as soon as the worker is done.
    drop(lease);
    let multipliers = &client.instance.params.multipliers;
    let usage = usage(&work, worker.version.has_extensions(), coefficient, multipliers);
    let end = if work.ended == Ended::Finished {
        End::Success
    } else {
        End::Failed
    };
    if end == End::Failed && !work.is_begun && usage.used.total == 0 {
        // Nothing was delivered and nothing is charged: there is nothing to write a receipt about.
        drop(reserved);
        closing(client, request, &mut work, &usage).send_rest(client).await;
        let _in_order = client.telling.lock().await;
        let payment = payment(proxy, &client.contract, request.id, 0);
        // The next payment, or the next connection, tells the same.
        let _ = client.link.send_packet(payment).await;
        return (end, None);
    }
    // Answers may run ahead of their receipts, but only so far. The semaphore is never closed.
    let ahead = Arc::clone(&worker.ahead).acquire_owned().await.ok();
    let used = TokenCount::new(usage.used.total.min(work.budget.most));
    reserved.narrow(used);
    let mut closing = closing(client, request, &mut work, &usage);
    closing.send_what_fits(client);
    // The link writes it now, before the charge takes its moment. Nothing is lost if the daemon ends here that would not be lost
    // before the charge is durable.
    tokio::task::yield_now().await;
    let content = content(request, &work);
    let parts = Parts {
        proxy,
        client,
        request,
        worker: &worker,
        coefficient,
        work: &work,
        usage: &usage,
        content: &content,
    };
    let charged = match charge(&parts, reserved, used) {
        Ok(charged) => charged,
        Err(error) => {
            proxy.fail(error);
            return (End::Failed, None);
        }
    };
    if let Some(quote) = request.quote.as_ref().filter(|_| charged.tokens > 0) {
        proxy.quotes.paid(quote);
    }
    let excess = usage.used.total.saturating_sub(charged.tokens);
    if excess > 0 {
        tracing::warn!(receipt = %charged.receipt.id(), excess, "used beyond the reservation: not charged");
    }
    proxy.stats.charged(&usage.used, excess);
    if let (Some(first), Some(counts)) = (work.first_token_ms, &usage.counts) {
        proxy
            .stats
            .pace(work.finished_ms.saturating_sub(first), counts.completion);
    }
    let tokens = charged.tokens;
    let answered = challenge::answered(&mut work, &worker, charged.receipt.id());
    let has_report = work.report.is_some();
    let (reply, worked) = oneshot::channel();
    let (owner, work_id) = (Arc::clone(proxy), work.request_id);
    // A task of its own: the worker's place is not held for a client that reads slowly.
    proxy.shutdown.spawn(async move {
        earned(&owner, &worker, work_id, has_report, charged, reply).await;
        // The place among the worker's answers that are ahead of their receipts: free now, however slowly clients read.
        drop(ahead);
    });
    closing.send_rest(client).await;
    let rest = Rest {
        request_id: request.id,
        worked,
        content,
        tokens,
        answered,
    };
    (end, Some(rest))
}

/// What follows an answer once the worker's side of it is done: the client's payment and its receipt.
pub(crate) struct Rest {
    request_id: [u8; 32],
    /// Closed without a word when the disk failed.
    worked: oneshot::Receiver<Worked>,
    content: Content,
    /// What it cost.
    pub(crate) tokens: u64,
    /// The answer itself, when it is to be compared.
    pub(crate) answered: Option<Answered>,
}

/// A charge that is durable, of which the worker was told.
struct Worked {
    receipt: Arc<BuiltReceipt>,
    signature: Option<Signature>,
    place: Place,
    tokens: u64,
}

impl Rest {
    /// Hands out what it cost, and the receipt.
    pub(crate) async fn hand_out(self, proxy: &Proxy, client: &ClientPeer) {
        let Ok(worked) = self.worked.await else {
            return;
        };
        let Worked {
            receipt,
            signature,
            place,
            tokens,
        } = worked;
        // The queue sends it; when it has ended, the client has gone.
        let _ = place.send(Outgoing {
            request_id: self.request_id,
            tokens,
            receipt: finish_receipt(proxy, client, self.request_id, &receipt, signature, &self.content),
            busy: client.busy(),
        });
    }
}

/// The worker's side: its payment and its signature, once the charge is durable. Neither waits for the other, nor longer than
/// a signature may take: a worker that reads or signs slowly does not hold up what its clients are told.
async fn earned(
    proxy: &Proxy,
    worker: &Arc<WorkerPeer>,
    work_id: [u8; 32],
    has_report: bool,
    charged: Charged,
    reply: oneshot::Sender<Worked>,
) {
    let Charged {
        receipt,
        durable,
        signature,
        place,
        tokens,
        ..
    } = charged;
    // When the disk failed the daemon is ending, and must not sign for what will be gone.
    if durable.await.is_err() {
        return;
    }
    let until = Instant::now() + SIGN_RECEIPT_TIMEOUT;
    // The next payment, or the next connection, tells the same.
    let pay = timeout_at(until, pay_worker(proxy, worker, work_id, tokens));
    let hand_on = async {
        // The signer sees that nobody waits any more, and does not ask this worker again.
        let signature = timeout_at(until, signature).await;
        let signature = signature.ok().and_then(Result::ok).flatten();
        if has_report && worker.version.has_extensions() {
            proxy.workers.note_signature(worker, signature.is_some());
        }
        // Whoever waits for it ends with the daemon only.
        let _ = reply.send(Worked {
            receipt,
            signature,
            place,
            tokens,
        });
    };
    let _ = tokio::join!(pay, hand_on);
}

struct Charged {
    receipt: Arc<BuiltReceipt>,
    durable: crate::writer::Durable,
    signature: oneshot::Receiver<Option<Signature>>,
    /// Where the receipt stands among those that the client gets.
    place: Place,
    tokens: u64,
}

/// One step under the ledger's lock; see [`crate::books::Books::charge`].
fn charge(parts: &Parts<'_>, reserved: Reserved, used: TokenCount) -> Result<Charged, crate::error::ProxyError> {
    let worker = parts.worker;
    let reservation = reserved.take().ok_or(cocoon_ledger::LedgerError::ReservationGone)?;
    let (reply, signature) = oneshot::channel();
    // A worker signs only what it reported itself.
    let asks_worker = parts.work.report.is_some() && worker.version.has_extensions() && !worker.is_gone();
    let mut place = None;
    let ask = |receipt: &Arc<BuiltReceipt>, durable| {
        place = Some(parts.client.receipts.place());
        if asks_worker {
            let job = SignJob {
                receipt: Arc::clone(receipt),
                durable,
                reply,
            };
            // It has a place for every answer that is ahead of its receipt.
            let _ = worker.sign_queue.try_send(job);
        }
    };
    let charged = parts
        .proxy
        .books
        .charge(reservation, &worker.contract, used, |charge| parts.receipt(charge), ask)?;
    let tokens = charged.receipt.signed().receipt.charged();
    Ok(Charged {
        receipt: charged.receipt,
        durable: charged.durable,
        signature,
        place: place.unwrap_or_else(|| oneshot::channel().0),
        tokens,
    })
}

/// What is still to be sent of an answer, encoded: its last part with the head before it, or the failure.
#[derive(Default)]
struct Closing(VecDeque<Bytes>);

impl Closing {
    fn push(&mut self, client: &ClientPeer, answer: &Answer) {
        self.0.push_back(answer.to_client(client.version).encode());
    }

    /// Queues as much as there is room for, without waiting for a client that reads slowly.
    fn send_what_fits(&mut self, client: &ClientPeer) {
        while let Some(message) = self.0.pop_front() {
            match client.link.send_packet_now(message) {
                Ok(None) => {}
                Ok(Some(message)) => return self.0.push_front(message),
                // A client that has gone learns of it by its receipts' gap.
                Err(_) => return self.0.clear(),
            }
        }
    }

    /// Sends the rest.
    async fn send_rest(self, client: &ClientPeer) {
        for message in self.0 {
            if client.link.send_packet(message).await.is_err() {
                return;
            }
        }
    }
}

fn closing(client: &ClientPeer, request: &Request, work: &mut Work, usage: &Usage) -> Closing {
    let worker_info = work.final_info.take().unwrap_or_default();
    let final_info = Some(FinalInfo {
        tokens: to_wire(&usage.used),
        worker_debug: worker_info.worker_debug.filter(|_| request.is_debug),
        proxy_debug: None,
        proxy_times: Some(Span {
            start: request.received_ms as f64 / 1000.0,
            end: work.clock.now_f64(),
        }),
        worker_times: worker_info.worker_times,
    });
    let mut closing = Closing::default();
    match (work.failure(), work.last.take()) {
        (Some(failure), _) => {
            let code = failure.code.for_version(client.version);
            let failed = Answer::error(request.id, code, failure.message, work.is_begun);
            closing.push(client, &Answer { final_info, ..failed });
        }
        (None, Some(last)) => {
            if matches!(last.body, AnswerBody::Part(_))
                && let Some(head) = take_head(request, work)
            {
                closing.push(client, &head);
            }
            let body = last.body;
            let request_id = request.id;
            closing.push(
                client,
                &Answer {
                    request_id,
                    body,
                    final_info,
                },
            );
        }
        (None, None) => {}
    }
    closing
}

/// Tells a client what a request cost, and where its contract stands now.
pub(crate) fn payment(proxy: &Proxy, contract: &Address, request_id: [u8; 32], tokens: u64) -> Bytes {
    let shown = proxy.vouchers.for_client(contract);
    let message = ProxyToClient::from(ClientRequestPayment {
        request_id,
        signed_payment: shown.payment,
        db_tokens: shown.db_tokens,
        max_tokens: shown.max_tokens,
        request_tokens: i64::try_from(tokens).unwrap_or(i64::MAX),
    });
    message.encode()
}

/// The worker is never told who pays.
async fn pay_worker(proxy: &Proxy, worker: &WorkerPeer, request_id: [u8; 32], tokens: u64) {
    let _in_order = worker.telling.lock().await;
    let shown = proxy.vouchers.for_worker(&worker.contract);
    let message = ProxyToWorker::from(WorkerRequestPayment {
        request_id,
        signed_payment: shown.payment,
        db_tokens: shown.db_tokens,
        max_tokens: shown.max_tokens,
        request_tokens: i64::try_from(tokens).unwrap_or(i64::MAX),
        request_client_owner: String::new(),
    });
    // The next payment, or the next connection, tells the same.
    let _ = worker.link.send_packet(message.encode()).await;
}

/// The receipt with the worker's signature, for a client that knows receipts.
fn finish_receipt(
    proxy: &Proxy,
    client: &ClientPeer,
    request_id: [u8; 32],
    receipt: &BuiltReceipt,
    signature: Option<Signature>,
    content: &Content,
) -> Option<Bytes> {
    if signature.is_none() {
        proxy.stats.unsigned_receipt();
    }
    let message = || {
        ProxyToClient::from(WireReceipt {
            request_id,
            receipt: receipt.to_boc_with(signature).into(),
            request_salt: content.request_salt,
            response_salt: content.response_salt,
        })
    };
    client.version.has_extensions().then(|| message().encode())
}
