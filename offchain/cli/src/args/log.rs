//! What can be typed behind `cocoon log`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Commands of published logs.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Show a log's newest checkpoint, and who signed it
    Show(LogShowArgs),
    /// Keep a copy of a log: every receipt proven, only ever growing, ready to be served
    Mirror(LogMirrorArgs),
    /// Sign checkpoints of logs that only grow, as an independent witness
    Witness(LogWitnessArgs),
    /// Write the proof that a receipt is in a log, for whoever has no network
    Prove(LogProveArgs),
    /// Check a proof, or every receipt of a log against its checkpoint
    Verify(LogVerifyArgs),
}

/// Which log, and the key that it must be signed with.
#[derive(Debug, Args)]
pub struct LogPlace {
    /// Folder or URL of the log; that of the local network when absent
    #[arg(value_name = "DIR|URL")]
    pub place: Option<String>,
    /// Key that the proxy contract holds, as 64 hex digits or name+id+key; the log's own word when absent
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
}

/// Options of `log show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cocoon log show
  cocoon log show https://proxy.example/log --key 3b6a27bc...
  cocoon log show ./mirror --witness witness.example+0a1b2c3d+BGh...")]
pub struct LogShowArgs {
    /// The log.
    #[command(flatten)]
    pub log: LogPlace,
    /// Verifier key of a witness whose signature is looked for; may be given several times
    #[arg(long, value_name = "KEY")]
    pub witness: Vec<String>,
}

/// Options of `log mirror`.
#[derive(Debug, Args)]
#[command(after_help = "\
A log that does not continue the copy is refused, with exit code 1, and the copy stays as it is: it
proves, together with what the log shows now, that the proxy signed two histories.

Examples:
  cocoon log mirror https://proxy.example/log --out ./mirror
  cocoon log mirror https://proxy.example/log --out ./mirror --every 60   until Ctrl-C or SIGTERM")]
pub struct LogMirrorArgs {
    /// The log.
    #[command(flatten)]
    pub log: LogPlace,
    /// Folder of the copy; belongs to one mirror
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Look again after so many seconds, until stopped
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub every: Option<u64>,
}

/// Options of `log witness`.
#[derive(Debug, Args)]
#[command(after_help = "\
It speaks C2SP tlog-witness: logs POST to /add-checkpoint. The folder must survive: a witness that
forgot what it signed must not be started again under the same key.

Example:
  cocoon log witness --name witness.example --key-file witness.key --state ./state \\
    --follow 3b6a27bc... --listen 0.0.0.0:8080")]
pub struct LogWitnessArgs {
    /// Name of the witness in its signatures
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// Its key; made when the file is missing
    #[arg(long, value_name = "FILE")]
    pub key_file: PathBuf,
    /// Folder of what it has signed
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// Key of a log that it follows; may be given several times
    #[arg(long, value_name = "KEY", required = true)]
    pub follow: Vec<String>,
    /// Where logs ask
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
}

/// Options of `log prove`.
#[derive(Debug, Args)]
#[command(after_help = "\
The file is a C2SP tlog-proof that brings the receipt. An entry found by its id takes a search from the
newest one on.

Examples:
  cocoon log prove --receipt 5f2c... --out receipt.tlog-proof
  cocoon log prove https://proxy.example/log --index 73894 --out receipt.tlog-proof")]
pub struct LogProveArgs {
    /// The log.
    #[command(flatten)]
    pub log: LogPlace,
    /// Id of the receipt
    #[arg(long, value_name = "ID", required_unless_present = "index")]
    pub receipt: Option<String>,
    /// Its place in the log, from 0
    #[arg(long, value_name = "N", conflicts_with = "receipt")]
    pub index: Option<u64>,
    /// File for the proof
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Options of `log verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
A proof is checked without a network, and says what its receipt says. A log is read whole: entries,
receipts and their names against the checkpoint; signatures of workers, channels, prices and the chain
are for `cocoon audit`. Exit code 1 when something does not hold.

Examples:
  cocoon log verify --proof receipt.tlog-proof --key 3b6a27bc...
  cocoon log verify ./mirror --since old-checkpoint --key 3b6a27bc...")]
pub struct LogVerifyArgs {
    /// The log.
    #[command(flatten)]
    pub log: LogPlace,
    /// A proof to check instead, or a client's page of a receipt with one; needs --key
    #[arg(long, value_name = "FILE", conflicts_with = "place", requires = "key")]
    pub proof: Option<PathBuf>,
    /// An older checkpoint that the log must continue
    #[arg(long, value_name = "FILE", conflicts_with = "proof")]
    pub since: Option<PathBuf>,
}
