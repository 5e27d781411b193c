//! Sending external messages, and what sending one would cost.

use cocoon_bindings::StateInit;
use cocoon_bindings::message::external;
use cocoon_bindings::ton::{Cell, CellFamily};
use cocoon_emulator::{Emulator, EmulatorError};
use serde_json::{Value, json};

use super::params::Params;
use super::{ApiError, Done, shape};
use crate::node::Node;

/// `sendBoc(boc)`: executes the message and everything that it sets off.
pub(super) fn boc(node: &Node, params: &Params<'_>, return_hash: bool) -> Result<Done, ApiError> {
    let message: Cell = params.cell("boc")?.ok_or_else(|| ApiError::params("boc is missing"))?;
    let hash = shape::hash(message.repr_hash());
    let ((), change) = node.change(|inner| {
        inner.chain.send_external(message)?;
        match inner.chain.run() {
            // The message itself was executed; what it set off goes on with the next one.
            Err(error @ EmulatorError::Restless { .. }) => {
                tracing::warn!(%error, "messages are still under way");
                Ok(())
            }
            result => result.map(drop),
        }
        .map_err(ApiError::from)
    })?;
    let result = if return_hash {
        json!({ "@type": "raw.extMessageInfo", "hash": hash })
    } else {
        json!({ "@type": "ok" })
    };
    Ok(Done {
        result,
        change: Some(change),
    })
}

/// `estimateFee(address, body, init_code?, init_data?, ignore_chksig?)`.
pub(super) fn estimate(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let address = params.address("address")?;
    let body = params.cell("body")?.unwrap_or_else(Cell::empty_cell);
    let state_init = match (params.cell("init_code")?, params.cell("init_data")?) {
        (Some(code), Some(data)) => Some(StateInit { code, data }),
        (None, None) => None,
        _ => return Err(ApiError::params("init_code and init_data go together")),
    };
    // Public servers check no signature unless told to.
    let ignore_signature = params.value("ignore_chksig").is_none() || params.flag("ignore_chksig")?;
    let message = external(&address, body, state_init.as_ref()).map_err(|error| ApiError::params(error.to_string()))?;
    let report = chain.preview_external(message, ignore_signature)?;
    let number = |amount: cocoon_bindings::Nanoton| u64::try_from(amount.get()).unwrap_or(u64::MAX);
    Ok(json!({
        "@type": "query.fees",
        "source_fees": {
            "@type": "fees",
            "in_fwd_fee": number(report.fees.import),
            "storage_fee": number(report.fees.storage),
            "gas_fee": number(report.fees.gas),
            "fwd_fee": number(report.fees.forward),
        },
        "destination_fees": [],
    }))
}
