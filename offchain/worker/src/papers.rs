//! What a proxy sends about money on one connection: taken in its order, and a burst of it is kept with one sync of the disk.

use crate::balance::Draft;
use crate::error::WorkerError;
use crate::limits::PAPER_QUEUE;
use crate::signing::{SignDesk, Unsigned};
use bytes::Bytes;
use cocoon_bindings::ton::HashBytes;
use cocoon_protocol::codec::encode;
use cocoon_protocol::error_code::ErrorCode;
use cocoon_protocol::extension::{Countersigned, ReceiptSignature};
use cocoon_protocol::proxy::SignedPayment;
use cocoon_receipt::Signature;
use cocoon_runner::link::LinkHandle;
use cocoon_runner::off_thread;
use cocoon_runner::pace::Pace;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// One message.
pub(crate) enum Paper {
    /// Totals, with the voucher that covers a part of them.
    Payment {
        payment: SignedPayment,
        db_tokens: i64,
        max_tokens: i64,
    },
    /// A voucher alone.
    Voucher(SignedPayment),
    /// The proxy's signature over a statement.
    Countersigned(Countersigned),
    /// A statement to be signed, and the question that it came with.
    Statement { question: i64, statement: Bytes },
}

/// What was decided about one question.
type Signed = (i64, Result<Signature, Unsigned>);

/// Works until the queue's other end is dropped and everything in it is kept, or until the proxy breaks the rules.
pub(crate) async fn run(
    desk: Arc<Mutex<SignDesk>>,
    link: LinkHandle,
    mut papers: mpsc::Receiver<Paper>,
) -> Result<(), WorkerError> {
    let mut pace = Pace::default();
    loop {
        let burst = pace.burst(&mut papers, PAPER_QUEUE).await;
        if burst.is_empty() {
            return Ok(());
        }
        let desk = Arc::clone(&desk);
        let keeping = off_thread(move || keep(&desk, burst));
        for (question, signed) in keeping.await.map_err(|_| WorkerError::Task)?? {
            answer(&link, question, signed).await;
        }
    }
}

/// Takes a burst and makes it durable. Blocks on the disk: what is signed is there before the signatures are.
fn keep(desk: &Mutex<SignDesk>, burst: Vec<Paper>) -> Result<Vec<Signed>, WorkerError> {
    let balance = lock(desk).balance().clone();
    let mut draft = balance.draft();
    let mut signed = Vec::new();
    let taken = burst
        .into_iter()
        .try_for_each(|paper| take(desk, &mut draft, paper, &mut signed));
    // Also when the proxy broke the rules: what it said before holds.
    draft.keep()?;
    taken.map(|()| signed)
}

fn take(
    desk: &Mutex<SignDesk>,
    draft: &mut Draft<'_>,
    paper: Paper,
    signed: &mut Vec<Signed>,
) -> Result<(), WorkerError> {
    match paper {
        Paper::Payment {
            payment,
            db_tokens,
            max_tokens,
        } => draft.update(&payment, db_tokens, max_tokens),
        Paper::Voucher(payment) => draft.take_voucher(&payment),
        Paper::Countersigned(message) => {
            let statement = HashBytes(message.statement_hash);
            draft.countersigned(statement, &message.signature)?;
            lock(desk).countersigned(&statement);
            Ok(())
        }
        Paper::Statement { question, statement } => {
            signed.push((question, lock(desk).sign(draft, &statement)));
            Ok(())
        }
    }
}

async fn answer(link: &LinkHandle, question: i64, signed: Result<Signature, Unsigned>) {
    // A link that is gone is noticed by the session.
    let _ = match signed {
        Ok(signature) => {
            let signature = signature.0.to_vec().into();
            link.answer(question, encode(&ReceiptSignature { signature })).await
        }
        Err(refusal) => {
            tracing::warn!(%refusal, "a statement was not signed");
            let code = ErrorCode::Error.to_wire();
            link.answer_error(question, code, refusal.to_string()).await
        }
    };
}

fn lock(desk: &Mutex<SignDesk>) -> MutexGuard<'_, SignDesk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}
