//! One published log: nothing of it is taken that was not proven against the key which the proxy contract holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cocoon_bindings::proxy_state_init;
use cocoon_bindings::ton::{Address, parse_address};
use cocoon_bindings::units::PublicKey;
use cocoon_chain::{ChainClient, ChainError, ProxyAccount};
use cocoon_ratls::off_thread;
use cocoon_receipt::log::{Checkpoint, TILE_WIDTH};
use cocoon_tlog::paths::CHECKPOINT;
use cocoon_tlog::{Description, PublishedLog, SharedSource, TlogError, Who};
use tokio::time::Instant;

use super::chain::{Cost, is_limited};
use crate::contracts::{Held, ProxyHeld};
use crate::limits::{
    BATCHES_OF_A_ROUND, CHAIN_LAG, LOG_TIME, MAX_BACKLOG_BATCHES, MAX_PROXIES_OF_A_LOG, SIGNATURE_WINDOW,
};
use crate::proxies::{Belongs, belongs};
use crate::receipts::Proven;
use crate::share::OfLog;
use crate::view::{RootSeen, Shared, View};
use crate::words::Kind;

/// Why a log was not read further.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It, or the chain, cannot be reached.
    Away(String),
    /// It is not what it says it is.
    Refused(String),
    /// It is the same log as another that is read already.
    Same {
        /// The place of that.
        of: usize,
        /// It, opened.
        log: Arc<PublishedLog>,
    },
}

impl From<TlogError> for Trouble {
    fn from(error: TlogError) -> Self {
        match error.who() {
            Who::Log => Self::Refused(error.to_string()),
            _ => Self::Away(format!("{error} ({})", error.hint())),
        }
    }
}

/// How far a log was read.
#[derive(Debug)]
pub(super) struct LogReader {
    /// Its place in the view.
    pub(super) place: usize,
    source: SharedSource,
    /// The newest checkpoint that was seen: the next one must continue it.
    known: Option<Checkpoint>,
    key: Option<PublicKey>,
    /// The first receipt that was not read yet.
    next: u64,
    /// Whether it was decided where reading begins.
    has_begun: bool,
    /// Receipts whose worker's signature may still come.
    unsigned: BTreeSet<u64>,
    /// Proxy contracts that receipts name, and whether they hold the key.
    proxies: BTreeMap<Address, bool>,
    /// What it asked the chain since that was taken.
    pub(super) cost: Cost,
}

impl LogReader {
    pub(super) fn new(place: usize, source: SharedSource) -> Self {
        Self {
            place,
            source,
            known: None,
            key: None,
            next: 0,
            has_begun: false,
            unsigned: BTreeSet::new(),
            proxies: BTreeMap::new(),
            cost: Cost::default(),
        }
    }

    /// Begins anew.
    pub(super) fn forget(&mut self) {
        *self = Self::new(self.place, Arc::clone(&self.source));
    }

    /// Whether a log with its key, of which `is_away` says whether this one can be read, is better read in its place: it must
    /// continue what was seen.
    pub(super) async fn gives_way_to(&self, log: &PublishedLog, is_away: bool) -> Result<bool, Trouble> {
        let Some(known) = &self.known else { return Ok(true) };
        if log.size() < known.size || (log.size() == known.size && !is_away) {
            return Ok(false);
        }
        let continued = tokio::time::timeout(LOG_TIME, log.must_continue(known)).await;
        continued.map_err(|_| Trouble::Away("it was not read in time".to_owned()))??;
        Ok(true)
    }

    /// Goes on with the source of another reader of the same log, which begins anew with this one's.
    pub(super) fn exchange(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.source, &mut other.source);
        other.forget();
    }

    /// Reads what is new, at most so much.
    pub(super) async fn look(&mut self, chain: &dyn ChainClient, root: &Address, view: &Shared) -> Result<(), Trouble> {
        let key = self.contract_key(chain, root, view).await?;
        let log = match PublishedLog::open(Arc::clone(&self.source), key).await {
            Ok(log) => log,
            // The log of a proxy that has not published yet.
            Err(TlogError::Missing { path }) if path == CHECKPOINT && self.known.is_none() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if let Some(known) = &self.known {
            log.must_continue(known).await?;
        }
        if !self.has_begun {
            self.next = log.batches().saturating_sub(MAX_BACKLOG_BATCHES) * TILE_WIDTH;
            self.has_begun = true;
        }
        self.known = Some(log.checkpoint().clone());
        let log = Arc::new(log);
        {
            let mut view = view.write();
            // Read twice, its receipts would count twice.
            let others = view.logs.iter().enumerate().filter(|(place, _)| *place != self.place);
            let mut same = others.filter(|(_, other)| other.is_key_on_chain && other.key == Some(key));
            if let Some((of, _)) = same.next() {
                return Err(Trouble::Same { of, log });
            }
            if let Some(seen) = view.logs.get_mut(self.place) {
                if seen.log.is_none() {
                    seen.read_from = self.next;
                }
                seen.is_key_on_chain = true;
                seen.size = log.size();
                seen.next = self.next;
                seen.log = Some(Arc::clone(&log));
            }
        }
        self.read(chain, root, &log, view).await
    }

    /// The key of the proxy contract that the log names, which must be one of this network.
    async fn contract_key(
        &mut self,
        chain: &dyn ChainClient,
        root: &Address,
        view: &Shared,
    ) -> Result<PublicKey, Trouble> {
        let described = Description::read(self.source.as_ref()).await?;
        let proxy = parse_address(&described.proxy)
            .map_err(|error| Trouble::Refused(format!("it names no proxy contract: {error}")))?;
        let account = self.fetch(chain, &proxy).await?;
        let account = account
            .ok_or_else(|| Trouble::Refused(format!("the proxy contract {proxy} that it names is not there")))?;
        if let Err(reason) = self.is_ours(&account, root, view)? {
            let problem = format!("its contract {proxy} is not a proxy of this network: {reason}");
            return Err(Trouble::Refused(problem));
        }
        let key = account.proxy_public_key;
        if self.key.is_some_and(|known| known != key) {
            return Err(Trouble::Refused(
                "it names a proxy contract of another key than before".to_owned(),
            ));
        }
        let last = account.account.last.map_or(0, |last| last.lt);
        self.key = Some(key);
        let mut view = view.write();
        let follows = |seen: &RootSeen| {
            let derived = proxy_state_init(&account.owner, &key, root, &seen.params).and_then(|init| init.address());
            derived.is_ok_and(|derived| derived == proxy)
        };
        let is_of_root = view.root.as_ref().is_some_and(follows);
        let log = view.logs.get_mut(self.place).map(|seen| {
            (seen.key, seen.proxy) = (Some(key), Some(proxy.clone()));
            seen.url.clone()
        });
        let mut is_new = false;
        view.contracts.follow(&proxy, Kind::Proxy);
        if let Some(contract) = view.contracts.get_mut(&proxy) {
            is_new = matches!(contract.held, Held::Nothing);
            contract.held = Held::Proxy(Box::new(ProxyHeld {
                account,
                is_of_root,
                log: log.unwrap_or_default(),
            }));
            contract.is_due = last > contract.lt;
        }
        if is_new {
            view.contracts.look_again();
        }
        Ok(key)
    }

    async fn read(
        &mut self,
        chain: &dyn ChainClient,
        root: &Address,
        log: &PublishedLog,
        view: &Shared,
    ) -> Result<(), Trouble> {
        let first = self.unsigned.first().copied().unwrap_or(self.next).min(self.next);
        if self.next >= log.size() && self.unsigned.is_empty() {
            return Ok(());
        }
        if self.next < log.size() {
            // What was none may have become one since: a contract that was not there, or terms that were not read.
            self.proxies.retain(|_, holds| *holds);
        }
        let from = first / TILE_WIDTH;
        for number in from..log.batches().min(from.saturating_add(BATCHES_OF_A_ROUND)) {
            let batch = log.batch(number).await?;
            let (key, place, latest) = (*log.key(), self.place, latest_end(view));
            let decoded = off_thread(move || proven(&batch, &key, place, latest)).await;
            let (receipts, unsound) = decoded.map_err(|error| Trouble::Away(error.to_string()))??;
            for receipt in &receipts {
                let named = &receipt.signed.receipt.statement.proxy;
                self.learn(chain, log.key(), named, root, view).await?;
            }
            let end = (number * TILE_WIDTH).saturating_add(TILE_WIDTH).min(log.size());
            self.take(receipts, unsound, end, root, view);
        }
        Ok(())
    }

    /// Learns whether a contract that a receipt names is a proxy contract of this network and holds the key. Its key never changes:
    /// what is one stays one.
    async fn learn(
        &mut self,
        chain: &dyn ChainClient,
        key: &PublicKey,
        proxy: &Address,
        root: &Address,
        view: &Shared,
    ) -> Result<(), Trouble> {
        if !self.proxies.contains_key(proxy) && self.proxies.len() < MAX_PROXIES_OF_A_LOG {
            let holds = match self.fetch(chain, proxy).await? {
                // What cannot be said at all keeps no other receipt of the log away.
                Some(account) if account.proxy_public_key != *key || view.read().codes.is_cut_for(&account) => false,
                Some(account) => self.is_ours(&account, root, view)?.is_ok(),
                None => false,
            };
            self.proxies.insert(proxy.clone(), holds);
        }
        Ok(())
    }

    /// A proxy contract, if there is one.
    async fn fetch(&mut self, chain: &dyn ChainClient, proxy: &Address) -> Result<Option<ProxyAccount>, Trouble> {
        let began = Instant::now();
        let fetched = ProxyAccount::fetch(chain, proxy).await;
        self.cost.took = self.cost.took.saturating_add(began.elapsed());
        match fetched {
            Ok(account) => Ok(Some(account)),
            Err(ChainError::NotDeployed { .. } | ChainError::Data { .. }) => Ok(None),
            Err(error) => {
                self.cost.is_limited |= is_limited(&error);
                Err(away(error))
            }
        }
    }

    /// Whether a contract is a proxy contract of this network; why not, which is kept to be shown.
    fn is_ours(&self, account: &ProxyAccount, root: &Address, view: &Shared) -> Result<Result<(), String>, Trouble> {
        let address = &account.account.address;
        let mut view = view.write();
        match belongs(account, root, view.root.as_ref(), &view.codes) {
            Belongs::Here => {
                if let Some(seen) = view.logs.get_mut(self.place) {
                    seen.forget_stranger(address);
                }
                Ok(Ok(()))
            }
            Belongs::Nowhere(reason) => {
                if let Some(seen) = view.logs.get_mut(self.place) {
                    seen.note_stranger(address, &reason);
                }
                Ok(Err(reason))
            }
            Belongs::Unclear(reason) => Err(Trouble::Away(format!(
                "whether contract {address} is a proxy of this network is not known yet: {reason}"
            ))),
        }
    }

    fn take(&mut self, receipts: Vec<Proven>, unsound: u64, end: u64, root: &Address, view: &Shared) {
        let mut view = view.write();
        let View {
            contracts,
            receipts: kept,
            sums,
            logs,
            ..
        } = &mut *view;
        let of = OfLog {
            log: self.place,
            logs: logs.len(),
        };
        let mut left_out = if end > self.next { unsound } else { 0 };
        for proven in receipts {
            let receipt = &proven.signed.receipt;
            let is_ours = receipt.statement.root == *root && self.proxies.get(&receipt.statement.proxy) == Some(&true);
            let is_new = proven.index >= self.next;
            if !is_ours {
                left_out += u64::from(is_new);
                continue;
            }
            if is_new {
                sums.count(&proven, of.logs);
                contracts.follow_named(&receipt.client, Kind::Client, of);
                contracts.follow_named(&receipt.statement.worker, Kind::Worker, of);
                if proven.signed.worker_signature.is_none() {
                    self.unsigned.insert(proven.index);
                }
                kept.add(proven);
            } else if proven.signed.worker_signature.is_some()
                && self.unsigned.remove(&proven.index)
                && let Some(signed) = kept.countersign(&proven)
            {
                sums.countersign(signed);
            }
        }
        self.next = self.next.max(end);
        let oldest = self.next.saturating_sub(SIGNATURE_WINDOW);
        self.unsigned = self.unsigned.split_off(&oldest);
        if let Some(seen) = logs.get_mut(self.place) {
            seen.next = self.next;
            seen.left_out = seen.left_out.saturating_add(left_out);
        }
    }
}

/// When an answer can have ended at the latest whose receipt is read now, Unix milliseconds.
fn latest_end(view: &Shared) -> u64 {
    let latest = Duration::from_secs(view.read().time.into()).saturating_add(CHAIN_LAG);
    u64::try_from(latest.as_millis()).unwrap_or(u64::MAX)
}

/// The receipts of a batch that the key signed, and how many it did not sign. None counts as later than `latest`: whoever signs a
/// time to come would else stand before everybody.
fn proven(batch: &cocoon_tlog::Batch, key: &PublicKey, log: usize, latest: u64) -> Result<(Vec<Proven>, u64), Trouble> {
    let decoded = batch.decode()?;
    let (mut receipts, mut unsound) = (Vec::with_capacity(decoded.len()), 0);
    for ((index, id), signed) in (batch.first..).zip(&batch.ids).zip(decoded) {
        if signed.verify_proxy(key).is_ok() {
            receipts.push(Proven {
                ended_ms: signed.receipt.statement.timing.finished_ms.min(latest),
                signed,
                id: *id,
                index,
                log,
            });
        } else {
            unsound += 1;
        }
    }
    Ok((receipts, unsound))
}

fn away(error: ChainError) -> Trouble {
    Trouble::Away(format!("its proxy contract cannot be read: {error} ({})", error.hint()))
}
