//! Asks one worker for its signatures, in the order of its channel, and gives the proxy's own for each.
//!
//! The worker signs first and the proxy signs only what the worker signed: neither holds a claim that the other does not
//! know of. What leaves is durable: the receipt before the worker is asked, the worker's signature before the proxy's own.

use std::sync::Arc;

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::PublicKey;
use cocoon_protocol::codec::decode;
use cocoon_protocol::extension::{ReceiptSignature, SignReceipt};
use cocoon_protocol::limits::SIGN_RECEIPT_TIMEOUT;
use cocoon_protocol::message::{ProxyQuery, ProxyToWorker};
use cocoon_receipt::{ReceiptId, Signature, WorkStatement};
use cocoon_runner::link::{LinkError, LinkHandle};
use cocoon_runner::off_thread;
use tokio::sync::{mpsc, oneshot};

use crate::books::Books;
use crate::writer::Durable;

/// One statement to be signed, once its receipt is durable.
pub(crate) struct SignJob {
    pub(crate) receipt: ReceiptId,
    pub(crate) statement: WorkStatement,
    pub(crate) durable: Durable,
    pub(crate) reply: oneshot::Sender<Option<Signature>>,
}

/// Works through a worker's queue until the worker or the daemon is gone. A worker that is late once is not asked again on
/// this connection: its receipts go without its signature, and nobody waits for it.
pub(crate) async fn run(books: Arc<Books>, link: LinkHandle, leaf_key: PublicKey, mut jobs: mpsc::Receiver<SignJob>) {
    let mut is_asked = true;
    while let Some(SignJob {
        receipt,
        statement,
        durable,
        reply,
    }) = jobs.recv().await
    {
        if !is_asked || durable.await.is_err() {
            let _ = reply.send(None);
            continue;
        }
        let signature = match ask(&link, &statement, &leaf_key).await {
            Ok(signature) => signature,
            Err(fault) => {
                is_asked = !fault.is_late;
                let reason = fault.reason;
                tracing::warn!(%receipt, reason, "the worker does not sign: the receipt goes without its signature");
                let _ = reply.send(None);
                continue;
            }
        };
        let durable = books.add_signature(receipt, &statement, signature);
        // The request may have given up waiting.
        let _ = reply.send(Some(signature));
        if durable.await.is_ok() {
            countersign(&books, &link, statement.hash()).await;
        }
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

async fn ask(link: &LinkHandle, statement: &WorkStatement, leaf_key: &PublicKey) -> Result<Signature, Fault> {
    let bad = |reason: String| Fault { reason, is_late: false };
    let question = ProxyQuery::from(SignReceipt {
        statement: statement.to_boc().into(),
    })
    .encode();
    let answer = link
        .query(question, SIGN_RECEIPT_TIMEOUT)
        .await
        .map_err(|error| Fault {
            is_late: !matches!(error, LinkError::Refused { .. }),
            reason: error.to_string(),
        })?;
    let ReceiptSignature { signature } = decode(&answer).map_err(|error| bad(error.to_string()))?;
    let bytes = signature
        .as_ref()
        .try_into()
        .map_err(|_| bad("a signature of a wrong length".to_owned()))?;
    let signature = Signature(bytes);
    statement
        .verify(&signature, leaf_key)
        .map_err(|error| bad(error.to_string()))?;
    Ok(signature)
}
