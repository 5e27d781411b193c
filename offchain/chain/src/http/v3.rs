//! Version 3: REST over an index. What it cannot give is a transaction as its cell, and without the cell nothing could be
//! checked against the hashes that link a history; pages of transactions are therefore read from the version 2 of the same
//! server, which every server of version 3 has beside it. So are accounts: the index is seconds behind the nodes, and does not
//! say of which time a state is, so that state and history of an account would contradict each other.

use cocoon_bindings::ton::{Address, Cell, StackValue, boc_base64};
use cocoon_bindings::units::Nanoton;
use cocoon_emulator::GetterResult;
use serde_json::{Value, json};

use super::v2::V2;
use super::web::{Answer, Web};
use super::{index, refusal, shape};
use crate::ChainError;
use crate::client::{AccountState, ChainHead, Transaction, TransactionId};

/// Where version 3 ends in a path; what follows is cut off.
const ROOT: &str = "/api/v3";

/// A server of version 3.
#[derive(Debug, Clone)]
pub(super) struct V3 {
    web: Web,
    cells: V2,
}

impl V3 {
    pub(super) fn new(web: Web) -> Self {
        let path = web.url().path().to_owned();
        let before = path.split_once(ROOT).map_or("", |(before, _)| before);
        Self {
            cells: V2::beside(&web, before),
            web: web.at(&format!("{before}{ROOT}")),
        }
    }

    pub(super) fn url(&self) -> String {
        self.web.url().to_string()
    }

    pub(super) async fn account(&self, address: &Address) -> Result<AccountState, ChainError> {
        self.cells.account(address).await
    }

    pub(super) async fn head(&self) -> Result<ChainHead, ChainError> {
        const METHOD: &str = "masterchainInfo";
        let result = read(METHOD, self.web.get(METHOD, METHOD).await?)?;
        index::head(&result).map_err(unreadable(METHOD))
    }

    /// What the method returned. The server does not say of which state.
    pub(super) async fn run_get_method(
        &self,
        address: &Address,
        method: &str,
        arguments: &[StackValue],
    ) -> Result<(GetterResult, Option<u64>), ChainError> {
        const METHOD: &str = "runGetMethod";
        let stack = arguments.iter().map(index::argument).collect::<Result<Vec<_>, _>>();
        let stack = stack.map_err(unreadable(METHOD))?;
        let question = json!({ "address": address.to_string(), "method": method, "stack": stack });
        let result = read(METHOD, self.web.post(METHOD, METHOD, question.to_string()).await?)?;
        let result = index::getter(&result).map_err(unreadable(METHOD))?;
        Ok((result, None))
    }

    pub(super) async fn transactions(
        &self,
        address: &Address,
        limit: usize,
        from: Option<TransactionId>,
    ) -> Result<Vec<Transaction>, ChainError> {
        self.cells.transactions(address, limit, from).await
    }

    pub(super) async fn send(&self, message: &Cell) -> Result<(), ChainError> {
        const METHOD: &str = "message";
        let question = json!({ "boc": boc_base64(message) });
        read(METHOD, self.web.post(METHOD, METHOD, question.to_string()).await?).map(drop)
    }

    pub(super) async fn estimate_fee(&self, message: &Cell) -> Result<Nanoton, ChainError> {
        const METHOD: &str = "estimateFee";
        let question = shape::fee_question(message).map_err(unreadable(METHOD))?;
        let result = read(METHOD, self.web.post(METHOD, METHOD, question.to_string()).await?)?;
        shape::fees(&result).map_err(unreadable(METHOD))
    }
}

/// The JSON of an answer, or what the server's error means.
fn read(method: &'static str, answer: Answer) -> Result<Value, ChainError> {
    let parsed = serde_json::from_slice::<Value>(&answer.body);
    if answer.status != 200 {
        let field = |name: &str| parsed.as_ref().ok().and_then(|value| value.get(name));
        let code = field("code")
            .and_then(Value::as_i64)
            .unwrap_or(i64::from(answer.status));
        let words = field("error").or_else(|| field("detail")).map(|words| match words {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        let words = words.unwrap_or_else(|| String::from_utf8_lossy(&answer.body).into_owned());
        return Err(refusal(method, &answer, code, &words));
    }
    let value = parsed.map_err(|error| unreadable(method)(error.to_string()))?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(unreadable(method)("it is not an object".to_owned())),
    }
}

fn unreadable(method: &'static str) -> impl Fn(String) -> ChainError {
    move |reason| ChainError::Response { method, reason }
}

#[cfg(test)]
mod tests {
    use super::super::Endpoint;
    use super::*;

    #[test]
    fn both_versions_are_below_the_same_beginning() {
        for (beginning, rest) in [("https://host", "/"), ("https://host/ton/x", "/message")] {
            let web = Web::new(&Endpoint::at(&format!("{beginning}/api/v3{rest}"))).unwrap();
            let server = V3::new(web);
            assert_eq!(server.url(), format!("{beginning}/api/v3"));
            assert_eq!(server.cells.url(), format!("{beginning}/api/v2/jsonRPC"));
        }
    }
}
