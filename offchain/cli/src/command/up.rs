//! `cocoon up`: a whole network on this machine.

use std::time::Duration;

use cocoon_bindings::Nanoton;
use serde::Serialize;
use serde_json::Value;

use crate::args::{Global, Only, UpArgs};
use crate::ask::{Answer, Asker, Message};
use crate::command::chat;
use crate::command::stop::Stop;
use crate::failure::{self, Exit, Failure, OrFail as _};
use crate::local::balances::{Balances, table};
use crate::local::network::NetworkFile;
use crate::local::{LocalNetwork, LocalOptions};
use crate::output::Output;
use crate::progress::Progress;

/// How long charge and payout may take: a few commits of the proxy.
const SETTLEMENT_PATIENCE: Duration = Duration::from_secs(60);

const BANNER: &str = "\
SIMULATED network: the chain is local, its coins are worth nothing, and the TDX platform is a test
platform that protects nothing. Do not send secrets.";

/// Runs the command.
pub(crate) async fn run(global: &Global, args: UpArgs, output: Output) -> Result<Exit, Failure> {
    output.note(BANNER);
    let options = LocalOptions {
        data_dir: global.data_dir.clone(),
        models: args.models,
        instance: args.instance,
        fresh: args.fresh,
        only_chain: args.only == Some(Only::Chain),
        collector: args.collector,
    };
    let mut progress = Progress::new(output);
    let started = tokio::select! {
        started = LocalNetwork::start(options, |step| progress.step(step)) => started,
        signal = cocoon_runner::shutdown::signal() => {
            signal.map_err(failure::from_runner)?;
            return Ok(Exit::Done);
        }
    };
    let mut network = match started {
        Ok(network) => network,
        Err(failure) => {
            progress.abandon();
            return Err(failure);
        }
    };
    progress.finish();
    let result = match args.prompt {
        Some(prompt) => answer_once(&mut network, prompt, args.max_tokens, output).await,
        None => serve(&mut network, args.only, output).await,
    };
    output.note("Draining ...");
    let stopped = network.shutdown().await;
    result?;
    stopped?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Up<'a> {
    simulated: bool,
    network: &'a NetworkFile,
}

async fn serve(network: &mut LocalNetwork, only: Option<Only>, output: Output) -> Result<(), Failure> {
    let up = Up {
        simulated: true,
        network: network.file(),
    };
    let signal = Stop::listen().await;
    output.result(&up, |up| ready_text(up.network, network.data().path(), only))?;
    tokio::select! {
        asked = signal.asked() => asked,
        failure = network.failed() => Err(failure),
    }
}

fn ready_text(file: &NetworkFile, folder: &std::path::Path, only: Option<Only>) -> String {
    let folder = folder.display();
    match only {
        Some(Only::Chain) => format!(
            "\
The chain is ready at {}, its contracts are deployed. Start the runners with:
  cocoon proxy run --config {folder}/proxy.toml
  cocoon worker run --config {folder}/worker.toml
  cocoon client run --config {folder}/client.toml
Ctrl-C saves and ends.",
            file.chain_url
        ),
        None => format!(
            "\
SIMULATED network, ready at {url}: a page for your browser, and the API

  curl {url}/v1/chat/completions -H 'Content-Type: application/json' \\
    -d '{{\"model\": \"{model}\", \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'

{models}Chain: {chain}   Root contract: {root}
Ctrl-C drains and ends.",
            models = match file.models.as_slice() {
                [] | [_] => String::new(),
                several => format!("Models: {}\n", several.join(", ")),
            },
            url = file.client_url,
            model = file.model,
            chain = file.chain_url,
            root = file.root,
        ),
    }
}

#[derive(Serialize)]
struct Paid {
    simulated: bool,
    #[serde(flatten)]
    answer: Answer,
    tokens: u64,
    cost: Nanoton,
    receipt: Value,
    before: Balances,
    after: Balances,
}

async fn answer_once(
    network: &mut LocalNetwork,
    prompt: String,
    max_tokens: u32,
    output: Output,
) -> Result<(), Failure> {
    let file = network.file().clone();
    let chain = network.chain().clone();
    let before = Balances::fetch(&chain, &file).await?;
    let mut asker = Asker::new(file.client_url.clone(), None, Some(max_tokens), None)?;
    asker.use_model(file.model.clone());
    let work = async {
        let answer = chat::ask(&asker, &[Message::user(prompt)], output).await?;
        let receipt = receipt(&file, &answer).await?;
        let tokens = receipt_tokens(&receipt)?;
        output.note(format!("Settling {tokens} tokens on chain ..."));
        let after = Balances::settled(&chain, &file, &before, tokens, SETTLEMENT_PATIENCE).await?;
        let cost = cost(before.price_per_token, tokens)?;
        Ok::<Paid, Failure>(Paid {
            simulated: true,
            answer,
            tokens,
            cost,
            receipt,
            before: before.clone(),
            after,
        })
    };
    let paid = tokio::select! {
        paid = work => paid?,
        failure = network.failed() => return Err(failure),
        signal = cocoon_runner::shutdown::signal() => return signal.map_err(failure::from_runner),
    };
    output.result(&paid, paid_text)?;
    Ok(())
}

fn paid_text(paid: &Paid) -> String {
    let missing = || "-".to_owned();
    format!(
        "\nreceipt  {}\nrequest  {}\ncost     {} for {} tokens\n\n{}",
        paid.answer.receipt_id.clone().unwrap_or_else(missing),
        paid.answer.request_id.clone().unwrap_or_else(missing),
        paid.cost,
        paid.tokens,
        table(&paid.before, &paid.after)
    )
}

/// What the receipt charges.
fn receipt_tokens(receipt: &Value) -> Result<u64, Failure> {
    let charged = &receipt["tokens_charged"];
    let tokens = charged.as_u64().or_else(|| charged.as_str()?.parse().ok());
    tokens.ok_or_else(|| anyhow::anyhow!("the client's receipt names no tokens").into())
}

fn cost(price: Nanoton, tokens: u64) -> anyhow::Result<Nanoton> {
    price
        .checked_mul(tokens)
        .ok_or_else(|| anyhow::anyhow!("the cost is out of range"))
}

/// The receipt as the client has verified and kept it.
async fn receipt(file: &NetworkFile, answer: &Answer) -> Result<Value, Failure> {
    let no_receipt = "the proxy was lost after the answer; its receipt comes with the next connection";
    let id = answer.receipt_id.as_ref().or(answer.request_id.as_ref());
    let id = id
        .ok_or_else(|| anyhow::anyhow!("the answer names no receipt"))
        .or_fail(Exit::Peer, "no receipt came with the answer", no_receipt)?;
    let url = format!("{}/v1/cocoon/receipts/{id}", file.client_url);
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .map_err(anyhow::Error::from)?;
    let fetched = async { http.get(url).send().await?.error_for_status()?.json::<Value>().await };
    fetched
        .await
        .or_fail(Exit::Peer, "the client does not give the receipt", no_receipt)
}
