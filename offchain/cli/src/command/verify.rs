//! `cocoon verify`: an endpoint, a release, and a receipt, which is here: one receipt traced to everything that it rests on.

mod endpoint;
mod release;
mod sums;
mod told;

pub(crate) use self::endpoint::endpoint;
pub(crate) use self::release::release;

use std::path::Path;
use std::sync::Arc;

use cocoon_attest::format_moment;
use cocoon_audit::{AuditError, Bundle, Finding, Judging, Subject, Trace, TraceLog, TraceVerdict, counted, trace};
use cocoon_bindings::ton::{Address, HashBytes, parse_address};
use cocoon_chain::{ChainClient, HttpApi, SharedChain};
use cocoon_receipt::ReceiptId;
use serde::Serialize;

use super::attest::inputs::Inputs;
use super::audit;
use crate::args::Global;
use crate::args::attest::EvidenceArgs;
use crate::args::verify::VerifyReceiptArgs;
use crate::failure::{self, Exit, Failure};
use crate::input;
use crate::local::layout::DataDir;
use crate::local::network::NetworkFile;
use crate::output::Output;

/// Bytes of a file with a receipt: a disclosed exchange has a request and an answer of 16 MiB each, longer by a third in base64.
const MAX_SUBJECT_BYTES: usize = 48 << 20;

/// Runs the command.
pub(crate) async fn receipt(global: &Global, args: VerifyReceiptArgs, output: Output) -> Result<Exit, Failure> {
    let mut sources = Sources::of(global, &args)?;
    let subject = sources.subject(&args.subject).await?;
    let statement = &subject.receipt.receipt.statement;
    let evidence = sources.evidence(args.evidence);
    let inputs = Inputs::load(&evidence, statement.timing.started_ms / 1000)?;
    let judging = Judging {
        root: sources.root.clone(),
        roots: inputs.roots,
        endorsements: inputs.endorsements,
        policy: evidence.policy.is_some().then_some(inputs.policy),
        strict: args.strict,
    };
    let trace = sources.trace(&subject, &judging, output).await?;
    let shown = Shown {
        chain: sources.word(),
        compare: sources.compare(&subject),
        trace,
    };
    output.result(&shown, text)?;
    Ok(match shown.trace.verdict {
        TraceVerdict::Proven => Exit::Done,
        _ => {
            if output.json {
                output.note(shown.trace.sentence());
            }
            Exit::Negative
        }
    })
}

/// Whose word the chain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    /// A server of the chain was asked.
    Server,
    /// It came out of a bundle.
    Bundle,
}

/// A transaction to look for on the chain.
#[derive(Debug, Serialize)]
struct Last {
    contract: Address,
    lt: u64,
    hash: HashBytes,
}

/// A trace, and what it says of the chain rests on.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    trace: Trace,
    chain: Word,
    /// The bundle's last transactions of the contracts that the receipt names.
    compare: Vec<Last>,
}

/// Where the chain is.
enum Place {
    Bundle(Box<Bundle>),
    Url(String),
    Local(Box<NetworkFile>),
}

/// Where everything comes from.
struct Sources {
    place: Place,
    log: TraceLog,
    root: Option<Address>,
    data: DataDir,
}

impl Sources {
    fn of(global: &Global, args: &VerifyReceiptArgs) -> Result<Self, Failure> {
        let data = DataDir::new(&global.data_dir);
        let named = args.root.as_deref().map(audit::address).transpose()?;
        let log = args.from.as_deref().map(TraceLog::open).transpose();
        let log = log.map_err(failure::from_audit)?;
        if let Some(path) = &args.bundle {
            let bundle = Bundle::open(path).map_err(failure::from_audit)?;
            return Ok(Self {
                log: TraceLog::Published(bundle.log()),
                place: Place::Bundle(Box::new(bundle)),
                root: named,
                data,
            });
        }
        if let Some(url) = &args.chain_url {
            return Ok(Self {
                place: Place::Url(url.clone()),
                log: log.unwrap_or(TraceLog::Nowhere),
                root: named,
                data,
            });
        }
        let network = NetworkFile::load(&data)?;
        let own = parse_address(&network.root).ok();
        let log = match log {
            Some(log) => log,
            None => local_log(&data, &network)?,
        };
        Ok(Self {
            place: Place::Local(Box::new(network)),
            log,
            root: named.or(own),
            data,
        })
    }

    fn word(&self) -> Word {
        match self.place {
            Place::Bundle(_) => Word::Bundle,
            Place::Url(_) | Place::Local(_) => Word::Server,
        }
    }

    /// What ties a bundle to the chain.
    fn compare(&self, subject: &Subject) -> Vec<Last> {
        let Place::Bundle(bundle) = &self.place else {
            return Vec::new();
        };
        let receipt = &subject.receipt.receipt;
        let statement = &receipt.statement;
        let named = [&statement.root, &statement.proxy, &receipt.client, &statement.worker];
        let last = |contract: &Address| {
            let last = bundle.last(contract)?;
            Some(Last {
                contract: contract.clone(),
                lt: last.lt,
                hash: last.hash,
            })
        };
        named.into_iter().filter_map(last).collect()
    }

    /// What is traced. An id that the published log of the local network does not have yet is looked for in the proxy's store.
    async fn subject(&mut self, text: &str) -> Result<Subject, Failure> {
        let Ok(id) = text.parse::<ReceiptId>() else {
            return from_file(Path::new(text));
        };
        if let Some(found) = self.log.find(&id).await.map_err(failure::from_audit)? {
            return Ok(found);
        }
        if let (Place::Local(network), TraceLog::Published(_)) = (&self.place, &self.log) {
            let store = TraceLog::Store(network.proxy_store_dir.clone());
            if let Some(found) = store.find(&id).await.map_err(failure::from_audit)? {
                self.log = store;
                return Ok(found);
            }
        }
        let error = anyhow::anyhow!("no receipt {id} is to be found");
        let hint = "name the log that has it with --from or --bundle, or a file with it; a new receipt is in the log after the \
                    proxy's next checkpoint";
        Err(Failure::new(Exit::Negative, error, hint))
    }

    /// A local network's platform is simulated, and vouched for by its own file.
    fn evidence(&self, mut args: EvidenceArgs) -> EvidenceArgs {
        let names_none =
            args.collateral.is_empty() && args.simulated_trust.is_none() && args.simulated_platform.is_none();
        let platform = self.data.platform_file();
        if matches!(self.place, Place::Local(_)) && names_none && platform.exists() {
            args.simulated_platform = Some(platform);
        }
        args
    }

    async fn trace(&self, subject: &Subject, judging: &Judging, output: Output) -> Result<Trace, Failure> {
        let live: SharedChain;
        let chain: &dyn ChainClient = match &self.place {
            Place::Bundle(bundle) => bundle.chain(),
            Place::Url(url) => {
                live = Arc::new(HttpApi::new(url, None).map_err(failure::from_chain)?);
                live.as_ref()
            }
            Place::Local(network) => {
                live = audit::chain(network, &subject.receipt.receipt.statement.proxy, output).await?;
                live.as_ref()
            }
        };
        let traced = trace(subject, &self.log, chain, judging).await;
        traced.map_err(|error| match (&self.place, error) {
            // There is no chain to ask: what cannot be read of it is not in the bundle.
            (Place::Bundle(_), AuditError::Chain(error)) => {
                let hint = "a bundle knows one proxy: ask the chain with --chain-url, or take the bundle of the receipt's proxy";
                Failure::new(Exit::Configuration, anyhow::anyhow!("the bundle: {error}"), hint)
            }
            (_, error) => failure::from_audit(error),
        })
    }
}

/// The log that the local proxy publishes, or its store when it publishes none.
fn local_log(data: &DataDir, network: &NetworkFile) -> Result<TraceLog, Failure> {
    let published = data.log_dir();
    let place = if published.is_dir() {
        published
    } else {
        network.proxy_store_dir.clone()
    };
    TraceLog::open(&place.display().to_string()).map_err(failure::from_audit)
}

fn from_file(path: &Path) -> Result<Subject, Failure> {
    let hint = "name a receipt by its id of 64 hex digits, or a file with it";
    let bytes = input::read(path, MAX_SUBJECT_BYTES, hint)?;
    Subject::parse(&bytes).map_err(|error| {
        let hint = error.hint();
        let error = anyhow::Error::new(error).context(format!("{} holds no receipt", path.display()));
        Failure::new(Exit::Peer, error, hint)
    })
}

fn text(shown: &Shown) -> String {
    let trace = &shown.trace;
    let mut lines = vec![trace.sentence()];
    if shown.chain == Word::Bundle {
        lines.push(
            "The chain is the word of who wrote the bundle, until these last transactions are found on the chain itself:"
                .to_owned(),
        );
        let last = |last: &Last| format!("  {} lt {} hash {}", last.contract, last.lt, last.hash);
        lines.extend(shown.compare.iter().map(last));
    }
    if trace.simulated {
        lines.push("SIMULATED: a test network, whose evidence proves nothing about hardware.".to_owned());
    }
    lines.push(format!(
        "judged at       {}, when the proxy says that the work began",
        format_moment(trace.time_ms / 1000)
    ));
    if let Some(price) = trace.price {
        lines.push(format!("charged         {}, {price}", counted(trace.charged, "token")));
    }
    lines.push(String::new());
    for link in &trace.links {
        let mark = match (link.finding, link.required) {
            (Finding::Unknown, true) => " (must be proven)",
            _ => "",
        };
        lines.push(format!("{:<8} {:<21} {}{mark}", link.finding, link.step, link.says));
    }
    lines.join("\n")
}
