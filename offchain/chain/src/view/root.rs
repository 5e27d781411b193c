//! The root contract: what the whole network agrees on.

use cocoon_bindings::ton::{Address, load_address};
use cocoon_bindings::ton::{Cell, CellError, CellSlice, from_cell};
use cocoon_bindings::{ImageHash, ModelHash, Params, ParamsVersion, RootData};

use super::{fetch_data, read_data};
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
        let (account, data) = fetch_data(chain, address, "root contract").await?;
        let (owner, version, data, params) = read_data(address, "root contract", &data, read)?;
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

    /// Whether an image may run a proxy.
    pub fn allows_proxy_image(&self, image: &ImageHash) -> bool {
        self.data.proxy_hashes.contains(image)
    }

    /// Whether an image may run a worker.
    pub fn allows_worker_image(&self, image: &ImageHash) -> bool {
        self.data.worker_hashes.contains(image)
    }

    /// Whether a model may be served.
    pub fn allows_model(&self, model: &ModelHash) -> bool {
        self.data.model_hashes.contains(model)
    }

    /// Whether two views say the same, the time they were taken aside.
    pub fn same_content(&self, other: &Self) -> bool {
        Self {
            time: other.time,
            ..self.clone()
        } == *other
    }
}

fn read(slice: &mut CellSlice<'_>) -> Result<(Address, u32, RootData, Params), CellError> {
    let owner = load_address(slice)?;
    let version = slice.load_u32()?;
    let data: Cell = slice.load_reference_cloned()?;
    let params: Cell = slice.load_reference_cloned()?;
    Ok((owner, version, from_cell(&data)?, from_cell(&params)?))
}
