//! `cocoon doctor host`: is this machine fit for its role?

pub(crate) mod network;

use std::net::{Ipv4Addr, SocketAddr};

use cocoon_chain::RootView;
use cocoon_runner::doctor::{
    Chain, Check, Clock, Diagnosis, Disk, Finding, Gpu, Kernel, Listed, Machine, Outcome, Passthrough, Ports,
    QuotingService, Role, RootFacts, Tdx, Vsock, diagnose,
};
use serde::Serialize;

use crate::args::doctor::{DoctorHostArgs, RoleArg};
use crate::command::root;
use crate::failure::{Exit, Failure};
use crate::output::Output;

#[derive(Serialize)]
struct Told {
    role: Role,
    /// Whether no link is broken.
    fit: bool,
    #[serde(flatten)]
    diagnosis: Diagnosis,
}

/// Looks at this machine.
pub(crate) async fn host(args: DoctorHostArgs, output: Output) -> Result<Exit, Failure> {
    let role = match args.role {
        RoleArg::Worker => Role::Worker,
        RoleArg::Proxy => Role::Proxy,
        RoleArg::Client => Role::Client,
    };
    let root = match (&args.place.chain_url, &args.place.root) {
        (Some(url), Some(address)) => {
            let (chain, address) = root::open(url, address)?;
            let view = RootView::fetch(chain.as_ref(), &address).await;
            Some(view.map_err(|error| error.to_string()))
        }
        _ => None,
    };
    let checks = checks(role, args, root);
    let diagnosis = diagnose(&Machine::here(), &checks);
    let exit = match diagnosis.broken() {
        None => Exit::Done,
        Some(finding) if finding.check == "chain" => Exit::Chain,
        Some(_) => Exit::Negative,
    };
    let told = Told {
        role,
        fit: exit == Exit::Done,
        diagnosis,
    };
    output.result(&told, text)?;
    if let Some(Finding {
        outcome: Outcome::Broken { hint, .. },
        ..
    }) = told.diagnosis.broken()
    {
        output.note(format!("hint: {hint}"));
    }
    Ok(exit)
}

/// The links of a role, each resting on those before it.
fn checks(role: Role, args: DoctorHostArgs, root: Option<Result<RootView, String>>) -> Vec<Box<dyn Check>> {
    let mut checks: Vec<Box<dyn Check>> = Vec::new();
    if role != Role::Client {
        checks.extend([Box::new(Kernel) as Box<dyn Check>, Box::new(Tdx), Box::new(Vsock)]);
        checks.push(Box::new(QuotingService { endpoint: args.qgs }));
    }
    if role == Role::Worker {
        checks.extend([Box::new(Passthrough) as Box<dyn Check>, Box::new(Gpu)]);
    }
    let addresses = if args.ports.is_empty() {
        usual_ports(role)
    } else {
        args.ports
    };
    checks.push(Box::new(Ports { addresses }));
    checks.push(Box::new(Disk { folder: args.folder }));
    let Some(root) = root else {
        return checks;
    };
    let facts = root.map(|view| RootFacts {
        time: u64::from(view.time),
        is_test: view.is_test(),
        listed: args.image.map(|image| match role {
            Role::Worker => view.allows_worker_image(&image),
            Role::Proxy | Role::Client => view.allows_proxy_image(&image),
        }),
    });
    let known = facts.as_ref().ok();
    let clock = Clock {
        chain_time: known.map(|facts| facts.time),
    };
    let listed = Listed {
        role,
        image: args.image,
        listed: known.and_then(|facts| facts.listed),
    };
    checks.extend([Box::new(Chain { root: facts }) as Box<dyn Check>, Box::new(clock)]);
    if role != Role::Client {
        checks.push(Box::new(listed));
    }
    checks
}

fn usual_ports(role: Role) -> Vec<SocketAddr> {
    let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let own = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match role {
        Role::Worker => vec![own(12000)],
        Role::Proxy => vec![own(11000), any(11001), any(11002)],
        Role::Client => vec![own(10000)],
    }
}

fn text(told: &Told) -> String {
    let mut lines: Vec<String> = told
        .diagnosis
        .findings
        .iter()
        .map(|finding| {
            let (mark, seen) = match &finding.outcome {
                Outcome::Fine { seen } => ("ok", seen),
                Outcome::Unknown { seen } => ("unknown", seen),
                Outcome::Broken { seen, .. } => ("BROKEN", seen),
            };
            format!("{mark:<8} {:<16} {seen}", finding.check)
        })
        .collect();
    if !told.diagnosis.not_looked_at.is_empty() {
        lines.push(format!("not looked at: {}", told.diagnosis.not_looked_at.join(", ")));
    }
    lines.join("\n")
}
