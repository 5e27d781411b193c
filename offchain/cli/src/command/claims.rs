//! `cocoon worker claims` and `cocoon client claims`: what settles on chain without the proxy.

use std::fmt::Write as _;
use std::time::Duration;

use cocoon_bindings::ExportedMessage;
use reqwest::StatusCode;
use reqwest::header::AUTHORIZATION;
use serde::{Deserialize, Serialize};

use crate::api_key::{self, ApiKey};
use crate::args::{ApiKeyArgs, Global};
use crate::failure::{Exit, Failure, OrFail as _};
use crate::local::layout::DataDir;
use crate::local::network::NetworkFile;
use crate::output::Output;

const TIMEOUT: Duration = Duration::from_secs(10);

/// One claim, as both runners show it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Claim {
    /// The proxy contract.
    pub(crate) proxy: String,
    /// Tokens in all.
    pub(crate) tokens: u64,
    /// The message that claims.
    pub(crate) claim: ExportedMessage,
    /// The message that settles.
    pub(crate) settle: ExportedMessage,
}

/// Asks a worker.
pub(crate) async fn worker(global: &Global, url: Option<String>, output: Output) -> Result<Exit, Failure> {
    let url = url_or(global, url, |file| file.worker_url)?;
    print(&format!("{url}/claims"), None, output).await
}

/// What a worker can claim.
pub(crate) async fn of_worker(global: &Global, url: Option<String>) -> Result<Vec<Claim>, Failure> {
    let url = url_or(global, url, |file| file.worker_url)?;
    fetch(&format!("{url}/claims"), None).await
}

/// Asks a client.
pub(crate) async fn client(
    global: &Global,
    url: Option<String>,
    key: &ApiKeyArgs,
    output: Output,
) -> Result<Exit, Failure> {
    let url = url_or(global, url, |file| file.client_url)?;
    let key = ApiKey::load(key)?;
    print(&format!("{url}/v1/cocoon/claims"), key.as_ref(), output).await
}

fn url_or(global: &Global, url: Option<String>, of: impl FnOnce(NetworkFile) -> String) -> Result<String, Failure> {
    let url = match url {
        Some(url) => url,
        None => of(NetworkFile::load(&DataDir::new(&global.data_dir))?),
    };
    Ok(url.trim_end_matches('/').to_owned())
}

async fn print(url: &str, key: Option<&ApiKey>, output: Output) -> Result<Exit, Failure> {
    output.result(&fetch(url, key).await?, |claims| text(claims))?;
    Ok(Exit::Done)
}

async fn fetch(url: &str, key: Option<&ApiKey>) -> Result<Vec<Claim>, Failure> {
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(TIMEOUT)
        .build()
        .map_err(anyhow::Error::from)?;
    let silent = "the runner does not give its claims";
    let is_there = "is it running at that URL?";
    let mut request = http.get(url);
    if let Some(key) = key {
        request = request.header(AUTHORIZATION, key.header());
    }
    let response = request.send().await.or_fail(Exit::Peer, silent, is_there)?;
    if response.status() == StatusCode::UNAUTHORIZED {
        let body: serde_json::Value = response.json().await.unwrap_or_default();
        return Err(api_key::unauthorized(body["error"]["message"].as_str()));
    }
    let claims = async { response.error_for_status()?.json::<Vec<Claim>>().await };
    claims.await.or_fail(Exit::Peer, silent, is_there)
}

fn text(claims: &[Claim]) -> String {
    let mut text = String::new();
    if claims.is_empty() {
        text.push_str("No proxy has signed anything that could be claimed.");
    }
    for claim in claims {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "proxy {}: {} tokens in all", claim.proxy, claim.tokens);
        for (name, message) in [("claim", &claim.claim), ("settle", &claim.settle)] {
            let _ = writeln!(text, "  {name:<7} to {} with {}", message.to, message.value);
            let _ = writeln!(text, "          body {}", message.body);
            let _ = writeln!(text, "          body hash {}", message.body_hash);
            let _ = writeln!(text, "          {}", message.link);
        }
    }
    text
}
