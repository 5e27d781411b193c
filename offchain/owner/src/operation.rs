//! What an owner wants done with a contract: looked at anew before every step, so that it can be gone on with at any time.

pub mod client;
pub mod governance;
pub mod proxy;
pub mod runner_wallet;
pub mod worker;

use async_trait::async_trait;
use cocoon_bindings::message::{InternalMessage, SEND_PAY_FEES_SEPARATELY};
use cocoon_bindings::ton::{Address, Cell, CellError, Store, to_cell};
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::units::{Nanoton, QueryId};
use cocoon_bindings::wallet::SendMessageFromOwner;
use cocoon_bindings::{BindingsError, StateInit, proxy_state_init};
use cocoon_chain::{AccountState, ChainClient, ProxyAccount, RootView};
use serde::Serialize;

use crate::OwnerError;
use crate::facts::Role;
use crate::limits::FEES;

/// An operation of an owner.
///
/// What comes next follows from the chain and from the steps that are done, and from nothing else: the same operation,
/// run again after it was cut off anywhere, ends in the same state.
#[async_trait]
pub trait Operation: Send + Sync {
    /// What tells it apart from others of the same wallet: what is done and with which arguments.
    fn id(&self) -> String;

    /// Whether doing it twice does it twice, as with a payment.
    fn repeats(&self) -> bool {
        false
    }

    /// What comes next for `owner`, with the steps of these names done.
    async fn next(&self, chain: &dyn ChainClient, owner: &Address, done: &[&str]) -> Result<Next, OwnerError>;
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// A message is sent.
    Send(Box<Order>),
    /// Something else must happen first.
    Await(Awaited),
    /// A step is done, and its effect is not in the state that was read.
    Unseen(Unseen),
    /// There is nothing left to do.
    Done(String),
}

/// A message that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Name of the step, once in its operation.
    pub step: &'static str,
    /// What it does, for a person.
    pub says: String,
    /// The message.
    pub message: InternalMessage,
    /// What the accounts are that it reaches.
    pub roles: Vec<(Address, Role)>,
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Awaited {
    /// What.
    pub what: String,
    /// The chain's time from when on it goes on, seconds since 1970, where that is known.
    pub until: Option<u32>,
}

/// A step that is done and whose effect does not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// Name of the step.
    pub step: &'static str,
    /// What is waited for, for a person.
    pub what: String,
    /// Where it would show.
    pub account: Address,
    /// Logical time of the last transaction in the state that was read; 0 if there was none.
    pub lt: u64,
}

impl Next {
    fn unseen(step: &'static str, what: impl Into<String>, account: &AccountState) -> Self {
        Self::Unseen(Unseen {
            step,
            what: what.into(),
            account: account.address.clone(),
            lt: account.last.map_or(0, |last| last.lt),
        })
    }

    fn send(
        step: &'static str,
        says: impl Into<String>,
        message: InternalMessage,
        roles: Vec<(Address, Role)>,
    ) -> Self {
        let says = says.into();
        Self::Send(Box::new(Order {
            step,
            says,
            message,
            roles,
        }))
    }

    fn wait(what: impl Into<String>, until: Option<u32>) -> Self {
        let what = what.into();
        Self::Await(Awaited { what, until })
    }
}

impl Order {
    /// The same sent by a runner's wallet that the sender owns.
    pub fn through(mut self, runner_wallet: &Address) -> Result<Self, OwnerError> {
        let forwarded = SendMessageFromOwner {
            query_id: query_id(),
            mode: SEND_PAY_FEES_SEPARATELY,
            message: self.message.to_cell()?,
        };
        self.message = message(runner_wallet, plus_fees(self.message.value)?, body(&forwarded)?);
        self.roles.push((runner_wallet.clone(), Role::RunnerWallet));
        Ok(self)
    }
}

/// A proxy contract that follows from the root contract's terms, as the runners want it too: the code of the contracts at it,
/// and so where coins go, comes from the network and not from whoever named the address.
async fn proxy_of(chain: &dyn ChainClient, proxy: &Address, root: &Address) -> Result<ProxyAccount, OwnerError> {
    let account = ProxyAccount::fetch(chain, proxy).await?;
    let view = RootView::fetch(chain, root).await?;
    let expected = proxy_state_init(&account.owner, &account.proxy_public_key, root, &view.params)?.address()?;
    if account.root != *root || expected != *proxy {
        return Err(state(
            format!("{proxy} is no proxy contract of root contract {root} with its terms of today"),
            "choose another proxy: `cocoon root show` lists them",
        ));
    }
    Ok(account)
}

/// What comes instead of deploying a contract: it is there, or it has yet to appear.
async fn there_or_awaited(
    chain: &dyn ChainClient,
    what: &str,
    address: &Address,
    done: &[&str],
) -> Result<Option<Next>, OwnerError> {
    let account = chain.account(address).await?;
    Ok(match (account.is_active(), done.is_empty()) {
        (true, true) => Some(Next::Done(format!("{what} {address} was there already"))),
        (true, false) => Some(Next::Done(format!("{what} {address} is deployed"))),
        (false, true) => None,
        (false, false) => {
            let what = format!("{what} {address} to appear");
            Some(Next::unseen("deploy", what, &account))
        }
    })
}

/// The same of a contract at a proxy, which may take nobody new.
async fn instead_of_deploying(
    chain: &dyn ChainClient,
    what: &str,
    address: &Address,
    proxy: &ProxyAccount,
    done: &[&str],
) -> Result<Option<Next>, OwnerError> {
    if let Some(next) = there_or_awaited(chain, what, address, done).await? {
        return Ok(Some(next));
    }
    if proxy.state != Lifecycle::Normal {
        return Err(state(
            format!("proxy contract {} is closing or closed", proxy.account.address),
            "choose another proxy: `cocoon root show` lists them",
        ));
    }
    Ok(None)
}

fn query_id() -> QueryId {
    QueryId::new(rand::random())
}

pub(crate) fn body(message: &impl Store) -> Result<Cell, OwnerError> {
    let layout = |source: CellError| BindingsError::layout("an owner's message")(source);
    Ok(to_cell(message).map_err(layout)?)
}

fn message(to: &Address, value: Nanoton, body: Cell) -> InternalMessage {
    InternalMessage {
        to: to.clone(),
        value,
        bounce: true,
        body,
        state_init: None,
    }
}

/// A message that deploys its receiver; if that refuses the body, the coins come back.
fn deploying(state_init: StateInit, value: Nanoton, body: Cell) -> Result<InternalMessage, OwnerError> {
    Ok(InternalMessage {
        to: state_init.address()?,
        value,
        bounce: true,
        body,
        state_init: Some(state_init),
    })
}

fn plus_fees(amount: Nanoton) -> Result<Nanoton, OwnerError> {
    amount.checked_add(FEES).ok_or(OwnerError::AmountRange)
}

pub(crate) fn state(what: impl Into<String>, hint: &'static str) -> OwnerError {
    let what = what.into();
    OwnerError::State { what, hint }
}
