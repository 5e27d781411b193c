//! What can be typed about disputes.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use cocoon_bindings::ton::Address;

use super::governance::{Sending, address};

/// Commands about disputes: evidence for the contracts.
#[derive(Debug, Subcommand)]
pub enum DisputeCommand {
    /// Prove that a proxy signed two checkpoints of its log that contradict each other
    Equivocation(EquivocationArgs),
    /// Settle a client contract by a receipt that its proxy signed, without the proxy
    Claim(ClaimArgs),
}

/// Options of `dispute equivocation`.
#[derive(Debug, Args)]
#[command(after_help = "\
A checkpoint is a published one, in a file, in the folder of a log or mirror or under the URL of
one; or a file with one that was signed for the contract, or with one body of a message that
anchors one, as a bag of cells: binary or base64. A mirror that has seen two logs keeps the second
one's checkpoint in the file `contradiction`. The proxy contract checks both signatures itself, and sends a
share of the proxy's stake to the reporter. Nothing is signed or sent here. Exit code 1 when
the two go together, so that nothing can be proven by them.

Examples:
  cocoon dispute equivocation MIRROR MIRROR/contradiction --reporter EQ...
  cocoon dispute equivocation shown-to-me.boc shown-to-you.boc --reporter EQ...
  cocoon dispute equivocation a.boc b.boc --reporter EQ... --chain-url URL --proxy EQ... --json")]
pub struct EquivocationArgs {
    /// One of the two
    #[arg(value_name = "FILE|DIR|URL")]
    pub first: String,
    /// The other one
    #[arg(value_name = "FILE|DIR|URL")]
    pub second: String,
    /// Wallet that gets the share of the stake
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub reporter: Address,
    /// Which proxy contract.
    #[command(flatten)]
    pub place: ProxyPlace,
    /// How the message is sent.
    #[command(flatten)]
    pub sending: Sending,
}

/// Options of `dispute claim`.
#[derive(Debug, Args)]
#[command(after_help = "\
Two messages for the owner's wallet: the claim begins the delay in which the proxy may settle by
itself, the other one settles when the delay is over. A running client knows its newest receipts:
`cocoon client claims` needs no file. The claim of a worker needs the proxy's countersignature, which only
the worker has: `cocoon worker claims`.

Examples:
  cocoon dispute claim receipt.boc --excesses EQ...
  cocoon dispute claim receipt.boc --excesses EQ... --json")]
pub struct ClaimArgs {
    /// The signed receipt as a bag of cells: binary or base64
    #[arg(value_name = "FILE")]
    pub receipt: PathBuf,
    /// Wallet that gets back what is left of the attached coins
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub excesses: Address,
    /// Which proxy contract; without it the one that the receipt names.
    #[command(flatten)]
    pub place: ProxyPlace,
    /// How the messages are sent.
    #[command(flatten)]
    pub sending: Sending,
}

/// Where a proxy contract is.
#[derive(Debug, Args)]
pub struct ProxyPlace {
    /// TON HTTP API to ask, instead of the local network's
    #[arg(long, value_name = "URL", requires = "proxy")]
    pub chain_url: Option<String>,
    /// Address of the proxy contract, instead of the one that a receipt names or the local network's
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub proxy: Option<Address>,
}
