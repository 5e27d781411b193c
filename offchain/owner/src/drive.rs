//! An operation from its beginning, or from wherever it was cut off, to its end.

use cocoon_bindings::ton::Address;
use cocoon_bindings::units::Nanoton;
use cocoon_chain::{ChainClient, ChainError, Transaction};
use ed25519_dalek::SigningKey;
use serde::Serialize;

use crate::OwnerError;
use crate::facts::Role;
use crate::limits::{AWAIT_POLL, SETTLE_POLL};
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

/// Runs an operation.
///
/// When it has come to its end, the caller forgets it with [`Journal::finish`](crate::Journal::finish) once the outcome is
/// told: until then, running it again tells the same and sends nothing. After an error that says [`Retry::Later`](crate::Retry::Later), and after the process was killed, running it again goes
/// on where it stopped. After any other error the operation is over.
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
    let id = operation.id();
    let outcome = run(&id, operation, sender, manner, watch).await;
    let is_over = match &outcome {
        Ok(_) => false,
        // A message that may be under way keeps its place; so does a step whose end was not seen.
        Err(_) if sender.journal().pending()?.is_some() => false,
        Err(error) => matches!(
            error,
            OwnerError::Refused { would: false, .. } | OwnerError::Chain(ChainError::NotSent { .. })
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
    loop {
        see_steps(id, sender, &mut sent).await?;
        let steps: Vec<String> = sender
            .journal()
            .steps(id)
            .iter()
            .map(|step| step.name.clone())
            .collect();
        let done: Vec<&str> = steps.iter().map(String::as_str).collect();
        let chain = sender.chain().clone();
        match operation.next(chain.as_ref(), &owner, &done).await? {
            Next::Done(says) => {
                let awaits = None;
                return Ok(Outcome { says, awaits, sent });
            }
            Next::Await(awaited) if manner.does_not_wait => {
                let says = "run it again then: it goes on where it stopped".to_owned();
                let awaits = Some(awaited);
                return Ok(Outcome { says, awaits, sent });
            }
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
            }
        }
    }
}

/// What an operation would do next, and what that would do: nothing is signed or sent.
pub async fn look_ahead(
    operation: &dyn Operation,
    chain: &dyn ChainClient,
    origin: Origin<'_>,
    manner: &Manner,
    done: &[&str],
) -> Result<(Next, Option<Preview>), OwnerError> {
    let from = match origin {
        Origin::Wallet(wallet) => wallet.address()?,
        Origin::Address(address) => address.clone(),
    };
    let owner = manner.through.as_ref().unwrap_or(&from);
    match operation.next(chain, owner, done).await? {
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
        if step.is_settled && sent.iter().any(|seen| seen.step == step.name) {
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
        sender.journal().settled(id, &step.name)?;
        sent.push(Sent {
            step: step.name,
            transaction: step.hash.to_string(),
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
