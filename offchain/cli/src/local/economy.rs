//! Prices, stakes and first balances of a local network.

use cocoon_bindings::ton::Address;
use cocoon_bindings::{
    ContractKind, Multipliers, Nanoton, Params, ParamsVersion, RootData, STRUCT_VERSION, StateInit, root_state_init,
};

use crate::failure::Failure;

/// What a client pays per adjusted token: 0.00001 TON, so that one answer is visible in a balance.
pub const PRICE_PER_TOKEN: Nanoton = Nanoton::new(10_000);
/// What of it the worker gets; the rest stays with the proxy.
pub const WORKER_FEE_PER_TOKEN: Nanoton = Nanoton::new(8_000);
/// Stake of the client: bounds what it may use before it is charged, a million tokens.
pub const CLIENT_STAKE: Nanoton = Nanoton::from_ton(10);
/// Stake of the proxy.
pub const PROXY_STAKE: Nanoton = Nanoton::from_ton(10);
/// First payment of the client into its contract: three million tokens.
pub const CLIENT_TOP_UP: Nanoton = Nanoton::from_ton(30);
/// Attached to each message of the deployment for fees and storage; what is left comes back.
pub const FEES: Nanoton = Nanoton::from_ton(1);
/// A wallet is filled up to this when it is short: enough for thousands of messages.
pub const WALLET_FILL: Nanoton = Nanoton::from_ton(200);
/// A wallet is short below this.
pub const WALLET_LOW: Nanoton = Nanoton::from_ton(60);

/// The initial state of the root contract; its lists are filled by messages of its owner.
pub fn root_contract(owner: &Address) -> Result<StateInit, Failure> {
    let code = |kind: ContractKind| kind.code().map(Some);
    let params = Params {
        struct_version: STRUCT_VERSION,
        params_version: ParamsVersion::new(1),
        unique_id: unique_id(owner),
        is_test: true,
        price_per_token: PRICE_PER_TOKEN,
        worker_fee_per_token: WORKER_FEE_PER_TOKEN,
        multipliers: Multipliers::default(),
        proxy_delay_before_close: 600,
        client_delay_before_close: 300,
        min_proxy_stake: PROXY_STAKE,
        min_client_stake: CLIENT_STAKE,
        proxy_code: code(ContractKind::Proxy).map_err(anyhow::Error::from)?,
        worker_code: code(ContractKind::Worker).map_err(anyhow::Error::from)?,
        client_code: code(ContractKind::Client).map_err(anyhow::Error::from)?,
    };
    Ok(root_state_init(owner, 0, &RootData::default(), &params).map_err(anyhow::Error::from)?)
}

/// Tells one local network from another.
fn unique_id(owner: &Address) -> u32 {
    let bytes = owner.address.0;
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
