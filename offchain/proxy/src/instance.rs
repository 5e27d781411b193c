//! A proxy contract with its terms. A change of the network's parameters gives the proxy a contract of another address:
//! the new one serves while the old ones wind down.

use std::sync::{Arc, PoisonError, RwLock};

use cocoon_bindings::ton::{Address, friendly};
use cocoon_bindings::units::PublicKey;
use cocoon_bindings::{BindingsError, Params, StateInit, client_state_init, worker_state_init};
use cocoon_protocol::proxy::Params as WireParams;
use tokio_util::sync::CancellationToken;

/// Who this proxy is on chain under one version of the parameters.
#[derive(Debug, Clone)]
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

/// The instance that serves.
pub(crate) struct Instances {
    current: RwLock<Arc<Instance>>,
}

impl Instances {
    pub(crate) fn new(current: Instance) -> Self {
        Self {
            current: RwLock::new(Arc::new(current)),
        }
    }

    /// The one that serves; whoever connects belongs to it as long as the connection lasts.
    pub(crate) fn current(&self) -> Arc<Instance> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}
