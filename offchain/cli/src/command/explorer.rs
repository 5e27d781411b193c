//! `cocoon explorer`: a view of a network for people, served until it is asked to end.

use std::time::Duration;

use cocoon_chain::RootView;
use cocoon_explorer::{Explorer, Settings};
use cocoon_ratls::{SystemClock, TcpNetwork};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::args::Global;
use crate::args::explorer::ExplorerArgs;
use crate::command::network::{LOCAL, Network, resolve};
use crate::command::stop::Stop;
use crate::failure::{self, Exit, Failure};
use crate::local::layout::DataDir;
use crate::local::network::NetworkFile;
use crate::output::Output;

#[derive(Serialize)]
struct Ready {
    ready: &'static str,
    at: String,
    root: String,
    logs: Vec<String>,
    /// Whether evidence of machines may be SIMULATED: the root contract says that the network is a test.
    simulated: bool,
}

impl Ready {
    fn text(&self) -> String {
        let simulated = if self.simulated {
            ", a test network with SIMULATED evidence"
        } else {
            ""
        };
        format!(
            "explorer ready at {}, root {}, logs {}{simulated}",
            self.at,
            self.root,
            self.logs.len()
        )
    }
}

/// Serves until it is asked to end.
pub(crate) async fn run(global: &Global, args: ExplorerArgs, output: Output) -> Result<Exit, Failure> {
    let network = resolve(global, &args.place)?;
    let (chain, root) = network.open()?;
    // A wrong address, or a chain that is not there, is told at once; later it is only noted.
    let view = RootView::fetch(chain.as_ref(), &root)
        .await
        .map_err(failure::from_chain)?;
    let logs = logs(global, &network, args.logs)?;
    if logs.is_empty() {
        output.note("No log is named: proxies, workers, models in use and receipts are not shown.");
    }
    let port = cocoon_runner::http::listen(&TcpNetwork, args.listen).await;
    let port = port.map_err(failure::from_runner)?;
    let stop = CancellationToken::new();
    let settings = Settings {
        every: Duration::from_secs(args.every),
        reads_always: true,
        ..Settings::new(root.clone(), logs.clone())
    };
    let explorer = Explorer::start(chain, SystemClock::shared(), settings, stop.clone());
    let explorer = explorer.map_err(failure::from_explorer)?;
    let routes = explorer.whole_router().merge(cocoon_page::router());
    let server = cocoon_runner::http::serve_public(port, routes, stop.clone());
    let server = server.map_err(failure::from_runner)?;
    let ready = Ready {
        ready: "explorer",
        at: format!("http://{}", server.address()),
        root: root.to_string(),
        logs,
        simulated: view.is_test(),
    };
    let signal = Stop::listen().await;
    output.result(&ready, Ready::text)?;
    signal.asked().await?;
    stop.cancel();
    server.join().await.map_err(failure::from_runner)?;
    Ok(Exit::Done)
}

/// The logs that are named, or that of the local network.
fn logs(global: &Global, network: &Network, named: Vec<String>) -> Result<Vec<String>, Failure> {
    if !named.is_empty() || network.name != LOCAL {
        return Ok(named);
    }
    let data = DataDir::new(&global.data_dir);
    let served = NetworkFile::load(&data)?.ports.proxy_log;
    Ok(vec![match served {
        Some(address) => format!("http://{address}"),
        None => data.log_dir().display().to_string(),
    }])
}
