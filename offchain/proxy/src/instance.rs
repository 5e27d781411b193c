//! A proxy contract with its terms. A change of the network's parameters gives the proxy a contract of another address:
//! the new one serves while the old ones wind down.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use cocoon_bindings::ton::{Address, boc_base64, friendly, from_cell, parse_boc_base64};
use cocoon_bindings::units::PublicKey;
use cocoon_bindings::{BindingsError, Params, StateInit, client_state_init, proxy_state_init, worker_state_init};
use cocoon_protocol::proxy::Params as WireParams;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// Who this proxy is on chain under one version of the parameters. It is not `Clone`: a copy would share the mark `retired`.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) root: Address,
    pub(crate) owner: Address,
    pub(crate) contract: Address,
    pub(crate) public_key: PublicKey,
    /// Parameters in the proxy contract: they price the work and fix the addresses of clients and workers.
    pub(crate) params: Params,
    /// Set when a newer instance serves: no new requests, and the connections close when they are idle.
    pub(crate) retired: CancellationToken,
}

impl Instance {
    /// The instance under these parameters of the root contract.
    pub(crate) fn derive(
        root: &Address,
        owner: &Address,
        public_key: PublicKey,
        params: &Params,
    ) -> Result<Self, BindingsError> {
        Ok(Self {
            root: root.clone(),
            owner: owner.clone(),
            contract: proxy_state_init(owner, &public_key, root, params)?.address()?,
            public_key,
            params: params.for_proxy(),
            retired: CancellationToken::new(),
        })
    }

    /// An instance that a store kept.
    pub(crate) fn read(stored: StoredInstance, root: &Address, public_key: PublicKey) -> Result<Self, BindingsError> {
        let params = from_cell(&parse_boc_base64(&stored.params)?).map_err(BindingsError::layout("params"))?;
        Ok(Self {
            root: root.clone(),
            owner: stored.owner,
            contract: stored.contract,
            public_key,
            params,
            retired: CancellationToken::new(),
        })
    }

    /// Another contract of the same proxy, with the terms that are in it.
    pub(crate) fn with_terms(&self, contract: Address, owner: Address, params: Params) -> Self {
        Self {
            root: self.root.clone(),
            owner,
            contract,
            public_key: self.public_key,
            params,
            retired: CancellationToken::new(),
        }
    }

    fn stored(&self) -> Result<StoredInstance, BindingsError> {
        Ok(StoredInstance {
            contract: self.contract.clone(),
            owner: self.owner.clone(),
            params: boc_base64(&self.params.to_cell()?),
        })
    }

    /// Whether a client or worker contract of this owner is of this instance.
    pub(crate) fn has_member(&self, contract: &Address, owner: &Address) -> bool {
        let worker = self
            .worker_state_init(owner)
            .and_then(|state_init| state_init.address());
        let is_it = |address: Result<Address, BindingsError>| address.is_ok_and(|address| address == *contract);
        is_it(worker) || is_it(self.client_contract(owner))
    }

    pub(crate) fn client_contract(&self, owner: &Address) -> Result<Address, BindingsError> {
        client_state_init(owner, &self.contract, &self.public_key, &self.params)?.address()
    }

    pub(crate) fn worker_state_init(&self, owner: &Address) -> Result<StateInit, BindingsError> {
        worker_state_init(owner, &self.contract, &self.public_key, &self.params)
    }

    /// An address as peers write it.
    pub(crate) fn text(&self, address: &Address) -> String {
        friendly(address, false, self.params.is_test)
    }

    /// What the proxy says of itself under this instance; the handshake adds the version.
    pub(crate) fn wire_params(&self) -> WireParams {
        WireParams {
            flags: (),
            proxy_public_key: *self.public_key.as_bytes(),
            proxy_owner_address: self.text(&self.owner),
            proxy_sc_address: self.text(&self.contract),
            is_test: Some(self.params.is_test),
            proto_version: None,
        }
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.is_cancelled()
    }
}

/// The instance that serves, and those that do not any more.
pub(crate) struct Instances(RwLock<Held>);

struct Held {
    current: Arc<Instance>,
    /// The next one, while it is being deployed.
    opening: Option<Arc<Instance>>,
    old: Vec<Arc<Instance>>,
}

impl Instances {
    /// The instances of a store, with the one of the root contract's parameters. A root contract that is read from an old
    /// copy of the chain does not bring an old instance back.
    pub(crate) fn restore(newest: Instance, stored: Vec<Instance>) -> Self {
        let version = |instance: &Instance| instance.params.params_version;
        let mut old: Vec<_> = stored
            .into_iter()
            .filter(|instance| instance.contract != newest.contract)
            .collect();
        let mut current = newest;
        if let Some(at) = (0..old.len()).max_by_key(|at| version(&old[*at]))
            && version(&old[at]) > version(&current)
        {
            tracing::warn!("the root contract's parameters are older than those of this store, which stay");
            current = old.remove(at);
        }
        old.iter().for_each(|instance| instance.retired.cancel());
        Self(RwLock::new(Held {
            current: Arc::new(current),
            opening: None,
            old: old.into_iter().map(Arc::new).collect(),
        }))
    }

    /// The one that serves; whoever connects belongs to it as long as the connection lasts.
    pub(crate) fn current(&self) -> Arc<Instance> {
        Arc::clone(&self.read().current)
    }

    /// Those that are being wound up.
    pub(crate) fn old(&self) -> Vec<Arc<Instance>> {
        self.read().old.clone()
    }

    /// All whose contracts are followed, the serving one first.
    pub(crate) fn all(&self) -> Vec<Arc<Instance>> {
        let held = self.read();
        let others = held.opening.iter().chain(&held.old);
        std::iter::once(&held.current).chain(others).cloned().collect()
    }

    /// The instance with this proxy contract.
    pub(crate) fn of(&self, contract: &Address) -> Option<Arc<Instance>> {
        self.all().into_iter().find(|instance| instance.contract == *contract)
    }

    /// The next instance is being deployed: its contract is followed from now on.
    pub(crate) fn open(&self, next: Arc<Instance>) {
        self.write().opening = Some(next);
    }

    /// The next instance serves from now on; gives the one that did before, which is retired.
    pub(crate) fn switch(&self) -> Option<Arc<Instance>> {
        let mut held = self.write();
        let next = held.opening.take()?;
        let before = std::mem::replace(&mut held.current, next);
        held.old.push(Arc::clone(&before));
        before.retired.cancel();
        Some(before)
    }

    /// An old instance is closed.
    pub(crate) fn forget(&self, contract: &Address) {
        self.write().old.retain(|instance| instance.contract != *contract);
    }

    /// As the store keeps them.
    pub(crate) fn stored(&self) -> Result<serde_json::Value, BindingsError> {
        let stored: Result<Vec<_>, _> = self.all().iter().map(|instance| instance.stored()).collect();
        Ok(serde_json::json!(stored?))
    }

    fn read(&self) -> RwLockReadGuard<'_, Held> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Held> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the store keeps of an instance; the rest is the same for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredInstance {
    contract: Address,
    owner: Address,
    /// Its parameters' cell in base64.
    params: String,
}

#[cfg(test)]
mod tests {
    use cocoon_bindings::ContractKind;
    use cocoon_bindings::ton::HashBytes;
    use cocoon_bindings::units::{Nanoton, ParamsVersion};

    use super::*;

    fn instance(version: u32) -> Instance {
        let params = Params {
            struct_version: 3,
            params_version: ParamsVersion::new(version),
            unique_id: 7,
            is_test: true,
            price_per_token: Nanoton::new(2),
            worker_fee_per_token: Nanoton::new(1),
            multipliers: Default::default(),
            proxy_delay_before_close: 600,
            client_delay_before_close: 300,
            min_proxy_stake: Nanoton::from_ton(1),
            min_client_stake: Nanoton::from_ton(1),
            proxy_code: Some(ContractKind::Proxy.code().unwrap()),
            worker_code: Some(ContractKind::Worker.code().unwrap()),
            client_code: Some(ContractKind::Client.code().unwrap()),
        };
        let address = |byte| Address::new(0, HashBytes([byte; 32]));
        let key = PublicKey::from(&ed25519_dalek::SigningKey::from_bytes(&[3; 32]));
        Instance::derive(&address(1), &address(2), key, &params).unwrap()
    }

    #[test]
    fn what_is_stored_of_an_instance_gives_the_same_addresses_again() {
        let instance = instance(4);
        let stored = serde_json::to_string(&instance.stored().unwrap()).unwrap();
        let stored: StoredInstance = serde_json::from_str(&stored).unwrap();
        let again = Instance::read(stored, &instance.root, instance.public_key).unwrap();
        let owner = Address::new(0, HashBytes([9; 32]));
        assert_eq!(again.contract, instance.contract);
        assert_eq!(
            again.client_contract(&owner).unwrap(),
            instance.client_contract(&owner).unwrap()
        );
        assert_eq!(again.params, instance.params);
    }

    #[test]
    fn the_newest_parameters_serve_whichever_the_chain_shows() {
        let versions = |instances: &Instances| {
            let all: Vec<_> = instances.all().iter().map(|i| i.params.params_version.get()).collect();
            (all, instances.old().iter().all(|old| old.is_retired()))
        };
        let ahead = Instances::restore(instance(3), vec![instance(1), instance(2)]);
        assert_eq!(versions(&ahead), (vec![3, 1, 2], true));
        let behind = Instances::restore(instance(1), vec![instance(1), instance(2)]);
        assert_eq!(behind.current().params.params_version.get(), 2);
        assert!(!behind.current().is_retired());
    }

    #[test]
    fn an_old_instance_that_only_the_chain_knows_is_retired_alone() {
        let newest = instance(2);
        let before = instance(1);
        let found = newest.with_terms(before.contract.clone(), before.owner.clone(), before.params.clone());
        let instances = Instances::restore(newest, vec![found]);
        assert_eq!(instances.current().params.params_version.get(), 2);
        assert!(!instances.current().is_retired());
        assert!(instances.old().iter().all(|old| old.is_retired()) && instances.old().len() == 1);
    }

    #[test]
    fn the_instance_before_is_retired_when_the_next_serves() {
        let instances = Instances::restore(instance(1), Vec::new());
        let before = instances.current();
        instances.open(Arc::new(instance(2)));
        assert!(!before.is_retired());
        assert_eq!(instances.switch().unwrap().contract, before.contract);
        assert!(before.is_retired() && !instances.current().is_retired());
        instances.forget(&before.contract);
        assert!(instances.of(&before.contract).is_none());
    }
}
