//! The public HTTP API of TON (toncenter v2): methods by name, parameters and results in JSON; and version 3 beside it.

mod accounts;
mod addresses;
mod blocks;
mod config;
mod getter;
mod params;
mod send;
mod shape;
mod transactions;
pub(crate) mod v3;

use cocoon_emulator::EmulatorError;
use serde_json::Value;

use crate::node::Node;
use params::Params;

/// An error as the API writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// HTTP status, and the code in the body.
    pub(crate) code: u16,
    /// Words for a person; clients look into those of a refused message.
    pub(crate) message: String,
}

impl ApiError {
    /// A parameter is missing or malformed.
    pub(crate) fn params(message: impl Into<String>) -> Self {
        Self {
            code: 422,
            message: message.into(),
        }
    }

    /// The chain does not have it.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self {
            code: 404,
            message: message.into(),
        }
    }

    /// The request cannot be read.
    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self {
            code: 400,
            message: message.into(),
        }
    }
}

impl From<EmulatorError> for ApiError {
    fn from(error: EmulatorError) -> Self {
        // Clients of public servers find a refusal, and its exit code, in these words.
        let message = match &error {
            EmulatorError::ExternalRefused { address, exit_code } => format!(
                "LITE_SERVER_UNKNOWN: cannot apply external message to current state : External message was not \
                 accepted\nCannot run message on account: inbound external message rejected by account {address}:\n{}",
                match exit_code {
                    Some(code) => format!("exitcode={code}"),
                    None => "the contract did not run".to_owned(),
                },
            ),
            EmulatorError::Message { .. } | EmulatorError::MessageTooLarge { .. } => {
                format!("LITE_SERVER_UNKNOWN: cannot apply external message to current state : {error}")
            }
            _ => error.to_string(),
        };
        Self { code: 500, message }
    }
}

/// What a method returns, and the change that must be on disk before the answer leaves, if it made one.
pub(crate) struct Done {
    pub(crate) result: Value,
    pub(crate) change: Option<u64>,
}

impl From<Value> for Done {
    fn from(result: Value) -> Self {
        Self { result, change: None }
    }
}

/// Calls a method.
pub(crate) fn call(node: &Node, method: &str, params: &Value) -> Result<Done, ApiError> {
    let params = Params::new(params)?;
    let params = &params;
    Ok(match method {
        "getAddressInformation" => node.read(|chain| accounts::information(chain, params))??.into(),
        "getAddressBalance" => node.read(|chain| accounts::balance(chain, params))??.into(),
        "getAddressState" => node.read(|chain| accounts::state(chain, params))??.into(),
        "getTransactions" => node.read(|chain| transactions::page(chain, params))??.into(),
        "tryLocateTx" | "tryLocateResultTx" => node.read(|chain| transactions::locate_result(chain, params))??.into(),
        "tryLocateSourceTx" => node.read(|chain| transactions::locate_source(chain, params))??.into(),
        "getExtendedAddressInformation" => node.read(|chain| accounts::extended(chain, params))??.into(),
        "getWalletInformation" => node.read(|chain| accounts::wallet(chain, params))??.into(),
        "packAddress" => addresses::pack(params)?.into(),
        "unpackAddress" => addresses::unpack(params)?.into(),
        "detectAddress" => addresses::detect(params)?.into(),
        "runGetMethod" => node.read(|chain| getter::run(chain, params))??.into(),
        "estimateFee" => node.read(|chain| send::estimate(chain, params))??.into(),
        "getMasterchainInfo" => node.read(blocks::masterchain_info)?.into(),
        "shards" => node.read(|chain| blocks::shards(chain, params))??.into(),
        "getBlockTransactions" => node.read(|chain| blocks::transactions(chain, params))??.into(),
        "getConsensusBlock" => node.read(blocks::consensus)?.into(),
        "lookupBlock" => node.read(|chain| blocks::lookup(chain, params))??.into(),
        "getBlockTransactionsExt" => node.read(|chain| blocks::transactions_ext(chain, params))??.into(),
        "getBlockHeader" => node.read(|chain| blocks::header(chain, params))??.into(),
        "getConfigAll" => node.read(config::all)??.into(),
        "getConfigParam" => node.read(|chain| config::param(chain, params))??.into(),
        "sendBoc" => send::boc(node, params, false)?,
        "sendBocReturnHash" => send::boc(node, params, true)?,
        other => return Err(ApiError::not_found(format!("unknown method {other:?}"))),
    })
}
