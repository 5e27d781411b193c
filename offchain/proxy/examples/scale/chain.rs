//! An emulated chain with a root contract, a wallet, and many client contracts; each question to it takes a while.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cocoon_attest::simulated::simulated_measurements;
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, Cell, HashBytes, StackValue, to_cell};
use cocoon_bindings::units::{ModelHash, Nanoton, ParamsVersion, PublicKey, QueryId};
use cocoon_bindings::{
    ContractKind, Multipliers, Params, RootData, StateInit, client_state_init, proxy_state_init, root_state_init,
    wallet_state_init,
};
use cocoon_chain::{AccountState, ChainClient, ChainError, EmulatedChain, GetterResult, Transaction, TransactionId};
use cocoon_emulator::{Emulator, NetworkConfig};
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};

use crate::Result;
use crate::client::SECRET;

pub(crate) const MODEL: &str = "parrot";
pub(crate) const CONTRACT_KEY: [u8; 32] = [21; 32];
pub(crate) const WALLET_KEY: [u8; 32] = [22; 32];

/// The address of a wallet that owns a client or a worker.
pub(crate) fn owner(kind: u8, number: usize) -> Address {
    let mut bytes = [kind; 32];
    bytes[24..].copy_from_slice(&(number as u64).to_be_bytes());
    Address::new(0, HashBytes(bytes))
}

/// The chain and who is on it.
pub(crate) struct Stage {
    pub(crate) chain: EmulatedChain,
    pub(crate) root: Address,
    pub(crate) owner: Address,
    params: Params,
}

impl Stage {
    pub(crate) fn new() -> Result<Self> {
        let chain = EmulatedChain::new(Emulator::new(&NetworkConfig::default(), 1_780_000_000)?);
        let params = Params {
            struct_version: 3,
            params_version: ParamsVersion::new(1),
            unique_id: 7,
            is_test: true,
            price_per_token: Nanoton::new(2_000),
            worker_fee_per_token: Nanoton::new(1_500),
            multipliers: Multipliers::default(),
            proxy_delay_before_close: 600,
            client_delay_before_close: 300,
            min_proxy_stake: Nanoton::from_ton(1),
            min_client_stake: Nanoton::from_ton(1),
            proxy_code: Some(ContractKind::Proxy.code()?),
            worker_code: Some(ContractKind::Worker.code()?),
            client_code: Some(ContractKind::Client.code()?),
        };
        let data = RootData {
            proxy_hashes: [simulated_measurements("proxy").image_hash()].into(),
            worker_hashes: [simulated_measurements("worker").image_hash()].into(),
            model_hashes: [ModelHash::new(Sha256::digest(MODEL).into())].into(),
            ..RootData::default()
        };
        let governor = owner(1, 0);
        let state_init = root_state_init(&governor, 1, &data, &params)?;
        let stage = Self {
            chain,
            root: state_init.address()?,
            owner: owner(2, 0),
            params,
        };
        stage.deliver(
            &governor,
            &stage.root,
            Nanoton::from_ton(1),
            Cell::default(),
            Some(state_init),
        )?;
        let wallet = wallet_state_init(&PublicKey::from(&SigningKey::from_bytes(&WALLET_KEY)), &stage.owner)?;
        let (wallet, amount) = (wallet.address()?, Nanoton::from_ton(100));
        stage
            .chain
            .with(|chain| chain.fund(&wallet, amount).and_then(|_| chain.run()))?;
        Ok(stage)
    }

    /// Opens a client contract that is good for half a million tokens.
    pub(crate) fn open_client(&self, owner: &Address) -> Result<()> {
        let key = PublicKey::from(&SigningKey::from_bytes(&CONTRACT_KEY));
        let proxy = proxy_state_init(&self.owner, &key, &self.root, &self.params)?.address()?;
        let state_init = client_state_init(owner, &proxy, &key, &self.params)?;
        let top_up = cocoon_bindings::client::TopUpWithSecretFromOwner {
            query_id: QueryId::new(1),
            top_up_amount: Nanoton::from_ton(5),
            new_secret_hash: HashBytes(Sha256::digest(SECRET).into()),
            send_excesses_to: owner.clone(),
        };
        let to = state_init.address()?;
        self.deliver(owner, &to, Nanoton::from_ton(6), to_cell(&top_up)?, Some(state_init))
    }

    fn deliver(
        &self,
        from: &Address,
        to: &Address,
        value: Nanoton,
        body: Cell,
        state_init: Option<StateInit>,
    ) -> Result<()> {
        let message = InternalMessage {
            to: to.clone(),
            value,
            bounce: false,
            body,
            state_init,
        };
        self.chain
            .with(|chain| chain.send_internal(from, &message).and_then(|_| chain.run()))?;
        Ok(())
    }
}

/// The chain behind a network: every question takes `delay`.
#[derive(Debug)]
pub(crate) struct FarChain {
    chain: EmulatedChain,
    delay: Duration,
}

impl FarChain {
    pub(crate) fn new(chain: EmulatedChain, delay: Duration) -> Arc<Self> {
        Arc::new(Self { chain, delay })
    }

    async fn reach(&self) -> &EmulatedChain {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        &self.chain
    }
}

#[async_trait]
impl ChainClient for FarChain {
    async fn account(&self, address: &Address) -> std::result::Result<AccountState, ChainError> {
        self.reach().await.account(address).await
    }

    async fn run_get_method(
        &self,
        address: &Address,
        method: &str,
        arguments: Vec<StackValue>,
    ) -> std::result::Result<GetterResult, ChainError> {
        self.reach().await.run_get_method(address, method, arguments).await
    }

    async fn transactions(
        &self,
        address: &Address,
        limit: usize,
        from: Option<TransactionId>,
    ) -> std::result::Result<Vec<Transaction>, ChainError> {
        self.reach().await.transactions(address, limit, from).await
    }

    async fn send_boc(&self, message: &Cell) -> std::result::Result<(), ChainError> {
        self.reach().await.send_boc(message).await
    }

    async fn now(&self) -> std::result::Result<u32, ChainError> {
        self.reach().await.now().await
    }
}
