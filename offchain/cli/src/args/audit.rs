//! What can be typed about audits.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::replay::ReplayArgs;

/// Options of `audit`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Exit code 0 only when every number is equal to the last token, 1 when one differs or tokens are
not settled yet. The chain's saved state is used when the network does not run. Without a command
behind it, `cocoon audit` is `cocoon audit run`.

Examples:
  cocoon audit
  cocoon audit --wait 30      gives a running network time to settle
  cocoon audit --data-dir /srv/net --json")]
pub struct AuditArgs {
    /// What to do; `run` when absent.
    #[command(subcommand)]
    pub command: Option<AuditCommand>,
    /// Options of `run`.
    #[command(flatten)]
    pub run: AuditRunArgs,
}

/// What can be done with receipts and the chain.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check every receipt against the log and the chain
    #[command(after_help = "\
All receipts of a proxy are streamed once: signatures, prices at their version of the terms, images and
models listed at that time, both channels, anchored checkpoints, and every charge and payout to the
token. Memory does not grow with the log. What is checked and what a bundle is: docs/audit.md.

Examples:
  cocoon audit run --wait 30
  cocoon audit run --from https://proxy.example/log --chain-url URL --proxy ADDRESS
  cocoon audit run --from /srv/mirror --resume audit.state
  cocoon audit run --bundle BUNDLE --json")]
    Run(AuditRunArgs),
    /// Write a proxy's published log and what the chain says into a folder, for an audit without network
    #[command(after_help = "\
The exit code is that of the audit of what was written: the bundle is there whatever it says.

Examples:
  cocoon audit bundle --out BUNDLE
  cocoon audit bundle --out BUNDLE --from https://proxy.example/log --chain-url URL --proxy ADDRESS")]
    Bundle(AuditBundleArgs),
    /// Sum up what clients spent, workers earned or a proxy kept, by day and model
    #[command(after_help = "\
The receipts are audited on the way. Days are those of UTC on which answers ended; amounts are nanoton.

Examples:
  cocoon audit statement --role client
  cocoon audit statement --role worker --address ADDRESS --format json
  cocoon audit statement --role proxy --bundle BUNDLE > earnings.csv
  cocoon audit statement --role client --format parquet > spending.parquet")]
    Statement(AuditStatementArgs),
    /// Write every receipt as one row, for DuckDB, Spark and whoever has many
    #[command(after_help = "\
The receipts are audited first, and those that were audited are written: files of a million rows. The columns are in
docs/audit.md. Exit code 1 when the audit finds a difference: what comes before it is written.

Examples:
  cocoon audit export --out receipts
  cocoon audit export --out receipts --from https://proxy.example/log --chain-url URL --proxy ADDRESS
  cocoon audit export --out receipts --bundle BUNDLE --format jsonl")]
    Export(AuditExportArgs),
    /// Compute a disclosed answer once more, and compare it bit for bit
    Replay(ReplayArgs),
}

/// Whose receipts, and which chain.
#[derive(Debug, Args)]
pub struct AuditedArgs {
    /// Published log, a folder or a URL, instead of the local proxy's store
    #[arg(long, value_name = "DIR|URL")]
    pub from: Option<String>,
    /// TON HTTP API to ask, instead of the local network's
    #[arg(long, value_name = "URL", requires = "proxy", requires = "from")]
    pub chain_url: Option<String>,
    /// Proxy contract, instead of the local network's
    #[arg(long, value_name = "ADDRESS")]
    pub proxy: Option<String>,
    /// Cores that check receipts; all when 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub cores: usize,
}

/// A log with its chain, or both out of a bundle.
#[derive(Debug, Args)]
pub struct AuditSourceArgs {
    /// Log and chain.
    #[command(flatten)]
    pub audited: AuditedArgs,
    /// Folder that `cocoon audit bundle` wrote: needs no network
    #[arg(long, value_name = "DIR", conflicts_with_all = ["from", "chain_url", "proxy"])]
    pub bundle: Option<PathBuf>,
}

/// Options of `audit run`.
#[derive(Debug, Args)]
pub struct AuditRunArgs {
    /// What is audited.
    #[command(flatten)]
    pub source: AuditSourceArgs,
    /// While some tokens are not settled or receipts not published yet, look again for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0, conflicts_with = "bundle")]
    pub wait: u64,
    /// Keep the audit's state in this file, and go on from there when it was interrupted
    #[arg(long, value_name = "FILE", conflicts_with_all = ["bundle", "wait"])]
    pub resume: Option<PathBuf>,
}

/// Options of `audit bundle`.
#[derive(Debug, Args)]
pub struct AuditBundleArgs {
    /// What is bundled.
    #[command(flatten)]
    pub audited: AuditedArgs,
    /// Folder to write
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// While some tokens are not settled or receipts not published yet, look again for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub wait: u64,
}

/// Options of `audit statement`.
#[derive(Debug, Args)]
pub struct AuditStatementArgs {
    /// What is audited.
    #[command(flatten)]
    pub source: AuditSourceArgs,
    /// Whose side of the receipts
    #[arg(long, value_enum)]
    pub role: StatementRole,
    /// One contract only
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<String>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = StatementFormat::Csv)]
    pub format: StatementFormat,
}

/// Options of `audit export`.
#[derive(Debug, Args)]
pub struct AuditExportArgs {
    /// What is audited.
    #[command(flatten)]
    pub source: AuditSourceArgs,
    /// Folder to write; must be empty
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// How it is written
    #[arg(long, value_enum, default_value_t = RowFormat::Parquet)]
    pub format: RowFormat,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// Apache Parquet
    Parquet,
    /// One JSON object a line
    Jsonl,
}

/// Whose side of the receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StatementRole {
    /// What was spent
    Client,
    /// What was earned
    Worker,
    /// What was kept
    Proxy,
}

/// How a statement is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StatementFormat {
    /// Comma-separated values with a line of names
    Csv,
    /// A list of objects
    Json,
    /// An Apache Parquet file on stdout
    Parquet,
}
