//! Version 3 of the public HTTP API, as wallets and dashboards use it: REST with shapes of its own.

mod accounts;
mod blocks;
mod find;
mod getter;
mod messages;
mod shape;
mod traces;
mod transactions;

use cocoon_emulator::Message;
use serde_json::{Value, json};

use super::params::Params;
use super::shape::hash as hash_text;
use super::{ApiError, Done, send};
use crate::node::Node;

/// Routes that change something, or take a body: they need POST.
pub(crate) const POSTED: &[&str] = &["message", "runGetMethod", "estimateFee"];

/// Calls a route.
pub(crate) fn call(node: &Node, route: &str, params: &Value) -> Result<Done, ApiError> {
    let params = &Params::new(params)?;
    Ok(match route {
        "masterchainInfo" => node.read(blocks::masterchain_info)?.into(),
        "blocks" => node.read(|chain| blocks::page(chain, params))??.into(),
        "accountStates" => node.read(|chain| accounts::states(chain, params))??.into(),
        "addressInformation" => node.read(|chain| accounts::information(chain, params))??.into(),
        "walletInformation" => node.read(|chain| accounts::wallet(chain, params))??.into(),
        "transactions" => node.read(|chain| transactions::page(chain, params))??.into(),
        "transactionsByMessage" => node.read(|chain| transactions::by_message(chain, params))??.into(),
        "transactionsByMasterchainBlock" => node.read(|chain| transactions::by_block(chain, params))??.into(),
        "messages" => node.read(|chain| messages::page(chain, params))??.into(),
        "traces" => node.read(|chain| traces::page(chain, params))??.into(),
        "runGetMethod" => node.read(|chain| getter::run(chain, params))??.into(),
        "estimateFee" => node.read(|chain| send::estimate(chain, params))??.into(),
        "message" => {
            let done = send::boc(node, params, true)?;
            let hash = done.result.get("hash").cloned();
            let message = params.cell("boc")?.and_then(|cell| Message::from_cell(cell).ok());
            let normalized = message.and_then(|message| message.normalized_hash());
            Done {
                result: json!({ "message_hash": hash, "message_hash_norm": normalized.as_ref().map(hash_text) }),
                change: done.change,
            }
        }
        other => return Err(ApiError::not_found(format!("unknown route {other:?}"))),
    })
}
