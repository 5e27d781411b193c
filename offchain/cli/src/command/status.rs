//! `cocoon status`: what runs and what the contracts hold.

use std::sync::Arc;
use std::time::Duration;

use cocoon_chain::{HttpApi, SharedChain};
use serde::Serialize;

use crate::args::Global;
use crate::failure::{self, Exit, Failure};
use crate::local::balances::Balances;
use crate::local::layout::DataDir;
use crate::local::network::NetworkFile;
use crate::output::Output;

const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Status {
    simulated: bool,
    network: NetworkFile,
    proxy_runs: bool,
    worker_runs: bool,
    client_runs: bool,
    balances: Balances,
}

/// Runs the command.
pub(crate) async fn run(global: &Global, output: Output) -> Result<Exit, Failure> {
    let network = NetworkFile::load(&DataDir::new(&global.data_dir))?;
    let chain: SharedChain = Arc::new(HttpApi::new(&network.chain_url, None).map_err(failure::from_chain)?);
    let balances = Balances::fetch(&chain, &network).await?;
    let http = reqwest::Client::builder()
        .timeout(PROBE_TIMEOUT)
        .no_proxy()
        .build()
        .map_err(anyhow::Error::from)?;
    let runs = |url: &str| {
        let request = http.get(format!("{url}/jsonstats"));
        async move {
            request
                .send()
                .await
                .is_ok_and(|response| response.status().is_success())
        }
    };
    let (proxy_runs, worker_runs, client_runs) = tokio::join!(
        runs(&network.proxy_url),
        runs(&network.worker_url),
        runs(&network.client_url)
    );
    output.result(
        &Status {
            simulated: true,
            proxy_runs,
            worker_runs,
            client_runs,
            balances,
            network,
        },
        text,
    )?;
    Ok(Exit::Done)
}

fn text(status: &Status) -> String {
    let word = |runs: bool| if runs { "runs" } else { "does not answer" };
    let (network, balances) = (&status.network, &status.balances);
    let lines = [
        format!("SIMULATED network, model {}", network.deployed_model),
        format!("chain    {}", network.chain_url),
        format!("root     {}", network.root),
        format!("proxy    {} {}", network.proxy_url, word(status.proxy_runs)),
        format!("         contract {}", network.proxy_contract),
        format!(
            "         earned {}, stake {}",
            balances.proxy_contract, balances.proxy_stake
        ),
        format!("worker   {} {}", network.worker_url, word(status.worker_runs)),
        format!("         contract {}", network.worker_contract),
        format!(
            "         {} tokens paid, its owner holds {}",
            balances.worker_tokens_paid, balances.worker_owner
        ),
        format!("client   {} {}", network.client_url, word(status.client_runs)),
        format!("         contract {}", network.client_contract),
        format!(
            "         {} tokens charged, {} left",
            balances.client_tokens_charged, balances.client_contract
        ),
    ];
    lines.join("\n")
}
