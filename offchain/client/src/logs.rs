//! The published logs of proxies: where a receipt stands in one, as a proof that anybody can check.
//!
//! What is proven was checked against the key of the proxy's contract and against the newest checkpoint that this client ever saw of
//! that key, also before a restart. A log that contradicts it is refused, and both checkpoints are kept.

mod follow;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cocoon_bindings::ton::{Address, parse_address};
use cocoon_bindings::units::PublicKey;
use cocoon_receipt::ReceiptId;
use cocoon_runner::RunnerError;
use cocoon_store::ClientStore;
use cocoon_tlog::{InclusionProof, SharedSource, TlogError, source};
use tokio::sync::Semaphore;

use crate::config::LogPlace;
use crate::limits::{INCLUSION_WAIT, LOG_LOOKUP_LIMIT, MAX_KEPT_PROOFS, MAX_LOG_LOOKUPS};
use follow::Follower;

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoProof {
    /// Nobody said where the proxy's log is.
    #[error("no log of this proxy is configured ([[logs]])")]
    NoLog,
    /// Too much is being looked up.
    #[error("too many receipts are being looked up; ask again")]
    Busy,
    /// It takes longer than a page waits.
    #[error("the log was not read in time; ask again")]
    Slow,
    /// The key of the proxy's contract is not known.
    #[error("the proxy contract's key is not known: {0}")]
    NoKey(String),
    /// It is not in the log, or not where it should be by its time.
    #[error("the log of {size} receipts does not have it (yet)")]
    Absent {
        /// Receipts of the log.
        size: u64,
    },
    /// The log shows less than it did: a mirror that is behind, or a proxy that went back.
    #[error("the log shows {found} receipts, it had {known}")]
    Behind {
        /// Receipts now.
        found: u64,
        /// Receipts that were seen before.
        known: u64,
    },
    /// It cannot be read.
    #[error("the log cannot be read: {0}")]
    Unreachable(TlogError),
    /// It is not what it says it is.
    #[error("the log is refused: {0}")]
    Refused(TlogError),
    /// The proxy signed two histories.
    #[error("THE PROXY SIGNED TWO HISTORIES: {0}; both checkpoints are kept in {1}")]
    Contradiction(TlogError, String),
    /// The own disk.
    #[error("what is known of the log cannot be read or kept: {0}")]
    Disk(String),
}

/// How lookups ended, for the figures; the words are labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ended {
    /// With a proof.
    Included,
    /// It is not there yet.
    Absent,
    /// Without an answer in time.
    Unreachable,
    /// The log is not what it says it is, or shows less than it did.
    Refused,
    /// Two histories.
    Contradiction,
}

impl Ended {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::Included,
        Self::Absent,
        Self::Unreachable,
        Self::Refused,
        Self::Contradiction,
    ];

    /// As a label.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Included => "included",
            Self::Absent => "absent",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Contradiction => "contradiction",
        }
    }

    fn of(error: &NoProof) -> Option<Self> {
        match error {
            NoProof::NoLog => None,
            NoProof::Absent { .. } => Some(Self::Absent),
            NoProof::Behind { .. } | NoProof::Refused(_) => Some(Self::Refused),
            NoProof::Contradiction(..) => Some(Self::Contradiction),
            NoProof::Busy | NoProof::Slow | NoProof::NoKey(_) | NoProof::Unreachable(_) | NoProof::Disk(_) => {
                Some(Self::Unreachable)
            }
        }
    }
}

/// What is looked up.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) id: ReceiptId,
    /// The contract of the proxy that it is of.
    pub(crate) proxy: Address,
    /// When its answer ended, Unix milliseconds.
    pub(crate) finished_ms: u64,
}

/// A log that the configuration names.
struct Place {
    /// The proxy contract whose log it is; of all others when absent.
    proxy: Option<Address>,
    source: SharedSource,
    lookups: Arc<Semaphore>,
}

/// The logs that the configuration names.
pub(crate) struct Logs {
    places: Vec<Place>,
    follower: Arc<Follower>,
    /// Proofs that were given or came too late for their page, the newest last.
    proofs: Mutex<VecDeque<(ReceiptId, InclusionProof)>>,
    ended: [AtomicU64; Ended::ALL.len()],
}

impl Logs {
    /// The configured ones. `folder` is where contradictions are kept.
    pub(crate) fn new(places: &[LogPlace], store: Arc<Mutex<ClientStore>>, folder: &Path) -> Result<Self, RunnerError> {
        let wrong = |problem: String| RunnerError::ConfigValue {
            key: "logs".to_owned(),
            problem,
        };
        let place = |place: &LogPlace| {
            let proxy = place.proxy.as_deref().map(parse_address).transpose();
            let proxy = proxy.map_err(|error| wrong(error.to_string()))?;
            let source = source(&place.url).map_err(|error| wrong(error.to_string()))?;
            let lookups = Arc::new(Semaphore::new(MAX_LOG_LOOKUPS));
            Ok(Place { proxy, source, lookups })
        };
        Ok(Self {
            places: places.iter().map(place).collect::<Result<_, RunnerError>>()?,
            follower: Arc::new(Follower::new(store, folder)),
            proofs: Mutex::default(),
            ended: Default::default(),
        })
    }

    /// How many lookups ended so.
    pub(crate) fn ended(&self, how: Ended) -> u64 {
        self.ended
            .get(how as usize)
            .map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// The proof that a receipt is in its proxy's log. Waits a bounded time; what takes longer goes on, for who asks again.
    pub(crate) async fn prove(
        self: &Arc<Self>,
        wanted: Wanted,
        key: impl Future<Output = Result<PublicKey, String>> + Send + 'static,
    ) -> Result<InclusionProof, NoProof> {
        if let Some(known) = self.kept(&wanted.id) {
            return Ok(known);
        }
        let Some(place) = self.place(&wanted.proxy) else {
            return Err(NoProof::NoLog);
        };
        let source = Arc::clone(&place.source);
        let Ok(turn) = Arc::clone(&place.lookups).try_acquire_owned() else {
            self.count(Err(&NoProof::Busy));
            return Err(NoProof::Busy);
        };
        let logs = Arc::clone(self);
        let looked = tokio::spawn(async move {
            let _turn = turn;
            let look = async {
                match key.await {
                    Ok(key) => logs.follower.prove(source, key, &wanted).await,
                    Err(problem) => Err(NoProof::NoKey(problem)),
                }
            };
            let found = tokio::time::timeout(LOG_LOOKUP_LIMIT, look).await;
            let found = found.unwrap_or(Err(NoProof::Slow));
            logs.count(found.as_ref().map(drop));
            if let Ok(proof) = &found {
                logs.keep(wanted.id, proof.clone());
            }
            found
        });
        match tokio::time::timeout(INCLUSION_WAIT, looked).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) | Err(_) => Err(NoProof::Slow),
        }
    }

    /// Where the log of a proxy's contract is: the place of its own, or that of all.
    fn place(&self, proxy: &Address) -> Option<&Place> {
        let own = self.places.iter().find(|place| place.proxy.as_ref() == Some(proxy));
        own.or_else(|| self.places.iter().find(|place| place.proxy.is_none()))
    }

    fn kept(&self, id: &ReceiptId) -> Option<InclusionProof> {
        let proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        let found = proofs.iter().find(|(known, _)| known == id);
        found.map(|(_, proof)| proof.clone())
    }

    fn keep(&self, id: ReceiptId, mut proof: InclusionProof) {
        // The page brings the receipt.
        proof.receipt = None;
        let mut proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        // Another lookup of it may have ended meanwhile.
        if proofs.iter().any(|(known, _)| *known == id) {
            return;
        }
        if proofs.len() >= MAX_KEPT_PROOFS {
            proofs.pop_front();
        }
        proofs.push_back((id, proof));
    }

    fn count(&self, found: Result<(), &NoProof>) {
        let ended = match found {
            Ok(()) => Some(Ended::Included),
            Err(error) => Ended::of(error),
        };
        if let Some(count) = ended.and_then(|ended| self.ended.get(ended as usize)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Keys of proxy contracts, which never change.
#[derive(Debug, Default)]
pub(crate) struct Keys(Mutex<BTreeMap<Address, PublicKey>>);

impl Keys {
    /// The key of a contract, if it was asked for before.
    pub(crate) fn get(&self, contract: &Address) -> Option<PublicKey> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(contract).copied()
    }

    /// Remembers it. Their number is that of the contracts that receipts of this client name.
    pub(crate) fn put(&self, contract: Address, key: PublicKey) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(contract, key);
    }
}

#[cfg(test)]
mod tests;
