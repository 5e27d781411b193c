//! A confirmed plan, carried out and followed.

use std::sync::Arc;

use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::units::Nanoton;
use cocoon_chain::{ChainError, Retry, Transaction};
use cocoon_owner::{refusal, settle};
use tokio_util::task::TaskTracker;

use super::{Book, Refusal, Run, Status, plan};
use crate::context::Context;

/// Confirms a plan: looks whether it would still do what it said, and begins to carry it out. The operation goes on whether its
/// caller waits or not.
pub(crate) async fn confirm(
    context: &Arc<Context>,
    book: &Arc<Book>,
    tasks: &TaskTracker,
    id: &str,
) -> Result<Run, Refusal> {
    let kept = book.begin(id, context.clock.now())?;
    let (context, book, id) = (Arc::clone(context), Arc::clone(book), id.to_owned());
    // A caller that goes away now must not leave the operation half begun.
    let begun = tasks.spawn({
        let tasks = tasks.clone();
        async move { begin(context, book, tasks, id, kept).await }
    });
    let stopped = |_| Refusal::new(503, "stopping", "the client is stopping");
    begun.await.map_err(stopped)?
}

async fn begin(
    context: Arc<Context>,
    book: Arc<Book>,
    tasks: TaskTracker,
    id: String,
    kept: plan::Plan,
) -> Result<Run, Refusal> {
    let moved = match plan::make(&context, kept.wish, &kept.contract).await {
        Ok(now) if kept.still_holds(&now) => None,
        Ok(now) => Some(Refusal::new(
            409,
            "state_moved",
            format!("it would do something else by now: {}", now.order.says),
        )),
        Err(refusal) if refusal.status == 503 => Some(refusal),
        Err(refusal) => Some(Refusal::new(409, "state_moved", refusal.message)),
    };
    if let Some(refusal) = moved {
        book.abandon(&id);
        return Err(refusal.hinting("nothing was sent; make a new plan"));
    }
    let begun = book.run(&id);
    tracing::info!(contract = %kept.contract, operation = kept.wish.name(), "an operation on the client contract was confirmed");
    let message = kept.order.message;
    let follower = id.clone();
    tasks.spawn(async move { carry(&context, &book, &follower, message).await });
    begun.ok_or_else(|| Refusal::new(404, "unknown_operation", "there is no such operation"))
}

async fn carry(context: &Context, book: &Book, id: &str, message: InternalMessage) {
    let first = match context.wallet.send(vec![message]).await {
        Ok(first) => first,
        Err(error) => {
            tracing::warn!(%error, hint = error.hint(), "an operation on the client contract was not sent");
            let status = if is_certain(&error) {
                Status::Failed
            } else {
                Status::Unknown
            };
            return book.note(id, |run| {
                end(run, status, context.clock.now());
                run.problem = Some(error.to_string());
                run.hint = Some(error.hint());
            });
        }
    };
    book.note(id, |run| {
        run.status = Status::Following;
        run.transaction = Some(first.hash.to_string());
        run.transactions = 1;
    });
    let followed = settle(context.chain.as_ref(), first).await;
    context.look_again.notify_one();
    let now = context.clock.now();
    book.note(id, |run| match followed {
        Ok(followed) => {
            run.transactions = followed.len();
            run.fees = fees(&followed);
            match refusal(&followed, false) {
                None => end(run, Status::Done, now),
                Some(refused) => {
                    end(run, Status::Failed, now);
                    run.problem = Some(refused.to_string());
                }
            }
        }
        Err(error) => {
            end(run, Status::Unknown, now);
            run.problem = Some(error.to_string());
            run.hint = Some("look at the balance before you try again");
        }
    });
}

fn end(run: &mut Run, status: Status, now: u64) {
    run.status = status;
    run.finished_at = Some(now);
}

/// Whether nothing was sent and nothing will be.
fn is_certain(error: &ChainError) -> bool {
    error.retry() == Retry::Later
        || matches!(
            error,
            ChainError::NotSent { .. } | ChainError::MessageRefused { .. } | ChainError::TooManyMessages { .. }
        )
}

/// What validators took; none if it does not fit.
fn fees(transactions: &[Transaction]) -> Option<Nanoton> {
    transactions.iter().try_fold(Nanoton::ZERO, |sum, transaction| {
        let arrival = transaction
            .in_msg
            .as_ref()
            .map_or(Nanoton::ZERO, |message| message.forward_fee);
        sum.checked_add(transaction.fees.total)?.checked_add(arrival)
    })
}
