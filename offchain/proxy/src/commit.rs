//! State commits: what is durable here is noted on chain, and what the chain has seen may be signed.

use std::sync::Arc;
use std::time::Duration;

use cocoon_bindings::QueryId;
use cocoon_bindings::message::{InternalMessage, StateCommit};
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::types::{ClientPayload, ClientStep};
use cocoon_chain::{Transaction, transactions_after};
use cocoon_ledger::CommitNote;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::contracts;
use crate::error::ProxyError;
use crate::limits::{AWAITED_POLL, COMMIT_VALUE, FIRST_COMMIT_TIMEOUT};
use crate::state::Proxy;

/// Name of the setting that holds the [`Cursor`].
pub(crate) const CURSOR: &str = "cursor";

/// Up to where the proxy contract's transactions were taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    contract: Address,
    lt: u64,
}

impl Cursor {
    /// Before the first transaction of a contract.
    pub(crate) fn start(contract: &Address) -> Self {
        Self {
            contract: contract.clone(),
            lt: 0,
        }
    }

    /// The stored cursor, if it is of this contract.
    pub(crate) fn of(stored: Option<Self>, contract: &Address) -> Self {
        stored
            .filter(|cursor| cursor.contract == *contract)
            .unwrap_or_else(|| Self::start(contract))
    }
}

/// Reads the contract's history and commits to it.
pub(crate) struct Committer {
    proxy: Arc<Proxy>,
    session: HashBytes,
    cursor: Mutex<Cursor>,
}

impl Committer {
    /// A session with a hash of its own.
    pub(crate) fn new(proxy: Arc<Proxy>, cursor: Cursor) -> Self {
        Self {
            proxy,
            session: HashBytes(rand::random()),
            cursor: Mutex::new(cursor),
        }
    }

    /// The first step of a session, before anything is served: the whole history since the last session must be ours,
    /// and a commit of this session must arrive. So an old copy of the database, or a second proxy, is found out.
    pub(crate) async fn begin(&self) -> Result<(), ProxyError> {
        self.take_in().await?;
        let note = self.commit().await?;
        let started = Instant::now();
        while started.elapsed() < FIRST_COMMIT_TIMEOUT {
            self.take_in().await?;
            if self.proxy.books.ledger().commits().landed_seqno() >= note.seqno {
                return Ok(());
            }
            tokio::time::sleep(AWAITED_POLL).await;
        }
        Err(ProxyError::FirstCommit {
            seconds: FIRST_COMMIT_TIMEOUT.as_secs(),
        })
    }

    /// Follows the contract's transactions until dropped.
    pub(crate) async fn watch(self: Arc<Self>) {
        let pause = Duration::from_secs_f64(self.proxy.config.timers.transactions);
        loop {
            let is_awaited = self.proxy.registrations.is_awaited() || self.is_pending();
            tokio::time::sleep(if is_awaited { pause.min(AWAITED_POLL) } else { pause }).await;
            match self.take_in().await {
                Ok(()) => {}
                Err(error @ ProxyError::Chain(_)) => {
                    tracing::warn!(%error, "the proxy contract's transactions cannot be read");
                }
                Err(error) => return self.proxy.fail(error),
            }
        }
    }

    /// Commits on the timer until dropped.
    pub(crate) async fn keep_committing(self: Arc<Self>) {
        let timers = self.proxy.config.timers;
        // A note that was not sent is overdue at once.
        let is_overdue =
            |sent: Option<Instant>| sent.is_none_or(|at| at.elapsed().as_secs_f64() >= timers.commit_resend);
        let mut sent_at = Some(Instant::now());
        loop {
            let pause = timers.commit_min + rand::random::<f64>() * (timers.commit_max - timers.commit_min);
            tokio::time::sleep(Duration::from_secs_f64(pause)).await;
            let pending = self.proxy.books.ledger().commits().pending();
            let outcome = match pending {
                Some(note) if is_overdue(sent_at) => self.send(note).await,
                Some(_) => continue,
                None if self.proxy.books.ledger().has_uncommitted() => self.commit().await.map(drop),
                None => continue,
            };
            sent_at = Some(Instant::now());
            match outcome {
                Ok(()) => {}
                Err(ProxyError::Chain(error)) => {
                    tracing::warn!(%error, "the state commit was not sent");
                    sent_at = None;
                }
                Err(error) => return self.proxy.fail(error),
            }
        }
    }

    fn is_pending(&self) -> bool {
        self.proxy.books.ledger().commits().pending().is_some()
    }

    /// Begins a commit, makes it durable, and sends its note.
    async fn commit(&self) -> Result<CommitNote, ProxyError> {
        let (note, durable) = self
            .proxy
            .books
            .change(|ledger| ledger.begin_commit(self.session), Vec::new())?;
        durable.await.map_err(|_| writer_stopped())?;
        self.send(note).await?;
        Ok(note)
    }

    async fn send(&self, note: CommitNote) -> Result<(), ProxyError> {
        let commit = StateCommit {
            query_id: QueryId::new(rand::random()),
            seqno: note.seqno.cast_signed(),
            session_hash: note.session.0,
        };
        let message = InternalMessage {
            to: self.proxy.on_chain().contract.clone(),
            value: COMMIT_VALUE,
            bounce: false,
            body: commit.to_cell()?,
            state_init: None,
        };
        self.proxy.wallet.send(vec![message]).await?;
        Ok(())
    }

    /// Takes in every transaction since the cursor, in order; the cursor moves with what it led to.
    async fn take_in(&self) -> Result<(), ProxyError> {
        let mut cursor = self.cursor.lock().await;
        let chain = self.proxy.chain.as_ref();
        for transaction in transactions_after(chain, &cursor.contract, cursor.lt).await? {
            let next = Cursor {
                lt: transaction.lt,
                ..cursor.clone()
            };
            self.take(&transaction, &next).await?;
            *cursor = next;
        }
        Ok(())
    }

    async fn take(&self, transaction: &Transaction, next: &Cursor) -> Result<(), ProxyError> {
        let Some(message) = &transaction.in_msg else {
            return Ok(());
        };
        let Some(source) = &message.source else { return Ok(()) };
        if source == self.proxy.wallet.address()
            && let Some(commit) = StateCommit::from_slice(message.body())
        {
            let note = CommitNote {
                seqno: commit.seqno.cast_unsigned(),
                session: HashBytes(commit.session_hash),
            };
            let state = vec![(CURSOR, cursor_json(next))];
            let ((), durable) = self
                .proxy
                .books
                .change(|ledger| Ok(((), ledger.commit_landed(note)?)), state)?;
            return durable.await.map_err(|_| writer_stopped());
        }
        if let Some(nonce) = registration(transaction) {
            self.proxy.registrations.seen(source, nonce);
        }
        self.refresh_sender(source).await
    }

    /// A client or worker contract told the proxy contract something: a top up, its closing, a payout. Its state is read
    /// at once; the timer alone would only look at whoever is connected.
    async fn refresh_sender(&self, source: &Address) -> Result<(), ProxyError> {
        let (is_client, is_worker) = {
            let ledger = self.proxy.books.ledger();
            (ledger.client(source).is_some(), ledger.worker(source).is_some())
        };
        if is_client {
            contracts::refresh_client(&self.proxy, source).await?;
        }
        if is_worker {
            contracts::refresh_worker(&self.proxy, source).await?;
        }
        Ok(())
    }
}

/// The nonce of a client's registration, if the transaction is one. Whether its sender is the client contract that is
/// awaited is seen by its address, which the chain vouches for.
fn registration(transaction: &Transaction) -> Option<u64> {
    let message = transaction.in_msg.as_ref()?;
    if message.op() != Some(ClientStep::OPCODE) || message.bounced {
        return None;
    }
    let step: ClientStep = cocoon_bindings::ton::from_cell(&message.body).ok()?;
    match step.payload? {
        ClientPayload::RegisterPayload(register) => Some(register.nonce),
        _ => None,
    }
}

fn cursor_json(cursor: &Cursor) -> serde_json::Value {
    serde_json::json!({ "contract": cursor.contract, "lt": cursor.lt })
}

fn writer_stopped() -> ProxyError {
    ProxyError::WriterStopped {
        reason: "a write was not made durable".into(),
    }
}
