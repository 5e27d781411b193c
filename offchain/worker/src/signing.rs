//! The check of a statement before it is signed: it must say what this worker did, between the right contracts.

use crate::answering::Done;
use crate::balance::{Balance, Draft, SignFault};
use crate::limits::{MAX_NOT_COUNTERSIGNED, MAX_UNSIGNED};
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{ModelHash, ParamsVersion};
use cocoon_ratls::Identity;
use cocoon_receipt::{BuiltStatement, ReceiptError, Signature};
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
    NotCountersigned(usize),
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
    /// Statements signed after the last one that the proxy signed too.
    waiting: VecDeque<HashBytes>,
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
            waiting: VecDeque::new(),
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

    /// Whose channel it signs for.
    pub(crate) fn balance(&self) -> &Balance {
        &self.balance
    }

    /// Signs the statement, if it is true. The signature may leave once the draft is kept.
    pub(crate) fn sign(&mut self, draft: &mut Draft<'_>, boc: &[u8]) -> Result<Signature, Unsigned> {
        let built = BuiltStatement::from_boc(boc)?;
        let (statement, hash) = (built.statement(), built.hash());
        let entry = self
            .finished
            .get_mut(&statement.request_id.0)
            .ok_or(Unsigned::UnknownRequest)?;
        if entry.signed.is_some_and(|signed| signed != hash) {
            return Err(Unsigned::Twice);
        }
        if self.waiting.len() >= MAX_NOT_COUNTERSIGNED {
            return Err(Unsigned::NotCountersigned(self.waiting.len()));
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
        let signature = draft.sign(built, |hash| self.identity.sign(hash))?;
        if entry.signed.replace(hash).is_none() {
            self.waiting.push_back(hash);
        }
        Ok(signature)
    }

    /// The proxy has signed a statement of this channel, and so everything before it: totals are cumulative.
    pub(crate) fn countersigned(&mut self, statement: &HashBytes) {
        if let Some(at) = self.waiting.iter().position(|waiting| waiting == statement) {
            self.waiting.drain(..=at);
        }
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
    use cocoon_receipt::{ChannelHead, FinishReason, Timing, WorkStatement};
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
            first_token_time: 0.0,
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

    /// Signs and keeps, as for a burst of one.
    fn sign(desk: &mut SignDesk, statement: &WorkStatement) -> Result<Signature, Unsigned> {
        let balance = desk.balance.clone();
        let mut draft = balance.draft();
        let signature = desk.sign(&mut draft, &statement.to_boc())?;
        draft.keep().unwrap();
        Ok(signature)
    }

    #[test]
    fn a_true_statement_is_signed_with_the_leaf_key_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = desk(folder.path());
        let statement = statement(&desk, &ChannelHead::GENESIS);
        let signature = sign(&mut desk, &statement).unwrap();
        statement.verify(&signature, &desk.identity.leaf_key()).unwrap();
        assert_eq!(sign(&mut desk, &statement).unwrap(), signature);
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
            let error = sign(&mut desk, &statement).unwrap_err();
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
        sign(&mut desk, &first).unwrap();
        let head = desk.balance.memory().head;
        let second = statement(&desk, &head);
        assert!(matches!(sign(&mut desk, &second), Err(Unsigned::Twice)));
        let mut unknown = first;
        unknown.request_id = HashBytes([6; 32]);
        assert!(matches!(sign(&mut desk, &unknown), Err(Unsigned::UnknownRequest)));
    }

    #[test]
    fn a_proxy_that_does_not_sign_gets_no_more_signatures_until_it_does() {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = desk(folder.path());
        let next = |desk: &mut SignDesk, byte: u8| -> Result<HashBytes, Unsigned> {
            let mut done = done();
            done.terms.request_id = [byte; 32];
            desk.remember(done);
            let mut statement = statement(desk, &desk.balance.memory().head);
            statement.request_id = HashBytes([byte; 32]);
            sign(desk, &statement)?;
            Ok(desk.balance.memory().head.hash)
        };
        let hashes: Vec<HashBytes> = (1..=128).map(|byte| next(&mut desk, byte).unwrap()).collect();
        assert!(matches!(next(&mut desk, 129), Err(Unsigned::NotCountersigned(128))));
        desk.countersigned(&HashBytes([9; 32]));
        assert!(matches!(next(&mut desk, 130), Err(Unsigned::NotCountersigned(128))));
        // Covers those before it, not the one after it.
        desk.countersigned(&hashes[126]);
        assert_eq!(desk.waiting, [hashes[127]]);
        next(&mut desk, 131).unwrap();
    }

    #[test]
    fn nothing_of_a_burst_counts_before_it_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = desk(folder.path());
        let first = statement(&desk, &ChannelHead::GENESIS);
        let balance = desk.balance.clone();
        let mut draft = balance.draft();
        desk.sign(&mut draft, &first.to_boc()).unwrap();
        drop(draft);
        assert_eq!(balance.memory().head, ChannelHead::GENESIS);
        drop((desk, balance));
        let store = Arc::new(WorkerStore::open(folder.path()).unwrap());
        assert_eq!(store.statement(&first.hash()).unwrap(), None);
    }

    #[test]
    fn a_statement_that_forks_the_channel_is_not_signed() {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = desk(folder.path());
        let first = statement(&desk, &ChannelHead::GENESIS);
        sign(&mut desk, &first).unwrap();
        let mut other = done();
        other.terms.request_id = [6; 32];
        desk.remember(other);
        let mut fork = statement(&desk, &ChannelHead::GENESIS);
        fork.request_id = HashBytes([6; 32]);
        assert!(matches!(
            sign(&mut desk, &fork),
            Err(Unsigned::Channel(SignFault::Channel))
        ));
    }
}
