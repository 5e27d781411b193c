//! A chain server with the public HTTP API: toncenter's version 2 (JSON-RPC) or version 3 (REST).

mod endpoint;
mod index;
mod shape;
mod stack;
mod v2;
mod v3;
mod web;

use std::fmt;

use async_trait::async_trait;
use cocoon_bindings::ton::{Address, Cell, StackValue};
use cocoon_bindings::units::Nanoton;
use cocoon_emulator::GetterResult;

use crate::client::{AccountState, ChainClient, ChainHead, Transaction, TransactionId};
use crate::limits::{MAX_ERROR_CHARS, MAX_RATE_PAUSE, REQUEST_ATTEMPTS, RETRY_PAUSE};
use crate::{ChainError, Retry};
pub use endpoint::{ApiKey, Endpoint};
pub(crate) use shape::{exit_code, is_refusal};
use v2::V2;
use v3::V3;
use web::Web;

/// Exit code with which servers say that there is no contract.
const EXIT_NO_CONTRACT: i32 = -13;

/// A chain server, for instance toncenter or a local network.
#[derive(Clone)]
pub struct HttpApi {
    dialect: Dialect,
    url: String,
    attempts: u32,
}

#[derive(Debug, Clone)]
enum Dialect {
    V2(Box<V2>),
    V3(Box<V3>),
}

/// Asks in the server's dialect, again if that may help.
macro_rules! ask {
    ($self:ident, $server:ident => $call:expr) => {
        $self
            .patiently(|| async {
                match &$self.dialect {
                    Dialect::V2($server) => $call.await,
                    Dialect::V3($server) => $call.await,
                }
            })
            .await
    };
}

impl HttpApi {
    /// A server at `url`; a URL without a path gets the usual `/api/v2/jsonRPC`.
    pub fn new(url: &str, api_key: Option<&str>) -> Result<Self, ChainError> {
        Self::connect(&Endpoint {
            api_key: api_key.map(ApiKey::new),
            ..Endpoint::at(url)
        })
    }

    /// A server; nothing is asked yet. A request that fails in a way that may pass is repeated a few times.
    pub fn connect(endpoint: &Endpoint) -> Result<Self, ChainError> {
        let web = Web::new(endpoint)?;
        let dialect = if web.url().path().contains("/api/v3") {
            Dialect::V3(Box::new(V3::new(web)))
        } else {
            Dialect::V2(Box::new(V2::new(web)))
        };
        let url = match &dialect {
            Dialect::V2(server) => server.url(),
            Dialect::V3(server) => server.url(),
        };
        Ok(Self {
            url,
            dialect,
            attempts: REQUEST_ATTEMPTS,
        })
    }

    /// The same server, asked once only: for whoever has others to ask.
    pub(crate) fn once(self) -> Self {
        Self { attempts: 1, ..self }
    }

    /// Where the server is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All that we ask may be repeated: a message that is sent twice is executed once.
    async fn patiently<T, F>(&self, ask: impl Fn() -> F) -> Result<T, ChainError>
    where
        F: Future<Output = Result<T, ChainError>>,
    {
        let mut pause = RETRY_PAUSE;
        let mut unclear = None;
        let mut attempt = 1;
        loop {
            let error = match ask().await {
                Ok(result) => return Ok(result),
                Err(error) => error,
            };
            if error.retry() != Retry::OtherServer || is_final_here(&error) {
                // Refused after an attempt of which nobody knows what became: that one may have been the one that counts.
                return Err(match error {
                    ChainError::MessageRefused { .. } | ChainError::ServerRefused { .. } => unclear.unwrap_or(error),
                    error => error,
                });
            }
            if attempt >= self.attempts {
                return Err(error);
            }
            tracing::debug!(attempt, %error, "asking the chain server again");
            let asked = error.asked_to_wait().min(MAX_RATE_PAUSE);
            if unclear.is_none() && error.is_ambiguous() {
                unclear = Some(error);
            }
            tokio::time::sleep(pause.max(asked)).await;
            pause = pause.saturating_mul(2);
            attempt += 1;
        }
    }
}

impl fmt::Debug for HttpApi {
    /// Without the path of the URL, in which some servers take their key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpApi")
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl ChainClient for HttpApi {
    async fn account(&self, address: &Address) -> Result<AccountState, ChainError> {
        ask!(self, server => server.account(address))
    }

    async fn run_get_method(
        &self,
        address: &Address,
        method: &str,
        arguments: Vec<StackValue>,
    ) -> Result<GetterResult, ChainError> {
        Ok(self.run_get_method_dated(address, method, arguments).await?.0)
    }

    async fn run_get_method_dated(
        &self,
        address: &Address,
        method: &str,
        arguments: Vec<StackValue>,
    ) -> Result<(GetterResult, Option<u64>), ChainError> {
        let (result, lt) = ask!(self, server => server.run_get_method(address, method, &arguments))?;
        if result.exit_code == EXIT_NO_CONTRACT {
            return Err(ChainError::NotDeployed {
                what: "contract",
                address: address.clone(),
            });
        }
        Ok((result, lt))
    }

    async fn transactions(
        &self,
        address: &Address,
        limit: usize,
        from: Option<TransactionId>,
    ) -> Result<Vec<Transaction>, ChainError> {
        ask!(self, server => server.transactions(address, limit, from))
    }

    async fn send_boc(&self, message: &Cell) -> Result<(), ChainError> {
        ask!(self, server => server.send(message))
    }

    async fn now(&self) -> Result<u32, ChainError> {
        Ok(self.head().await?.time)
    }

    async fn head(&self) -> Result<ChainHead, ChainError> {
        ask!(self, server => server.head())
    }

    async fn estimate_fee(&self, message: &Cell) -> Result<Nanoton, ChainError> {
        ask!(self, server => server.estimate_fee(message))
    }
}

/// Whether this server will say the same again, whatever another one says: it redirects, or wants another key or path.
fn is_final_here(error: &ChainError) -> bool {
    matches!(error, ChainError::ServerRefused { code, .. } if matches!(code, 300..=499) && *code != 408)
}

/// A server's refusal, as what it means: a message that the chain does not take, too many requests, or anything else.
fn refusal(method: &'static str, answer: &web::Answer, code: i64, message: &str) -> ChainError {
    let message: String = message.chars().take(MAX_ERROR_CHARS).collect();
    if shape::is_refusal(&message) {
        return ChainError::MessageRefused {
            exit_code: shape::exit_code(&message),
            reason: message,
        };
    }
    if answer.status == 429 || code == 429 {
        return ChainError::RateLimited {
            method,
            retry_after: answer.retry_after,
        };
    }
    ChainError::ServerRefused { method, code, message }
}
