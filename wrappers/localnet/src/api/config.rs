//! The chain's configuration: fees and rules, from which wallets compute what a message will cost.

use cocoon_bindings::ton::{Cell, Dict, boc_base64};
use cocoon_emulator::Emulator;
use serde_json::{Value, json};

use super::ApiError;
use super::params::Params;

/// `getConfigAll()`.
pub(super) fn all(chain: &Emulator) -> Result<Value, ApiError> {
    Ok(shown(&chain.network().to_config_cell()?))
}

/// `getConfigParam(config_id)`; older clients say `param`.
pub(super) fn param(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let id = match params.number::<u32>("param")? {
        Some(id) => id,
        None => params.required_number("config_id")?,
    };
    let config = Dict::<u32, Cell>::from_raw(Some(chain.network().to_config_cell()?));
    let found = config.get(id).map_err(|error| ApiError {
        code: 500,
        message: error.to_string(),
    })?;
    let cell = found.ok_or_else(|| ApiError::not_found(format!("the configuration has no parameter {id}")))?;
    Ok(shown(&cell))
}

fn shown(cell: &Cell) -> Value {
    json!({ "@type": "configInfo", "config": { "@type": "tvm.cell", "bytes": boc_base64(cell) } })
}
