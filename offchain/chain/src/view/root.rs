//! The root contract: what the whole network agrees on.

use cocoon_bindings::root::RootStorage;
use cocoon_bindings::ton::Address;
use cocoon_bindings::{ImageHash, ModelHash, Params, ParamsVersion, RootData};

use super::fetch;
use crate::ChainError;
use crate::client::ChainClient;

/// The root contract at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootView {
    /// Its address.
    pub address: Address,
    /// Who governs it.
    pub owner: Address,
    /// Counts every change.
    pub version: u32,
    /// Prices, delays, stakes and code of the other contracts.
    pub params: Params,
    /// Images, models and proxies.
    pub data: RootData,
    /// The chain's time of this view, seconds since 1970.
    pub time: u32,
}

impl RootView {
    /// Reads the root contract.
    pub async fn fetch(chain: &dyn ChainClient, address: &Address) -> Result<Self, ChainError> {
        let (account, storage) = fetch::<RootStorage>(chain, address, "root contract").await?;
        let RootStorage {
            owner,
            version,
            data,
            params,
            tail: _,
        } = storage;
        Ok(Self {
            address: address.clone(),
            owner,
            version,
            params,
            data,
            time: account.time,
        })
    }

    /// Version of the parameters.
    pub fn params_version(&self) -> ParamsVersion {
        self.params.params_version
    }

    /// Whether this network is a test: only then is simulated evidence acceptable.
    pub fn is_test(&self) -> bool {
        self.params.is_test
    }

    /// Whether an image may run a proxy at the time of this view.
    pub fn allows_proxy_image(&self, image: &ImageHash) -> bool {
        self.data.proxy_hashes.is_valid(image, self.time)
    }

    /// Whether an image may run a worker at the time of this view.
    pub fn allows_worker_image(&self, image: &ImageHash) -> bool {
        self.data.worker_hashes.is_valid(image, self.time)
    }

    /// Whether a model may be served at the time of this view.
    pub fn allows_model(&self, model: &ModelHash) -> bool {
        self.data.model_hashes.is_valid(model, self.time)
    }

    /// Whether two views say the same, the time they were taken aside.
    pub fn same_content(&self, other: &Self) -> bool {
        Self {
            time: other.time,
            ..self.clone()
        } == *other
    }
}
