//! Checkpoints: the root of the receipt log's tree goes into the proxy contract, signed, so that nobody, this proxy
//! included, can show another log later.
//!
//! Leaves are the ids of the receipts in the order of the log. Two checkpoints that contradict each other cost a share of
//! the stake, so a log that is shorter than the anchored one is a rolled back database, and only what a state commit covers is
//! signed, under a number that follows from the log: see [`crate::head`].

use std::sync::Arc;
use std::time::Duration;

use cocoon_bindings::checkpoint::{Checkpoint, SignedCheckpoint};
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::proxy::ProxyTail;
use cocoon_bindings::ton::{Address, Load, to_cell};
use cocoon_bindings::{BindingsError, Nanoton, QueryId};
use cocoon_chain::{ChainError, ProxyAccount};
use cocoon_ledger::LedgerError;
use cocoon_receipt::tree::Frontier;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::error::ProxyError;
use crate::limits::{ANCHOR_TICK, ANCHOR_VALUE, MIN_ANCHOR_PAUSE};
use crate::state::Proxy;

/// Name of the setting that held the newest [`Anchored`] when numbers of checkpoints did not follow from the log.
pub(crate) const ANCHOR: &str = "anchor";

/// `[anchor]` of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnchorConfig {
    /// Seconds between two checkpoints of a log that grows; 0: none by time.
    pub every: f64,
    /// So many new receipts do not wait for it; 0: none by number.
    pub count: u64,
}

impl Default for AnchorConfig {
    /// An hour: the gas of a checkpoint is about 0.01 TON.
    fn default() -> Self {
        Self {
            every: 3600.0,
            count: 0,
        }
    }
}

/// The newest checkpoint that an earlier version signed, perhaps not taken by its contract yet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Anchored {
    pub(crate) proxy: Address,
    pub(crate) size: u64,
}

/// What the contract has anchored.
fn tail(account: &ProxyAccount) -> Option<ProxyTail> {
    let reference = account.tail.reference_cloned(0)?;
    let tail = ProxyTail::load_from(&mut reference.as_slice_allow_exotic()).ok()?;
    tail.is_anchored.then_some(tail)
}

/// The log must have grown out of what is anchored.
fn compare(tail: &ProxyTail, tree: &Frontier) -> Result<(), LedgerError> {
    let is_shorter = tail.size > tree.size();
    let is_other = tail.size == tree.size() && tail.root_hash != tree.root();
    if is_shorter || is_other {
        return Err(LedgerError::BehindAnchor {
            anchored: tail.size,
            size: tree.size(),
        });
    }
    Ok(())
}

/// Compares the log with what the contracts of all instances have anchored: before anything is served.
pub(crate) async fn check(proxy: &Proxy) -> Result<(), ProxyError> {
    for instance in proxy.instances.all() {
        match ProxyAccount::fetch(proxy.chain.as_ref(), &instance.contract).await {
            Ok(account) => {
                if let Some(tail) = tail(&account) {
                    compare(&tail, &proxy.books.reader().tree())?;
                    proxy.heads.at_least(&instance.contract, tail.size);
                }
            }
            Err(ChainError::NotDeployed { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

impl AnchorConfig {
    /// Until it is looked again.
    fn pause(&self) -> Duration {
        let every = Duration::from_secs_f64(self.every);
        let pause = match (self.count, self.every > 0.0) {
            (0, _) => every,
            (_, true) => every.min(ANCHOR_TICK),
            (_, false) => ANCHOR_TICK,
        };
        pause.max(MIN_ANCHOR_PAUSE)
    }

    /// Whether a log of `size` is anchored now: the last time was so long ago, and the log had `last` receipts then.
    fn is_due(&self, since: Duration, size: u64, last: u64) -> bool {
        let by_time = self.every > 0.0 && since >= Duration::from_secs_f64(self.every);
        let by_count = self.count > 0 && size.saturating_sub(last) >= self.count;
        by_time || by_count
    }
}

/// Anchors on the timer, or when many receipts came, until dropped.
pub(crate) async fn keep_anchoring(proxy: Arc<Proxy>) {
    let config = proxy.config.anchor;
    if config.every <= 0.0 && config.count == 0 {
        return;
    }
    let mut balance_before: Option<Nanoton> = None;
    // Receipts under the newest anchor, as far as known.
    let mut last = 0;
    let mut since = Instant::now();
    // What was not sent is sent at the next look, whatever the log has got since.
    let mut is_owed = false;
    loop {
        tokio::time::sleep(config.pause()).await;
        let committed = proxy.heads.committed(&proxy.on_chain().contract);
        let size = committed.map_or(0, |head| head.size);
        if !is_owed && !config.is_due(since.elapsed(), size, last) {
            continue;
        }
        since = Instant::now();
        let done = anchor(&proxy, &mut balance_before).await;
        is_owed = done.is_err();
        match done {
            Ok(()) => last = size,
            Err(ProxyError::Chain(error)) => tracing::warn!(%error, "the log was not anchored"),
            Err(error) => return proxy.fail(error),
        }
    }
}

async fn anchor(proxy: &Proxy, balance_before: &mut Option<Nanoton>) -> Result<(), ProxyError> {
    let instance = proxy.on_chain();
    let account = ProxyAccount::fetch(proxy.chain.as_ref(), &instance.contract).await?;
    let anchored = tail(&account);
    if let Some(anchored) = &anchored {
        compare(anchored, &proxy.books.reader().tree())?;
    }
    let Some(next) = proxy.heads.to_anchor(&instance.contract) else {
        return Ok(());
    };
    let is_taken = |anchored: &ProxyTail| next.follows(&checkpoint(anchored, &instance.contract));
    let has_grown = next.size > anchored.as_ref().map_or(0, |anchored| anchored.size);
    // What the contract would refuse is not sent: later receipts bring a later time.
    if !has_grown || !anchored.as_ref().is_none_or(is_taken) {
        return Ok(());
    }
    let (size, seqno) = (next.size, next.seqno);
    let signed = SignedCheckpoint::sign(next, proxy.books.key())?;
    let message = signed.anchor(QueryId::new(rand::random()), proxy.wallet.address());
    let body = to_cell(&message).map_err(BindingsError::layout("a checkpoint"))?;
    let balance = proxy.wallet.balance().await?;
    proxy
        .wallet
        .send(vec![InternalMessage {
            to: instance.contract.clone(),
            value: ANCHOR_VALUE,
            bounce: true,
            body,
            state_init: None,
        }])
        .await?;
    // The excesses come back later, so what the wallet lost since the last time is what everything cost.
    let spent = balance_before
        .replace(balance)
        .and_then(|before| before.checked_sub(balance));
    let spent = spent.map(Nanoton::get);
    tracing::info!(size, seqno, spent_since_last = spent, "the log's root goes on chain");
    Ok(())
}

/// What a contract keeps, as it was signed.
fn checkpoint(tail: &ProxyTail, contract: &Address) -> Checkpoint {
    Checkpoint {
        proxy: contract.clone(),
        seqno: tail.seqno,
        size: tail.size,
        root_hash: tail.root_hash,
        time: tail.time,
    }
}

#[cfg(test)]
mod tests {
    use cocoon_receipt::tree::leaf_hash;

    use super::*;

    fn tree(size: u64) -> Frontier {
        let mut tree = Frontier::default();
        (0..size).for_each(|index| tree.push(leaf_hash(&index.to_le_bytes())));
        tree
    }

    fn anchored(tree: &Frontier) -> ProxyTail {
        ProxyTail {
            is_slashed: false,
            is_anchored: true,
            seqno: 1,
            size: tree.size(),
            root_hash: tree.root(),
            time: 1,
        }
    }

    #[test]
    fn a_log_is_anchored_by_time_by_number_or_by_what_comes_first() {
        let hour = Duration::from_secs(3600);
        let by_time = AnchorConfig {
            every: 3600.0,
            count: 0,
        };
        assert!(by_time.is_due(hour, 9, 9) && !by_time.is_due(hour / 2, 9_000_000, 0));
        assert_eq!(by_time.pause(), hour);
        let by_count = AnchorConfig { every: 0.0, count: 10 };
        assert!(by_count.is_due(Duration::ZERO, 19, 9) && !by_count.is_due(10 * hour, 18, 9));
        let both = AnchorConfig {
            every: 3600.0,
            count: 10,
        };
        assert!(both.is_due(hour, 9, 9) && both.is_due(Duration::ZERO, 10, 0) && !both.is_due(hour / 2, 9, 0));
        assert_eq!((by_count.pause(), both.pause()), (ANCHOR_TICK, ANCHOR_TICK));
        assert_eq!(AnchorConfig { every: 0.1, count: 0 }.pause(), MIN_ANCHOR_PAUSE);
    }

    #[test]
    fn a_log_that_is_shorter_or_another_than_the_anchored_one_is_refused() {
        let five = anchored(&tree(5));
        compare(&five, &tree(5)).unwrap();
        compare(&five, &tree(9)).unwrap();
        assert!(compare(&five, &tree(4)).unwrap_err().is_rollback());
        let mut other = tree(4);
        other.push(leaf_hash(b"another"));
        assert!(compare(&five, &other).unwrap_err().is_rollback());
    }
}
