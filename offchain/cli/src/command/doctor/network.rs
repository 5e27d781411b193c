//! `cocoon doctor chain` and `cocoon doctor network`: is the way to the network whole?

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cocoon_bindings::ContractKind;
use cocoon_chain::RootView;
use serde::Serialize;
use tokio::net::TcpStream;

use crate::args::Global;
use crate::args::doctor::DoctorNetworkArgs;
use crate::command::network::{Network, resolve};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// How far the chain's time may be from this machine's. Blocks come every few seconds; wallets refuse messages that are
/// some minutes old.
const MAX_SKEW_SECONDS: u64 = 60;
/// A proxy that listens accepts a connection within this, wherever it is.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) check: &'static str,
    pub(crate) is_fine: bool,
    pub(crate) seen: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Told {
    network: String,
    is_whole: bool,
    findings: Vec<Finding>,
}

impl Finding {
    fn fine(check: &'static str, seen: impl Into<String>) -> Self {
        let seen = seen.into();
        Self {
            check,
            is_fine: true,
            seen,
            hint: None,
        }
    }

    fn broken(check: &'static str, seen: impl Into<String>, hint: &'static str) -> Self {
        Self {
            is_fine: false,
            hint: Some(hint),
            ..Self::fine(check, seen)
        }
    }
}

/// Looks at the way to the chain.
pub(crate) async fn chain(global: &Global, args: DoctorNetworkArgs, output: Output) -> Result<Exit, Failure> {
    let network = resolve(global, &args.place)?;
    let (findings, _) = way(&network).await?;
    tell(network.name, findings, Exit::Chain, output)
}

/// Looks at the network.
pub(crate) async fn network(global: &Global, args: DoctorNetworkArgs, output: Output) -> Result<Exit, Failure> {
    let network = resolve(global, &args.place)?;
    let (mut findings, view) = way(&network).await?;
    let Some(view) = view else {
        return tell(network.name, findings, Exit::Chain, output);
    };
    findings.push(lists(&view));
    findings.push(codes(&view));
    for (seqno, endpoints) in &view.data.proxies {
        for (check, address) in [("for workers", &endpoints.workers), ("for clients", &endpoints.clients)] {
            let connected = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
            let seen = format!("proxy {seqno} at {address}");
            findings.push(match connected {
                Ok(Ok(_)) => Finding::fine(check, seen),
                Ok(Err(error)) => Finding::broken(
                    check,
                    format!("{seen}: {error}"),
                    "is the proxy running, and its port open?",
                ),
                Err(_) => Finding::broken(check, format!("{seen} does not answer"), "is the proxy's port open?"),
            });
        }
    }
    tell(network.name, findings, Exit::Negative, output)
}

/// Server, time and root contract; the last one too, where it could be read.
pub(crate) async fn way(network: &Network) -> Result<(Vec<Finding>, Option<RootView>), Failure> {
    let (chain, root) = network.open()?;
    let mut findings = Vec::new();
    let time = match chain.now().await {
        Ok(time) => time,
        Err(error) => {
            findings.push(Finding::broken("server", error.to_string(), error.hint()));
            return Ok((findings, None));
        }
    };
    findings.push(Finding::fine("server", network.chain_url.clone()));
    let here = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let skew = here.abs_diff(u64::from(time));
    let seen = format!("{skew} s from this machine's");
    findings.push(if skew <= MAX_SKEW_SECONDS {
        Finding::fine("time", seen)
    } else {
        Finding::broken(
            "time",
            seen,
            "set this machine's clock, or ask a server that is not behind",
        )
    });
    match RootView::fetch(chain.as_ref(), &root).await {
        Ok(view) => {
            let kind = if view.is_test() { ", a test" } else { "" };
            let seen = format!(
                "version {}, parameters {}{kind}",
                view.version,
                view.params_version().get()
            );
            findings.push(Finding::fine("root contract", seen));
            Ok((findings, Some(view)))
        }
        Err(error) => {
            findings.push(Finding::broken("root contract", error.to_string(), error.hint()));
            Ok((findings, None))
        }
    }
}

/// Whether anything could run there at all.
fn lists(view: &RootView) -> Finding {
    let data = &view.data;
    let counts = [
        ("proxy images", data.proxy_hashes.entries().count()),
        ("worker images", data.worker_hashes.entries().count()),
        ("models", data.model_hashes.entries().count()),
        ("proxies", data.proxies.len()),
    ];
    let seen: Vec<String> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
    let seen = seen.join(", ");
    if counts.iter().any(|(_, count)| *count == 0) {
        return Finding::broken(
            "lists",
            seen,
            "the root contract's owner adds what is missing: `cocoon root export`",
        );
    }
    Finding::fine("lists", seen)
}

/// Whose code the network's contracts have.
fn codes(view: &RootView) -> Finding {
    let kinds = [ContractKind::Proxy, ContractKind::Worker, ContractKind::Client];
    let same = |kind: &ContractKind| {
        let theirs = view.params.code_of(*kind).ok().map(|code| *code.repr_hash());
        theirs.is_some() && theirs == kind.code_hash().ok()
    };
    let missing = kinds.iter().any(|kind| view.params.code_of(*kind).is_err());
    if missing {
        return Finding::broken(
            "code",
            "the root contract holds no code",
            "no contract can be deployed there",
        );
    }
    if kinds.iter().all(same) {
        Finding::fine("code", "that of this build")
    } else {
        Finding::fine("code", "of another build or implementation")
    }
}

fn tell(network: String, findings: Vec<Finding>, otherwise: Exit, output: Output) -> Result<Exit, Failure> {
    let is_whole = findings.iter().all(|finding| finding.is_fine);
    let told = Told {
        network,
        is_whole,
        findings,
    };
    output.result(&told, text)?;
    if let Some(hint) = told.findings.iter().find_map(|finding| finding.hint) {
        output.note(format!("hint: {hint}"));
    }
    Ok(if is_whole { Exit::Done } else { otherwise })
}

fn text(told: &Told) -> String {
    let line = |finding: &Finding| {
        let mark = if finding.is_fine { "ok" } else { "BROKEN" };
        format!("{mark:<8} {:<16} {}", finding.check, finding.seen)
    };
    told.findings.iter().map(line).collect::<Vec<_>>().join("\n")
}
