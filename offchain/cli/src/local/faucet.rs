//! Coins for a local network's wallets. There is no faucet on a real chain.

use std::time::Duration;

use cocoon_bindings::Nanoton;
use cocoon_bindings::ton::Address;
use cocoon_chain::EmulatedChain;
use serde_json::json;

use crate::failure::{Exit, Failure, OrFail as _};

const FAUCET_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the coins come from.
pub enum Faucet {
    /// The control interface of a local chain, such as `http://127.0.0.1:8045/control`.
    Http {
        /// Its base URL.
        base: String,
        /// The client to use.
        http: reqwest::Client,
    },
    /// A chain in this process.
    Emulated(EmulatedChain),
}

impl Faucet {
    /// The faucet of the local chain at `base`.
    pub fn http(base: impl Into<String>) -> Result<Self, Failure> {
        let http = reqwest::Client::builder()
            .timeout(FAUCET_TIMEOUT)
            .no_proxy()
            .build()
            .or_fail(
                Exit::Defect,
                "cannot make an HTTP client",
                "the system is short of a resource",
            )?;
        Ok(Self::Http {
            base: base.into(),
            http,
        })
    }

    /// Gives `amount` to `address`.
    pub async fn give(&self, address: &Address, amount: Nanoton) -> Result<(), Failure> {
        match self {
            Self::Http { base, http } => {
                let body = json!({"address": address.to_string(), "amount": amount.get().to_string()});
                let sent = http.post(format!("{base}/faucet")).json(&body).send().await;
                sent.and_then(reqwest::Response::error_for_status).or_fail(
                    Exit::Chain,
                    "the faucet of the local chain refused",
                    "is the local chain running?",
                )?;
            }
            Self::Emulated(chain) => {
                chain.with(|chain| chain.fund(address, amount)).or_fail(
                    Exit::Chain,
                    "the faucet of the local chain refused",
                    "this is a defect of the local chain",
                )?;
            }
        }
        Ok(())
    }
}
