//! Worker contracts: deploy, claim what the proxy has signed, see the end.
//!
//! A worker contract holds no money: payouts go through it to its owner. So it is not closed by its owner; the proxy closes
//! it with the last payout, and what the proxy does not pay by itself is claimed.

use async_trait::async_trait;
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::Address;
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::units::TokenCount;
use cocoon_bindings::worker::{GetCocoonWorkerClaim, RegisterWorkerFromOwner};
use cocoon_bindings::{ContractKind, StateInit, worker_state_init};
use cocoon_chain::{ChainClient, ProxyAccount, WorkerAccount, call_get_method};

use super::{Next, Operation, body, deploying, query_id, state};
use crate::OwnerError;
use crate::facts::Role;
use crate::limits::FEES;

/// Deploys the owner's worker contract at a proxy and tells the proxy.
#[derive(Debug, Clone)]
pub struct Deploy {
    /// The proxy contract.
    pub proxy: Address,
}

/// Claims what a proxy has signed: the claim, the delay in which the proxy may pay by itself, the settlement.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The worker contract.
    pub contract: Address,
    /// Tokens in all that the proxy has signed.
    pub tokens: TokenCount,
    /// The message that claims, as the worker's runner makes it.
    pub claim: InternalMessage,
    /// The message that settles.
    pub settle: InternalMessage,
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
        let proxy = ProxyAccount::fetch(chain, &self.proxy).await?;
        let (address, init) = contract_of(owner, &proxy)?;
        if chain.account(&address).await?.is_active() {
            let word = if done.is_empty() {
                "was there already"
            } else {
                "is deployed"
            };
            return Ok(Next::Done(format!("worker contract {address} {word}")));
        }
        if !done.is_empty() {
            return Ok(Next::wait(format!("worker contract {address} to appear"), None));
        }
        if proxy.state != Lifecycle::Normal {
            return Err(state(
                format!("proxy contract {} is closing or closed", self.proxy),
                "choose another proxy: `cocoon root show` lists them",
            ));
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
    fn id(&self) -> String {
        format!("worker claim {} {}", self.contract, self.tokens.get())
    }

    async fn next(&self, chain: &dyn ChainClient, owner: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let deployed = chain.account(&self.contract).await?.is_active();
        let (paid, open, settle_from, time, proxy) = if deployed {
            let worker = WorkerAccount::fetch(chain, &self.contract).await?;
            owned(&worker, owner)?;
            let claim = call_get_method(chain, &self.contract, &GetCocoonWorkerClaim).await?;
            let settle_from = u32::try_from(claim.settle_from).unwrap_or(u32::MAX);
            (
                worker.tokens,
                claim.tokens,
                settle_from,
                worker.account.time,
                Some(worker.proxy.clone()),
            )
        } else {
            (TokenCount::ZERO, TokenCount::ZERO, 0, chain.now().await?, None)
        };
        let mut roles = vec![(self.contract.clone(), Role::Worker)];
        roles.extend(proxy.map(|proxy| (proxy, Role::Proxy)));
        if paid >= self.tokens {
            return Ok(Next::Done(format!("{} tokens are paid", paid.get())));
        }
        if open < self.tokens {
            if done.contains(&"claim") {
                return Ok(Next::wait("the claim to show on the chain", None));
            }
            let says = format!("claim {} tokens, of which {} are paid", self.tokens.get(), paid.get());
            return Ok(Next::send("claim", says, self.claim.clone(), roles));
        }
        if time < settle_from {
            let what = "the delay in which the proxy may pay by itself";
            return Ok(Next::wait(what, Some(settle_from)));
        }
        if done.contains(&"settle") {
            return Ok(Next::wait("the payout to show on the chain", None));
        }
        let says = format!("settle the claim of {} tokens", open.get());
        Ok(Next::send("settle", says, self.settle.clone(), roles))
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

fn owned(worker: &WorkerAccount, owner: &Address) -> Result<(), OwnerError> {
    if worker.owner == *owner {
        return Ok(());
    }
    Err(OwnerError::OtherContract {
        address: worker.account.address.clone(),
        kind: ContractKind::Worker,
    })
}
