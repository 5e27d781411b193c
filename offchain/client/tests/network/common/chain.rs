//! A chain that holds a root contract and nothing else.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cocoon_attest::simulated::simulated_measurements;
use cocoon_bindings::ton::{Address, Cell, HashBytes, StackValue};
use cocoon_bindings::units::{Nanoton, ParamsVersion};
use cocoon_bindings::{
    ContractKind, HashList, Multipliers, Params, ProxyEndpoints, RootData, STRUCT_VERSION, root_state_init,
};
use cocoon_chain::{
    AccountState, AccountStatus, ChainClient, ChainError, GetterResult, RootView, Transaction, TransactionId,
};

pub(crate) const ROOT: Address = Address::new(0, HashBytes([5; 32]));
const NOW: u32 = 1_790_000_000;

#[derive(Debug, Clone)]
pub(crate) struct FixedChain {
    data: Arc<Mutex<Cell>>,
}

impl FixedChain {
    /// A test network with one proxy at `proxy`.
    pub(crate) fn new(proxy: SocketAddr, unlisted_image: bool) -> (Self, Arc<RootView>) {
        let mut data = listing(proxy);
        if unlisted_image {
            data.proxy_hashes.clear();
        }
        let (owner, params) = (Address::new(0, [6; 32].into()), params());
        let init = root_state_init(&owner, 3, &data, &params).unwrap();
        let view = RootView {
            address: ROOT,
            owner,
            version: 3,
            params,
            data,
            time: NOW,
        };
        let data = Arc::new(Mutex::new(init.data));
        (Self { data }, Arc::new(view))
    }

    /// The root contract's owner changes what it lists.
    pub(crate) fn list(&self, data: &RootData) {
        let init = root_state_init(&Address::new(0, [6; 32].into()), 4, data, &params()).unwrap();
        *self.data.lock().unwrap() = init.data;
    }
}

/// What the root contract lists.
pub(crate) fn listing(proxy: SocketAddr) -> RootData {
    let endpoint = ProxyEndpoints {
        workers: format!("[{proxy}]"),
        clients: format!("[{proxy}]"),
    };
    let image = |role| simulated_measurements(role).image_hash();
    RootData {
        proxy_hashes: [image("proxy")].into(),
        proxies: BTreeMap::from([(1, endpoint)]),
        last_proxy_seqno: 1,
        worker_hashes: [image("worker")].into(),
        model_hashes: HashList::default(),
    }
}

pub(crate) fn params() -> Params {
    let code = |kind: ContractKind| Some(kind.code().unwrap());
    Params {
        struct_version: STRUCT_VERSION,
        params_version: ParamsVersion::new(2),
        unique_id: 13,
        is_test: true,
        price_per_token: Nanoton::new(20),
        worker_fee_per_token: Nanoton::new(18),
        multipliers: Multipliers::default(),
        proxy_delay_before_close: 600,
        client_delay_before_close: 300,
        min_proxy_stake: Nanoton::from_ton(1),
        min_client_stake: Nanoton::from_ton(1),
        proxy_code: code(ContractKind::Proxy),
        worker_code: code(ContractKind::Worker),
        client_code: code(ContractKind::Client),
    }
}

#[async_trait]
impl ChainClient for FixedChain {
    async fn account(&self, address: &Address) -> Result<AccountState, ChainError> {
        let is_root = *address == ROOT;
        Ok(AccountState {
            address: address.clone(),
            balance: Nanoton::ZERO,
            status: if is_root {
                AccountStatus::Active
            } else {
                AccountStatus::NotExists
            },
            code: None,
            data: is_root.then(|| self.data.lock().unwrap().clone()),
            last: None,
            time: NOW,
        })
    }

    async fn run_get_method(&self, address: &Address, _: &str, _: Vec<StackValue>) -> Result<GetterResult, ChainError> {
        Err(ChainError::NotDeployed {
            what: "contract",
            address: address.clone(),
        })
    }

    async fn transactions(
        &self,
        _: &Address,
        _: usize,
        _: Option<TransactionId>,
    ) -> Result<Vec<Transaction>, ChainError> {
        Ok(Vec::new())
    }

    async fn send_boc(&self, _: &Cell) -> Result<(), ChainError> {
        Ok(())
    }

    async fn now(&self) -> Result<u32, ChainError> {
        Ok(NOW)
    }
}
