//! The check of a statement before it is signed: it must say what this worker did, between the right contracts.

use crate::answering::Done;
use crate::balance::{Balance, SignFault};
use crate::limits::{MAX_NOT_COUNTERSIGNED, MAX_UNSIGNED};
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{ModelHash, ParamsVersion};
use cocoon_ratls::Identity;
use cocoon_receipt::{ReceiptError, Signature, WorkStatement};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// What never changes during a connection and stands in every statement.
#[derive(Debug, Clone)]
pub(crate) struct Parties {
    pub(crate) root: Address,
    pub(crate) params_version: ParamsVersion,
    pub(crate) model: ModelHash,
}

/// Why a statement is not signed. The text goes to the proxy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsigned {
    #[error("the statement cannot be read: {0}")]
    Malformed(#[from] ReceiptError),
    #[error("no finished request has this id")]
    UnknownRequest,
    #[error("the statement's {0} is not what this worker knows")]
    Differs(&'static str),
    #[error("another statement was signed for this request")]
    Twice,
    #[error("the proxy has not signed the last {0} statements itself")]
    NotCountersigned(u32),
    #[error("{0}")]
    Channel(#[from] SignFault),
}

/// Signs for one connection, with the key of the certificate that the connection was made with.
pub(crate) struct SignDesk {
    parties: Parties,
    balance: Balance,
    identity: Arc<Identity>,
    finished: HashMap<[u8; 32], Entry>,
    order: VecDeque<[u8; 32]>,
    /// Statements signed since the proxy last signed one.
    waiting: u32,
}

struct Entry {
    done: Done,
    signed: Option<HashBytes>,
}

impl SignDesk {
    pub(crate) fn new(parties: Parties, balance: Balance, identity: Arc<Identity>) -> Self {
        Self {
            parties,
            balance,
            identity,
            finished: HashMap::new(),
            order: VecDeque::new(),
            waiting: 0,
        }
    }

    /// Remembers a finished request, for a while.
    pub(crate) fn remember(&mut self, done: Done) {
        let id = done.terms.request_id;
        if self.finished.insert(id, Entry { done, signed: None }).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > MAX_UNSIGNED {
            if let Some(oldest) = self.order.pop_front() {
                self.finished.remove(&oldest);
            }
        }
    }

    /// Signs the statement, if it is true. Blocks on the disk: the statement is there before the signature is.
    pub(crate) fn sign(&mut self, boc: &[u8]) -> Result<Signature, Unsigned> {
        let statement = WorkStatement::from_boc(boc)?;
        let hash = statement.hash();
        let entry = self
            .finished
            .get_mut(&statement.request_id.0)
            .ok_or(Unsigned::UnknownRequest)?;
        if entry.signed.is_some_and(|signed| signed != hash) {
            return Err(Unsigned::Twice);
        }
        if self.waiting >= MAX_NOT_COUNTERSIGNED {
            return Err(Unsigned::NotCountersigned(self.waiting));
        }
        let channel = self.balance.channel();
        let Parties {
            root,
            params_version,
            model,
        } = &self.parties;
        let done = &entry.done;
        let facts = [
            ("root contract", statement.root == *root),
            ("params version", statement.params_version == *params_version),
            ("proxy contract", statement.proxy == channel.proxy),
            ("worker contract", statement.worker == channel.worker),
            ("model", statement.model == *model),
            (
                "certificate",
                statement.worker_evidence.0 == self.identity.evidence_hash(),
            ),
            ("request hash", statement.request_hash.0 == done.request_hash),
            ("response hash", statement.response_hash.0 == done.response_hash),
            ("sampling hash", statement.sampling_hash.0 == done.sampling_hash),
            ("seed", statement.seed == done.seed),
            ("counts", statement.counts == Some(done.counts)),
            ("adjusted tokens", statement.used == done.used),
            ("coefficient", statement.coefficient == done.terms.coefficient),
            ("finish reason", statement.finish == done.finish),
        ];
        if let Some((name, _)) = facts.into_iter().find(|(_, holds)| !holds) {
            return Err(Unsigned::Differs(name));
        }
        if statement.charged() < done.used.total {
            tracing::warn!(
                charged = statement.charged(),
                used = done.used.total,
                "the proxy charges less than was used: the reservation was too small"
            );
        }
        let signature = self.balance.sign(&statement, |hash| self.identity.sign(hash))?;
        if entry.signed.replace(hash).is_none() {
            self.waiting += 1;
        }
        Ok(signature)
    }

    /// The proxy has signed a statement of this channel.
    pub(crate) fn countersigned(&mut self) {
        self.waiting = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answering::Terms;
    use crate::balance::tests::channel;
    use cocoon_bindings::Multipliers;
    use cocoon_bindings::tokens::{TokenCounts, TokensUsed};
    use cocoon_bindings::units::Coefficient;
    use cocoon_protocol::version::Version;
    use cocoon_ratls::NoEvidence;
    use cocoon_receipt::{ChannelHead, FinishReason, Timing};
    use cocoon_store::WorkerStore;

    fn done() -> Done {
        let terms = Terms {
            request_id: [5; 32],
            coefficient: Coefficient::new(1000),
            multipliers: Multipliers::default(),
            price: cocoon_bindings::units::Nanoton::new(20),
            version: Version::V3,
        };
        Done {
            terms,
            counts: TokenCounts {
                prompt: 10,
                cached: 0,
                completion: 20,
                reasoning: 0,
            },
            used: TokensUsed {
                prompt: 10,
                cached: 0,
                completion: 20,
                reasoning: 0,
                total: 30,
            },
            request_hash: [1; 32],
            response_hash: [2; 32],
            sampling_hash: [3; 32],
            seed: 4,
            finish: FinishReason::Stop,
            bytes_sent: 0,
            seconds: 0.0,
        }
    }

    fn parties() -> Parties {
        Parties {
            root: Address::new(0, HashBytes([7; 32])),
            params_version: ParamsVersion::new(3),
            model: ModelHash::new([8; 32]),
        }
    }

    fn statement(desk: &SignDesk, head: &ChannelHead) -> WorkStatement {
        let (done, parties) = (done(), parties());
        WorkStatement {
            root: parties.root,
            params_version: parties.params_version,
            proxy: channel().proxy,
            worker: channel().worker,
            client: HashBytes([6; 32]),
            request_id: HashBytes(done.terms.request_id),
            channel: head.next(done.used.total).unwrap(),
            request_hash: HashBytes(done.request_hash),
            response_hash: HashBytes(done.response_hash),
            sampling_hash: HashBytes(done.sampling_hash),
            seed: done.seed,
            model: parties.model,
            worker_evidence: HashBytes(desk.identity.evidence_hash()),
            counts: Some(done.counts),
            used: done.used,
            coefficient: done.terms.coefficient,
            timing: Timing {
                started_ms: 1,
                first_token_ms: 2,
                finished_ms: 3,
            },
            finish: done.finish,
        }
    }

    fn desk(folder: &std::path::Path) -> SignDesk {
        let store = Arc::new(WorkerStore::open(folder).unwrap());
        let balance = Balance::open(channel(), parties().model, store).unwrap();
        let identity = Identity::issue(&NoEvidence, 1_800_000_000).unwrap();
        let mut desk = SignDesk::new(parties(), balance, Arc::new(identity));
        desk.remember(done());
        desk
    }

    #[test]
    fn a_true_statement_is_signed_with_the_leaf_key_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = desk(folder.path());
        let statement = statement(&desk, &ChannelHead::GENESIS);
        let signature = desk.sign(&statement.to_boc()).unwrap();
        statement.verify(&signature, &desk.identity.leaf_key()).unwrap();
        assert_eq!(desk.sign(&statement.to_boc()).unwrap(), signature);
        assert_eq!(desk.balance.memory().head.total, 30);
    }

    #[test]
    fn a_statement_that_differs_in_any_fact_is_not_signed() {
        type Change = fn(&mut WorkStatement);
        let changes: [(&str, Change); 10] = [
            ("root contract", |s| s.root = channel().proxy),
            ("params version", |s| s.params_version = ParamsVersion::new(4)),
            ("worker contract", |s| s.worker = channel().proxy),
            ("model", |s| s.model = ModelHash::new([0; 32])),
            ("certificate", |s| s.worker_evidence = HashBytes::ZERO),
            ("response hash", |s| s.response_hash = HashBytes::ZERO),
            ("seed", |s| s.seed = 5),
            ("counts", |s| s.counts = None),
            ("coefficient", |s| s.coefficient = Coefficient::new(1)),
            ("finish reason", |s| s.finish = FinishReason::Length),
        ];
        let folder = tempfile::tempdir().unwrap();
        let mut desk = desk(folder.path());
        for (name, change) in changes {
            let mut statement = statement(&desk, &ChannelHead::GENESIS);
            change(&mut statement);
            let error = desk.sign(&statement.to_boc()).unwrap_err();
            assert!(
                matches!(error, Unsigned::Differs(found) if found == name),
                "{name}: {error}"
            );
        }
        assert_eq!(desk.balance.memory().head, ChannelHead::GENESIS);
    }

    #[test]
    fn a_second_story_about_one_request_is_not_signed() {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = desk(folder.path());
        let first = statement(&desk, &ChannelHead::GENESIS);
        desk.sign(&first.to_boc()).unwrap();
        let head = desk.balance.memory().head;
        let second = statement(&desk, &head);
        assert!(matches!(desk.sign(&second.to_boc()), Err(Unsigned::Twice)));
        let mut unknown = first;
        unknown.request_id = HashBytes([6; 32]);
        assert!(matches!(desk.sign(&unknown.to_boc()), Err(Unsigned::UnknownRequest)));
    }

    #[test]
    fn a_proxy_that_does_not_sign_gets_no_more_signatures_until_it_does() {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = desk(folder.path());
        let next = |desk: &mut SignDesk, byte: u8| {
            let mut done = done();
            done.terms.request_id = [byte; 32];
            desk.remember(done);
            let mut statement = statement(desk, &desk.balance.memory().head);
            statement.request_id = HashBytes([byte; 32]);
            desk.sign(&statement.to_boc())
        };
        for byte in 1..=16 {
            next(&mut desk, byte).unwrap();
        }
        assert!(matches!(next(&mut desk, 17), Err(Unsigned::NotCountersigned(16))));
        desk.countersigned();
        next(&mut desk, 18).unwrap();
    }

    #[test]
    fn a_statement_that_forks_the_channel_is_not_signed() {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = desk(folder.path());
        desk.sign(&statement(&desk, &ChannelHead::GENESIS).to_boc()).unwrap();
        let mut other = done();
        other.terms.request_id = [6; 32];
        desk.remember(other);
        let mut fork = statement(&desk, &ChannelHead::GENESIS);
        fork.request_id = HashBytes([6; 32]);
        assert!(matches!(
            desk.sign(&fork.to_boc()),
            Err(Unsigned::Channel(SignFault::Channel))
        ));
    }
}
