//! The network that every sequence starts from: all contracts deployed, nothing paid in.

use std::collections::BTreeMap;

use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, Cell, CellFamily, HashBytes};
use cocoon_bindings::{ContractKind, Nanoton, StateInit};
use cocoon_emulator::{Emulator, NetworkConfig, Snapshot};

use crate::model::body::{Body, RootAsk, Signer};
use crate::model::governor::{Config, Prices};
use crate::model::{Client, Contract, Governor, Proxy, Root, Terms, Wallet, Worker};
use crate::world::START;

/// Code of every contract: this build's, or one with a fault seeded into it.
#[derive(Debug, Clone)]
pub struct Codes {
    /// Code of the root.
    pub root: Cell,
    /// Code of proxies.
    pub proxy: Cell,
    /// Code of clients.
    pub client: Cell,
    /// Code of workers.
    pub worker: Cell,
    /// Code of wallets.
    pub wallet: Cell,
    /// Code of governors.
    pub governor: Cell,
}

impl Codes {
    /// What the build has compiled.
    pub fn artefacts() -> Self {
        let code = |kind: ContractKind| kind.code().unwrap();
        Self {
            root: code(ContractKind::Root),
            proxy: code(ContractKind::Proxy),
            client: code(ContractKind::Client),
            worker: code(ContractKind::Worker),
            wallet: code(ContractKind::Wallet),
            governor: code(ContractKind::Governor),
        }
    }
}

/// Somebody without a contract.
const fn person(number: u8) -> Address {
    Address::new(0, HashBytes([number; 32]))
}

/// Owns the root.
pub(crate) const ROOT_OWNER: Address = person(0x11);
/// Owns the proxy.
pub(crate) const PROXY_OWNER: Address = person(0x12);
/// Own the clients.
pub(crate) const CLIENT_OWNERS: [Address; 2] = [person(0x13), person(0x14)];
/// Own the workers.
pub(crate) const WORKER_OWNERS: [Address; 2] = [person(0x15), person(0x16)];
/// Owns the wallet.
pub(crate) const WALLET_OWNER: Address = person(0x17);
/// Gets excesses.
pub(crate) const EXCESSES: Address = person(0x18);
/// Owns nothing.
pub(crate) const STRANGER: Address = person(0x19);

/// An address of no workchain: nothing can be sent there.
pub(crate) const NOWHERE: Address = Address::new(5, HashBytes([0x20; 32]));

/// Everybody.
pub(crate) static PEOPLE: [(Address, &str); 9] = [
    (ROOT_OWNER, "root's owner"),
    (PROXY_OWNER, "proxy's owner"),
    (person(0x13), "owner of client 0"),
    (person(0x14), "owner of client 1"),
    (person(0x15), "owner of worker 0"),
    (person(0x16), "owner of worker 1"),
    (WALLET_OWNER, "wallet's owner"),
    (EXCESSES, "submitter"),
    (STRANGER, "stranger"),
];

/// Fees and prices that sequences run under.
const VARIANTS: [Variant; 4] = [
    Variant {
        dear: true,
        governed: true,
        price: 20,
        fee: 19,
    },
    Variant {
        dear: false,
        governed: false,
        price: 20,
        fee: 19,
    },
    Variant {
        dear: true,
        governed: false,
        price: 7,
        fee: 7,
    },
    Variant {
        dear: false,
        governed: true,
        price: 0,
        fee: 0,
    },
];

/// How often each variant is drawn, of a hundred.
const SHARES: [u64; 4] = [60, 30, 6, 4];

#[derive(Debug, Clone, Copy)]
struct Variant {
    dear: bool,
    governed: bool,
    price: u128,
    fee: u128,
}

/// Where the contracts are.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) root: Address,
    pub(crate) proxy: Address,
    pub(crate) clients: [Address; 2],
    pub(crate) workers: [Address; 2],
    pub(crate) wallet: Address,
    pub(crate) governor: Address,
}

/// One deployed network, on the chain and in the model.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) snapshot: Snapshot,
    pub(crate) contracts: BTreeMap<Address, Contract>,
    /// Code of each contract.
    pub(crate) codes: BTreeMap<Address, Cell>,
    pub(crate) places: Places,
}

/// All variants of the network.
#[derive(Debug)]
pub(crate) struct Setups(Vec<Setup>);

impl Setups {
    pub(crate) fn new(codes: &Codes) -> Self {
        Self(VARIANTS.iter().map(|variant| Setup::new(codes, *variant)).collect())
    }

    /// The variant that a number below a hundred stands for.
    pub(crate) fn draw(&self, mut number: u64) -> &Setup {
        for (setup, share) in self.0.iter().zip(SHARES) {
            if number < share {
                return setup;
            }
            number -= share;
        }
        &self.0[0]
    }
}

impl Setup {
    fn new(codes: &Codes, variant: Variant) -> Self {
        let network = if variant.dear {
            NetworkConfig::october_2025()
        } else {
            NetworkConfig::spring_2026()
        };
        let mut chain = Emulator::new(&network, START).unwrap();
        let terms = Terms {
            version: 1,
            price: variant.price,
            fee: variant.fee,
            weights: [10_000; 4],
            delays: [600, 300],
            stakes: [1_000_000_000, 1_000_000_000],
            codes: [&codes.proxy, &codes.worker, &codes.client].map(|code| Some(code.clone())),
        };
        let mut place = Deployer {
            chain: &mut chain,
            contracts: BTreeMap::new(),
            codes: BTreeMap::new(),
        };
        let key = Signer::Proxy.public();
        let root = place.deploy(
            &codes.root,
            Contract::Root(Box::new(Root::new(&ROOT_OWNER, &terms, &codes.root))),
        );
        let governor = Governor::new(&root, governance(), prices(&network));
        let governor = place.deploy(&codes.governor, Contract::Governor(Box::new(governor)));
        let mut proxy_model = Proxy::new(&PROXY_OWNER, &key, &root, &terms);
        let proxy = place.deploy(&codes.proxy, Contract::Proxy(proxy_model.clone()));
        let clients = CLIENT_OWNERS.map(|owner| {
            place.deploy(
                &codes.client,
                Contract::Client(Client::new(&owner, &proxy, &key, &terms)),
            )
        });
        let workers = WORKER_OWNERS.map(|owner| {
            place.deploy(
                &codes.worker,
                Contract::Worker(Worker::new(&owner, &proxy, &key, &terms)),
            )
        });
        let wallet = Wallet::new(&WALLET_OWNER, &Signer::Runner.public());
        let wallet = place.deploy(&codes.wallet, Contract::Wallet(wallet));
        proxy_model.clients = CLIENT_OWNERS
            .into_iter()
            .zip(clients.clone())
            .collect::<Vec<_>>()
            .into();
        proxy_model.workers = WORKER_OWNERS
            .into_iter()
            .zip(workers.clone())
            .collect::<Vec<_>>()
            .into();
        place.contracts.insert(proxy.clone(), Contract::Proxy(proxy_model));
        if variant.governed {
            place.hand_over(&root, &governor);
        }
        let (contracts, codes) = (place.contracts, place.codes);
        let places = Places {
            root,
            proxy,
            clients,
            workers,
            wallet,
            governor,
        };
        Self {
            snapshot: chain.snapshot(),
            contracts,
            codes,
            places,
        }
    }
}

/// Two of three signers decide, one of them revokes; two may cancel.
fn governance() -> Config {
    Config {
        threshold: 2,
        revoke_threshold: 1,
        delays: [3_600, 7_200],
        signers: BTreeMap::from([(0, ROOT_OWNER), (1, PROXY_OWNER), (4, WALLET_OWNER)]),
        council: BTreeMap::from([(0, person(0x13)), (3, person(0x15))]),
    }
}

fn prices(network: &NetworkConfig) -> Prices {
    let storage = network
        .storage
        .iter()
        .rfind(|prices| prices.utime_since <= START)
        .unwrap();
    let forward = &network.forward;
    Prices {
        storage: [storage.bit_price_ps.into(), storage.cell_price_ps.into()],
        lump: forward.lump_price.into(),
        forward: [forward.bit_price.into(), forward.cell_price.into()],
    }
}

struct Deployer<'a> {
    chain: &'a mut Emulator,
    contracts: BTreeMap<Address, Contract>,
    codes: BTreeMap<Address, Cell>,
}

impl Deployer<'_> {
    /// Deploys a contract with half a TON.
    fn deploy(&mut self, code: &Cell, contract: Contract) -> Address {
        let init = StateInit {
            code: code.clone(),
            data: contract.data(),
        };
        let to = init.address().unwrap();
        let message = InternalMessage {
            to: to.clone(),
            value: Nanoton::new(500_000_000),
            bounce: false,
            body: Cell::empty_cell(),
            state_init: Some(init),
        };
        self.chain.send_internal(&STRANGER, &message).unwrap();
        self.contracts.insert(to.clone(), contract);
        self.codes.insert(to.clone(), code.clone());
        to
    }

    /// Makes the governor the root's owner.
    fn hand_over(&mut self, root: &Address, governor: &Address) {
        let ask = RootAsk::ChangeOwner(governor.clone());
        let message = InternalMessage {
            to: root.clone(),
            value: Nanoton::new(500_000_000),
            bounce: true,
            body: Body::Root { query: 0, ask }.cell(),
            state_init: None,
        };
        self.chain.send_internal(&ROOT_OWNER, &message).unwrap();
        self.chain.run().unwrap();
        if let Some(Contract::Root(root)) = self.contracts.get_mut(root) {
            root.owner = governor.clone();
            root.version += 1;
        }
    }
}
