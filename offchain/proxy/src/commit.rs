//! State commits: what is durable here is noted on chain, and what the chain has seen may be signed.

use std::collections::BTreeMap;
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
use crate::instance::Instance;
use crate::limits::{AWAITED_POLL, COMMIT_VALUE, FIRST_COMMIT_TIMEOUT};
use crate::state::Proxy;
use crate::timing::{Round, round};

/// Name of the setting that holds every [`Cursor`].
pub(crate) const CURSORS: &str = "cursors";

/// Name of the setting that held the only one.
pub(crate) const OLD_CURSOR: &str = "cursor";

/// Up to where a proxy contract's transactions were taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    pub(crate) contract: Address,
    lt: u64,
}

/// Reads the contracts' histories and commits to the one that serves. The commits of all instances are one sequence: each
/// covers every channel.
pub(crate) struct Committer {
    proxy: Arc<Proxy>,
    session: HashBytes,
    cursors: Mutex<BTreeMap<Address, u64>>,
}

impl Committer {
    /// A session with a hash of its own.
    pub(crate) fn new(proxy: Arc<Proxy>, cursors: Vec<Cursor>) -> Self {
        Self {
            proxy,
            session: HashBytes(rand::random()),
            cursors: Mutex::new(cursors.into_iter().map(|cursor| (cursor.contract, cursor.lt)).collect()),
        }
    }

    /// The first step of a session with a contract, before it serves anybody: the whole history since the last session must
    /// be ours, and a commit of this session must arrive there. So an old copy of the database, or a second proxy, is found
    /// out.
    pub(crate) async fn begin(&self, contract: &Address) -> Result<(), ProxyError> {
        self.take_in().await?;
        // Sessions that could not send their first commit have left theirs. The newest of them covers all.
        let left_over = {
            let ledger = self.proxy.books.ledger();
            let commits = ledger.commits();
            commits.is_full().then(|| commits.pending()).flatten()
        };
        if let Some(note) = left_over {
            self.send(note, contract).await?;
            self.landed(note).await?;
        }
        let note = self.commit(contract).await?;
        self.landed(note).await
    }

    /// Waits until a commit of the first step is seen on chain.
    async fn landed(&self, note: CommitNote) -> Result<(), ProxyError> {
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
            match round(Round::Transactions, self.take_in()).await {
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
                Some(note) if is_overdue(sent_at) => self.send(note, &self.proxy.on_chain().contract).await,
                Some(_) => continue,
                None if self.proxy.books.ledger().has_uncommitted() => {
                    let contract = &self.proxy.on_chain().contract;
                    round(Round::Commit, self.commit(contract)).await.map(drop)
                }
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
    async fn commit(&self, contract: &Address) -> Result<CommitNote, ProxyError> {
        // Before the commit: whoever has this commit on disk has these receipts too.
        let head = self.proxy.books.reader().head();
        let (note, durable) = self
            .proxy
            .books
            .change(|ledger| ledger.begin_commit(self.session), Vec::new())?;
        durable.await.map_err(|_| writer_stopped())?;
        self.proxy.heads.begun(note.seqno, head);
        self.send(note, contract).await?;
        Ok(note)
    }

    async fn send(&self, note: CommitNote, contract: &Address) -> Result<(), ProxyError> {
        let commit = StateCommit {
            query_id: QueryId::new(rand::random()),
            seqno: note.seqno.cast_signed(),
            session_hash: note.session.0,
        };
        let message = InternalMessage {
            to: contract.clone(),
            value: COMMIT_VALUE,
            bounce: false,
            body: commit.to_cell()?,
            state_init: None,
        };
        self.proxy.wallet.send(vec![message]).await?;
        Ok(())
    }

    /// Takes in every transaction of every instance since its cursor, in order; the cursors move with what they led to.
    async fn take_in(&self) -> Result<(), ProxyError> {
        let mut cursors = self.cursors.lock().await;
        let chain = self.proxy.chain.as_ref();
        let instances = self.proxy.instances.all();
        cursors.retain(|contract, _| instances.iter().any(|instance| instance.contract == *contract));
        for instance in instances {
            let after = cursors.get(&instance.contract).copied().unwrap_or(0);
            for transaction in transactions_after(chain, &instance.contract, after).await? {
                let mut next = cursors.clone();
                next.insert(instance.contract.clone(), transaction.lt);
                self.take(&instance, &transaction, &next).await?;
                *cursors = next;
            }
        }
        self.proxy.chain_age.heard(chain.now().await?);
        Ok(())
    }

    async fn take(
        &self,
        instance: &Instance,
        transaction: &Transaction,
        next: &BTreeMap<Address, u64>,
    ) -> Result<(), ProxyError> {
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
            let state = vec![(CURSORS, cursors_json(next))];
            let ((), durable) = self
                .proxy
                .books
                .change(|ledger| Ok(((), ledger.commit_landed(note)?)), state)?;
            durable.await.map_err(|_| writer_stopped())?;
            self.proxy
                .heads
                .landed(self.proxy.books.ledger().commits().landed_seqno());
            return Ok(());
        }
        let step = client_step(transaction);
        if let Some(ClientPayload::RegisterPayload(register)) = step.as_ref().and_then(|step| step.payload.as_ref()) {
            self.proxy.registrations.seen(source, register.nonce);
        }
        // Whoever has paid in is known, so that nobody is forgotten when the contract closes.
        let is_member = step.is_some_and(|step| instance.client_contract(&step.owner).is_ok_and(|own| own == *source));
        self.refresh_sender(source, is_member).await
    }

    /// A client or worker contract told the proxy contract something: a top up, its closing, a payout. Its state is read
    /// at once; the timer alone would only look at whoever is connected.
    async fn refresh_sender(&self, source: &Address, is_member: bool) -> Result<(), ProxyError> {
        let (is_client, is_worker) = {
            let ledger = self.proxy.books.ledger();
            (
                is_member || ledger.client(source).is_some(),
                ledger.worker(source).is_some(),
            )
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

/// What a client contract told the proxy contract. Whether its sender is one is seen by its address, which the chain
/// vouches for.
fn client_step(transaction: &Transaction) -> Option<ClientStep> {
    let message = transaction.in_msg.as_ref()?;
    if message.op() != Some(ClientStep::OPCODE) || message.bounced {
        return None;
    }
    cocoon_bindings::ton::from_cell(&message.body).ok()
}

fn cursors_json(cursors: &BTreeMap<Address, u64>) -> serde_json::Value {
    let row = |(contract, lt): (&Address, &u64)| serde_json::json!({ "contract": contract, "lt": lt });
    cursors.iter().map(row).collect()
}

fn writer_stopped() -> ProxyError {
    ProxyError::WriterStopped {
        reason: "a write was not made durable".into(),
    }
}
