//! Operations on an emulated chain, from the wallet to the contracts and back.

mod again;
mod foreign;
mod governance;
mod kill;
mod life;
mod wallets;

use std::path::PathBuf;
use std::sync::Arc;

use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::Address;
use cocoon_bindings::ton::Cell;
use cocoon_bindings::units::{Nanoton, ParamsVersion, PublicKey};
use cocoon_bindings::wallets::{WALLET_ID_MAINNET, WalletContract};
use cocoon_bindings::{
    ContractKind, Multipliers, Params, RootData, STRUCT_VERSION, StateInit, proxy_state_init, root_state_init,
};
use cocoon_chain::{ChainClient as _, EmulatedChain, SharedChain};
use cocoon_emulator::{Emulator, NetworkConfig};
use ed25519_dalek::SigningKey;

use crate::{Awaited, Manner, Operation, Order, Outcome, OwnerError, Preview, Sender, Watch, drive};

const START: u32 = 1_790_000_000;

/// A chain with a root contract and a proxy, and the wallet of an owner.
struct Stage {
    chain: EmulatedChain,
    root: Address,
    proxy: Address,
    proxy_key: SigningKey,
    folder: tempfile::TempDir,
}

/// Says yes to everything and remembers it.
struct Yes {
    key: SigningKey,
    confirmed: Vec<&'static str>,
    fees: Vec<Nanoton>,
    waited: Vec<Awaited>,
    recovered: usize,
}

impl Yes {
    fn new(key: &SigningKey) -> Self {
        Self {
            key: key.clone(),
            confirmed: Vec::new(),
            fees: Vec::new(),
            waited: Vec::new(),
            recovered: 0,
        }
    }
}

impl Watch for Yes {
    fn confirm(&mut self, order: &Order, preview: &Preview) -> Result<(), OwnerError> {
        self.confirmed.push(order.step);
        self.fees.push(preview.fees);
        Ok(())
    }

    fn key(&mut self) -> Result<SigningKey, OwnerError> {
        Ok(self.key.clone())
    }

    fn recovering(&mut self) {
        self.recovered += 1;
    }

    fn sending(&mut self, _: &Order) {}

    fn waiting(&mut self, awaited: &Awaited) {
        self.waited.push(awaited.clone());
    }
}

fn key(byte: u8) -> SigningKey {
    SigningKey::from_bytes(&[byte; 32])
}

fn v5(byte: u8) -> WalletContract {
    WalletContract::v5r1(PublicKey::from(&key(byte)), WALLET_ID_MAINNET)
}

fn person(byte: u8) -> Address {
    Address::new(0, [byte; 32].into())
}

impl Stage {
    fn new() -> Self {
        Self::owned_by(&person(1))
    }

    /// With a root contract of this owner.
    fn owned_by(owner: &Address) -> Self {
        let chain = EmulatedChain::new(Emulator::new(&NetworkConfig::default(), START).unwrap());
        let params = params();
        let root = root_state_init(owner, 0, &RootData::default(), &params).unwrap();
        let proxy_key = key(90);
        let at = root.address().unwrap();
        let proxy = proxy_state_init(&person(2), &PublicKey::from(&proxy_key), &at, &params).unwrap();
        let stage = Self {
            chain,
            root: at,
            proxy: proxy.address().unwrap(),
            proxy_key,
            folder: tempfile::tempdir().unwrap(),
        };
        stage.deploy(&root);
        stage.deploy(&proxy);
        stage
    }

    fn deploy(&self, init: &StateInit) {
        let message = InternalMessage {
            to: init.address().unwrap(),
            value: Nanoton::from_ton(1),
            bounce: false,
            body: Cell::default(),
            state_init: Some(init.clone()),
        };
        self.chain.with(|chain| {
            chain.send_internal(&person(1), &message).unwrap();
            chain.run().unwrap();
        });
    }

    /// The owner of the proxy adds to its stake.
    fn stake(&self, ton: u64) {
        let body = cocoon_bindings::proxy::AskToIncreaseProxyStake {
            query_id: cocoon_bindings::units::QueryId::new(1),
            stake_amount: Nanoton::from_ton(ton),
            send_excesses_to: person(2),
        };
        let message = InternalMessage {
            to: self.proxy.clone(),
            value: Nanoton::from_ton(ton.saturating_add(1)),
            bounce: true,
            body: cocoon_bindings::ton::to_cell(&body).unwrap(),
            state_init: None,
        };
        self.chain.with(|chain| {
            chain.send_internal(&person(2), &message).unwrap();
            chain.run().unwrap();
        });
    }

    fn shared(&self) -> SharedChain {
        Arc::new(self.chain.clone())
    }

    fn fund(&self, address: &Address, ton: u64) {
        self.chain.with(|chain| {
            chain.fund(address, Nanoton::from_ton(ton)).unwrap();
            chain.run().unwrap();
        });
    }

    fn journals(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    fn sender(&self, wallet: &WalletContract) -> Sender {
        Sender::open(self.shared(), wallet.clone(), &self.journals()).unwrap()
    }

    async fn balance(&self, address: &Address) -> Nanoton {
        self.chain.account(address).await.unwrap().balance
    }

    /// Runs an operation to its end, or to where it would wait.
    async fn run(&self, wallet: &WalletContract, byte: u8, operation: &dyn Operation) -> Result<Outcome, OwnerError> {
        let mut sender = self.sender(wallet);
        let manner = Manner {
            through: None,
            does_not_wait: true,
        };
        let outcome = drive(operation, &mut sender, &manner, &mut Yes::new(&key(byte))).await?;
        if outcome.awaits.is_none() {
            sender
                .journal()
                .finish(&crate::operation_id(operation, &manner))
                .unwrap();
        }
        Ok(outcome)
    }

    fn advance(&self, seconds: u32) {
        self.chain.with(|chain| chain.advance(seconds)).unwrap();
    }
}

fn params() -> Params {
    let code = |kind: ContractKind| Some(kind.code().unwrap());
    Params {
        struct_version: STRUCT_VERSION,
        params_version: ParamsVersion::new(1),
        unique_id: 7,
        is_test: true,
        price_per_token: Nanoton::new(10_000),
        worker_fee_per_token: Nanoton::new(8_000),
        multipliers: Multipliers::default(),
        proxy_delay_before_close: 600,
        client_delay_before_close: 300,
        min_proxy_stake: Nanoton::from_ton(10),
        min_client_stake: Nanoton::from_ton(5),
        proxy_code: code(ContractKind::Proxy),
        worker_code: code(ContractKind::Worker),
        client_code: code(ContractKind::Client),
    }
}
