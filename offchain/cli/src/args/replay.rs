//! What can be typed about replays.

use std::path::PathBuf;

use clap::Args;
use cocoon_bindings::ton::HashBytes;
use cocoon_manifest::ModelName;

use super::governance::hash;

/// Options of `audit replay`.
#[derive(Debug, Args)]
#[command(after_help = "\
FILE is one exchange that a client kept: name a folder with disclosures_dir in its configuration, and
it writes a file for each answer, under the receipt's id. Whoever has the file and the model can check
that the answer is the one that this model gives to this request with the recorded seed, bit for bit.
That the proxy signed the receipt is checked too where its key is known; else the result says so.
Exit code 1 when it is not.

Examples:
  cocoon audit replay RECEIPT.json
  cocoon audit replay RECEIPT.json --model ./Qwen3-0.6B --name Qwen/Qwen3-0.6B@REVISION:HASH --json")]
pub struct ReplayArgs {
    /// The disclosed exchange
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Folder of the model; the built-in one when absent
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Name under which the root contract lists the model; that of a local network when absent
    #[arg(long, value_name = "NAME")]
    pub name: Option<ModelName>,
    /// The key of the proxy's contract, 64 hex digits; asked of the local network's chain when absent
    #[arg(long, value_name = "KEY", value_parser = hash)]
    pub proxy_key: Option<HashBytes>,
}
