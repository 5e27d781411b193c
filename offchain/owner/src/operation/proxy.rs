//! Proxy contracts: deploy, stake, take out the earnings, close.

use async_trait::async_trait;
use cocoon_bindings::proxy::{
    AskToIncreaseProxyStake, AskToWithdrawEarnings, CloseProxyFromOwner, CompleteClosePayload, CompleteCloseSigned,
    ReclaimStakeFromOwner,
};
use cocoon_bindings::ton::{Address, Cell};
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::units::{Nanoton, PublicKey};
use cocoon_bindings::{ContractKind, proxy_state_init};
use cocoon_chain::{ChainClient, ProxyAccount, RootView};
use ed25519_dalek::{Signer as _, SigningKey};

use super::{Next, Operation, body, deploying, message, plus_fees, query_id, state, there_or_awaited};
use crate::OwnerError;
use crate::facts::Role;
use crate::limits::FEES;

/// Seconds after the end of the delay when an owner gets the stake back without the proxy's key: half a year, as the
/// contract has it.
pub const OWNER_EXIT_DELAY: u32 = 180 * 24 * 3600;

/// Coins that a proxy contract may hold beyond its earnings and its stake when it is closed: what it was deployed with and
/// what gas left over. More than that is what clients have paid in, and closing would give it to the owner.
pub const CLOSING_COINS: Nanoton = Nanoton::new(500_000_000);

/// Deploys the owner's proxy contract with its stake.
#[derive(Debug, Clone)]
pub struct Deploy {
    /// The root contract.
    pub root: Address,
    /// Key of the proxy, which signs charges and payouts.
    pub public_key: PublicKey,
    /// The stake; the least of the terms when absent.
    pub stake: Option<Nanoton>,
}

/// Adds to the stake.
#[derive(Debug, Clone)]
pub struct Stake {
    /// The proxy contract.
    pub contract: Address,
    /// How much is added.
    pub amount: Nanoton,
}

/// Sends what the proxy has earned to its owner.
#[derive(Debug, Clone)]
pub struct Withdraw {
    /// The proxy contract.
    pub contract: Address,
}

/// Closes the contract: asks for it, waits out the delay of the terms, and sees it closed by the proxy's key.
#[derive(Clone)]
pub struct Close {
    /// The proxy contract.
    pub contract: Address,
    /// The proxy's key, where it is at hand; the running proxy closes with it otherwise.
    pub key: Option<SigningKey>,
    /// Whether it is closed also while it holds coins beyond earnings and stake. They are what clients have paid in and not
    /// taken back, or what is left of it after refunds that came out of the stake; closing gives them to the owner.
    pub takes_all: bool,
}

impl Deploy {
    /// What the ids of all deployments of this contract by one wallet begin with, whatever is staked.
    pub fn id_begin(&self) -> String {
        format!("proxy deploy {} {} ", self.root, self.public_key)
    }
}

#[async_trait]
impl Operation for Deploy {
    fn id(&self) -> String {
        format!("{}{:?}", self.id_begin(), self.stake)
    }

    async fn next(&self, chain: &dyn ChainClient, owner: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let root = RootView::fetch(chain, &self.root).await?;
        let init = proxy_state_init(owner, &self.public_key, &self.root, &root.params)?;
        let address = init.address()?;
        if let Some(next) = there_or_awaited(chain, "proxy contract", &address, done).await? {
            return Ok(next);
        }
        let stake = self.stake.unwrap_or(root.params.min_proxy_stake);
        let message = deploying(init, plus_fees(stake)?, add_stake(owner, stake)?)?;
        let says =
            format!("deploy proxy contract {address}, which follows from today's terms, with a stake of {stake}");
        Ok(Next::send("deploy", says, message, vec![(address, Role::Proxy)]))
    }
}

#[async_trait]
impl Operation for Stake {
    fn id(&self) -> String {
        format!("proxy stake {} {}", self.contract, self.amount)
    }

    fn repeats(&self) -> bool {
        true
    }

    async fn next(&self, chain: &dyn ChainClient, owner: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let proxy = ProxyAccount::fetch(chain, &self.contract).await?;
        // The contract takes a stake from anyone, and gives it to its owner.
        owned(&proxy, owner)?;
        if !done.is_empty() {
            return Ok(Next::Done(format!("the stake is {}", proxy.stake)));
        }
        if proxy.state != Lifecycle::Normal {
            let hint = "a stake that is added now would be locked with the rest";
            return Err(state("the proxy contract is closing or closed", hint));
        }
        let says = format!(
            "add {} to the stake of {}, which is {}",
            self.amount, self.contract, proxy.stake
        );
        let body = add_stake(owner, self.amount)?;
        Ok(to_proxy(&self.contract, "stake", says, plus_fees(self.amount)?, body))
    }
}

#[async_trait]
impl Operation for Withdraw {
    fn id(&self) -> String {
        format!("proxy withdraw {}", self.contract)
    }

    fn repeats(&self) -> bool {
        true
    }

    async fn next(&self, chain: &dyn ChainClient, owner: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let proxy = ProxyAccount::fetch(chain, &self.contract).await?;
        if !done.is_empty() {
            return Ok(Next::Done(format!("the earnings are with {}", proxy.owner)));
        }
        if proxy.balance == Nanoton::ZERO {
            let hint = "earnings come with the payouts of workers; `status` shows them";
            return Err(state("the proxy contract holds no earnings", hint));
        }
        let body = body(&AskToWithdrawEarnings {
            query_id: query_id(),
            send_excesses_to: owner.clone(),
        })?;
        let says = format!(
            "send the earnings of {}, {}, to {}",
            self.contract, proxy.balance, proxy.owner
        );
        Ok(to_proxy(&self.contract, "withdraw", says, FEES, body))
    }
}

#[async_trait]
impl Operation for Close {
    fn id(&self) -> String {
        format!("proxy close {}", self.contract)
    }

    async fn next(&self, chain: &dyn ChainClient, owner: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let proxy = ProxyAccount::fetch(chain, &self.contract).await?;
        owned(&proxy, owner)?;
        match proxy.state {
            Lifecycle::Closed => Ok(Next::Done(format!("proxy contract {} is closed", self.contract))),
            Lifecycle::Normal if done.contains(&"begin") => {
                let what = "the close to show on the chain";
                Ok(Next::unseen("begin", what, &proxy.account))
            }
            Lifecycle::Normal => {
                let body = body(&CloseProxyFromOwner {
                    query_id: query_id(),
                    send_excesses_to: owner.clone(),
                })?;
                let says = format!("begin to close proxy contract {}", self.contract);
                Ok(to_proxy(&self.contract, "begin", says, FEES, body))
            }
            Lifecycle::Closing => self.closing(&proxy, owner, done),
        }
    }
}

impl Close {
    fn closing(&self, proxy: &ProxyAccount, owner: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let time = proxy.account.time;
        if time < proxy.unlock_ts {
            let what = "the delay in which clients may take back what they have paid in";
            return Ok(Next::wait(what, Some(proxy.unlock_ts)));
        }
        if let Some(key) = &self.key {
            if PublicKey::from(key) != proxy.proxy_public_key {
                return Err(state("the key is not that of the proxy contract", "check --proxy-key"));
            }
            if !self.takes_all && !holds_nothing(proxy) {
                return Ok(Next::wait(
                    "clients to take back what they have paid in, or --take-all",
                    None,
                ));
            }
            if done.contains(&"complete") {
                let what = "the end of the close to show on the chain";
                return Ok(Next::unseen("complete", what, &proxy.account));
            }
            let says = format!(
                "close proxy contract {} and take back its stake, {}",
                self.contract, proxy.stake
            );
            return Ok(to_proxy(
                &self.contract,
                "complete",
                says,
                FEES,
                complete(&self.contract, owner, key)?,
            ));
        }
        let exit = proxy.unlock_ts.saturating_add(OWNER_EXIT_DELAY);
        if proxy.stake == Nanoton::ZERO {
            return Ok(Next::Done(
                "the stake is taken back; what clients have paid in stays".to_owned(),
            ));
        }
        if done.contains(&"reclaim") {
            return Ok(Next::unseen("reclaim", "the stake to come back", &proxy.account));
        }
        if time < exit {
            let what = "the running proxy, or --proxy-key, to close the contract; without the key the stake comes back";
            return Ok(Next::wait(what, Some(exit)));
        }
        let body = body(&ReclaimStakeFromOwner {
            query_id: query_id(),
            send_excesses_to: owner.clone(),
        })?;
        let says = format!(
            "take back the stake of {}, {}, without the proxy's key",
            self.contract, proxy.stake
        );
        Ok(to_proxy(&self.contract, "reclaim", says, FEES, body))
    }
}

fn owned(proxy: &ProxyAccount, owner: &Address) -> Result<(), OwnerError> {
    if proxy.owner == *owner {
        return Ok(());
    }
    Err(OwnerError::OtherContract {
        address: proxy.account.address.clone(),
        kind: ContractKind::Proxy,
    })
}

fn holds_nothing(proxy: &ProxyAccount) -> bool {
    let own = proxy.balance.checked_add(proxy.stake);
    let own = own.and_then(|own| own.checked_add(CLOSING_COINS));
    own.is_some_and(|own| proxy.account.balance <= own)
}

fn complete(contract: &Address, owner: &Address, key: &SigningKey) -> Result<Cell, OwnerError> {
    let payload = CompleteClosePayload {
        query_id: query_id(),
        expected_my_address: contract.clone(),
    };
    let signature = key.sign(body(&payload)?.repr_hash().as_slice()).to_bytes();
    body(&CompleteCloseSigned {
        query_id: payload.query_id,
        send_excesses_to: owner.clone(),
        signature,
        payload,
    })
}

fn add_stake(owner: &Address, amount: Nanoton) -> Result<Cell, OwnerError> {
    body(&AskToIncreaseProxyStake {
        query_id: query_id(),
        stake_amount: amount,
        send_excesses_to: owner.clone(),
    })
}

fn to_proxy(contract: &Address, step: &'static str, says: String, value: Nanoton, body: Cell) -> Next {
    Next::send(
        step,
        says,
        message(contract, value, body),
        vec![(contract.clone(), Role::Proxy)],
    )
}
