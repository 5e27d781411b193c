//! The client contract on a chain: deployed, funded, registered.

#![allow(clippy::unwrap_used, reason = "a test that fails, fails loudly")]

use std::sync::Arc;

use crate::common::chain::{FixedChain, listing};
use crate::common::proxy::ProxyKeys;
use crate::common::{Options, WALLET_OWNER, WALLET_SEED, World};
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::proxy::AskToIncreaseProxyStake;
use cocoon_bindings::ton::{Address, CellBuilder, friendly, to_cell};
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::units::{Nanoton, PublicKey, QueryId};
use cocoon_bindings::{proxy_state_init, root_state_init};
use cocoon_chain::{ClientAccount, EmulatedChain, NodeWallet, RootView, SharedChain};
use cocoon_client::contract::{register, top_up};
use cocoon_client::{FundingConfig, ProxyIdentity, ensure_client_contract};
use cocoon_emulator::{Emulator, NetworkConfig};
use ed25519_dalek::SigningKey;

const FUNDING: FundingConfig = FundingConfig {
    amount: Nanoton::from_ton(5),
    refill_below: Nanoton::from_ton(2),
};

pub(crate) struct Chain {
    pub(crate) emulated: EmulatedChain,
    pub(crate) shared: SharedChain,
    wallet: NodeWallet,
    root: Arc<RootView>,
    proxy: ProxyIdentity,
}

impl Chain {
    /// A funded wallet and a deployed proxy contract.
    async fn new() -> Self {
        let emulated = EmulatedChain::new(Emulator::new(&NetworkConfig::default(), 1_790_000_000).unwrap());
        let shared: SharedChain = Arc::new(emulated.clone());
        let owner = Address::new(0, [6; 32].into());
        let wallet = NodeWallet::new(Arc::clone(&shared), SigningKey::from_bytes(&[1; 32]), owner.clone()).unwrap();
        emulated
            .with(|chain| {
                chain
                    .fund(wallet.address(), Nanoton::from_ton(100))
                    .map(|_| chain.run())
            })
            .unwrap()
            .unwrap();
        let (_, root) = FixedChain::new("127.0.0.1:1".parse().unwrap(), false);
        let key = PublicKey::from(&SigningKey::from_bytes(&[3; 32]));
        let proxy = ProxyIdentity::derive(&root, &owner, key).unwrap();
        deploy_proxy(&wallet, &root, &owner, &key).await;
        Self {
            emulated,
            shared,
            wallet,
            root,
            proxy,
        }
    }

    async fn ensure(&self, secret: u8) -> ClientAccount {
        let Self {
            shared,
            wallet,
            root,
            proxy,
            ..
        } = self;
        ensure_client_contract(shared, wallet, root, proxy, &FUNDING, [secret; 32])
            .await
            .unwrap()
    }

    fn messages_sent(&self) -> usize {
        self.emulated
            .with(|chain| chain.transactions(self.wallet.address()).len())
    }
}

/// A proxy contract with one TON of stake.
async fn deploy_proxy(wallet: &NodeWallet, root: &RootView, owner: &Address, key: &PublicKey) {
    let state_init = proxy_state_init(owner, key, &root.address, &root.params).unwrap();
    let stake = AskToIncreaseProxyStake {
        query_id: QueryId::new(1),
        stake_amount: Nanoton::from_ton(1),
        send_excesses_to: wallet.address().clone(),
    };
    let deploy = InternalMessage {
        to: state_init.address().unwrap(),
        value: Nanoton::from_ton(2),
        bounce: false,
        body: to_cell(&stake).unwrap(),
        state_init: Some(state_init),
    };
    wallet.send(vec![deploy]).await.unwrap();
}

#[tokio::test]
async fn a_contract_is_deployed_with_money_and_secret_at_its_derived_address() {
    let chain = Chain::new().await;
    let account = chain.ensure(7).await;
    let derived = chain
        .proxy
        .client_contract(&chain.root, chain.wallet.address())
        .unwrap()
        .address()
        .unwrap();
    assert_eq!(account.account.address, derived);
    assert_eq!((account.balance, account.secret_hash), (FUNDING.amount, [7; 32].into()));
    assert_eq!(
        (&account.constants.owner, &account.constants.proxy),
        (chain.wallet.address(), &chain.proxy.contract)
    );
}

#[tokio::test]
async fn nothing_is_sent_when_all_is_well_and_only_what_is_missing_else() {
    let chain = Chain::new().await;
    let address = chain.ensure(7).await.account.address;
    let before = chain.messages_sent();
    chain.ensure(7).await;
    assert_eq!(chain.messages_sent(), before);
    let account = chain.ensure(8).await;
    assert_eq!((account.balance, account.secret_hash), (FUNDING.amount, [8; 32].into()));
    top_up(&chain.wallet, &address, Nanoton::from_ton(1)).await.unwrap();
    let account = ClientAccount::fetch(chain.shared.as_ref(), &address).await.unwrap();
    assert_eq!(account.balance, Nanoton::from_ton(6));
}

#[tokio::test]
async fn a_registration_reaches_the_proxy_contract() {
    let chain = Chain::new().await;
    let address = chain.ensure(7).await.account.address;
    let seen = |chain: &Chain| chain.emulated.with(|c| c.transactions(&chain.proxy.contract).len());
    let before = seen(&chain);
    register(&chain.wallet, &address, 0x1234).await.unwrap();
    assert_eq!(seen(&chain), before + 1);
    let last = chain
        .emulated
        .with(|c| c.transactions(&chain.proxy.contract).last().cloned())
        .unwrap();
    assert_eq!(last.op(), Some(0x6544_8ff4));
}

/// A chain, a client on it with a contract that it deployed, and the proxy's contract.
pub(crate) async fn connected() -> (Chain, World, Address) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let chain = Chain::new().await;
    let wallet = |seed: [u8; 32]| {
        NodeWallet::new(Arc::clone(&chain.shared), SigningKey::from_bytes(&seed), WALLET_OWNER).unwrap()
    };
    let clients = wallet(WALLET_SEED);
    chain
        .emulated
        .with(|c| c.fund(clients.address(), Nanoton::from_ton(100)).map(|_| c.run()))
        .unwrap()
        .unwrap();
    let data = listing(listener.local_addr().unwrap());
    let state_init = root_state_init(&WALLET_OWNER, 3, &data, &chain.root.params).unwrap();
    let address = state_init.address().unwrap();
    let note = InternalMessage {
        to: address.clone(),
        value: Nanoton::from_ton(1),
        bounce: false,
        body: CellBuilder::new().build().unwrap(),
        state_init: Some(state_init),
    };
    chain.wallet.send(vec![note]).await.unwrap();
    let root = Arc::new(RootView::fetch(chain.shared.as_ref(), &address).await.unwrap());
    let keys = ProxyKeys::new(Arc::clone(&root));
    let keys_contract = keys.identity.contract.clone();
    deploy_proxy(&chain.wallet, &root, &keys.owner, &keys.identity.public_key).await;

    let options = Options {
        long_nonce: Some(0x77),
        ..Options::default()
    };
    let world = World::on(Arc::clone(&chain.shared), root, listener, Some(FUNDING), options).await;
    world.connected().await;
    (chain, world, keys_contract)
}

#[tokio::test]
async fn a_client_unknown_to_the_proxy_deploys_funds_and_registers_by_itself() {
    let (chain, world, keys_contract) = connected().await;
    let contract = world
        .client
        .upstream()
        .borrow()
        .connection
        .as_ref()
        .unwrap()
        .client_contract
        .clone();
    let account = ClientAccount::fetch(chain.shared.as_ref(), &contract).await.unwrap();
    assert_eq!(account.balance, FUNDING.amount);
    let registered = chain
        .emulated
        .with(|c| c.transactions(&contract))
        .iter()
        .any(|t| t.op() == Some(0xc45f_9f3b));
    assert!(registered);

    // Money moves over the operator's socket, and not over the port for questions.
    let posted = world.post("/request/topup", "").await;
    assert_eq!(posted.status(), 404);
    let socket = world.folder.path().join("client/admin.sock");
    let operator = reqwest::Client::builder()
        .unix_socket(socket)
        .no_proxy()
        .build()
        .unwrap();
    let post = async |path: &str| {
        let answer = operator.post(format!("http://client{path}")).send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json::<serde_json::Value>().await.unwrap(),
        )
    };
    let (status, body) = post("/request/topup?amount=3000000000").await;
    assert_eq!((status, &body["submitted"]), (200, &true.into()), "{body}");
    let account = ClientAccount::fetch(chain.shared.as_ref(), &contract).await.unwrap();
    assert_eq!(account.balance, Nanoton::from_ton(8));
    let (status, body) = post(&format!("/request/topup?proxy={}", friendly(&contract, false, true))).await;
    assert_eq!((status, body["hint"].is_string()), (404, true), "no such proxy: {body}");
    assert_eq!(post("/request/charge").await.0, 409, "no voucher yet");
    let proxy = friendly(&keys_contract, false, true);
    let (status, body) = post(&format!("/request/withdraw?proxy={proxy}")).await;
    assert_eq!(status, 200, "{body}");
    let (status, body) = post(&format!("/request/close?proxy={proxy}")).await;
    assert_eq!(status, 200, "{body}");
    let account = ClientAccount::fetch(chain.shared.as_ref(), &contract).await.unwrap();
    assert_ne!(account.state, Lifecycle::Normal);
}
