//! When a voucher is worth the gas.

use cocoon_bindings::ton::Address;
use cocoon_bindings::units::{Nanoton, TokenCount};
use serde::{Deserialize, Serialize};

use crate::channel::{Account, ContractState, Submitted};
use crate::error::LedgerError;
use crate::limits::MAX_RESUBMIT_DOUBLINGS;
use crate::state::Ledger;

/// From which amounts on vouchers are submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// Charge a client when it owes at least this much.
    pub client_charge: Nanoton,
    /// Pay a worker when it is owed at least this much.
    pub worker_payout: Nanoton,
    /// Submit again when a voucher has not arrived for so many seconds.
    pub resubmit_after: u64,
}

impl Default for Thresholds {
    /// As deployed: 1 TON, 10 TON; two rounds of the wallet's own resending.
    fn default() -> Self {
        Self {
            client_charge: Nanoton::from_ton(1),
            worker_payout: Nanoton::from_ton(10),
            resubmit_after: 60,
        }
    }
}

/// A voucher to submit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// Charge a client up to `tokens`.
    ClientCharge {
        /// Client contract.
        client: Address,
        /// Cumulative tokens.
        tokens: TokenCount,
    },
    /// Charge a closing client for the last time and refund the rest.
    ClientRefund {
        /// Client contract.
        client: Address,
        /// Cumulative tokens.
        tokens: TokenCount,
    },
    /// Pay a worker up to `tokens`.
    WorkerPayout {
        /// Worker contract.
        worker: Address,
        /// Cumulative tokens.
        tokens: TokenCount,
    },
    /// Pay a worker up to `tokens` for the last time and close its contract.
    WorkerLastPayout {
        /// Worker contract.
        worker: Address,
        /// Cumulative tokens.
        tokens: TokenCount,
    },
}

impl Settlement {
    /// The contract that the voucher is for.
    pub fn contract(&self) -> &Address {
        match self {
            Self::ClientCharge { client, .. } | Self::ClientRefund { client, .. } => client,
            Self::WorkerPayout { worker, .. } | Self::WorkerLastPayout { worker, .. } => worker,
        }
    }

    /// Cumulative tokens of the voucher.
    pub fn tokens(&self) -> TokenCount {
        match self {
            Self::ClientCharge { tokens, .. }
            | Self::ClientRefund { tokens, .. }
            | Self::WorkerPayout { tokens, .. }
            | Self::WorkerLastPayout { tokens, .. } => *tokens,
        }
    }
}

impl Ledger {
    /// What is due now. Only totals that a state commit on chain covers.
    pub fn settlements(&self, now: u64, thresholds: &Thresholds) -> Vec<Settlement> {
        let clients = self.clients.iter().filter_map(|(client, channel)| {
            let on_chain = channel.on_chain.as_ref()?;
            let account = &channel.account;
            let tokens = account.chain();
            let is_leaving = match on_chain.state {
                ContractState::Normal => channel.retired.is_some(),
                ContractState::Closing => true,
                ContractState::Closed => false,
            };
            if is_leaving && account.max == tokens && channel.running == 0 {
                return is_refundable(account, now, thresholds).then(|| Settlement::ClientRefund {
                    client: client.clone(),
                    tokens,
                });
            }
            let is_due = on_chain.state != ContractState::Closed
                && is_worth(on_chain.price, on_chain.tokens_used, tokens, thresholds.client_charge)
                && is_idle(account, now, thresholds);
            is_due.then(|| Settlement::ClientCharge {
                client: client.clone(),
                tokens,
            })
        });
        let is_running = self.is_retired_running();
        let workers = self.workers.iter().filter_map(|(worker, channel)| {
            let on_chain = channel.on_chain.as_ref()?;
            let tokens = channel.account.chain();
            // The contract closes with it, so nothing may still be earned.
            if channel.retired.is_some() && channel.account.max == tokens && !is_running {
                let is_due = on_chain.state != ContractState::Closed
                    && tokens > on_chain.tokens
                    && is_idle(&channel.account, now, thresholds);
                return is_due.then(|| Settlement::WorkerLastPayout {
                    worker: worker.clone(),
                    tokens,
                });
            }
            let is_due = on_chain.state != ContractState::Closed
                && is_worth(on_chain.worker_fee, on_chain.tokens, tokens, thresholds.worker_payout)
                && is_idle(&channel.account, now, thresholds);
            is_due.then(|| Settlement::WorkerPayout {
                worker: worker.clone(),
                tokens,
            })
        });
        clients.chain(workers).collect()
    }

    /// A voucher is on its way; it is not offered again until it arrived or took too long.
    pub fn submitted(&mut self, settlement: &Settlement, now: u64) -> Result<(), LedgerError> {
        let account = match settlement {
            Settlement::ClientCharge { client, .. } | Settlement::ClientRefund { client, .. } => {
                &mut self.client_mut(client)?.account
            }
            Settlement::WorkerPayout { worker, .. } | Settlement::WorkerLastPayout { worker, .. } => {
                &mut self.worker_mut(worker)?.account
            }
        };
        let (tokens, is_refund) = (
            settlement.tokens(),
            matches!(settlement, Settlement::ClientRefund { .. }),
        );
        let before = account
            .submitted
            .filter(|before| (before.tokens, before.is_refund) == (tokens, is_refund));
        account.submitted = Some(Submitted {
            tokens,
            at: now,
            repeats: before.map_or(0, |before| before.repeats.saturating_add(1)),
            is_refund,
        });
        Ok(())
    }
}

fn is_worth(price: Nanoton, settled: TokenCount, tokens: TokenCount, threshold: Nanoton) -> bool {
    let open = tokens.saturating_sub(settled);
    open > TokenCount::ZERO && price.checked_mul_tokens(open).is_none_or(|amount| amount >= threshold)
}

/// Nothing is on its way. A contract that refuses a voucher is asked less and less often: every time costs gas. A refund
/// keeps no charge back: who is charged has reopened its contract.
fn is_idle(account: &Account, now: u64, thresholds: &Thresholds) -> bool {
    account
        .submitted
        .is_none_or(|submitted| submitted.is_refund || is_overdue(submitted, now, thresholds))
}

/// The same for a refund, of which only one of the same total keeps the next back.
fn is_refundable(account: &Account, now: u64, thresholds: &Thresholds) -> bool {
    account.submitted.is_none_or(|submitted| {
        submitted.is_refund && submitted.tokens != account.chain() || is_overdue(submitted, now, thresholds)
    })
}

fn is_overdue(submitted: Submitted, now: u64, thresholds: &Thresholds) -> bool {
    let factor = 1 << submitted.repeats.min(MAX_RESUBMIT_DOUBLINGS);
    now >= submitted
        .at
        .saturating_add(thresholds.resubmit_after.saturating_mul(factor))
}
