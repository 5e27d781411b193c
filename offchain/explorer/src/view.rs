//! Everything that was found, as it is served.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cocoon_bindings::ton::Address;
use cocoon_bindings::units::{Nanoton, PublicKey};
use cocoon_bindings::{Multipliers, Params};
use cocoon_owner::governance::{Finding, RootSnapshot};
use cocoon_tlog::PublishedLog;
use serde_json::Value;

use crate::anchors::Anchors;
use crate::contracts::Contracts;
use crate::feed::Feed;
use crate::limits::{MAX_PROBLEM, MAX_PROXIES_OF_A_LOG};
use crate::proxies::Codes;
use crate::receipts::Receipts;
use crate::sums::Sums;

/// The root contract and whoever owns it.
#[derive(Debug)]
pub(crate) struct RootSeen {
    /// What it holds.
    pub(crate) snapshot: RootSnapshot,
    /// Its terms with the codes of new contracts.
    pub(crate) params: Params,
    /// The governor, as it is shown.
    pub(crate) governor: Value,
    /// Its address.
    pub(crate) governor_address: Option<Address>,
    /// What is in order and what is not.
    pub(crate) findings: Vec<Finding>,
    /// The proposals, as they are shown.
    pub(crate) proposals: Vec<Value>,
}

impl RootSeen {
    /// Price of a million raw tokens of one class at a coefficient; none where it does not fit.
    pub(crate) fn price(&self, multiplier: u32, coefficient: u32) -> Option<Nanoton> {
        // A million, over the ten-thousandths of weights and the thousandths of coefficients.
        let price = self.snapshot.price_per_token.get();
        let whole = price.checked_mul(multiplier.into())?.checked_mul(coefficient.into())?;
        Some(Nanoton::new(whole / 10))
    }

    /// Weights of the token classes.
    pub(crate) fn multipliers(&self) -> &Multipliers {
        &self.snapshot.multipliers
    }
}

/// A server, or a log, that is asked.
#[derive(Debug, Default, Clone)]
pub(crate) struct Reach {
    /// What keeps it from being read.
    pub(crate) problem: Option<String>,
    /// Since when, Unix seconds.
    pub(crate) since: Option<u64>,
}

impl Reach {
    /// Notes how it went; what lasts keeps its beginning.
    pub(crate) fn note(&mut self, problem: Option<String>, now: u64) {
        self.since = problem.is_some().then(|| self.since.unwrap_or(now));
        self.problem = problem.map(|problem| problem.chars().take(MAX_PROBLEM).collect());
    }
}

/// A log that is read.
#[derive(Debug, Default, Clone)]
pub(crate) struct LogSeen {
    /// As it was named.
    pub(crate) url: String,
    /// The key that the proxy contract holds.
    pub(crate) key: Option<PublicKey>,
    /// The proxy contract that it names.
    pub(crate) proxy: Option<Address>,
    /// Whether its checkpoint is signed with that key.
    pub(crate) is_key_on_chain: bool,
    /// Receipts.
    pub(crate) size: u64,
    /// The first that was read.
    pub(crate) read_from: u64,
    /// The first that was not read yet.
    pub(crate) next: u64,
    /// Receipts that were not taken: of another network or key, or not signed.
    pub(crate) left_out: u64,
    /// When it was read last, Unix seconds.
    pub(crate) read_at: Option<u64>,
    /// Whether it can be read.
    pub(crate) reach: Reach,
    /// As it was opened last, for proofs.
    pub(crate) log: Option<Arc<PublishedLog>>,
    /// Contracts that it names and that are no proxy contracts of this network, and why not.
    pub(crate) strangers: BTreeMap<Address, String>,
}

impl LogSeen {
    /// Notes that a contract is a proxy contract of this network, whatever was said of it before.
    pub(crate) fn forget_stranger(&mut self, contract: &Address) {
        self.strangers.remove(contract);
    }

    /// Notes a contract that is no proxy contract of this network.
    pub(crate) fn note_stranger(&mut self, contract: &Address, reason: &str) {
        if self.strangers.len() < MAX_PROXIES_OF_A_LOG || self.strangers.contains_key(contract) {
            self.strangers.insert(contract.clone(), reason.to_owned());
        }
    }
}

/// The whole view.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// The root contract; none before the first look.
    pub(crate) root: Option<RootSeen>,
    /// The chain's time of the last look, Unix seconds.
    pub(crate) time: u32,
    /// Number of the last masterchain block, if the server tells.
    pub(crate) seqno: Option<u32>,
    /// Whether the chain can be read.
    pub(crate) chain: Reach,
    /// Codes of proxy contracts.
    pub(crate) codes: Codes,
    /// Contracts that are followed.
    pub(crate) contracts: Contracts,
    /// Their transactions.
    pub(crate) feed: Feed,
    /// Checkpoints on chain.
    pub(crate) anchors: Anchors,
    /// Receipts.
    pub(crate) receipts: Receipts,
    /// Sums over them.
    pub(crate) sums: Sums,
    /// Logs.
    pub(crate) logs: Vec<LogSeen>,
}

impl View {
    /// Before the first look.
    pub(crate) fn of(urls: &[String]) -> Self {
        let log = |url: &String| LogSeen {
            url: shown(url),
            ..LogSeen::default()
        };
        Self {
            logs: urls.iter().map(log).collect(),
            ..Self::default()
        }
    }

    /// Whether all receipts of all logs, and all transactions of all contracts, went into the sums.
    pub(crate) fn is_complete(&self) -> bool {
        self.has_all_receipts() && self.contracts.is_whole() && !self.feed.has_lost
    }

    /// Whether all receipts of all logs are kept, and went into the sums.
    pub(crate) fn has_all_receipts(&self) -> bool {
        let is_read = |log: &LogSeen| {
            log.reach.problem.is_none() && log.read_from == 0 && log.next == log.size && log.left_out == 0
        };
        self.logs.iter().all(is_read) && !self.receipts.has_lost && !self.sums.is_full
    }
}

/// A log's place as anybody may see it: of a URL no name, password and question, of a folder its own name alone.
fn shown(place: &str) -> String {
    let Some((scheme, rest)) = place.split_once("://") else {
        let name = Path::new(place).file_name();
        return name.map_or_else(|| "folder".to_owned(), |name| name.to_string_lossy().into_owned());
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit('@').next().unwrap_or_default();
    let shown = format!("{scheme}://{host}/{path}");
    shown.trim_end_matches('/').to_owned()
}

/// The view that reader and handlers share. It is never held while something is waited for.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Arc<RwLock<View>>);

impl Shared {
    /// Shares a view.
    pub(crate) fn new(view: View) -> Self {
        Self(Arc::new(RwLock::new(view)))
    }

    /// To serve it.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, View> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// To write down what was found.
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, View> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_log_gives_away_neither_passwords_nor_folders() {
        for (place, told) in [
            ("https://proxy.example/log", "https://proxy.example/log"),
            ("https://proxy.example", "https://proxy.example"),
            (
                "https://me:secret@proxy.example/log/?key=secret#x",
                "https://proxy.example/log",
            ),
            ("http://127.0.0.1:11003", "http://127.0.0.1:11003"),
            ("/home/me/secret/mirror", "mirror"),
            ("..", "folder"),
        ] {
            assert_eq!(shown(place), told);
        }
    }

    #[test]
    fn what_lasts_keeps_its_beginning() {
        let mut reach = Reach::default();
        reach.note(Some("away".to_owned()), 10);
        reach.note(Some("still ".repeat(1_000)), 20);
        assert_eq!(reach.since, Some(10));
        assert_eq!(reach.problem.as_ref().unwrap().chars().count(), MAX_PROBLEM);
        reach.note(None, 30);
        reach.note(Some("again".to_owned()), 40);
        assert_eq!(reach.since, Some(40));
    }
}
