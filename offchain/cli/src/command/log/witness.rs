//! `cocoon log witness`: an independent party that signs checkpoints of logs that only grow.

use std::sync::Arc;

use cocoon_ratls::{SystemClock, TcpNetwork};
use cocoon_tlog::{DiskFolder, Witness, parse_key, witness};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::args::log::LogWitnessArgs;
use crate::command::stop::Stop;
use crate::failure::{self, Exit, Failure};
use crate::output::Output;

#[derive(Serialize)]
struct Ready {
    ready: &'static str,
    at: String,
    /// For logs and for those who check.
    key: String,
    logs: usize,
}

/// Runs a witness until it is asked to end.
pub(crate) async fn run(args: LogWitnessArgs, output: Output) -> Result<Exit, Failure> {
    let logs: Vec<_> = args
        .follow
        .iter()
        .map(|text| parse_key(text))
        .collect::<Result<_, _>>()
        .map_err(failure::from_tlog)?;
    let key = cocoon_runner::keys::load_or_create_key(&args.key_file).map_err(failure::from_runner)?;
    let witness = Witness::open(args.name, key, &logs, DiskFolder::shared(&args.state));
    let witness = Arc::new(witness.map_err(failure::from_tlog)?);
    let key = witness.verifier().verifier_key();
    let stop = CancellationToken::new();
    let router = witness::router(witness, SystemClock::shared());
    let port = cocoon_runner::http::listen(&TcpNetwork, args.listen).await;
    let port = port.map_err(failure::from_runner)?;
    let server = cocoon_runner::http::serve_public(port, router, stop.clone()).map_err(failure::from_runner)?;
    let ready = Ready {
        ready: "witness",
        at: format!("http://{}", server.address()),
        key,
        logs: logs.len(),
    };
    let stop_signal = Stop::listen().await;
    output.result(&ready, |ready| {
        format!("witness ready at {}, key {}, logs {}", ready.at, ready.key, ready.logs)
    })?;
    stop_signal.asked().await?;
    stop.cancel();
    server.join().await.map_err(failure::from_runner)?;
    Ok(Exit::Done)
}
