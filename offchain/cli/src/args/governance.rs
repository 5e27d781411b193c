//! What can be typed about the root contract and its governor.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};
use cocoon_bindings::ton::{Address, HashBytes, parse_address};
use cocoon_bindings::{Label, Nanoton, ProxyEndpoints};

use super::govern::{RootApproveArgs, RootCancelArgs, RootExecuteArgs, RootPauseArgs, RootProposeArgs};

/// Where the root contract is.
#[derive(Clone, Debug, Default, Args)]
pub struct Place {
    /// TON HTTP API to ask, instead of the local network's
    #[arg(long, value_name = "URL", requires = "root")]
    pub chain_url: Option<String>,
    /// Address of the root contract, instead of the local network's
    #[arg(long, value_name = "ADDRESS", requires = "chain_url")]
    pub root: Option<String>,
}

/// Commands on the root contract.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "one is made in the life of the program")]
pub enum RootCommand {
    /// Print its parameters, hashes and proxies
    #[command(after_help = "Examples:\n  cocoon root show\n  cocoon root show --chain-url URL --root ADDRESS --json")]
    Show(RootShowArgs),
    /// Print an unsigned message to it, for its owner's wallet or multisig to send
    Export(RootExportArgs),
    /// Say whether everything about it is as one would want it: owner, codes, prices, dates, places
    #[command(after_help = "\
Exit code 1 when something is not. Codes are compared with those that this program carries.

Examples:
  cocoon root check
  cocoon root check --network mainnet --json")]
    Check(RootShowArgs),
    /// Say what differs between two looks at a root contract, in words
    Diff(RootDiffArgs),
    /// Propose a change to the signers, or make it where one wallet owns the root contract
    Propose(RootProposeArgs),
    /// Approve a proposal after its meaning was read from the chain again
    Approve(RootApproveArgs),
    /// Execute a proposal that is due; waits out its delay
    Execute(RootExecuteArgs),
    /// Drop your own proposal, as the council one that waits, or anyone's that is over
    Cancel(RootCancelArgs),
    /// Stop all changes for a while, as a member of the council; revocations go on
    Pause(RootPauseArgs),
}

/// Options of `root show`.
#[derive(Debug, Args)]
pub struct RootShowArgs {
    /// Which root contract.
    #[command(flatten)]
    pub place: Place,
}

/// Options of `root diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
A look is a file that `cocoon root show --json` wrote, or the name of a network, live. Without a second
one the first is compared with the network that is meant. Exit code 1 when something differs.

Examples:
  cocoon root show --json > before.json
  cocoon root diff before.json
  cocoon root diff before.json after.json
  cocoon root diff testnet mainnet")]
pub struct RootDiffArgs {
    /// The first look: a file, or the name of a network
    #[arg(value_name = "FILE|NETWORK")]
    pub old: String,
    /// The second look; the network that is meant when absent
    #[arg(value_name = "FILE|NETWORK")]
    pub new: Option<String>,
    /// Which root contract.
    #[command(flatten)]
    pub place: Place,
}

/// Options of `root export`.
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is signed or sent. The owner of the root contract sends what is printed; when the owner is
a governor, use `cocoon governor export propose` instead.

Examples:
  cocoon root export add-image worker HASH
  cocoon root export offer-ownership GOVERNOR --days 14
  cocoon root export --json --query-id 7 unregister-proxy 1")]
pub struct RootExportArgs {
    /// Which root contract.
    #[command(flatten)]
    pub place: Place,
    /// How the message is sent.
    #[command(flatten)]
    pub sending: Sending,
    /// What it does.
    #[command(subcommand)]
    pub change: RootChange,
}

/// How an exported message is sent.
#[derive(Debug, Args)]
pub struct Sending {
    /// Query id, which comes back with the excesses; random when absent
    #[arg(long, value_name = "N")]
    pub query_id: Option<u64>,
    /// Attached coins in TON; what is not used comes back
    #[arg(long, value_name = "TON", default_value = "0.5")]
    pub value: Nanoton,
}

/// Whose image it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Of a worker.
    Worker,
    /// Of a proxy.
    Proxy,
}

/// Messages to the root contract.
#[derive(Clone, Debug, Subcommand)]
pub enum RootChange {
    /// Trust an image
    AddImage {
        /// Whose image it is
        role: Role,
        /// Image hash, 64 hex digits, or what `cocoon image measure` wrote: its JSON or its manifest
        image: Source,
        /// What is listed beside it.
        #[command(flatten)]
        described: Described,
    },
    /// Stop trusting an image: whoever runs it is disconnected
    DeleteImage {
        /// Whose image it is
        role: Role,
        /// Image hash, 64 hex digits, or a file with it
        image: Source,
    },
    /// Admit a model
    AddModel {
        /// Model hash, 64 hex digits, its full name NAME@COMMIT:HASH, or what `cocoon model manifest` wrote
        model: Source,
        /// What is listed beside it.
        #[command(flatten)]
        described: Described,
    },
    /// Remove a model
    DeleteModel {
        /// Model hash, 64 hex digits, its full name, or its manifest
        model: Source,
    },
    /// List a proxy under the next number
    RegisterProxy {
        /// "IP:PORT", or "IP:PORT IP:PORT" for workers and for clients
        endpoints: ProxyEndpoints,
    },
    /// Take a proxy off the list: everybody leaves it
    UnregisterProxy {
        /// Its number
        seqno: u32,
    },
    /// Change the price of a token and the worker's part of it
    ChangePrices {
        /// Price of a token in TON
        #[arg(long, value_name = "TON")]
        price: Nanoton,
        /// The worker's part in TON
        #[arg(long, value_name = "TON")]
        worker_fee: Nanoton,
    },
    /// Offer the root contract to a new owner, who takes over by accepting
    OfferOwnership {
        /// The new owner
        #[arg(value_parser = address)]
        new_owner: Address,
        /// The offer ends with the day, UTC, that is so many days from today
        #[arg(long, value_name = "N", default_value_t = 14)]
        days: u32,
        /// The offer ends with this day, YYYY-MM-DD, UTC: the same on whichever day the command is given again
        #[arg(long, value_name = "DATE", value_parser = last_day, conflicts_with = "days")]
        until: Option<u32>,
    },
    /// Take over a root contract that was offered
    AcceptOwnership,
    /// Trust an image until the end of a day, and not after it
    RetireImage {
        /// Whose image it is
        role: Role,
        /// Image hash, 64 hex digits, or a file with it
        image: Source,
        /// The end.
        #[command(flatten)]
        end: End,
    },
    /// Admit a model until the end of a day, and not after it
    RetireModel {
        /// Model hash, 64 hex digits, its full name, or its manifest
        model: Source,
        /// The end.
        #[command(flatten)]
        end: End,
    },
    /// Replace the code of new contracts of a kind, or of the root contract itself
    UpgradeCode {
        /// Whose code it is
        #[arg(long, value_name = "KIND")]
        kind: CodeKind,
        /// The code, a bag of cells, as bytes or in base64; that which this program carries when absent
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// What is listed beside a hash.
#[derive(Clone, Debug, Default, Args)]
pub struct Described {
    /// A name for people, at most 31 bytes
    #[arg(long, value_name = "TEXT")]
    pub label: Option<Label>,
    /// The last day on which it is trusted, YYYY-MM-DD, UTC
    #[arg(long, value_name = "DATE", value_parser = last_day)]
    pub until: Option<u32>,
    /// List its manifest's hash too; needs a manifest
    #[arg(long)]
    pub with_manifest: bool,
}

/// When trust ends.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct End {
    /// The last day, YYYY-MM-DD, UTC
    #[arg(long, value_name = "DATE", value_parser = last_day)]
    pub on: Option<u32>,
    /// The last day is so many days from today, UTC: given again tomorrow, it is another day
    #[arg(long, value_name = "N")]
    pub in_days: Option<u32>,
    /// There is no end any more
    #[arg(long)]
    pub never: bool,
}

/// What a person knows a trusted thing by: its hash, its name, or a file that says what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Its hash.
    Hash(HashBytes),
    /// A file, or the full name of a model.
    Named(String),
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A hash has none of these, so a hash that is mistyped is not taken for a file.
        if text.contains(['.', '/', '@']) {
            return Ok(Self::Named(text.to_owned()));
        }
        hash(text).map(Self::Hash)
    }
}

/// Whose code is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CodeKind {
    /// Of new proxy contracts.
    Proxy,
    /// Of new worker contracts.
    Worker,
    /// Of new client contracts.
    Client,
    /// Of the root contract itself.
    Root,
}

fn last_day(text: &str) -> Result<u32, String> {
    cocoon_owner::end_of_day(text).ok_or_else(|| "a day is YYYY-MM-DD, from 1970 to 2105".to_owned())
}

/// A hash as people write it.
pub fn hash(text: &str) -> Result<HashBytes, String> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| "a hash is 64 hex digits".to_owned())?;
    Ok(HashBytes(bytes))
}

/// An address as people write it.
pub fn address(text: &str) -> Result<Address, String> {
    parse_address(text).map_err(|_| "an address is 0: and 64 hex digits, or 48 characters of base64".to_owned())
}
