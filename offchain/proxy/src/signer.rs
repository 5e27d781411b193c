//! Asks one worker for its signatures, in the order of its channel, and gives the proxy's own for each.
//!
//! The worker signs first and the proxy signs only what the worker signed: neither holds a claim that the other does not
//! know of. What leaves is durable: the receipt before the worker is asked, the worker's signature before the proxy's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::PublicKey;
use cocoon_protocol::codec::decode;
use cocoon_protocol::extension::{ReceiptSignature, SignReceipt};
use cocoon_protocol::limits::{MAX_SIGNING, SIGN_RECEIPT_TIMEOUT};
use cocoon_protocol::message::{ProxyQuery, ProxyToWorker};
use cocoon_receipt::{BuiltReceipt, ReceiptId, Signature};
use cocoon_runner::link::{Asked, LinkError, LinkHandle};
use cocoon_runner::off_thread;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::books::Books;
use crate::writer::Durable;

/// One statement to be signed, once its receipt is durable.
pub(crate) struct SignJob {
    pub(crate) receipt: Arc<BuiltReceipt>,
    pub(crate) durable: Durable,
    pub(crate) reply: oneshot::Sender<Option<Signature>>,
}

/// Works through a worker's queue until the worker or the daemon is gone. Statements are asked for in the order of their
/// channel, several at once, and the proxy's own signature is given over the newest of those that are durable: totals are
/// cumulative. A worker that is late once is not asked again on this connection: its receipts go without its signature, and
/// nobody waits for it.
pub(crate) async fn run(books: Arc<Books>, link: LinkHandle, leaf_key: PublicKey, jobs: mpsc::Receiver<SignJob>) {
    let signer = Signer {
        books,
        link,
        leaf_key,
        is_asked: AtomicBool::new(true),
        places: Arc::new(Semaphore::new(MAX_SIGNING)),
    };
    // Neither fills up before the places do.
    let (asked, answering) = mpsc::channel(MAX_SIGNING);
    let (signed, countersigning) = mpsc::channel(MAX_SIGNING);
    tokio::join!(
        signer.ask(jobs, asked),
        signer.take_answers(answering, signed),
        signer.countersign(countersigning)
    );
}

/// What the steps of signing share.
struct Signer {
    books: Arc<Books>,
    link: LinkHandle,
    leaf_key: PublicKey,
    is_asked: AtomicBool,
    places: Arc<Semaphore>,
}

/// A statement that the worker was asked to sign.
struct AskedJob {
    receipt: Arc<BuiltReceipt>,
    reply: oneshot::Sender<Option<Signature>>,
    asked: Asked,
    /// It is late after this: each has its time from when it was asked for, not from when those before it are answered.
    until: Instant,
    place: OwnedSemaphorePermit,
}

/// A statement that the worker signed, its signature on the way to the disk.
struct SignedJob {
    statement: HashBytes,
    durable: Durable,
    /// Kept until the proxy has signed too.
    _place: OwnedSemaphorePermit,
}

impl Signer {
    async fn ask(&self, mut jobs: mpsc::Receiver<SignJob>, answers: mpsc::Sender<AskedJob>) {
        while let Some(SignJob {
            receipt,
            durable,
            reply,
        }) = jobs.recv().await
        {
            if !self.is_asked.load(Ordering::Relaxed) || durable.await.is_err() {
                let _ = reply.send(None);
                continue;
            }
            let until = Instant::now() + SIGN_RECEIPT_TIMEOUT;
            // Whoever wants the signature has waited for all its time: those before it took that.
            let asked = if reply.is_closed() {
                Err(LinkError::Timeout)
            } else {
                let asked = timeout_at(until, self.ask_for(&receipt)).await;
                asked.unwrap_or(Err(LinkError::Timeout))
            };
            match asked {
                Ok((asked, place)) => {
                    let job = AskedJob {
                        receipt,
                        reply,
                        asked,
                        until,
                        place,
                    };
                    // Whoever takes the answers ends after this one.
                    let _ = answers.send(job).await;
                }
                Err(error) => {
                    self.give_up(receipt.id(), &late(error));
                    let _ = reply.send(None);
                }
            }
        }
    }

    /// Asks for a signature as soon as there is a place, and the worker reads.
    async fn ask_for(&self, receipt: &BuiltReceipt) -> Result<(Asked, OwnedSemaphorePermit), LinkError> {
        // Never closed.
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| LinkError::Timeout)?;
        // One before this was late meanwhile.
        if !self.is_asked.load(Ordering::Relaxed) {
            return Err(LinkError::Timeout);
        }
        let question = ProxyQuery::from(SignReceipt {
            statement: receipt.statement_boc().into(),
        });
        Ok((self.link.ask(question.encode()).await?, place))
    }

    async fn take_answers(&self, mut answers: mpsc::Receiver<AskedJob>, signed: mpsc::Sender<SignedJob>) {
        while let Some(AskedJob {
            receipt,
            reply,
            asked,
            until,
            place,
        }) = answers.recv().await
        {
            if !self.is_asked.load(Ordering::Relaxed) {
                let _ = reply.send(None);
                continue;
            }
            let statement = receipt.hashes().statement;
            match self.signature(asked, until, &statement).await {
                Ok(signature) => {
                    let durable = self.books.add_signature(&receipt, signature);
                    // The request may have given up waiting.
                    let _ = reply.send(Some(signature));
                    let job = SignedJob {
                        statement,
                        durable,
                        _place: place,
                    };
                    // Whoever countersigns ends after this one.
                    let _ = signed.send(job).await;
                }
                Err(fault) => {
                    self.give_up(receipt.id(), &fault);
                    let _ = reply.send(None);
                }
            }
        }
    }

    async fn signature(&self, asked: Asked, until: Instant, statement: &HashBytes) -> Result<Signature, Fault> {
        let left = until.saturating_duration_since(Instant::now());
        let answer = asked.answer(left).await.map_err(late)?;
        let ReceiptSignature { signature } = decode(&answer).map_err(|error| bad(error.to_string()))?;
        let bytes = signature.as_ref().try_into();
        let signature = Signature(bytes.map_err(|_| bad("a signature of a wrong length".to_owned()))?);
        signature
            .verify_statement(statement, &self.leaf_key)
            .map_err(|error| bad(error.to_string()))?;
        Ok(signature)
    }

    /// Gives the worker the proxy's signatures, one for all statements whose signatures became durable together.
    async fn countersign(&self, mut signed: mpsc::Receiver<SignedJob>) {
        let mut burst = Vec::new();
        while signed.recv_many(&mut burst, MAX_SIGNING).await > 0 {
            let mut newest = None;
            for job in burst.drain(..) {
                // They become durable in their order; after the first that does not, none does.
                if job.durable.await.is_ok() {
                    newest = Some(job.statement);
                }
            }
            if let Some(statement) = newest {
                countersign(&self.books, &self.link, statement).await;
            }
        }
    }

    fn give_up(&self, receipt: ReceiptId, fault: &Fault) {
        if fault.is_late {
            self.is_asked.store(false, Ordering::Relaxed);
        }
        let reason = &fault.reason;
        tracing::warn!(%receipt, reason, "the worker does not sign: the receipt goes without its signature");
    }
}

/// Gives the worker the proxy's signature over a statement that the worker signed, both durable.
async fn countersign(books: &Books, link: &LinkHandle, statement: HashBytes) {
    let message = ProxyToWorker::from(books.countersign(statement));
    // A worker that has gone is told when it comes back.
    let _ = link.send_packet(message.encode()).await;
}

/// Gives a worker that comes back what its last connection may have lost.
pub(crate) async fn remind(books: &Books, link: &LinkHandle, worker: &Address) {
    let (reader, worker) = (books.reader().clone(), worker.clone());
    match off_thread(move || reader.last_signed(&worker)).await {
        Ok(Ok(Some(signed))) => countersign(books, link, signed.hash).await,
        Ok(Ok(None)) => {}
        Ok(Err(error)) => tracing::error!(%error, "the worker's last statement cannot be read"),
        // The runtime is ending.
        Err(_) => {}
    }
}

struct Fault {
    reason: String,
    is_late: bool,
}

fn bad(reason: String) -> Fault {
    Fault { reason, is_late: false }
}

fn late(error: LinkError) -> Fault {
    Fault {
        is_late: !matches!(error, LinkError::Refused { .. }),
        reason: error.to_string(),
    }
}
