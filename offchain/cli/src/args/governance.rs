//! What can be typed about the root contract and its governor.

use clap::{Args, Subcommand, ValueEnum};
use cocoon_bindings::ton::{Address, HashBytes, parse_address};
use cocoon_bindings::{Nanoton, ProxyEndpoints};

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
pub enum RootCommand {
    /// Print its parameters, hashes and proxies
    #[command(after_help = "Examples:\n  cocoon root show\n  cocoon root show --chain-url URL --root ADDRESS --json")]
    Show(RootShowArgs),
    /// Print an unsigned message to it, for its owner's wallet or multisig to send
    Export(RootExportArgs),
}

/// Options of `root show`.
#[derive(Debug, Args)]
pub struct RootShowArgs {
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
        /// Image hash, 64 hex digits
        #[arg(value_parser = hash)]
        hash: HashBytes,
    },
    /// Stop trusting an image: whoever runs it is disconnected
    DeleteImage {
        /// Whose image it is
        role: Role,
        /// Image hash, 64 hex digits
        #[arg(value_parser = hash)]
        hash: HashBytes,
    },
    /// Admit a model
    AddModel {
        /// Model hash, 64 hex digits
        #[arg(value_parser = hash)]
        hash: HashBytes,
    },
    /// Remove a model
    DeleteModel {
        /// Model hash, 64 hex digits
        #[arg(value_parser = hash)]
        hash: HashBytes,
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
        /// The offer ends after so many days
        #[arg(long, value_name = "N", default_value_t = 14)]
        days: u32,
    },
    /// Take over a root contract that was offered
    AcceptOwnership,
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
