//! The client contract: its address, and what the runner's wallet does to it.

use cocoon_bindings::client::{
    AskToTopUp, ChangeSecretHashFromOwner, RegisterFromOwner, RequestRefundFromOwner, TopUpWithSecretFromOwner,
    WithdrawFromOwner,
};
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, Cell, Store, parse_boc, to_cell};
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::units::{Nanoton, PublicKey, QueryId};
use cocoon_bindings::voucher::SignedVoucher;
use cocoon_bindings::{BindingsError, StateInit, client_state_init, proxy_state_init};
use cocoon_chain::{ChainError, ClientAccount, NodeWallet, RootView, SharedChain};
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::config::FundingConfig;
use crate::error::ClientError;
use crate::limits::{CONTRACT_EFFECT_TIMEOUT, CONTRACT_POLL};

/// Attached to each message of the wallet, on top of what is paid in; the rest comes back as excesses.
pub const MESSAGE_VALUE: Nanoton = Nanoton::new(700_000_000);

/// The proxy that a client contract is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyIdentity {
    /// Its contract.
    pub contract: Address,
    /// Key of the contract, which signs vouchers and receipts.
    pub public_key: PublicKey,
}

impl ProxyIdentity {
    /// The proxy with this key and owner, under the root contract's parameters.
    pub fn derive(root: &RootView, owner: &Address, public_key: PublicKey) -> Result<Self, BindingsError> {
        let contract = proxy_state_init(owner, &public_key, &root.address, &root.params)?.address()?;
        Ok(Self { contract, public_key })
    }

    /// Code and data of the contract of `owner` at this proxy.
    pub fn client_contract(&self, root: &RootView, owner: &Address) -> Result<StateInit, BindingsError> {
        client_state_init(owner, &self.contract, &self.public_key, &root.params)
    }
}

/// Makes sure that the wallet's client contract at `proxy` exists, holds the hash of the secret, and is funded: when less
/// than `refill_below` is paid in and not charged, `amount` is added. Sends nothing when all of this holds already.
pub fn ensure_client_contract<'a>(
    chain: &'a SharedChain,
    wallet: &'a NodeWallet,
    root: &'a RootView,
    proxy: &'a ProxyIdentity,
    funding: &'a FundingConfig,
    secret_hash: [u8; 32],
) -> BoxFuture<'a, Result<ClientAccount, ClientError>> {
    Box::pin(ensure_contract(chain, wallet, root, proxy, funding, secret_hash))
}

async fn ensure_contract(
    chain: &SharedChain,
    wallet: &NodeWallet,
    root: &RootView,
    proxy: &ProxyIdentity,
    funding: &FundingConfig,
    secret_hash: [u8; 32],
) -> Result<ClientAccount, ClientError> {
    let state_init = proxy.client_contract(root, wallet.address())?;
    let address = state_init.address()?;
    let current = match ClientAccount::fetch(chain.as_ref(), &address).await {
        Ok(account) if account.state != Lifecycle::Normal => return Err(ClientError::ContractClosed(address)),
        Ok(account) => Some(account),
        Err(ChainError::NotDeployed { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let held = current.as_ref().map_or(Nanoton::ZERO, |account| account.balance);
    let missing = if current.is_none() || held < funding.refill_below {
        funding.amount
    } else {
        Nanoton::ZERO
    };
    let knows_secret = current
        .as_ref()
        .is_some_and(|account| account.secret_hash == secret_hash);
    let excesses = wallet.address().clone();
    let body = match (&current, missing == Nanoton::ZERO, knows_secret) {
        (Some(account), true, true) => return Ok(account.clone()),
        (Some(_), true, false) => message(&ChangeSecretHashFromOwner {
            query_id: query_id(),
            new_secret_hash: secret_hash.into(),
            send_excesses_to: excesses,
        }),
        (Some(_), false, true) => message(&AskToTopUp {
            query_id: query_id(),
            top_up_amount: missing,
            send_excesses_to: excesses,
        }),
        _ => message(&TopUpWithSecretFromOwner {
            query_id: query_id(),
            top_up_amount: missing,
            new_secret_hash: secret_hash.into(),
            send_excesses_to: excesses,
        }),
    }?;
    let state_init = current.is_none().then_some(state_init);
    send(wallet, &address, missing, body, state_init).await?;
    let is_paid = |account: &ClientAccount| missing == Nanoton::ZERO || account.balance > held;
    let is_done = |account: &ClientAccount| account.secret_hash == secret_hash && is_paid(account);
    wait_for(chain, &address, is_done).await
}

/// Pays `amount` into an existing contract.
pub async fn top_up(wallet: &NodeWallet, contract: &Address, amount: Nanoton) -> Result<(), ClientError> {
    let excesses = wallet.address().clone();
    let body = message(&AskToTopUp {
        query_id: query_id(),
        top_up_amount: amount,
        send_excesses_to: excesses,
    })?;
    send(wallet, contract, amount, body, None).await
}

/// Has an existing contract pay the proxy what its latest voucher says; `voucher` is a BoC.
pub async fn charge(wallet: &NodeWallet, contract: &Address, voucher: &[u8]) -> Result<(), ClientError> {
    let voucher = SignedVoucher::from_cell(&parse_boc(voucher)?)?;
    let body = voucher.with_excesses(wallet.address()).to_cell()?;
    send(wallet, contract, Nanoton::ZERO, body, None).await
}

/// Begins to close an existing contract, or ends that after the delay: what is left goes to the wallet.
pub async fn request_refund(wallet: &NodeWallet, contract: &Address) -> Result<(), ClientError> {
    let excesses = wallet.address().clone();
    let body = message(&RequestRefundFromOwner {
        query_id: query_id(),
        send_excesses_to: excesses,
    })?;
    send(wallet, contract, Nanoton::ZERO, body, None).await
}

/// Gets back what an existing contract holds beyond its stake.
pub async fn withdraw(wallet: &NodeWallet, contract: &Address) -> Result<(), ClientError> {
    let excesses = wallet.address().clone();
    let body = message(&WithdrawFromOwner {
        query_id: query_id(),
        send_excesses_to: excesses,
    })?;
    send(wallet, contract, Nanoton::ZERO, body, None).await
}

/// Answers a proxy's challenge through the chain.
pub async fn register(wallet: &NodeWallet, contract: &Address, nonce: u64) -> Result<(), ClientError> {
    let excesses = wallet.address().clone();
    let body = message(&RegisterFromOwner {
        query_id: query_id(),
        nonce,
        send_excesses_to: excesses,
    })?;
    send(wallet, contract, Nanoton::ZERO, body, None).await
}

async fn send(
    wallet: &NodeWallet,
    contract: &Address,
    amount: Nanoton,
    body: Cell,
    state_init: Option<StateInit>,
) -> Result<(), ClientError> {
    let value = amount.checked_add(MESSAGE_VALUE).unwrap_or(Nanoton::MAX);
    // A contract that does not exist yet must not bounce its own deployment.
    let bounce = state_init.is_none();
    wallet
        .send(vec![InternalMessage {
            to: contract.clone(),
            value,
            bounce,
            body,
            state_init,
        }])
        .await?;
    Ok(())
}

async fn wait_for(
    chain: &SharedChain,
    address: &Address,
    is_done: impl Fn(&ClientAccount) -> bool,
) -> Result<ClientAccount, ClientError> {
    let deadline = Instant::now() + CONTRACT_EFFECT_TIMEOUT;
    loop {
        match ClientAccount::fetch(chain.as_ref(), address).await {
            Ok(account) if is_done(&account) => return Ok(account),
            Ok(_) | Err(ChainError::NotDeployed { .. }) => {}
            Err(error) => tracing::warn!(%error, "client contract cannot be read, asking again"),
        }
        if Instant::now() >= deadline {
            return Err(ClientError::NoEffect(address.clone()));
        }
        tokio::time::sleep(CONTRACT_POLL).await;
    }
}

fn message(body: &impl Store) -> Result<Cell, ClientError> {
    Ok(to_cell(body).map_err(BindingsError::layout("a message to a client contract"))?)
}

fn query_id() -> QueryId {
    QueryId::new(rand::random())
}
