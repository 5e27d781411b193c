//! Addresses from one form to another.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use cocoon_bindings::ton::friendly;
use serde_json::{Value, json};

use super::ApiError;
use super::params::Params;

/// `packAddress(address)`: raw to user-friendly.
pub(super) fn pack(params: &Params<'_>) -> Result<Value, ApiError> {
    Ok(json!(friendly(&params.address("address")?, true, false)))
}

/// `unpackAddress(address)`: any form to raw.
pub(super) fn unpack(params: &Params<'_>) -> Result<Value, ApiError> {
    Ok(json!(params.address("address")?.to_string()))
}

/// `detectAddress(address)`: all forms.
pub(super) fn detect(params: &Params<'_>) -> Result<Value, ApiError> {
    let address = params.address("address")?;
    let text = params.text("address")?.trim();
    let first = URL_SAFE.decode(text).or_else(|_| STANDARD.decode(text)).ok();
    let tag = first
        .and_then(|bytes| bytes.first().copied())
        .filter(|_| !text.contains(':'));
    let both = |bounceable: bool| {
        let url = friendly(&address, bounceable, false);
        json!({ "b64": url.replace('-', "+").replace('_', "/"), "b64url": url })
    };
    Ok(json!({
        "raw_form": address.to_string(),
        "bounceable": both(true),
        "non_bounceable": both(false),
        "given_type": match tag.map(|tag| tag & 0x7f) {
            None => "raw_form",
            Some(0x51) => "friendly_non_bounceable",
            Some(_) => "friendly_bounceable",
        },
        "test_only": tag.is_some_and(|tag| tag & 0x80 != 0),
    }))
}
