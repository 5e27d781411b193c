//! Contracts with data of the network's contracts that are none of them, and those of earlier codes.

use cocoon_bindings::proxy::ProxyStorage;
use cocoon_bindings::root::ChangeCodesFromOwner;
use cocoon_bindings::ton::{Address, Cell, CellBuilder, Load as _, to_cell};
use cocoon_bindings::units::{Nanoton, ParamsVersion, QueryId, TokenCount};
use cocoon_bindings::worker::WorkerStorage;
use cocoon_bindings::{ContractKind, Params, StateInit, proxy_state_init, worker_state_init};

use super::{Stage, params};

impl Stage {
    /// Code that accepts every message and does nothing.
    fn other_code() -> Cell {
        CellBuilder::new().build().unwrap()
    }

    /// A contract that holds what the proxy contract was deployed with, and whose code is another.
    pub(in crate::tests) fn forge_proxy(&self) -> Address {
        let data = proxy_state_init(&self.owner, &Self::key(), &self.root, &params())
            .unwrap()
            .data;
        self.deploy(Self::other_code(), data)
    }

    /// A contract with the code of proxies that began with earnings.
    pub(in crate::tests) fn deploy_rich_proxy(&self) -> Address {
        let StateInit { code, data } = proxy_state_init(&self.owner, &Self::key(), &self.root, &params()).unwrap();
        let held = ProxyStorage::load_from(&mut data.as_ref().as_slice().unwrap()).unwrap();
        let rich = ProxyStorage {
            balance: Nanoton::from_ton(1_000_000),
            ..held
        };
        self.deploy(code, to_cell(&rich).unwrap())
    }

    /// A contract that says that it is a worker of the proxy contract with a great many tokens paid, and whose code is another.
    pub(in crate::tests) fn forge_worker(&self) -> Address {
        let data = worker_state_init(&self.owner, &self.proxy, &Self::key(), &params())
            .unwrap()
            .data;
        let held = WorkerStorage::load_from(&mut data.as_ref().as_slice().unwrap()).unwrap();
        let rich = WorkerStorage {
            tokens: TokenCount::new(1_000_000_000),
            ..held
        };
        self.deploy(Self::other_code(), to_cell(&rich).unwrap())
    }

    fn deploy(&self, code: Cell, data: Cell) -> Address {
        let init = StateInit { code, data };
        let address = init.address().unwrap();
        self.send_with(&address, CellBuilder::new().build().unwrap(), Some(init));
        address
    }

    /// The root contract names other code for proxies; a contract of it is deployed, and the root contract changes back. Says
    /// where that contract is.
    pub(in crate::tests) fn deploy_proxy_of_earlier_code(&self) -> Address {
        self.name_code_to_come();
        let address = self.deploy_proxy_of_terms(3);
        self.change_codes(ContractKind::Proxy.code().unwrap());
        address
    }

    /// A contract of code that the root contract does not name yet, with terms of the version before today's.
    pub(in crate::tests) fn deploy_proxy_of_code_to_come(&self) -> Address {
        self.deploy_proxy_of_terms(1)
    }

    /// The root contract names that code.
    pub(in crate::tests) fn name_code_to_come(&self) {
        self.change_codes(Self::other_code());
    }

    fn deploy_proxy_of_terms(&self, version: u32) -> Address {
        let terms = Params {
            params_version: ParamsVersion::new(version),
            proxy_code: Some(Self::other_code()),
            ..params()
        };
        let init = proxy_state_init(&self.owner, &Self::key(), &self.root, &terms).unwrap();
        self.deploy(init.code, init.data)
    }

    fn change_codes(&self, proxy_code: Cell) {
        let change = ChangeCodesFromOwner {
            query_id: QueryId::new(1),
            proxy_code,
            worker_code: ContractKind::Worker.code().unwrap(),
            client_code: ContractKind::Client.code().unwrap(),
        };
        self.send_with(&self.root, to_cell(&change).unwrap(), None);
    }
}
