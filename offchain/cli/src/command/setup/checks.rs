//! The doctor's checks, made before anything rests on them.

use std::net::SocketAddr;
use std::path::Path;

use cocoon_chain::RootView;
use cocoon_runner::doctor::{Check, Disk, Machine, Outcome, Ports, diagnose};

use super::typed::Role;
use crate::command::doctor::network::way;
use crate::command::network::Network;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// The way to the chain and the root contract.
pub(super) async fn network(network: &Network, output: Output) -> Result<RootView, Failure> {
    let (findings, view) = way(network).await?;
    for finding in &findings {
        output.note(format!("  {:<14} {}", finding.check, finding.seen));
        if !finding.is_fine {
            let error = anyhow::anyhow!("{}: {}", finding.check, finding.seen);
            return Err(Failure::new(
                Exit::Chain,
                error,
                finding.hint.unwrap_or("look with `cocoon doctor chain`"),
            ));
        }
    }
    view.ok_or_else(|| anyhow::anyhow!("the root contract was found and not read").into())
}

/// Room for the runner's state.
pub(super) fn disk(folder: &Path, output: Output) -> Result<(), Failure> {
    let folder = folder.to_owned();
    look(Box::new(Disk { folder }), output)
}

/// Ports that the runner will open.
pub(super) fn ports(role: Role, listen: SocketAddr, output: Output) -> Result<(), Failure> {
    let addresses = match role {
        Role::Client | Role::Worker => vec![listen],
        Role::Proxy => {
            let (workers, clients) = beside(listen)?;
            vec![listen, workers, clients]
        }
    };
    look(Box::new(Ports { addresses }), output)
}

/// The ports of a proxy for workers and clients.
pub(super) fn beside(listen: SocketAddr) -> Result<(SocketAddr, SocketAddr), Failure> {
    let any = |add: u16| {
        let port = listen.port().checked_add(add);
        port.map(|port| SocketAddr::from(([0, 0, 0, 0], port)))
    };
    any(1).zip(any(2)).ok_or_else(|| {
        let error = anyhow::anyhow!("there are no two ports above {}", listen.port());
        Failure::new(Exit::Usage, error, "give a smaller port with --listen")
    })
}

fn look(check: Box<dyn Check>, output: Output) -> Result<(), Failure> {
    let diagnosis = diagnose(&Machine::here(), &[check]);
    for finding in &diagnosis.findings {
        match &finding.outcome {
            Outcome::Fine { seen } | Outcome::Unknown { seen } => {
                output.note(format!("  {:<14} {seen}", finding.check));
            }
            Outcome::Broken { seen, hint } => {
                let error = anyhow::anyhow!("{}: {seen}", finding.check);
                return Err(Failure::new(Exit::Configuration, error, hint.to_string()));
            }
        }
    }
    Ok(())
}
