//! A chain server with the public HTTP API (toncenter v2, JSON-RPC).

mod rpc;
mod shape;
mod stack;

use async_trait::async_trait;
use cocoon_bindings::ton::{Address, Cell, HashBytes, StackValue, boc_base64};
use cocoon_emulator::GetterResult;
use serde_json::json;

use crate::ChainError;
use crate::client::{AccountState, ChainClient, Transaction, TransactionId};
use crate::limits::MAX_PAGE;
use rpc::Rpc;

/// An account that exists on every chain: the configuration contract. Its state tells the chain's time.
const CONFIG: Address = Address::new(-1, HashBytes([0x55; 32]));

/// Exit code with which servers say that there is no contract.
const EXIT_NO_CONTRACT: i32 = -13;

/// A chain server, for instance toncenter or a local network.
#[derive(Debug, Clone)]
pub struct HttpApi {
    rpc: Rpc,
}

impl HttpApi {
    /// A server at `url`; a URL without a path gets the usual `/api/v2/jsonRPC`.
    pub fn new(url: &str, api_key: Option<&str>) -> Result<Self, ChainError> {
        Ok(Self {
            rpc: Rpc::new(url, api_key)?,
        })
    }

    /// Where the server is.
    pub fn url(&self) -> &str {
        self.rpc.url()
    }
}

#[async_trait]
impl ChainClient for HttpApi {
    async fn account(&self, address: &Address) -> Result<AccountState, ChainError> {
        const METHOD: &str = "getAddressInformation";
        let result = self.rpc.call(METHOD, json!({ "address": address.to_string() })).await?;
        shape::account(address, result).map_err(|reason| ChainError::Response { method: METHOD, reason })
    }

    async fn run_get_method(
        &self,
        address: &Address,
        method: &str,
        arguments: Vec<StackValue>,
    ) -> Result<GetterResult, ChainError> {
        const METHOD: &str = "runGetMethod";
        let failed = |reason| ChainError::Response { method: METHOD, reason };
        let stack = arguments
            .iter()
            .map(stack::argument)
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        let params = json!({ "address": address.to_string(), "method": method, "stack": stack });
        let result = self.rpc.call(METHOD, params).await?;
        let result = shape::getter(result).map_err(failed)?;
        if result.exit_code == EXIT_NO_CONTRACT {
            return Err(ChainError::NotDeployed {
                what: "contract",
                address: address.clone(),
            });
        }
        Ok(result)
    }

    async fn transactions(
        &self,
        address: &Address,
        limit: usize,
        from: Option<TransactionId>,
    ) -> Result<Vec<Transaction>, ChainError> {
        const METHOD: &str = "getTransactions";
        let mut params = json!({ "address": address.to_string(), "limit": limit.min(MAX_PAGE), "archival": true });
        if let (Some(from), Some(params)) = (from, params.as_object_mut()) {
            params.insert("lt".to_owned(), json!(from.lt.to_string()));
            params.insert("hash".to_owned(), json!(shape::hash_text(&from.hash)));
        }
        let result = self.rpc.call(METHOD, params).await?;
        shape::transactions(address, from, result).map_err(|reason| ChainError::Response { method: METHOD, reason })
    }

    async fn send_boc(&self, message: &Cell) -> Result<(), ChainError> {
        let sent = self.rpc.call("sendBoc", json!({ "boc": boc_base64(message) })).await;
        sent.map(drop).map_err(|error| match error {
            ChainError::ServerRefused { message, .. } if shape::is_refusal(&message) => ChainError::MessageRefused {
                exit_code: shape::exit_code(&message),
                reason: message,
            },
            error => error,
        })
    }

    async fn now(&self) -> Result<u32, ChainError> {
        Ok(self.account(&CONFIG).await?.time)
    }
}
