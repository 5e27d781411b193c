//! Who and what a receipt is about.

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_receipt::Receipt;

use super::{differs, hex_of};
use crate::check::Check;

/// Who and what a receipt should be about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// The root contract.
    pub root: Option<Address>,
    /// The proxy's contract.
    pub proxy: Option<Address>,
    /// The contract that pays.
    pub client: Option<Address>,
    /// The request.
    pub request_id: Option<HashBytes>,
}

pub(super) fn check(receipt: &Receipt, expected: &Expected) -> Check {
    const NAME: &str = "parties";
    let statement = &receipt.statement;
    let addresses = [
        differs("the root contract", &statement.root, expected.root.as_ref()),
        differs("the proxy contract", &statement.proxy, expected.proxy.as_ref()),
        differs("the client contract", &receipt.client, expected.client.as_ref()),
    ];
    if let Some(problem) = addresses.into_iter().flatten().next() {
        return Check::refuted(NAME, problem);
    }
    if let Some(id) = expected.request_id
        && id != receipt.request_id
    {
        return Check::refuted(NAME, format!("It is of the request {}.", hex_of(&receipt.request_id)));
    }
    match expected {
        Expected {
            root: Some(_),
            proxy: Some(_),
            client: Some(_),
            request_id,
        } => Check::proven(
            NAME,
            if request_id.is_some() {
                "It is of this network, this proxy, this payer and this request."
            } else {
                "It is of this network, this proxy and this payer."
            },
        ),
        _ => Check::unknown(NAME, "Nobody said of which network, proxy and payer it should be."),
    }
}
