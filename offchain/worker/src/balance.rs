//! What one proxy owes this worker: totals that never go down, the best voucher, the channel of signed statements.

use crate::error::WorkerError;
use cocoon_bindings::ton::{Address, HashBytes, parse_boc};
use cocoon_bindings::units::{ModelHash, PublicKey};
use cocoon_bindings::voucher::{SignedVoucher, VoucherOp};
use cocoon_protocol::extension::Proof;
use cocoon_protocol::handshake::WorkerBalances;
use cocoon_protocol::proxy::SignedPayment;
use cocoon_protocol::version::Version;
use cocoon_receipt::{BuiltStatement, Signature, verifies};
use cocoon_store::{Claim, ProxyMemory, StoreError, WorkerStore};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The contracts between which the money of one proxy moves, and the key that signs for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Channel {
    pub(crate) proxy: Address,
    pub(crate) worker: Address,
    pub(crate) proxy_key: PublicKey,
}

/// The memory of one proxy, by work with one model. All connections of the model to that proxy share it. Calls block on the
/// disk.
#[derive(Clone)]
pub(crate) struct Balance {
    channel: Channel,
    model: ModelHash,
    store: Arc<WorkerStore>,
    memory: Arc<Mutex<ProxyMemory>>,
}

impl Balance {
    pub(crate) fn open(channel: Channel, model: ModelHash, store: Arc<WorkerStore>) -> Result<Self, WorkerError> {
        let memory = store.proxy(&channel.proxy, &channel.worker, &model)?;
        Ok(Self {
            channel,
            model,
            store,
            memory: Arc::new(Mutex::new(memory)),
        })
    }

    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
    }

    pub(crate) fn memory(&self) -> ProxyMemory {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The best voucher, if there is one.
    pub(crate) fn voucher(&self) -> Option<SignedVoucher> {
        SignedVoucher::from_cell(&parse_boc(&self.memory().voucher?).ok()?).ok()
    }

    /// What the handshake tells the proxy.
    pub(crate) fn known(&self) -> WorkerBalances {
        let memory = self.memory();
        WorkerBalances {
            tokens_committed_to_blockchain: memory.tokens_chain.cast_signed(),
            tokens_committed_to_db: memory.tokens_db.cast_signed(),
            max_tokens: memory.tokens_max.cast_signed(),
        }
    }

    /// The same for a proxy of this version. A deployed one that crashed never lets a worker in again that remembers more
    /// than it had stored: it is told only what it had stored by its own word.
    pub(crate) fn known_to(&self, version: Version) -> WorkerBalances {
        let known = self.known();
        match version.has_extensions() {
            true => known,
            false => WorkerBalances {
                max_tokens: known.tokens_committed_to_db,
                ..known
            },
        }
    }

    /// The highest of what the proxy has signed for this worker: what proves that its database is old, if it is.
    pub(crate) fn proof(&self) -> Result<Option<Proof>, StoreError> {
        let memory = self.memory();
        let claim = match memory.claim {
            Some(claim) if claim.tokens >= memory.tokens_chain => {
                let kept = self.store.statement(&claim.statement)?;
                kept.map(|(statement, _)| Proof::Statement {
                    statement: statement.to_boc().into(),
                    signature: claim.signature.into(),
                })
            }
            _ => None,
        };
        let voucher = |voucher: Vec<u8>| Proof::Voucher {
            voucher: voucher.into(),
        };
        Ok(claim.or_else(|| memory.voucher.map(voucher)))
    }

    /// Takes the numbers that a handshake ended with. Here the proxy may know less than we do of what was neither
    /// stored nor signed: it lost that in a crash, and counting goes on from its number.
    pub(crate) fn begin(&self, payment: &SignedPayment, db: i64, max: i64) -> Result<(), WorkerError> {
        let mut draft = self.draft();
        draft.begin(payment, db, max)?;
        Ok(draft.keep()?)
    }

    /// Begins a change of several steps; nobody else changes the memory meanwhile.
    pub(crate) fn draft(&self) -> Draft<'_> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        Draft {
            balance: self,
            next: memory.clone(),
            memory,
            signed: Vec::new(),
        }
    }

    fn checked_voucher(&self, boc: &[u8]) -> Result<SignedVoucher, WorkerError> {
        let voucher = parse_boc(boc)
            .and_then(|cell| SignedVoucher::from_cell(&cell))
            .map_err(WorkerError::Voucher)?;
        voucher
            .verify(&self.channel.proxy_key, &self.channel.worker)
            .map_err(WorkerError::Voucher)?;
        match voucher.op() {
            VoucherOp::WorkerPayout | VoucherOp::WorkerLastPayout => Ok(voucher),
            _ => Err(WorkerError::ForeignContract { which: "worker" }),
        }
    }
}

/// What several messages of a proxy change, one after the other. Nothing of it counts before [`Draft::keep`].
pub(crate) struct Draft<'a> {
    balance: &'a Balance,
    memory: MutexGuard<'a, ProxyMemory>,
    next: ProxyMemory,
    signed: Vec<(BuiltStatement, Signature)>,
}

impl Draft<'_> {
    /// Takes numbers of a serving connection. They come in answers and in messages of their own, which overtake each other:
    /// what is lower than before is older, and counts for nothing. That a proxy went back is seen when the connection begins.
    pub(crate) fn update(&mut self, payment: &SignedPayment, db: i64, max: i64) -> Result<(), WorkerError> {
        let (db, max) = (total(db)?, total(max)?);
        let known = self.next.tokens_chain;
        self.take_signed(payment, |signed| Ok(signed.max(known)))?;
        let next = &mut self.next;
        next.tokens_db = next.tokens_db.max(db);
        next.tokens_max = next.tokens_max.max(max);
        Ok(())
    }

    /// Takes a voucher that comes alone.
    pub(crate) fn take_voucher(&mut self, payment: &SignedPayment) -> Result<(), WorkerError> {
        let (db, max) = (self.next.tokens_db.cast_signed(), self.next.tokens_max.cast_signed());
        self.update(payment, db, max)
    }

    /// Takes the numbers of a handshake: what was stored or signed may not be lower than before.
    fn begin(&mut self, payment: &SignedPayment, db: i64, max: i64) -> Result<(), WorkerError> {
        let (db, max) = (total(db)?, total(max)?);
        let known = self.next.tokens_chain;
        self.take_signed(payment, |signed| down("signed", known, signed).map(|()| signed))?;
        down("stored", self.next.tokens_db, db)?;
        self.next.tokens_db = db;
        self.next.tokens_max = max;
        Ok(())
    }

    /// Takes the voucher if it is higher than what is known; `judge` says which total counts.
    fn take_signed(
        &mut self,
        payment: &SignedPayment,
        judge: impl FnOnce(u64) -> Result<u64, WorkerError>,
    ) -> Result<(), WorkerError> {
        let signed = match payment.boc() {
            None => 0,
            // The proxy shows the same voucher until it signs a higher one: this one was checked.
            Some(boc) if self.next.voucher.as_deref() == Some(&boc[..]) => self.next.tokens_chain,
            Some(boc) => self.balance.checked_voucher(boc)?.tokens().get(),
        };
        let counts = judge(signed)?;
        if signed > self.next.tokens_chain {
            self.next.voucher = payment.boc().map(|boc| boc.to_vec());
        }
        self.next.tokens_chain = counts;
        Ok(())
    }

    /// Puts a statement into the channel if it continues it. The signature may leave after [`Draft::keep`].
    /// Statements between, which this worker never saw, are allowed: their connection was lost.
    pub(crate) fn sign(
        &mut self,
        statement: BuiltStatement,
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Result<Signature, SignFault> {
        let hash = statement.hash();
        let Ok((head, _)) = self.next.head.follow(&statement.statement().channel, hash) else {
            // Asked again about what was signed before.
            return self.signature(&hash)?.ok_or(SignFault::Channel);
        };
        let signature = Signature(sign(hash.as_slice()));
        self.next.head = head;
        self.signed.push((statement, signature));
        Ok(signature)
    }

    /// The signature of a statement that was signed before, in this draft or an earlier one.
    fn signature(&self, hash: &HashBytes) -> Result<Option<Signature>, SignFault> {
        let here = self.signed.iter().find(|(statement, _)| statement.hash() == *hash);
        if let Some((_, signature)) = here {
            return Ok(Some(*signature));
        }
        let kept = self.balance.store.statement(hash).map_err(SignFault::Store)?;
        Ok(kept.map(|(_, signature)| signature))
    }

    /// Takes the proxy's signature over a statement that was signed here; the highest one stays.
    /// A statement that is not known was signed by another worker of the same owner, who keeps it.
    pub(crate) fn countersigned(&mut self, hash: HashBytes, signature: &[u8]) -> Result<(), WorkerError> {
        let channel = &self.balance.channel;
        let bytes: &[u8; 64] = signature.try_into().map_err(|_| WorkerError::Countersignature)?;
        if !verifies(&channel.proxy_key, hash.as_slice(), bytes) {
            return Err(WorkerError::Countersignature);
        }
        // A statement of this draft has not left yet, so nobody can have signed it.
        let Some((statement, _)) = self.balance.store.statement(&hash)? else {
            return Ok(());
        };
        if (&statement.proxy, &statement.worker) != (&channel.proxy, &channel.worker) {
            return Err(WorkerError::Countersignature);
        }
        let tokens = statement.channel.after;
        if self.next.claim.as_ref().is_some_and(|claim| claim.tokens >= tokens) {
            return Ok(());
        }
        self.next.claim = Some(Claim {
            tokens,
            statement: hash,
            proxy_key: HashBytes(*channel.proxy_key.as_bytes()),
            signature: signature.to_vec(),
        });
        Ok(())
    }

    /// Makes all of it durable at once, if anything changed.
    pub(crate) fn keep(mut self) -> Result<(), StoreError> {
        if self.next == *self.memory && self.signed.is_empty() {
            return Ok(());
        }
        let Balance {
            channel, model, store, ..
        } = self.balance;
        store.put_proxy(&channel.proxy, &channel.worker, model, &self.next, &self.signed)?;
        *self.memory = self.next;
        Ok(())
    }
}

/// Why a statement did not get into the channel.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignFault {
    #[error("the statement does not continue the channel")]
    Channel,
    #[error(transparent)]
    Store(StoreError),
}

fn total(number: i64) -> Result<u64, WorkerError> {
    u64::try_from(number).map_err(|_| WorkerError::Negative)
}

fn down(which: &'static str, known: u64, found: u64) -> Result<(), WorkerError> {
    if found < known {
        Err(WorkerError::WentDown { which, known, found })
    } else {
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use bytes::Bytes;
    use cocoon_bindings::ton::boc_bytes;
    use cocoon_bindings::units::{QueryId, TokenCount};
    use ed25519_dalek::SigningKey;

    pub(crate) const MODEL: ModelHash = ModelHash::new([8; 32]);

    pub(crate) fn key() -> SigningKey {
        SigningKey::from_bytes(&[9; 32])
    }

    pub(crate) fn channel() -> Channel {
        let address = |byte| Address::new(0, HashBytes([byte; 32]));
        Channel {
            proxy: address(1),
            worker: address(2),
            proxy_key: PublicKey::from(&key()),
        }
    }

    fn payment(op: VoucherOp, tokens: u64, key: &SigningKey) -> SignedPayment {
        let Channel { proxy, worker, .. } = channel();
        let voucher = SignedVoucher::sign(op, QueryId::new(1), TokenCount::new(tokens), &worker, &proxy, key).unwrap();
        SignedPayment::Voucher {
            data: Bytes::from(boc_bytes(&voucher.to_cell().unwrap())),
        }
    }

    impl Balance {
        fn update(&self, payment: &SignedPayment, db: i64, max: i64) -> Result<(), WorkerError> {
            let mut draft = self.draft();
            draft.update(payment, db, max)?;
            Ok(draft.keep()?)
        }
    }

    #[test]
    fn numbers_never_go_down_and_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let store = || Arc::new(WorkerStore::open(folder.path()).unwrap());
        let balance = Balance::open(channel(), MODEL, store()).unwrap();
        balance.begin(&SignedPayment::Empty, 0, 0).unwrap();
        let voucher = |tokens| payment(VoucherOp::WorkerPayout, tokens, &key());
        balance.update(&voucher(10), 20, 30).unwrap();
        for (signed, db, max) in [(9, 20, 30), (10, 19, 30), (10, 20, 29)] {
            // Older news of the same connection.
            balance.update(&voucher(signed), db, max).unwrap();
            let known = balance.known();
            assert_eq!(
                (
                    known.tokens_committed_to_blockchain,
                    known.tokens_committed_to_db,
                    known.max_tokens
                ),
                (10, 20, 30)
            );
        }
        for (signed, db, which) in [(9, 20, "signed"), (10, 19, "stored")] {
            let error = balance.begin(&voucher(signed), db, 30).unwrap_err();
            assert!(
                matches!(error, WorkerError::WentDown { which: found, .. } if found == which),
                "{error}"
            );
        }
        assert!(matches!(
            balance.update(&SignedPayment::Empty, 20, -1),
            Err(WorkerError::Negative)
        ));
        drop(balance);
        let again = Balance::open(channel(), MODEL, store()).unwrap();
        assert_eq!(
            again.known(),
            WorkerBalances {
                tokens_committed_to_blockchain: 10,
                tokens_committed_to_db: 20,
                max_tokens: 30
            }
        );
        assert_eq!(again.voucher().unwrap().tokens(), TokenCount::new(10));
        again
            .begin(&payment(VoucherOp::WorkerPayout, 10, &key()), 20, 25)
            .unwrap();
        assert_eq!(again.known().max_tokens, 25);
    }

    #[test]
    fn a_deployed_proxy_is_told_only_what_it_had_stored() {
        let folder = tempfile::tempdir().unwrap();
        let balance = Balance::open(channel(), MODEL, Arc::new(WorkerStore::open(folder.path()).unwrap())).unwrap();
        balance.begin(&SignedPayment::Empty, 20, 30).unwrap();
        assert_eq!(balance.known_to(Version::V3).max_tokens, 30);
        for deployed in [Version::V0, Version::V1, Version::V2] {
            let told = balance.known_to(deployed);
            assert_eq!((told.tokens_committed_to_db, told.max_tokens), (20, 20));
        }
    }

    #[test]
    fn a_voucher_of_another_key_or_kind_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let balance = Balance::open(channel(), MODEL, Arc::new(WorkerStore::open(folder.path()).unwrap())).unwrap();
        let other = SigningKey::from_bytes(&[8; 32]);
        assert!(
            balance
                .update(&payment(VoucherOp::WorkerPayout, 10, &other), 20, 30)
                .is_err()
        );
        assert!(
            balance
                .update(&payment(VoucherOp::ClientCharge, 10, &key()), 20, 30)
                .is_err()
        );
        assert_eq!(balance.known(), WorkerBalances::default());
    }
}
