//! The controls of a running local chain: what no public chain offers.

use std::time::Duration;

use anyhow::anyhow;
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::{Exit, Failure, OrFail as _};

/// Funding and restoring take milliseconds; ten thousand blocks less than a second.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A running local chain.
pub(crate) struct Controls {
    base: String,
    http: reqwest::Client,
}

#[derive(Deserialize)]
struct Answered {
    ok: bool,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    error: String,
}

impl Controls {
    /// Those of the chain at `url`: its root, its `/control`, or the URL of its API.
    pub(crate) fn new(url: &str) -> Result<Self, Failure> {
        let url = url.trim_end_matches('/');
        let root = ["/api/v2/jsonRPC", "/api/v2", "/control"]
            .iter()
            .find_map(|end| url.strip_suffix(end))
            .unwrap_or(url);
        let http = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build().or_fail(
            Exit::Defect,
            "cannot make an HTTP client",
            "the system is short of a resource",
        )?;
        Ok(Self {
            base: format!("{root}/control"),
            http,
        })
    }

    /// What the chain tells of itself.
    pub(crate) async fn status<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        self.ask(self.http.get(format!("{}/status", self.base))).await
    }

    /// Gives an order.
    pub(crate) async fn order<T: DeserializeOwned>(&self, control: &str, order: &Value) -> Result<T, Failure> {
        self.ask(self.http.post(format!("{}/{control}", self.base)).json(order))
            .await
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let doing = format!("cannot reach a local chain at {}", self.base);
        let hint = "start one with `cocoon localnet run` or `cocoon up`, or name its URL with --url";
        let response = request.send().await.or_fail(Exit::Chain, &doing, hint)?;
        let status = response.status();
        let answered: Answered = response.json().await.or_fail(
            Exit::Chain,
            &format!("{} does not answer like a local chain", self.base),
            hint,
        )?;
        if !answered.ok {
            let hint = match status.as_u16() {
                404 => "`cocoon localnet status` lists the snapshots",
                422 => "see `cocoon localnet --help`",
                _ => "the log of the local chain may say more",
            };
            return Err(Failure::new(
                Exit::Chain,
                anyhow!("the local chain refused: {}", answered.error),
                hint,
            ));
        }
        serde_json::from_value(answered.result).or_fail(
            Exit::Chain,
            "the local chain's answer has another shape",
            "it may be of another version of this program",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_url_of_a_chain_leads_to_its_controls() {
        for url in [
            "http://h:1",
            "http://h:1/",
            "http://h:1/control",
            "http://h:1/api/v2",
            "http://h:1/api/v2/jsonRPC",
        ] {
            assert_eq!(Controls::new(url).unwrap().base, "http://h:1/control", "{url}");
        }
    }
}
