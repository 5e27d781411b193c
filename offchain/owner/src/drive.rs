//! An operation from its beginning, or from wherever it was cut off, to its end.

use std::collections::BTreeMap;

use cocoon_bindings::ton::Address;
use cocoon_bindings::units::Nanoton;
use cocoon_chain::{ChainClient, ChainError, Transaction};
use ed25519_dalek::SigningKey;
use serde::Serialize;

use crate::OwnerError;
use crate::facts::Role;
use crate::journal::Step;
use crate::limits::{AWAIT_POLL, SETTLE_POLL, UNTOLD_FOR};
use crate::operation::{Awaited, Next, Operation, Order};
use crate::preview::{Origin, Preview, preview};
use crate::sender::Sender;
use crate::trace::{refusal, settle};

/// Who is asked and told while an operation runs.
pub trait Watch {
    /// Whether a message may be sent that would do this. An error stops the operation.
    fn confirm(&mut self, order: &Order, preview: &Preview) -> Result<(), OwnerError>;

    /// The wallet's key; asked for before each message.
    fn key(&mut self) -> Result<SigningKey, OwnerError>;

    /// A message of a process before this one was under way, and is followed to its end first.
    fn recovering(&mut self);

    /// A message is on its way.
    fn sending(&mut self, order: &Order);

    /// Something else must happen first.
    fn waiting(&mut self, awaited: &Awaited);
}

/// How an operation is run.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// The runner's wallet that owns the contract and that the sender owns in turn.
    pub through: Option<Address>,
    /// Ends instead of waiting for a delay of the contracts.
    pub does_not_wait: bool,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The last word, for a person.
    pub says: String,
    /// What is waited for, if it did not come to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awaits: Option<Awaited>,
    /// When the wallet did what can be done again, seconds since 1970, if that was an earlier command whose end was not told
    /// in its time. Nothing was sent now: whoever means another one gives the command again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub earlier: Option<u32>,
    /// The messages that were sent, also those of processes before this one.
    pub sent: Vec<Sent>,
}

/// One message that was sent and all that followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// Name of the step.
    pub step: String,
    /// Hash of the wallet's transaction.
    pub transaction: String,
    /// Transactions in all.
    pub transactions: usize,
    /// What validators took, in nanoton.
    pub fees: Nanoton,
}

/// What tells an operation that is run in a manner apart from others of the same wallet.
pub fn operation_id(operation: &dyn Operation, manner: &Manner) -> String {
    match &manner.through {
        Some(runner_wallet) => format!("{} through {runner_wallet}", operation.id()),
        None => operation.id(),
    }
}

/// Runs an operation.
///
/// When it has come to its end, the caller forgets it with [`Journal::finish`](crate::Journal::finish), by its
/// [`operation_id`], once the outcome is told: until then, running it again tells the same and sends nothing. After an error
/// that says [`Retry::Later`](crate::Retry::Later), and after the process was killed, running it again goes on where it
/// stopped. After any other error the operation is over.
pub async fn drive(
    operation: &dyn Operation,
    sender: &mut Sender,
    manner: &Manner,
    watch: &mut dyn Watch,
) -> Result<Outcome, OwnerError> {
    if sender.journal().pending()?.is_some() {
        watch.recovering();
        sender.recover().await?;
    }
    let id = operation_id(operation, manner);
    let outcome = run(&id, operation, sender, manner, watch).await;
    let is_over = match &outcome {
        Ok(_) => false,
        // A message that may be under way keeps its place; so does a step whose end was not seen.
        Err(_) if sender.journal().pending()?.is_some() => false,
        Err(error) => matches!(
            error,
            OwnerError::Refused { would: false, .. }
                | OwnerError::Elsewhere { .. }
                | OwnerError::Chain(ChainError::NotSent { .. })
        ),
    };
    if is_over {
        sender.journal().finish(&id)?;
    }
    outcome
}

async fn run(
    id: &str,
    operation: &dyn Operation,
    sender: &mut Sender,
    manner: &Manner,
    watch: &mut dyn Watch,
) -> Result<Outcome, OwnerError> {
    let owner = manner.through.clone().unwrap_or_else(|| sender.address().clone());
    let mut sent = Vec::new();
    let mut waits_for: Option<Awaited> = None;
    let mut has_sent = false;
    loop {
        see_steps(id, sender, &mut sent).await?;
        let steps = sender.journal().steps(id).to_vec();
        let chain = sender.chain().clone();
        let (next, undone) = next_of(operation, chain.as_ref(), &owner, &steps).await?;
        for step in undone {
            sender.journal().forget(id, &step)?;
        }
        match next {
            Next::Done(says) => {
                let is_earlier = operation.repeats() && !has_sent;
                return Ok(Outcome {
                    says,
                    awaits: None,
                    earlier: match steps.last().filter(|_| is_earlier) {
                        Some(step) => untold(step, chain.now().await?),
                        None => None,
                    },
                    sent,
                });
            }
            Next::Await(awaited) if manner.does_not_wait => {
                return Ok(Outcome {
                    says: "run it again then: it goes on where it stopped".to_owned(),
                    awaits: Some(awaited),
                    earlier: None,
                    sent,
                });
            }
            // `next_of` leaves none.
            Next::Unseen(_) => tokio::time::sleep(SETTLE_POLL).await,
            Next::Await(awaited) => {
                let awaited_long = awaited.until.is_some();
                if waits_for.as_ref() != Some(&awaited) {
                    watch.waiting(&awaited);
                    waits_for = Some(awaited);
                }
                tokio::time::sleep(if awaited_long { AWAIT_POLL } else { SETTLE_POLL }).await;
            }
            Next::Send(order) => {
                let order = prepared(*order, sender.address(), manner)?;
                let messages = std::slice::from_ref(&order.message);
                let origin = Origin::Wallet(sender.contract());
                let preview = preview(chain.as_ref(), origin, messages, &order.roles).await?;
                watch.confirm(&order, &preview)?;
                if let Some(refused) = preview.refused {
                    return Err(refused);
                }
                let key = watch.key()?;
                watch.sending(&order);
                sender.send(id, order.step, messages, &key).await?;
                has_sent = true;
            }
        }
    }
}

/// What comes next, and the steps that do not count any more: what they did was undone by something later, such as a close by
/// a reopening. A step whose effect is only not seen yet, because the server is behind, is waited for.
async fn next_of(
    operation: &dyn Operation,
    chain: &dyn ChainClient,
    owner: &Address,
    steps: &[Step],
) -> Result<(Next, Vec<String>), OwnerError> {
    let mut steps: Vec<&Step> = steps.iter().collect();
    let mut undone = Vec::new();
    loop {
        let done: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
        let unseen = match operation.next(chain, owner, &done).await? {
            Next::Unseen(unseen) => unseen,
            next => return Ok((next, undone)),
        };
        let settled = steps.iter().find(|step| step.name == unseen.step && step.is_settled);
        match settled.map(|step| step.reached(&unseen.account)) {
            Some(Some(lt)) if unseen.lt >= lt => {
                steps.retain(|step| step.name != unseen.step);
                undone.push(unseen.step.to_owned());
            }
            Some(None) => {
                return Err(OwnerError::Elsewhere {
                    step: unseen.step,
                    address: unseen.account,
                });
            }
            _ => {
                let (what, until) = (unseen.what, None);
                return Ok((Next::Await(Awaited { what, until }), undone));
            }
        }
    }
}

/// The time of a step, if that is so long ago that its end should have been told then.
fn untold(step: &Step, now: u32) -> Option<u32> {
    (now.saturating_sub(step.time) > UNTOLD_FOR).then_some(step.time)
}

/// What an operation would do next, and what that would do: nothing is signed or sent.
pub async fn look_ahead(
    operation: &dyn Operation,
    chain: &dyn ChainClient,
    origin: Origin<'_>,
    manner: &Manner,
    steps: &[Step],
) -> Result<(Next, Option<Preview>), OwnerError> {
    let from = match origin {
        Origin::Wallet(wallet) => wallet.address()?,
        Origin::Address(address) => address.clone(),
    };
    let owner = manner.through.as_ref().unwrap_or(&from);
    match next_of(operation, chain, owner, steps).await?.0 {
        Next::Send(order) => {
            let order = prepared(*order, &from, manner)?;
            let tried = preview(chain, origin, std::slice::from_ref(&order.message), &order.roles).await?;
            Ok((Next::Send(Box::new(order)), Some(tried)))
        }
        other => Ok((other, None)),
    }
}

/// The message as the sender sends it.
fn prepared(order: Order, from: &Address, manner: &Manner) -> Result<Order, OwnerError> {
    let mut order = match &manner.through {
        Some(runner_wallet) => order.through(runner_wallet)?,
        None => order,
    };
    order.roles.push((from.clone(), Role::Wallet));
    Ok(order)
}

/// Follows the steps whose end was not seen yet; a contract that refused one ends the operation.
async fn see_steps(id: &str, sender: &mut Sender, sent: &mut Vec<Sent>) -> Result<(), OwnerError> {
    let chain = sender.chain().clone();
    for step in sender.journal().steps(id).to_vec() {
        let hash = step.hash.to_string();
        if step.is_settled && sent.iter().any(|seen| seen.transaction == hash) {
            continue;
        }
        let wallet = sender.address().clone();
        let found = chain.transactions(&wallet, 1, Some(step.transaction())).await?;
        let Some(first) = found.into_iter().next() else {
            return Err(OwnerError::NotSettled { seconds: 0 });
        };
        let followed = settle(chain.as_ref(), first).await?;
        if let Some(refused) = refusal(&followed, false) {
            return Err(refused);
        }
        let mut reached: BTreeMap<String, u64> = BTreeMap::new();
        for transaction in &followed {
            let lt = reached.entry(transaction.address.to_string()).or_default();
            *lt = transaction.lt.max(*lt);
        }
        sender.journal().settled(id, &step.transaction(), reached)?;
        sent.push(Sent {
            step: step.name,
            transaction: hash,
            transactions: followed.len(),
            fees: fees(&followed)?,
        });
    }
    Ok(())
}

fn fees(transactions: &[Transaction]) -> Result<Nanoton, OwnerError> {
    let mut sum = Nanoton::ZERO;
    for transaction in transactions {
        let on_arrival = transaction
            .in_msg
            .as_ref()
            .map_or(Nanoton::ZERO, |message| message.forward_fee);
        let taken = transaction.fees.total.checked_add(on_arrival);
        sum = taken
            .and_then(|taken| sum.checked_add(taken))
            .ok_or(OwnerError::AmountRange)?;
    }
    Ok(sum)
}
