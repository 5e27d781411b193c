//! When a voucher is worth the gas.

use cocoon_bindings::ton::Address;
use cocoon_bindings::units::{Nanoton, TokenCount};
use serde::{Deserialize, Serialize};

use crate::channel::{Account, ContractState, Submitted};
use crate::error::LedgerError;
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
}

impl Settlement {
    /// The contract that the voucher is for.
    pub fn contract(&self) -> &Address {
        match self {
            Self::ClientCharge { client, .. } | Self::ClientRefund { client, .. } => client,
            Self::WorkerPayout { worker, .. } => worker,
        }
    }

    /// Cumulative tokens of the voucher.
    pub fn tokens(&self) -> TokenCount {
        match self {
            Self::ClientCharge { tokens, .. }
            | Self::ClientRefund { tokens, .. }
            | Self::WorkerPayout { tokens, .. } => *tokens,
        }
    }
}

impl Ledger {
    /// What is due now. Only totals that a state commit on chain covers.
    pub fn settlements(&self, now: u64, thresholds: &Thresholds) -> Vec<Settlement> {
        let clients = self.clients.iter().filter_map(|(client, channel)| {
            let on_chain = channel.on_chain.as_ref()?;
            let account = &channel.account;
            let tokens = account.chain;
            if on_chain.state == ContractState::Closing && account.max == tokens && channel.running == 0 {
                return is_idle(account, now, thresholds).then(|| Settlement::ClientRefund {
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
        let workers = self.workers.iter().filter_map(|(worker, channel)| {
            let on_chain = channel.on_chain.as_ref()?;
            let tokens = channel.account.chain;
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
            Settlement::WorkerPayout { worker, .. } => &mut self.worker_mut(worker)?.account,
        };
        account.submitted = Some(Submitted {
            tokens: settlement.tokens(),
            at: now,
        });
        Ok(())
    }
}

fn is_worth(price: Nanoton, settled: TokenCount, tokens: TokenCount, threshold: Nanoton) -> bool {
    let open = tokens.saturating_sub(settled);
    open > TokenCount::ZERO && price.checked_mul_tokens(open).is_none_or(|amount| amount >= threshold)
}

fn is_idle(account: &Account, now: u64, thresholds: &Thresholds) -> bool {
    account
        .submitted
        .is_none_or(|submitted| now >= submitted.at.saturating_add(thresholds.resubmit_after))
}
