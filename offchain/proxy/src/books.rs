//! The ledger with its disk: every change is queued for the disk in the order in which it happened.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::TokenCount;
use cocoon_ledger::{Changes, Charge, Ledger, LedgerError, ReservationId};
use cocoon_protocol::extension::Countersigned;
use cocoon_receipt::{BuiltReceipt, ContractKey, Receipt, Signature};
use cocoon_runner::report::{Distribution, LATENCY_SECONDS};
use cocoon_store::{NewRecord, ProxyReader, ProxyStore, ProxyWrite, SignedStatement};
use ed25519_dalek::SigningKey;
use tokio::sync::{mpsc, oneshot};

use crate::error::ProxyError;
use crate::writer::{self, Durable, WriteJob};

pub(crate) type SharedLedger = Arc<Mutex<Ledger>>;

/// Ledger, disk and the key that signs receipts.
pub(crate) struct Books {
    ledger: SharedLedger,
    // Dropped before the writer's sender: the writer is the last to let go of the database.
    reader: ProxyReader,
    writer: mpsc::UnboundedSender<WriteJob>,
    /// How long groups of writes took to become durable, in seconds.
    pub(crate) disk_sync: Arc<Distribution>,
    key: ContractKey,
}

/// A charge that was applied; it may be shown once `durable` resolves.
pub(crate) struct Charged {
    pub(crate) receipt: Arc<BuiltReceipt>,
    pub(crate) durable: Durable,
}

impl Books {
    pub(crate) fn new(
        store: ProxyStore,
        ledger: Ledger,
        key: SigningKey,
        failed: oneshot::Sender<ProxyError>,
        closed: oneshot::Sender<()>,
    ) -> Result<Self, ProxyError> {
        let ledger = Arc::new(Mutex::new(ledger));
        let reader = store.reader();
        let disk_sync = Arc::new(Distribution::new(LATENCY_SECONDS));
        let writer = writer::start(store, Arc::clone(&ledger), Arc::clone(&disk_sync), failed, closed);
        Ok(Self {
            ledger,
            disk_sync,
            writer,
            reader,
            key: key.into(),
        })
    }

    /// The ledger, for looking and for changes that need no disk. Never held across an await.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // A panic while it was held cannot leave it half changed: each change is one call of the ledger.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What may be read beside the writer.
    pub(crate) fn reader(&self) -> &ProxyReader {
        &self.reader
    }

    /// The key of the proxy's contract.
    pub(crate) fn key(&self) -> &SigningKey {
        self.key.key()
    }

    /// Applies a change to the ledger and queues it for the disk.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut Ledger) -> Result<(T, Changes), LedgerError>,
        state: Vec<(&'static str, serde_json::Value)>,
    ) -> Result<(T, Durable), LedgerError> {
        let mut ledger = self.ledger();
        let (value, changes) = change(&mut ledger)?;
        let durable = self
            .queue(
                ProxyWrite {
                    changes,
                    state,
                    ..ProxyWrite::default()
                },
                1,
            )
            .pop();
        Ok((value, durable.unwrap_or_else(never)))
    }

    /// Charges `used` tokens under a reservation: computes the charge, lets `receipt` make the receipt of it, signs,
    /// applies and queues, all in one step, so that receipts reach the log in the order of their channels.
    ///
    /// `sign` gets the receipt and a second [`Durable`], still inside that step: the order in which a worker is asked for
    /// signatures is the order of its channel.
    pub(crate) fn charge(
        &self,
        reservation: ReservationId,
        worker: &Address,
        used: TokenCount,
        receipt: impl FnOnce(&Charge) -> Receipt,
        sign: impl FnOnce(&Arc<BuiltReceipt>, Durable),
    ) -> Result<Charged, LedgerError> {
        let mut ledger = self.ledger();
        let charge = ledger.prepare(reservation, worker, used)?;
        let receipt = Arc::new(BuiltReceipt::sign(receipt(&charge), &self.key));
        let hashes = receipt.hashes();
        let changes = ledger.apply(&charge, hashes.id.0, hashes.statement)?;
        let records = vec![NewRecord::Receipt(Arc::clone(&receipt))];
        let mut durable = self
            .queue(
                ProxyWrite {
                    changes,
                    records,
                    ..ProxyWrite::default()
                },
                2,
            )
            .into_iter();
        sign(&receipt, durable.next().unwrap_or_else(never));
        Ok(Charged {
            receipt,
            durable: durable.next().unwrap_or_else(never),
        })
    }

    /// Adds a worker's signature over the statement of a receipt to the log.
    pub(crate) fn add_signature(&self, receipt: &BuiltReceipt, signature: Signature) -> Durable {
        let (hashes, statement) = (receipt.hashes(), &receipt.signed().receipt.statement);
        let signed = SignedStatement {
            tokens: statement.channel.after,
            hash: hashes.statement,
        };
        let write = ProxyWrite {
            records: vec![NewRecord::WorkerSignature(hashes.id, signature)],
            signed: vec![(statement.worker.clone(), signed)],
            ..ProxyWrite::default()
        };
        self.queue(write, 1).pop().unwrap_or_else(never)
    }

    /// The proxy's own signature over a statement. Only for one that its worker signed, and whose receipt and signature
    /// are durable.
    pub(crate) fn countersign(&self, statement: HashBytes) -> Countersigned {
        Countersigned {
            statement_hash: statement.0,
            signature: self.key.sign(statement.as_slice()).0.to_vec().into(),
        }
    }

    fn queue(&self, write: ProxyWrite, waiters: usize) -> Vec<Durable> {
        let (waiting, durable) = (0..waiters).map(|_| oneshot::channel()).unzip();
        // When the writer has ended, the job is dropped and every waiter learns that it never became durable.
        let _ = self.writer.send(WriteJob { write, waiting });
        durable
    }
}

fn never() -> Durable {
    oneshot::channel().1
}
