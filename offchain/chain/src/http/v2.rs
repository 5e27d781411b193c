//! Version 2: JSON-RPC to one path.

use cocoon_bindings::ton::{Address, Cell, HashBytes, StackValue, boc_base64};
use cocoon_bindings::units::Nanoton;
use cocoon_emulator::GetterResult;
use serde::Deserialize;
use serde_json::{Value, json};

use super::web::Web;
use super::{refusal, shape, stack};
use crate::ChainError;
use crate::client::{AccountState, ChainHead, Transaction, TransactionId};
use crate::limits::MAX_PAGE;

/// Path of the API on servers whose URL names none.
const DEFAULT_PATH: &str = "/api/v2/jsonRPC";

/// An account that exists on every chain: the configuration contract. Its state tells the chain's time.
const CONFIG: Address = Address::new(-1, HashBytes([0x55; 32]));

/// A server of version 2.
#[derive(Debug, Clone)]
pub(super) struct V2 {
    web: Web,
}

/// What every answer looks like.
#[derive(Deserialize)]
struct Answer {
    ok: bool,
    result: Option<Value>,
    error: Option<Value>,
    code: Option<i64>,
}

impl V2 {
    pub(super) fn new(web: Web) -> Self {
        let web = match web.url().path() {
            "" | "/" => web.at(DEFAULT_PATH),
            _ => web,
        };
        Self { web }
    }

    /// The version 2 of a server that is known by another path, below the same beginning.
    pub(super) fn beside(web: &Web, beginning: &str) -> Self {
        Self {
            web: web.at(&format!("{beginning}{DEFAULT_PATH}")),
        }
    }

    pub(super) fn url(&self) -> String {
        self.web.url().to_string()
    }

    pub(super) async fn account(&self, address: &Address) -> Result<AccountState, ChainError> {
        const METHOD: &str = "getAddressInformation";
        let result = self.call(METHOD, json!({ "address": address.to_string() })).await?;
        shape::account(address, result).map_err(unreadable(METHOD))
    }

    pub(super) async fn head(&self) -> Result<ChainHead, ChainError> {
        const METHOD: &str = "getAddressInformation";
        let result = self.call(METHOD, json!({ "address": CONFIG.to_string() })).await?;
        shape::head(&result).map_err(unreadable(METHOD))
    }

    /// What the method returned, and the logical time of the account's last transaction, if the server tells.
    pub(super) async fn run_get_method(
        &self,
        address: &Address,
        method: &str,
        arguments: &[StackValue],
    ) -> Result<(GetterResult, Option<u64>), ChainError> {
        const METHOD: &str = "runGetMethod";
        let stack = arguments.iter().map(stack::argument).collect::<Result<Vec<_>, _>>();
        let stack = stack.map_err(unreadable(METHOD))?;
        let params = json!({ "address": address.to_string(), "method": method, "stack": stack });
        let result = self.call(METHOD, params).await?;
        let lt = shape::last_lt(&result);
        let result = shape::getter(result).map_err(unreadable(METHOD))?;
        Ok((result, lt))
    }

    pub(super) async fn transactions(
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
        let result = self.call(METHOD, params).await?;
        let page = shape::transactions(address, from, result).map_err(unreadable(METHOD))?;
        // A server without an archive; another may have one.
        if from.is_some() && limit > 0 && page.is_empty() {
            return Err(unreadable(METHOD)(
                "it does not have the transaction asked for".to_owned(),
            ));
        }
        Ok(page)
    }

    pub(super) async fn send(&self, message: &Cell) -> Result<(), ChainError> {
        let params = json!({ "boc": boc_base64(message) });
        self.call("sendBoc", params).await.map(drop)
    }

    pub(super) async fn estimate_fee(&self, message: &Cell) -> Result<Nanoton, ChainError> {
        const METHOD: &str = "estimateFee";
        let params = shape::fee_question(message).map_err(unreadable(METHOD))?;
        let result = self.call(METHOD, params).await?;
        shape::fees(&result).map_err(unreadable(METHOD))
    }

    async fn call(&self, method: &'static str, params: Value) -> Result<Value, ChainError> {
        let body = json!({ "id": "1", "jsonrpc": "2.0", "method": method, "params": params });
        let answer = self.web.post(method, "", body.to_string()).await?;
        let read: Answer = match serde_json::from_slice(&answer.body) {
            Ok(read) => read,
            Err(_) if answer.status != 200 => {
                let words = String::from_utf8_lossy(&answer.body);
                return Err(refusal(method, &answer, i64::from(answer.status), &words));
            }
            Err(error) => return Err(unreadable(method)(error.to_string())),
        };
        match (read.ok, read.result) {
            (true, Some(result)) => Ok(result),
            (true, None) => Err(unreadable(method)("it has no result".to_owned())),
            (false, _) => {
                let message = match read.error {
                    Some(Value::String(text)) => text,
                    Some(other) => other.to_string(),
                    None => "no reason given".to_owned(),
                };
                let code = read.code.unwrap_or(i64::from(answer.status));
                Err(refusal(method, &answer, code, &message))
            }
        }
    }
}

fn unreadable(method: &'static str) -> impl Fn(String) -> ChainError {
    move |reason| ChainError::Response { method, reason }
}
