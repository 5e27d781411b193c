//! Proxy, worker and client in this process.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::configs::Configs;
use super::network::NetworkFile;
use super::part::Part;
use crate::failure::{self, Exit, Failure};

/// How long the runners may take to find each other.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
const READY_POLL: Duration = Duration::from_millis(100);

/// The three runners, each with its own stop.
pub(crate) struct Runners {
    proxy: Part,
    worker: Part,
    client: Part,
}

impl Runners {
    /// Starts all three and waits until a request can be served.
    pub(crate) async fn start(
        configs: Configs,
        file: &NetworkFile,
        on_step: &mut impl FnMut(&str),
    ) -> Result<Self, Failure> {
        on_step("Starting the proxy");
        let proxy = Part::proxy(configs.proxy).await?;
        on_step("Starting the worker");
        let worker = Part::worker(configs.worker).await?;
        on_step("Starting the client");
        let client = Part::client(configs.client).await?;
        let mut runners = Self { proxy, worker, client };
        on_step("Waiting until the worker serves");
        tokio::select! {
            ready = until_ready(&file.client_url, &file.models) => ready?,
            failure = runners.failed() => return Err(failure),
        }
        Ok(runners)
    }

    /// Waits until one of them ends by itself.
    pub(crate) async fn failed(&mut self) -> Failure {
        tokio::select! {
            failure = self.proxy.failed() => failure,
            failure = self.worker.failed() => failure,
            failure = self.client.failed() => failure,
        }
    }

    /// Stops in the order of a request, so that each part can finish what it took.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        let client = self.client.stop().await;
        let proxy = self.proxy.stop().await;
        let worker = self.worker.stop().await;
        client.and(proxy).and(worker)
    }
}

/// Waits until the client lists each model with a worker.
async fn until_ready(client_url: &str, models: &[String]) -> Result<(), Failure> {
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .map_err(anyhow::Error::from)?;
    let deadline = Instant::now() + READY_TIMEOUT;
    while Instant::now() < deadline {
        if let Ok(response) = http.get(format!("{client_url}/v1/models")).send().await
            && let Ok(list) = response.json::<Value>().await
            && let Some(listed) = list["data"].as_array()
            && models
                .iter()
                .all(|model| listed.iter().any(|listed| is_served(listed, model)))
        {
            return Ok(());
        }
        tokio::time::sleep(READY_POLL).await;
    }
    Err(failure::Failure::new(
        Exit::Peer,
        anyhow::anyhow!(
            "client, proxy and worker did not find each other within {} s",
            READY_TIMEOUT.as_secs()
        ),
        "run it again with -v, which shows the log",
    ))
}

fn is_served(listed: &Value, model: &str) -> bool {
    listed["id"] == model && listed["workers"].as_array().is_some_and(|workers| !workers.is_empty())
}
