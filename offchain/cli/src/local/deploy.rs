//! Deployment of a network by real messages of its people; every step looks first and acts only when needed.

use std::future::Future;
use std::time::Duration;

use cocoon_bindings::client::TopUpWithSecretFromOwner;
use cocoon_bindings::message::{InternalMessage, MAX_WALLET_MESSAGES};
use cocoon_bindings::proxy::AskToIncreaseProxyStake;
use cocoon_bindings::root::{
    AddModelHashFromOwner, AddProxyHashFromOwner, AddWorkerHashFromOwner, RegisterProxyFromOwner, UpdateProxyFromOwner,
};
use cocoon_bindings::ton::{Address, Cell, HashBytes, Store, to_cell};
use cocoon_bindings::{
    ImageHash, ModelHash, Nanoton, ProxyEndpoints, QueryId, StateInit, client_state_init, proxy_state_init,
    worker_state_init,
};
use cocoon_chain::{ClientAccount, NodeWallet, ProxyAccount, RootView, SharedChain, WorkerAccount};

use super::actors::Actors;
use super::economy::{CLIENT_TOP_UP, FEES, PROXY_STAKE, root_contract};
use crate::failure::{self, Exit, Failure};

/// How long the effect of a message may take on the local chain.
const EFFECT_TIMEOUT: Duration = Duration::from_secs(20);
const EFFECT_POLL: Duration = Duration::from_millis(100);

/// What the root contract is to list.
pub struct Listing {
    /// Image of the proxy.
    pub proxy_image: ImageHash,
    /// Image of the worker.
    pub worker_image: ImageHash,
    /// The models.
    pub models: Vec<ModelHash>,
    /// Where the proxy listens.
    pub endpoints: ProxyEndpoints,
}

/// Addresses of the contracts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contracts {
    /// Rules the network.
    pub root: Address,
    /// The proxy's.
    pub proxy: Address,
    /// The client's at this proxy.
    pub client: Address,
    /// The worker's at this proxy.
    pub worker: Address,
}

/// Brings the chain to the state in which the runners can work.
pub struct Deployment<'a> {
    chain: &'a SharedChain,
    actors: &'a Actors,
}

impl<'a> Deployment<'a> {
    /// Deploys for `actors` on `chain`.
    pub fn new(chain: &'a SharedChain, actors: &'a Actors) -> Self {
        Self { chain, actors }
    }

    /// The root contract with everything that it is to list.
    pub async fn root(&self, listing: &Listing) -> Result<RootView, Failure> {
        let governor = &self.actors.governor;
        let state = root_contract(governor.address())?;
        let root = self.ensure_contract(governor, &state).await?;
        let view = self.root_view(&root).await?;
        let ask = |body: Cell| message(&root, FEES, body);
        let query_id = QueryId::new(rand::random());
        let mut messages = Vec::new();
        if !view.allows_proxy_image(&listing.proxy_image) {
            let hash = listing.proxy_image.to_hash_bytes();
            messages.push(ask(body(&AddProxyHashFromOwner { query_id, hash })?));
        }
        if !view.allows_worker_image(&listing.worker_image) {
            let hash = listing.worker_image.to_hash_bytes();
            messages.push(ask(body(&AddWorkerHashFromOwner { query_id, hash })?));
        }
        for model in listing.models.iter().filter(|model| !view.allows_model(model)) {
            let hash = model.to_hash_bytes();
            messages.push(ask(body(&AddModelHashFromOwner { query_id, hash })?));
        }
        let endpoints = listing.endpoints.clone();
        match view.data.proxies.iter().next() {
            None => messages.push(ask(body(&RegisterProxyFromOwner { query_id, endpoints })?)),
            Some((seqno, known)) if *known != endpoints => {
                messages.push(ask(body(&UpdateProxyFromOwner {
                    query_id,
                    seqno: *seqno,
                    endpoints,
                })?));
            }
            Some(_) => {}
        }
        self.send(governor, messages).await?;
        self.until("the root contract lists the network", || async {
            let view = self.root_view(&root).await?;
            let listed = view.allows_proxy_image(&listing.proxy_image)
                && view.allows_worker_image(&listing.worker_image)
                && listing.models.iter().all(|model| view.allows_model(model))
                && view
                    .data
                    .proxies
                    .values()
                    .any(|endpoints| *endpoints == listing.endpoints);
            Ok(listed.then_some(view))
        })
        .await
    }

    /// The proxy's contract with its stake.
    pub async fn proxy(&self, root: &RootView) -> Result<Address, Failure> {
        let owner = &self.actors.proxy_owner;
        let state = proxy_state_init(owner.address(), &self.actors.proxy_key, &root.address, &root.params)
            .map_err(anyhow::Error::from)?;
        let address = self.ensure_contract(owner, &state).await?;
        let account = ProxyAccount::fetch(&**self.chain, &address)
            .await
            .map_err(failure::from_chain)?;
        let missing = PROXY_STAKE.saturating_sub(account.stake);
        if missing > Nanoton::ZERO {
            let stake = AskToIncreaseProxyStake {
                query_id: QueryId::new(rand::random()),
                stake_amount: missing,
                send_excesses_to: owner.address().clone(),
            };
            self.send(owner, vec![message(&address, plus_fees(missing)?, body(&stake)?)])
                .await?;
            self.until("the proxy's stake is in its contract", || async {
                let account = ProxyAccount::fetch(&**self.chain, &address)
                    .await
                    .map_err(failure::from_chain)?;
                Ok((account.stake >= PROXY_STAKE).then_some(()))
            })
            .await?;
        }
        Ok(address)
    }

    /// The worker's contract at the proxy.
    pub async fn worker(&self, root: &RootView, proxy: &Address) -> Result<Address, Failure> {
        let owner = &self.actors.worker_owner;
        let state = worker_state_init(owner.address(), proxy, &self.actors.proxy_key, &root.params)
            .map_err(anyhow::Error::from)?;
        let address = self.ensure_contract(owner, &state).await?;
        WorkerAccount::fetch(&**self.chain, &address)
            .await
            .map_err(failure::from_chain)?;
        Ok(address)
    }

    /// The client's contract at the proxy, filled, with the hash of the client's secret.
    pub async fn client(&self, root: &RootView, proxy: &Address, secret_hash: [u8; 32]) -> Result<Address, Failure> {
        let owner = &self.actors.client_wallet;
        let state = client_state_init(owner.address(), proxy, &self.actors.proxy_key, &root.params)
            .map_err(anyhow::Error::from)?;
        let address = self.ensure_contract(owner, &state).await?;
        let account = ClientAccount::fetch(&**self.chain, &address)
            .await
            .map_err(failure::from_chain)?;
        if account.secret_hash == secret_hash && account.balance >= root.params.min_client_stake {
            return Ok(address);
        }
        let top_up = TopUpWithSecretFromOwner {
            query_id: QueryId::new(rand::random()),
            top_up_amount: CLIENT_TOP_UP,
            new_secret_hash: HashBytes(secret_hash),
            send_excesses_to: owner.address().clone(),
        };
        self.send(
            owner,
            vec![message(&address, plus_fees(CLIENT_TOP_UP)?, body(&top_up)?)],
        )
        .await?;
        self.until("the client's payment is in its contract", || async {
            let now = ClientAccount::fetch(&**self.chain, &address)
                .await
                .map_err(failure::from_chain)?;
            Ok((now.secret_hash == secret_hash && now.balance > account.balance).then_some(()))
        })
        .await?;
        Ok(address)
    }

    async fn ensure_contract(&self, from: &NodeWallet, state: &StateInit) -> Result<Address, Failure> {
        let address = state.address().map_err(anyhow::Error::from)?;
        if self.is_active(&address).await? {
            return Ok(address);
        }
        let deploy = InternalMessage {
            to: address.clone(),
            value: FEES,
            bounce: false,
            body: Cell::default(),
            state_init: Some(state.clone()),
        };
        self.send(from, vec![deploy]).await?;
        self.until("the contract is deployed", || async {
            Ok(self.is_active(&address).await?.then_some(()))
        })
        .await?;
        Ok(address)
    }

    async fn is_active(&self, address: &Address) -> Result<bool, Failure> {
        Ok(self
            .chain
            .account(address)
            .await
            .map_err(failure::from_chain)?
            .is_active())
    }

    async fn root_view(&self, root: &Address) -> Result<RootView, Failure> {
        RootView::fetch(&**self.chain, root).await.map_err(failure::from_chain)
    }

    async fn send(&self, from: &NodeWallet, messages: Vec<InternalMessage>) -> Result<(), Failure> {
        for some in messages.chunks(MAX_WALLET_MESSAGES) {
            from.send(some.to_vec()).await.map_err(failure::from_chain)?;
        }
        Ok(())
    }

    /// Looks until `what` is true.
    async fn until<T, F>(&self, what: &str, mut look: impl FnMut() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<Option<T>, Failure>>,
    {
        let wait = async {
            loop {
                if let Some(found) = look().await? {
                    return Ok(found);
                }
                tokio::time::sleep(EFFECT_POLL).await;
            }
        };
        tokio::time::timeout(EFFECT_TIMEOUT, wait).await.unwrap_or_else(|_| {
            Err(Failure::new(
                Exit::Chain,
                anyhow::anyhow!("a message had no effect: not yet true that {what}"),
                "look at the contract's last transactions; `cocoon up --fresh` starts over",
            ))
        })
    }
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

fn body(message: &impl Store) -> Result<Cell, Failure> {
    Ok(to_cell(message).map_err(anyhow::Error::from)?)
}

fn plus_fees(amount: Nanoton) -> Result<Nanoton, Failure> {
    Ok(amount
        .checked_add(FEES)
        .ok_or_else(|| anyhow::anyhow!("an amount is out of range"))?)
}
