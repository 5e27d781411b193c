//! What can be typed behind `cocoon attest`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use cocoon_attest::parse_moment;

/// Commands about evidence.
#[derive(Debug, Subcommand)]
pub enum AttestCommand {
    /// Say what a machine's evidence proves, claim by claim, and what a policy says of it
    Show(AttestShowArgs),
}

/// Options of `attest show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each claim is proven, refuted or unknown, with the document that says so; behind it stands what the policy says: met,
tolerated, refused, or a dash where it does not ask. Whether an image is one of a network is not looked at: compare the
hash with `cocoon root show`. Exit code 0 when the policy accepts the evidence, 1 when it does not, 5 when nobody vouches
for it or no policy could accept it.

A machine is asked with no evidence of one's own, so ports that want some (a proxy's for workers) refuse. Roots of
SIMULATED platforms are believed only where they are named, and what rests on them is called SIMULATED.

Examples:
  cocoon attest show quote.bin --collateral collateral.json
  cocoon attest show 192.0.2.1:11002 --collateral collateral.json --policy attestation.toml
  cocoon attest show old-quote.bin --collateral old.json --at 2025-06-20 --json
  cocoon attest show 127.0.0.1:11002 --simulated-platform .cocoon/simulated-platform.json")]
pub struct AttestShowArgs {
    /// A quote or an attested certificate (raw, DER, PEM or hex), or HOST:PORT of a machine that is asked for its own
    #[arg(value_name = "FILE|HOST:PORT")]
    pub subject: String,
    /// What it is judged by.
    #[command(flatten)]
    pub evidence: EvidenceArgs,
    /// Judge as of this day or moment (UTC) instead of now
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub at: Option<u64>,
}

/// By what evidence is judged.
#[derive(Debug, Args)]
pub struct EvidenceArgs {
    /// Policy to judge by, see docs/attestation.md; the strict one when absent
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Collateral of the platform's family, JSON; may be given several times
    #[arg(long, value_name = "FILE")]
    pub collateral: Vec<PathBuf>,
    /// Public half of a SIMULATED platform (`cocoon simulator run --trust`) to believe
    #[arg(long, value_name = "FILE")]
    pub simulated_trust: Option<PathBuf>,
    /// A SIMULATED platform with its keys to believe, such as that of `cocoon up`
    #[arg(long, value_name = "FILE", conflicts_with = "simulated_trust")]
    pub simulated_platform: Option<PathBuf>,
}

fn moment(text: &str) -> Result<u64, String> {
    parse_moment(text).ok_or_else(|| "a time is 2027-01-31 or 2027-01-31T12:00:00Z".to_owned())
}
