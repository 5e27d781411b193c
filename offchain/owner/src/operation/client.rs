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

use super::{Next, Operation, body, deploying, instead_of_deploying, message, plus_fees, proxy_of, query_id, state};
use crate::OwnerError;
use crate::facts::Role;
use crate::limits::FEES;

/// Deploys the owner's client contract at a proxy and pays in.
#[derive(Debug, Clone)]
pub struct Deploy {
    /// The root contract that the proxy is one of.
    pub root: Address,
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
    /// Whether it is closed also when the proxy's stake does not cover what is left. The rest is lost then.
    pub accepts_less: bool,
}

/// Where an owner's client contract at a proxy is, and the code and data that it begins with.
pub fn contract_of(owner: &Address, proxy: &ProxyAccount) -> Result<(Address, cocoon_bindings::StateInit), OwnerError> {
    let init = client_state_init(owner, &proxy.account.address, &proxy.proxy_public_key, &proxy.params)?;
    Ok((init.address()?, init))
}

impl Deploy {
    /// What the ids of all deployments of this contract by one wallet begin with, whatever is paid in.
    pub fn id_begin(&self) -> String {
        format!("client deploy {} ", self.proxy)
    }
}

#[async_trait]
impl Operation for Deploy {
    fn id(&self) -> String {
        format!("{}{:?} {:?}", self.id_begin(), self.top_up, self.secret_hash)
    }

    async fn next(&self, chain: &dyn ChainClient, owner: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let proxy = proxy_of(chain, &self.proxy, &self.root).await?;
        let (address, init) = contract_of(owner, &proxy)?;
        if let Some(next) = instead_of_deploying(chain, "client contract", &address, &proxy, done).await? {
            return Ok(next);
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

    fn repeats(&self) -> bool {
        true
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

    async fn next(&self, chain: &dyn ChainClient, owner: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let client = ClientAccount::fetch(chain, &self.contract).await?;
        owned(&client, owner)?;
        if client.stake == self.stake {
            return Ok(Next::Done(format!("the stake is {}", client.stake)));
        }
        if done.contains(&"raise") {
            return Ok(Next::unseen("raise", "the stake to show on the chain", &client.account));
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

    fn repeats(&self) -> bool {
        true
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
            Lifecycle::Normal if done.contains(&"begin") => {
                Next::unseen("begin", "the close to show on the chain", &client.account)
            }
            Lifecycle::Normal => {
                let says = format!("begin to close client contract {}", self.contract);
                to_client(&client, "begin", says, FEES, ask()?)
            }
            // The contract wants the time to be over, not reached.
            Lifecycle::Closing if client.account.time <= client.unlock_ts => Next::wait(
                "the delay in which the proxy may charge what was used, or the proxy's own refund",
                Some(client.unlock_ts.saturating_add(1)),
            ),
            Lifecycle::Closing if done.contains(&"complete") => {
                Next::unseen("complete", "the refund to show on the chain", &client.account)
            }
            Lifecycle::Closing => {
                let says = self.refund(chain, &client).await?;
                to_client(&client, "complete", says, FEES, ask()?)
            }
        })
    }
}

impl Close {
    /// What the forced refund will be, in words. It comes out of the proxy's stake, and what that does not cover is gone.
    async fn refund(&self, chain: &dyn ChainClient, client: &ClientAccount) -> Result<String, OwnerError> {
        let stake = ProxyAccount::fetch(chain, &client.constants.proxy).await?.stake;
        let (contract, left) = (&self.contract, client.balance);
        if stake >= left {
            return Ok(format!("take back {left} from client contract {contract}"));
        }
        if !self.accepts_less {
            return Err(state(
                format!(
                    "{left} is left in the client contract, and the proxy's stake covers only {stake}: the rest would be lost"
                ),
                "wait for the proxy's own refund or for more stake there, or give --accept-less",
            ));
        }
        Ok(format!(
            "take back {stake} from client contract {contract}; the other {} that are left in it are lost",
            left.saturating_sub(stake)
        ))
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
