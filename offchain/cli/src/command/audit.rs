//! `cocoon audit`: every receipt of a proxy against the chain.

mod export;
mod text;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cocoon_audit::{
    Audited, Bundle, Log, Options, PublishedReceipts, Role, Scope, StoreLog, Verdict, run_resumable, run_with, to_csv,
    to_parquet, write_bundle,
};
use cocoon_bindings::ton::{Address, parse_address};
use cocoon_chain::{EmulatedChain, HttpApi, SharedChain};

use crate::args::Global;
use crate::args::audit::{
    AuditArgs, AuditBundleArgs, AuditCommand, AuditRunArgs, AuditSourceArgs, AuditStatementArgs, AuditedArgs,
    StatementFormat, StatementRole,
};
use crate::failure::{self, Exit, Failure, OrFail as _};
use crate::local::layout::DataDir;
use crate::local::network::NetworkFile;
use crate::output::Output;
use crate::progress::Portion;

const WAIT_POLL: Duration = Duration::from_millis(500);

/// Receipts from which on it is shown how far an audit is.
const SHOWN_FROM: u64 = 20_000;

/// Runs the command.
pub(crate) async fn run(global: &Global, args: AuditArgs, output: Output) -> Result<Exit, Failure> {
    match args.command {
        None => audit(global, args.run, output).await,
        Some(AuditCommand::Run(args)) => audit(global, args, output).await,
        Some(AuditCommand::Bundle(args)) => bundle(global, args, output).await,
        Some(AuditCommand::Statement(args)) => statement(global, args, output).await,
        Some(AuditCommand::Export(args)) => export::run(global, args, output).await,
        Some(AuditCommand::Replay(args)) => super::replay::run(global, args, output).await,
    }
}

async fn audit(global: &Global, args: AuditRunArgs, output: Output) -> Result<Exit, Failure> {
    let deadline = Instant::now() + Duration::from_secs(args.wait);
    let subject = Subject::of(global, &args.source, output).await?;
    let audited = loop {
        let audited = subject.audit(args.resume.as_deref(), None, output).await?;
        if !subject.may_change(&audited) || Instant::now() >= deadline {
            break audited;
        }
        tokio::time::sleep(WAIT_POLL).await;
    };
    output.result(&audited.report, text::of)?;
    Ok(exit(&audited, output))
}

async fn bundle(global: &Global, args: AuditBundleArgs, output: Output) -> Result<Exit, Failure> {
    let place = Place::of(global, &args.audited, output).await?;
    let from = match &args.audited.from {
        Some(from) => from.clone(),
        None => DataDir::new(&global.data_dir).log_dir().display().to_string(),
    };
    let deadline = Instant::now() + Duration::from_secs(args.wait);
    let audited = loop {
        let log = cocoon_tlog::source(&from).map_err(failure::from_tlog)?;
        let mut shown = Shown::new(output);
        let mut progress = |done, all| shown.at(done, all);
        let options = Options {
            cores: args.audited.cores,
            statement: None,
            progress: Some(&mut progress),
        };
        let written = write_bundle(&args.out, log, place.chain.as_ref(), &place.proxy, options).await;
        let audited = written.map_err(failure::from_audit)?;
        if !audited.report.may_change() || Instant::now() >= deadline {
            break audited;
        }
        tokio::time::sleep(WAIT_POLL).await;
    };
    output.note(format!(
        "The bundle is in {}: `cocoon audit run --bundle` checks it without network.",
        args.out.display()
    ));
    output.result(&audited.report, text::of)?;
    Ok(exit(&audited, output))
}

async fn statement(global: &Global, args: AuditStatementArgs, output: Output) -> Result<Exit, Failure> {
    let subject = Subject::of(global, &args.source, output).await?;
    let scope = Scope {
        role: match args.role {
            StatementRole::Client => Role::Client,
            StatementRole::Worker => Role::Worker,
            StatementRole::Proxy => Role::Proxy,
        },
        address: args.address.as_deref().map(address).transpose()?,
    };
    let audited = subject.audit(None, Some(scope), output).await?;
    if audited.report.verdict == Verdict::Different {
        output.note("The sums are of what comes before the difference.");
        output.note(audited.report.sentence());
    }
    if output.json || args.format == StatementFormat::Json {
        let output = Output { json: true };
        output.result(&audited.statement, |_| String::new())?;
    } else if args.format == StatementFormat::Parquet {
        output.bytes(&to_parquet(&audited.statement).map_err(failure::from_audit)?)?;
    } else {
        output.stdout(&to_csv(&audited.statement))?;
    }
    // What is not settled yet is no fault of a statement.
    Ok(if audited.report.verdict == Verdict::Different {
        Exit::Negative
    } else {
        Exit::Done
    })
}

fn exit(audited: &Audited, output: Output) -> Exit {
    if audited.report.verdict == Verdict::Equal {
        return Exit::Done;
    }
    if output.json {
        output.note(audited.report.sentence());
    }
    Exit::Negative
}

/// What is audited.
enum Subject {
    Bundle(Box<Bundle>, usize),
    Log(Arc<dyn Log>, Place, usize),
}

impl Subject {
    async fn of(global: &Global, args: &AuditSourceArgs, output: Output) -> Result<Self, Failure> {
        let cores = args.audited.cores;
        if let Some(path) = &args.bundle {
            let bundle = Bundle::open(path).map_err(failure::from_audit)?;
            return Ok(Self::Bundle(Box::new(bundle), cores));
        }
        let place = Place::of(global, &args.audited, output).await?;
        let log: Arc<dyn Log> = match &args.audited.from {
            Some(from) => {
                let source = cocoon_tlog::source(from).map_err(failure::from_tlog)?;
                Arc::new(PublishedReceipts::new(source))
            }
            None => {
                let network = NetworkFile::load(&DataDir::new(&global.data_dir))?;
                Arc::new(StoreLog::new(&network.proxy_store_dir))
            }
        };
        Ok(Self::Log(log, place, cores))
    }

    /// Its receipts, to be read once more.
    fn log(&self) -> Arc<dyn Log> {
        match self {
            Self::Bundle(bundle, _) => Arc::new(PublishedReceipts::new(bundle.log())),
            Self::Log(log, ..) => Arc::clone(log),
        }
    }

    /// Whether another look may find more. A store has all that the chain has; what is published comes later.
    fn may_change(&self, audited: &Audited) -> bool {
        match self {
            Self::Bundle(..) => false,
            Self::Log(_, place, _) if place.is_published => audited.report.may_change(),
            Self::Log(..) => audited.report.verdict == Verdict::Open,
        }
    }

    async fn audit(&self, resume: Option<&Path>, scope: Option<Scope>, output: Output) -> Result<Audited, Failure> {
        let mut shown = Shown::new(output);
        let mut progress = |done, all| shown.at(done, all);
        let options = |cores| Options {
            cores,
            statement: scope,
            progress: Some(&mut progress),
        };
        let audited = match (self, resume) {
            (Self::Bundle(bundle, cores), _) => bundle.audit(options(*cores)).await,
            (Self::Log(log, place, cores), None) => {
                run_with(log.as_ref(), place.chain.as_ref(), &place.proxy, options(*cores)).await
            }
            (Self::Log(log, place, cores), Some(state)) => {
                let (chain, proxy) = (place.chain.as_ref(), &place.proxy);
                run_resumable(log.as_ref(), chain, proxy, state, options(*cores)).await
            }
        };
        audited.map_err(failure::from_audit)
    }
}

/// A proxy contract and the chain that it is on.
struct Place {
    chain: SharedChain,
    proxy: Address,
    /// Whether the log is a published one.
    is_published: bool,
}

impl Place {
    async fn of(global: &Global, args: &AuditedArgs, output: Output) -> Result<Self, Failure> {
        let proxy = args.proxy.as_deref().map(address).transpose()?;
        if let (Some(url), Some(proxy)) = (&args.chain_url, &proxy) {
            let chain = HttpApi::new(url, None).map_err(failure::from_chain)?;
            return Ok(Self {
                chain: Arc::new(chain),
                proxy: proxy.clone(),
                is_published: args.from.is_some(),
            });
        }
        let network = NetworkFile::load(&DataDir::new(&global.data_dir))?;
        let own = parse_address(&network.proxy_contract).or_fail(
            Exit::Configuration,
            "network.json is damaged",
            "start over with `cocoon up --fresh`",
        )?;
        let chain = chain(&network, &own, output).await?;
        Ok(Self {
            chain,
            proxy: proxy.unwrap_or(own),
            is_published: args.from.is_some(),
        })
    }
}

pub(super) fn address(text: &str) -> Result<Address, Failure> {
    parse_address(text).or_fail(
        Exit::Usage,
        "the address of a contract was expected",
        "write it raw, as 0:HEX, or in its form of 48 characters",
    )
}

/// The running chain, or the one that was saved when the network stopped.
pub(super) async fn chain(network: &NetworkFile, proxy: &Address, output: Output) -> Result<SharedChain, Failure> {
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

/// How far a long audit is; a short one says nothing.
struct Shown {
    output: Output,
    bar: Option<Portion>,
}

impl Shown {
    fn new(output: Output) -> Self {
        Self { output, bar: None }
    }

    fn at(&mut self, done: u64, all: Option<u64>) {
        if done >= SHOWN_FROM && self.bar.is_none() {
            self.bar = Some(Portion::new(self.output, "Auditing receipts"));
        }
        if let Some(bar) = &self.bar {
            bar.at(done, all.unwrap_or(done).max(done));
        }
    }
}
