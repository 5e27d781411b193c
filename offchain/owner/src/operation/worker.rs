//! Worker contracts: deploy, claim what the proxy has signed, see the end.
//!
//! A worker contract holds no money: payouts go through it to its owner. So it is not closed by its owner; the proxy closes
//! it with the last payout, and what the proxy does not pay by itself is claimed.

use async_trait::async_trait;
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, Cell, from_cell};
use cocoon_bindings::types::{Lifecycle, SettleClaim, TokenClaim, WorkStatement};
use cocoon_bindings::units::TokenCount;
use cocoon_bindings::worker::{ClaimByStatement, RegisterWorkerFromOwner, WorkerStorage, WorkerTail};
use cocoon_bindings::{BindingsError, ContractKind, StateInit, worker_state_init};
use cocoon_chain::{ChainClient, ProxyAccount, WorkerAccount};

use super::{Next, Operation, body, deploying, instead_of_deploying, proxy_of, query_id, state};
use crate::OwnerError;
use crate::facts::Role;
use crate::limits::{CLAIM_VALUE, FEES};

/// Deploys the owner's worker contract at a proxy and tells the proxy.
#[derive(Debug, Clone)]
pub struct Deploy {
    /// The root contract that the proxy is one of.
    pub root: Address,
    /// The proxy contract.
    pub proxy: Address,
}

/// Claims what a proxy has signed: the claim, the delay in which the proxy may pay by itself, the settlement.
///
/// Of what a worker tells only the statement and its signature are sent, which the contract checks. Receiver, value and
/// code are made here.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The proxy contract.
    pub proxy: Address,
    /// The worker contract that the worker claims for. It must be the owner's.
    pub contract: Address,
    /// The proxy's signature of the statement.
    pub signature: [u8; 64],
    /// What is signed.
    pub statement: WorkStatement,
}

/// Waits until the proxy has closed the contract with its last payout.
#[derive(Debug, Clone)]
pub struct Close {
    /// The worker contract.
    pub contract: Address,
}

/// Where an owner's worker contract at a proxy is, and the code and data that it begins with.
pub fn contract_of(owner: &Address, proxy: &ProxyAccount) -> Result<(Address, StateInit), OwnerError> {
    let init = worker_state_init(owner, &proxy.account.address, &proxy.proxy_public_key, &proxy.params)?;
    Ok((init.address()?, init))
}

#[async_trait]
impl Operation for Deploy {
    fn id(&self) -> String {
        format!("worker deploy {}", self.proxy)
    }

    async fn next(&self, chain: &dyn ChainClient, owner: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let proxy = proxy_of(chain, &self.proxy, &self.root).await?;
        let (address, init) = contract_of(owner, &proxy)?;
        if let Some(next) = instead_of_deploying(chain, "worker contract", &address, &proxy, done).await? {
            return Ok(next);
        }
        let body = body(&RegisterWorkerFromOwner {
            query_id: query_id(),
            send_excesses_to: owner.clone(),
        })?;
        let message = deploying(init, FEES, body)?;
        let says = format!("deploy worker contract {address}");
        let roles = vec![(address, Role::Worker), (self.proxy.clone(), Role::Proxy)];
        Ok(Next::send("deploy", says, message, roles))
    }
}

#[async_trait]
impl Operation for Claim {
    // Without the tokens: a worker that is asked again later may have been signed more, and goes on with the same claim.
    fn id(&self) -> String {
        format!("worker claim {}", self.proxy)
    }

    async fn next(&self, chain: &dyn ChainClient, owner: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let proxy = ProxyAccount::fetch(chain, &self.proxy).await?;
        let (contract, init) = contract_of(owner, &proxy)?;
        if self.contract != contract {
            return Err(state(
                format!(
                    "the worker claims for contract {}, and this owner's contract at the proxy is {contract}",
                    self.contract
                ),
                "check the wallet, --through, and the URL of the worker",
            ));
        }
        // Everything from one state: what is claimed and what is paid belong together.
        let account = chain.account(&contract).await?;
        let (paid, open, settle_from, deploys) = match account.data.as_ref().filter(|_| account.is_active()) {
            Some(data) => {
                let worker: WorkerStorage = from_cell(data).map_err(BindingsError::layout("worker contract"))?;
                let claim = open_claim(&worker)?;
                let settle_from = claim.since.saturating_add(worker.params.client_delay_before_close);
                (worker.tokens, claim.tokens, settle_from, None)
            }
            None => (TokenCount::ZERO, TokenCount::ZERO, 0, Some(init)),
        };
        // By what is signed, not by what the worker says of it.
        let tokens = TokenCount::new(self.statement.channel.after);
        if paid >= tokens {
            return Ok(Next::Done(format!("{} tokens are paid", paid.get())));
        }
        // What is claimed already comes first, also when more is signed by now: a new claim would begin the delay anew.
        if open > paid {
            if account.time < settle_from {
                let what = "the delay in which the proxy may pay by itself";
                return Ok(Next::wait(what, Some(settle_from)));
            }
            if done.contains(&"settle") {
                return Ok(Next::unseen("settle", "the payout to show on the chain", &account));
            }
            let says = format!(
                "settle the claim of {} tokens against {contract}, of which {} are paid",
                open.get(),
                paid.get()
            );
            let settle = SettleClaim {
                query_id: query_id(),
                send_excesses_to: owner.clone(),
            };
            return Ok(self.to_worker("settle", says, &contract, body(&settle)?, None));
        }
        if done.contains(&"claim") {
            return Ok(Next::unseen("claim", "the claim to show on the chain", &account));
        }
        let says = format!(
            "claim {} tokens against {contract}, of which {} are paid",
            tokens.get(),
            paid.get()
        );
        let claim = ClaimByStatement {
            query_id: query_id(),
            send_excesses_to: owner.clone(),
            signature: self.signature,
            statement: self.statement.clone(),
        };
        Ok(self.to_worker("claim", says, &contract, body(&claim)?, deploys))
    }
}

impl Claim {
    fn to_worker(
        &self,
        step: &'static str,
        says: String,
        contract: &Address,
        body: Cell,
        state_init: Option<StateInit>,
    ) -> Next {
        let message = InternalMessage {
            to: contract.clone(),
            value: CLAIM_VALUE,
            bounce: true,
            body,
            state_init,
        };
        let roles = vec![(contract.clone(), Role::Worker), (self.proxy.clone(), Role::Proxy)];
        Next::send(step, says, message, roles)
    }
}

#[async_trait]
impl Operation for Close {
    fn id(&self) -> String {
        format!("worker close {}", self.contract)
    }

    async fn next(&self, chain: &dyn ChainClient, owner: &Address, _: &[&str]) -> Result<Next, OwnerError> {
        let worker = WorkerAccount::fetch(chain, &self.contract).await?;
        owned(&worker, owner)?;
        Ok(match worker.state {
            Lifecycle::Closed => Next::Done(format!(
                "worker contract {} is closed, {} tokens were paid",
                self.contract,
                worker.tokens.get()
            )),
            Lifecycle::Normal | Lifecycle::Closing => Next::wait(
                "the proxy's last payout, which closes the contract; it holds no money",
                None,
            ),
        })
    }
}

/// The latest claim of the owner; all zero if there is none.
fn open_claim(worker: &WorkerStorage) -> Result<TokenClaim, OwnerError> {
    let Some(tail) = worker.tail.reference_cloned(0) else {
        return Ok(TokenClaim {
            tokens: TokenCount::ZERO,
            since: 0,
        });
    };
    let tail: WorkerTail = from_cell(&tail).map_err(BindingsError::layout("worker contract"))?;
    Ok(tail.claim)
}

fn owned(worker: &WorkerAccount, owner: &Address) -> Result<(), OwnerError> {
    if worker.owner == *owner {
        return Ok(());
    }
    Err(OwnerError::OtherContract {
        address: worker.account.address.clone(),
        kind: ContractKind::Worker,
    })
}
