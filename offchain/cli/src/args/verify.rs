//! What can be typed behind `cocoon verify`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::attest::EvidenceArgs;

/// Things that can be verified.
#[derive(Debug, Subcommand)]
pub enum VerifyCommand {
    /// Trace one receipt: signatures, log, anchor, certificates, quotes, lists, terms, charge
    Receipt(VerifyReceiptArgs),
}

/// Options of `verify receipt`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each link is proven, unknown or REFUTED. Exit code 0 only when everything that must be proven is and nothing is
refuted; 1 otherwise. The anchor, raw counts and settlements may be unknown, and on a test network the quotes and
images: the chain, or whoever kept the collateral of that time, may not say; --strict wants them too. A bundle
needs --root: without it nothing is proven. Whether the receipts before and behind it add up is for `cocoon
audit`. Without --policy nothing is asked of a platform beyond being genuine. More in docs/audit.md.

A file is the page of GET /v1/cocoon/receipts/{id}, what `cocoon log prove` wrote, a disclosed exchange, or a signed
receipt as a bag of cells. An id is looked for in the log.

Examples:
  cocoon verify receipt 5f2c...
  cocoon verify receipt receipt.json --from ./mirror --chain-url URL --root ADDRESS
  cocoon verify receipt 5f2c... --bundle BUNDLE --root ADDRESS --collateral kept.json --json")]
pub struct VerifyReceiptArgs {
    /// Id of a receipt, or a file with one
    #[arg(value_name = "ID|FILE")]
    pub subject: String,
    /// Published log (folder or URL) or folder of a proxy's store, instead of the local proxy's
    #[arg(long, value_name = "DIR|URL", conflicts_with = "bundle")]
    pub from: Option<String>,
    /// Folder that `cocoon audit bundle` wrote: log and chain without network
    #[arg(long, value_name = "DIR", conflicts_with = "chain_url")]
    pub bundle: Option<PathBuf>,
    /// TON HTTP API to ask, instead of the local network's
    #[arg(long, value_name = "URL", requires = "root")]
    pub chain_url: Option<String>,
    /// Root contract of the network that is meant; the local network's when absent
    #[arg(long, value_name = "ADDRESS")]
    pub root: Option<String>,
    /// What evidence is judged by.
    #[command(flatten)]
    pub evidence: EvidenceArgs,
    /// Nothing may be unknown
    #[arg(long)]
    pub strict: bool,
}
