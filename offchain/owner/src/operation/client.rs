//! Client contracts: deploy, pay in, raise the stake, take back what exceeds it, close.

use async_trait::async_trait;
use cocoon_bindings::client::{
    AskToTopUp, IncreaseStakeFromOwner, ReopenFromOwner, RequestRefundFromOwner, TopUpWithSecretFromOwner,
    WithdrawFromOwner,
};
use cocoon_bindings::ton::{Address, Cell, HashBytes};
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::units::Nanoton;
use cocoon_bindings::{ContractKind, client_state_init};
use cocoon_chain::{ChainClient, ClientAccount, ProxyAccount};

use super::{Next, Operation, body, deploying, message, plus_fees, query_id, state};
use crate::OwnerError;
use crate::facts::Role;
use crate::limits::FEES;

/// Deploys the owner's client contract at a proxy and pays in.
#[derive(Debug, Clone)]
pub struct Deploy {
    /// The proxy contract.
    pub proxy: Address,
    /// What is paid in; the least stake of the proxy's terms when absent.
    pub top_up: Option<Nanoton>,
    /// SHA-256 of the secret by which the proxy knows the client.
    pub secret_hash: Option<HashBytes>,
}

/// Pays in.
#[derive(Debug, Clone)]
pub struct TopUp {
    /// The client contract.
    pub contract: Address,
    /// How much.
    pub amount: Nanoton,
    /// A new secret hash, which only the owner may set.
    pub secret_hash: Option<HashBytes>,
    /// Whether a closed contract is used again, which only the owner may say.
    pub reopen: bool,
}

/// Raises the stake.
#[derive(Debug, Clone)]
pub struct Stake {
    /// The client contract.
    pub contract: Address,
    /// What it is to be.
    pub stake: Nanoton,
}

/// Takes back what exceeds the stake.
#[derive(Debug, Clone)]
pub struct Withdraw {
    /// The client contract.
    pub contract: Address,
}

/// Closes the contract: asks for it, waits out the delay of the terms, and takes back what is left.
#[derive(Debug, Clone)]
pub struct Close {
    /// The client contract.
    pub contract: Address,
}

/// Where an owner's client contract at a proxy is, and the code and data that it begins with.
pub fn contract_of(owner: &Address, proxy: &ProxyAccount) -> Result<(Address, cocoon_bindings::StateInit), OwnerError> {
    let init = client_state_init(owner, &proxy.account.address, &proxy.proxy_public_key, &proxy.params)?;
    Ok((init.address()?, init))
}

#[async_trait]
impl Operation for Deploy {
    fn id(&self) -> String {
        format!("client deploy {} {:?} {:?}", self.proxy, self.top_up, self.secret_hash)
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
            return Ok(Next::Done(format!("client contract {address} {word}")));
        }
        if !done.is_empty() {
            return Ok(Next::wait(format!("client contract {address} to appear"), None));
        }
        if proxy.state != Lifecycle::Normal {
            return Err(state(
                format!("proxy contract {} is closing or closed", self.proxy),
                "choose another proxy: `cocoon root show` lists them",
            ));
        }
        let amount = self.top_up.unwrap_or(proxy.params.min_client_stake);
        let body = top_up(owner, amount, self.secret_hash)?;
        let message = deploying(init, plus_fees(amount)?, body)?;
        let says = format!("deploy client contract {address} and pay {amount} into it");
        let roles = vec![(address, Role::Client), (self.proxy.clone(), Role::Proxy)];
        Ok(Next::send("deploy", says, message, roles))
    }
}

#[async_trait]
impl Operation for TopUp {
    fn id(&self) -> String {
        let reopen = if self.reopen { " reopen" } else { "" };
        format!(
            "client topup {} {} {:?}{reopen}",
            self.contract, self.amount, self.secret_hash
        )
    }

    async fn next(&self, chain: &dyn ChainClient, owner: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let client = ClientAccount::fetch(chain, &self.contract).await?;
        if !done.is_empty() {
            return Ok(Next::Done(format!(
                "{} is paid in, {} is there now",
                self.amount, client.balance
            )));
        }
        if self.reopen || self.secret_hash.is_some() {
            owned(&client, owner)?;
        }
        let is_closed = client.state == Lifecycle::Closed;
        if is_closed && !self.reopen {
            return Err(state("the client contract is closed", "give --reopen to use it again"));
        }
        if self.reopen && !is_closed {
            return Err(state("the client contract is not closed", "leave --reopen out"));
        }
        let body = if self.reopen {
            body(&ReopenFromOwner {
                query_id: query_id(),
                top_up_amount: self.amount,
                send_excesses_to: owner.clone(),
            })?
        } else {
            top_up(owner, self.amount, self.secret_hash)?
        };
        let says = format!("pay {} into client contract {}", self.amount, self.contract);
        Ok(to_client(&client, "pay", says, plus_fees(self.amount)?, body))
    }
}

#[async_trait]
impl Operation for Stake {
    fn id(&self) -> String {
        format!("client stake {} {}", self.contract, self.stake)
    }

    async fn next(&self, chain: &dyn ChainClient, owner: &Address, _: &[&str]) -> Result<Next, OwnerError> {
        let client = ClientAccount::fetch(chain, &self.contract).await?;
        owned(&client, owner)?;
        if client.stake == self.stake {
            return Ok(Next::Done(format!("the stake is {}", client.stake)));
        }
        if client.stake > self.stake {
            return Err(state(
                format!("the stake is {}, and can only be raised", client.stake),
                "close the contract to get the stake back",
            ));
        }
        let body = body(&IncreaseStakeFromOwner {
            query_id: query_id(),
            new_stake: self.stake,
            send_excesses_to: owner.clone(),
        })?;
        let says = format!(
            "raise the stake of {} from {} to {}",
            self.contract, client.stake, self.stake
        );
        Ok(to_client(&client, "raise", says, FEES, body))
    }
}

#[async_trait]
impl Operation for Withdraw {
    fn id(&self) -> String {
        format!("client withdraw {}", self.contract)
    }

    async fn next(&self, chain: &dyn ChainClient, owner: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let client = ClientAccount::fetch(chain, &self.contract).await?;
        if !done.is_empty() {
            return Ok(Next::Done(format!("{} stays paid in", client.balance)));
        }
        owned(&client, owner)?;
        let free = client.balance.saturating_sub(client.stake);
        if client.state != Lifecycle::Normal || free == Nanoton::ZERO {
            return Err(state(
                format!(
                    "nothing can be withdrawn: {} paid in, stake {}",
                    client.balance, client.stake
                ),
                "`close` takes back the stake too",
            ));
        }
        let body = body(&WithdrawFromOwner {
            query_id: query_id(),
            send_excesses_to: owner.clone(),
        })?;
        let says = format!("withdraw {free} from client contract {}", self.contract);
        Ok(to_client(&client, "withdraw", says, FEES, body))
    }
}

#[async_trait]
impl Operation for Close {
    fn id(&self) -> String {
        format!("client close {}", self.contract)
    }

    async fn next(&self, chain: &dyn ChainClient, owner: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let client = ClientAccount::fetch(chain, &self.contract).await?;
        owned(&client, owner)?;
        let ask = || {
            body(&RequestRefundFromOwner {
                query_id: query_id(),
                send_excesses_to: owner.clone(),
            })
        };
        Ok(match client.state {
            Lifecycle::Closed => Next::Done(format!("client contract {} is closed", self.contract)),
            Lifecycle::Normal if done.contains(&"begin") => Next::wait("the close to show on the chain", None),
            Lifecycle::Normal => {
                let says = format!("begin to close client contract {}", self.contract);
                to_client(&client, "begin", says, FEES, ask()?)
            }
            // The contract wants the time to be over, not reached.
            Lifecycle::Closing if client.account.time <= client.unlock_ts => Next::wait(
                "the delay in which the proxy may charge what was used, or the proxy's own refund",
                Some(client.unlock_ts.saturating_add(1)),
            ),
            Lifecycle::Closing if done.contains(&"complete") => Next::wait("the refund to show on the chain", None),
            Lifecycle::Closing => {
                let says = format!("take back {} from client contract {}", client.balance, self.contract);
                to_client(&client, "complete", says, FEES, ask()?)
            }
        })
    }
}

fn top_up(owner: &Address, amount: Nanoton, secret_hash: Option<HashBytes>) -> Result<Cell, OwnerError> {
    let (query_id, send_excesses_to) = (query_id(), owner.clone());
    match secret_hash {
        Some(new_secret_hash) => body(&TopUpWithSecretFromOwner {
            query_id,
            top_up_amount: amount,
            new_secret_hash,
            send_excesses_to,
        }),
        None => body(&AskToTopUp {
            query_id,
            top_up_amount: amount,
            send_excesses_to,
        }),
    }
}

fn to_client(client: &ClientAccount, step: &'static str, says: String, value: Nanoton, body: Cell) -> Next {
    let contract = &client.account.address;
    let roles = vec![
        (contract.clone(), Role::Client),
        (client.constants.proxy.clone(), Role::Proxy),
    ];
    Next::send(step, says, message(contract, value, body), roles)
}

fn owned(client: &ClientAccount, owner: &Address) -> Result<(), OwnerError> {
    if client.constants.owner == *owner {
        return Ok(());
    }
    Err(OwnerError::OtherContract {
        address: client.account.address.clone(),
        kind: ContractKind::Client,
    })
}
