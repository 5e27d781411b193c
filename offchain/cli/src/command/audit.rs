//! `cocoon audit`: every receipt of the local network's proxy against the chain.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cocoon_audit::{Report, Role, Verdict, counted};
use cocoon_bindings::ton::{Address, parse_address};
use cocoon_chain::{EmulatedChain, HttpApi, SharedChain};

use crate::args::{AuditArgs, Global};
use crate::failure::{self, Exit, Failure, OrFail as _};
use crate::local::layout::DataDir;
use crate::local::network::NetworkFile;
use crate::output::Output;

const WAIT_POLL: Duration = Duration::from_millis(500);

/// Runs the command.
pub(crate) async fn run(global: &Global, args: AuditArgs, output: Output) -> Result<Exit, Failure> {
    let network = NetworkFile::load(&DataDir::new(&global.data_dir))?;
    let proxy = parse_address(&network.proxy_contract).or_fail(
        Exit::Configuration,
        "network.json is damaged",
        "start over with `cocoon up --fresh`",
    )?;
    let chain = chain(&network, &proxy, output).await?;
    let deadline = Instant::now() + Duration::from_secs(args.wait);
    let report = loop {
        let audited = cocoon_audit::run(&network.proxy_store_dir, chain.as_ref(), &proxy).await;
        let report = audited.map_err(failure::from_audit)?;
        if report.verdict != Verdict::Open || Instant::now() >= deadline {
            break report;
        }
        tokio::time::sleep(WAIT_POLL).await;
    };
    output.result(&report, text)?;
    if report.verdict == Verdict::Equal {
        return Ok(Exit::Done);
    }
    if output.json {
        output.note(report.sentence());
    }
    Ok(Exit::Negative)
}

/// The running chain, or the one that was saved when the network stopped.
async fn chain(network: &NetworkFile, proxy: &Address, output: Output) -> Result<SharedChain, Failure> {
    let running = HttpApi::new(&network.chain_url, None).map_err(failure::from_chain)?;
    let running: SharedChain = Arc::new(running);
    // Another network may have taken the port since.
    if running.account(proxy).await.is_ok_and(|account| account.is_active()) {
        return Ok(running);
    }
    output.note(format!(
        "The chain does not run; auditing its saved state {}.",
        network.chain_state_file.display()
    ));
    Ok(Arc::new(
        EmulatedChain::from_state_file(&network.chain_state_file).map_err(failure::from_chain)?,
    ))
}

fn text(report: &Report) -> String {
    let mut text = format!("{}\n", report.sentence());
    let totals = &report.totals;
    // Writing to a String cannot fail.
    let mut line = |line: String| {
        let _ = writeln!(text, "{line}");
    };
    if report.test_network {
        line("SIMULATED: a test network, whose evidence proves nothing about hardware.".into());
    }
    line(format!("proxy contract  {}", report.proxy));
    line(format!(
        "price           {} per token, {} of it to the worker",
        report.price_per_token, report.worker_fee_per_token
    ));
    line(format!(
        "receipts        {}, {} signed by the worker, {}",
        totals.receipts,
        totals.signed_by_worker,
        counted(totals.certificates, "certificate")
    ));
    for channel in &report.channels {
        let (verb, way) = match channel.role {
            Role::Client => ("charged", "for"),
            Role::Worker | Role::Proxy => ("paid", "as"),
        };
        line(format!(
            "{:<15} {}: {}, {}, {} {verb} {way} {}",
            channel.role.to_string(),
            channel.contract,
            counted(channel.receipts, "receipt"),
            counted(channel.tokens.get(), "token"),
            channel.settled,
            channel.amount
        ));
    }
    text
}
