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
            let (exit, hint) = refusal(status.as_u16(), &answered.error);
            return Err(Failure::new(
                exit,
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

/// What the status and the error of an order that was not followed mean to whoever gave it.
fn refusal(status: u16, error: &str) -> (Exit, &'static str) {
    match status {
        404 if error.starts_with("unknown control") => (
            Exit::Usage,
            "the chain is run by another version of this program: start it anew",
        ),
        404 => (Exit::Usage, "`cocoon localnet status` lists the snapshots"),
        400..=499 => (Exit::Usage, "see `cocoon localnet --help`"),
        _ => (Exit::Chain, "the log of the local chain may say more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_that_is_refused_is_not_a_chain_that_is_away() {
        for (status, error, exit, hint) in [
            (404, "there is no snapshot 7", 2, "snapshots"),
            (404, "unknown control \"mine\"", 2, "version"),
            (422, "time advances by at most 5 s at once", 2, "--help"),
            (500, "the chain failed", 4, "log"),
        ] {
            let (found, text) = refusal(status, error);
            assert_eq!(found as i32, exit, "{error}");
            assert!(text.contains(hint), "{text}");
        }
    }

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
