//! Submits payout vouchers to the worker's contracts, when that is configured and worth its gas.

use crate::balance::Channel;
use crate::closed::Closed;
use crate::config::PayoutConfig;
use crate::error::WorkerError;
use crate::limits::PAYOUT_PAUSE;
use crate::worker::{Worker, Workers};
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, parse_address};
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::units::{Nanoton, TokenCount};
use cocoon_bindings::voucher::SignedVoucher;
use cocoon_bindings::{StateInit, worker_state_init};
use cocoon_chain::{ChainError, NodeWallet, RootView, SharedChain, WalletView, WorkerAccount};
use cocoon_runner::admin::Live;
use cocoon_runner::seal::KeyManager;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Attached to a voucher for the contracts' work; what is left comes back. As deployed.
const VALUE: Nanoton = Nanoton::new(500_000_000);

/// What was seen on chain, for statistics.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) wallet: WalletView,
    /// Tokens that each worker contract has been paid for. Contracts are as few as proxies.
    pub(crate) paid: BTreeMap<Address, TokenCount>,
    /// Contracts that are closed.
    pub(crate) closed: BTreeMap<Address, Closed>,
}

/// The worker's wallet and the threshold.
pub(crate) struct Payouts {
    chain: SharedChain,
    wallet: NodeWallet,
    minimum: Live<Nanoton>,
    seen: Mutex<Seen>,
    busy: tokio::sync::Mutex<()>,
}

impl Payouts {
    pub(crate) async fn new(
        chain: SharedChain,
        config: &PayoutConfig,
        manager: Option<&KeyManager>,
    ) -> Result<Self, WorkerError> {
        let key = config.wallet.key("worker", manager).await?;
        let owner = parse_address(&config.wallet.owner).map_err(|_| WorkerError::Config {
            key: "payout.wallet.owner",
            problem: "must be a TON address",
        })?;
        let wallet = NodeWallet::new(chain.clone(), key, owner)?;
        Ok(Self {
            chain,
            wallet,
            minimum: Live::new(config.minimum()),
            seen: Mutex::default(),
            busy: Default::default(),
        })
    }

    pub(crate) fn address(&self) -> &Address {
        self.wallet.address()
    }

    /// From which unpaid earnings on a voucher is submitted.
    pub(crate) fn set_minimum(&self, minimum: Nanoton) {
        self.minimum.set(minimum);
    }

    /// What the last look saw.
    pub(crate) fn seen(&self) -> Seen {
        self.last().clone()
    }

    /// Whether a message of the wallet is under way.
    pub(crate) fn is_sending(&self) -> bool {
        self.wallet.is_sending()
    }

    fn last(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks from time to time, for ever.
    pub(crate) async fn keep_looking(self: Arc<Self>, workers: Workers) {
        loop {
            let (least, most) = PAYOUT_PAUSE;
            tokio::time::sleep(least + (most - least).mul_f64(rand::random())).await;
            match self.look(&workers, false).await {
                Ok(0) => {}
                Ok(sent) => tracing::info!(sent, "payout vouchers submitted"),
                Err(error) => tracing::warn!(%error, "payout vouchers could not be submitted"),
            }
        }
    }

    /// Submits what is worth it, or everything unpaid when `all`. Says how many vouchers went out.
    pub(crate) async fn look(&self, workers: &[Arc<Worker>], all: bool) -> Result<usize, WorkerError> {
        let _one_at_a_time = self.busy.lock().await;
        self.last().wallet = self.wallet.look().await?;
        if let Some(worker) = workers.first() {
            let mut closed = self.last().closed.clone();
            crate::closed::look(self.chain.as_ref(), worker.store.clone(), &mut closed).await?;
            self.last().closed = closed;
        }
        let mut sent = 0;
        for (worker, channel, voucher) in best_vouchers(workers) {
            let root = worker.root.borrow().clone();
            let account = match WorkerAccount::fetch(self.chain.as_ref(), &channel.worker).await {
                Ok(account) => Some(account),
                Err(ChainError::NotDeployed { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            let paid = account.as_ref().map_or(TokenCount::ZERO, |account| account.tokens);
            self.last().paid.insert(channel.worker.clone(), paid);
            let unpaid = voucher.tokens().saturating_sub(paid);
            // A contract has terms of its own, which those of today need not be.
            let fee = account.as_ref().map_or(root.params.worker_fee_per_token, |account| {
                account.params.worker_fee_per_token
            });
            let earned = fee.checked_mul_tokens(unpaid).unwrap_or(Nanoton::MAX);
            let is_closed = account
                .as_ref()
                .is_some_and(|account| account.state == Lifecycle::Closed);
            if is_closed || unpaid == TokenCount::ZERO || (!all && earned < *self.minimum.get()) {
                continue;
            }
            // A contract that nobody has deployed yet comes into being with its first voucher.
            let state_init = match account {
                Some(_) => None,
                None => match deployable(worker, &channel, &root)? {
                    Some(state_init) => Some(state_init),
                    // Its proxy deploys it with the last payout.
                    None => continue,
                },
            };
            let message = InternalMessage {
                to: channel.worker.clone(),
                value: VALUE,
                bounce: true,
                body: voucher.with_excesses(self.wallet.address()).to_cell()?,
                state_init,
            };
            self.wallet.ensure_deployed().await?;
            self.wallet.send(vec![message]).await?;
            sent += 1;
        }
        Ok(sent)
    }
}

/// Code and data of a contract that is not there; `None` when it is of terms that have changed.
fn deployable(worker: &Worker, channel: &Channel, root: &RootView) -> Result<Option<StateInit>, WorkerError> {
    let state_init = worker_state_init(&worker.owner, &channel.proxy, &channel.proxy_key, &root.params)?;
    Ok((state_init.address()? == channel.worker).then_some(state_init))
}

/// The voucher of each contract; models that work for one proxy share the contract there, and the highest voucher pays for
/// all of them.
fn best_vouchers(workers: &[Arc<Worker>]) -> impl Iterator<Item = (&Worker, Channel, SignedVoucher)> {
    let mut best: BTreeMap<Address, (&Worker, Channel, SignedVoucher)> = BTreeMap::new();
    for worker in workers {
        for balance in worker.balances() {
            let Some(voucher) = balance.voucher() else { continue };
            let contract = balance.channel().worker.clone();
            let is_higher = |(_, _, kept): &(&Worker, Channel, SignedVoucher)| kept.tokens() < voucher.tokens();
            if best.get(&contract).is_none_or(is_higher) {
                best.insert(contract, (worker.as_ref(), balance.channel().clone(), voucher));
            }
        }
    }
    best.into_values()
}
