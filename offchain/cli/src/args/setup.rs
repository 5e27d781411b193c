//! What can be typed behind `cocoon setup`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use cocoon_bindings::Nanoton;
use cocoon_bindings::ton::Address;

use super::governance::{Place, address};
use super::wallet::KeyArgs;

/// What is set up.
#[derive(Debug, Subcommand)]
pub enum SetupCommand {
    /// A client: the OpenAI API on this machine, paid from a contract of its own
    #[command(after_help = "\
Steps: network, owner's wallet, folder, proxy, port, amount, configuration, contract. The client contract belongs to
the runner's wallet, whose key is drawn into the folder; pay into that wallet when it is asked for.

Examples:
  cocoon setup client
  cocoon setup client --yes --wallet treasury --passphrase-file passphrase --amount 20
  cocoon setup client --network mainnet --proxy PROXY --folder /var/lib/cocoon --collateral collateral.json --yes --json")]
    Client(SetupClientArgs),
    /// A worker: a model, and a contract that its payouts go through
    #[command(after_help = "\
Steps: network, owner's wallet, folder, proxy, port, model, configuration, contract.

Examples:
  cocoon setup worker
  cocoon setup worker --model models/Qwen/Qwen3-0.6B --model-name Qwen/Qwen3-0.6B@COMMIT:HASH --wallet rig
  cocoon setup worker --yes --wallet rig --passphrase-file passphrase --json")]
    Worker(SetupWorkerArgs),
    /// A proxy: a contract with a stake, and ports for clients and workers
    #[command(after_help = "\
Steps: network, owner's wallet, folder, ports, stake, configuration, contract. The contract's key is drawn into the
folder, and that of the proxy's own wallet, which is paid into when it is asked for. Clients and workers find a proxy in the root contract, whose owner lists it.

Examples:
  cocoon setup proxy
  cocoon setup proxy --yes --wallet treasury --passphrase-file passphrase --stake 100 --json")]
    Proxy(SetupProxyArgs),
}

/// Options of every role.
#[derive(Clone, Debug, Args)]
pub struct SetupArgs {
    /// Wallet of the owner in the keystore; a new one is made when there is none of that name
    #[arg(long, value_name = "NAME")]
    pub wallet: Option<String>,
    /// Where the keys are.
    #[command(flatten)]
    pub keys: KeyArgs,
    /// Folder for the runner's state, keys and configuration
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Ask nothing: what is not typed has its default, and contracts are deployed after the same checks
    #[arg(short, long)]
    pub yes: bool,
    /// Forget the answers of an earlier setup
    #[arg(long)]
    pub restart: bool,
    /// Replace a configuration that is there
    #[arg(long)]
    pub overwrite: bool,
    /// End before the contract is deployed
    #[arg(long)]
    pub no_deploy: bool,
    /// What peers are believed by.
    #[command(flatten)]
    pub trust: TrustArgs,
    /// Which network.
    #[command(flatten)]
    pub place: Place,
}

/// By what quotes of peers are believed. The local network needs none of it.
#[derive(Clone, Debug, Args)]
pub struct TrustArgs {
    /// File with Intel's collateral for quotes of peers, as JSON
    #[arg(long, value_name = "FILE")]
    pub collateral: Option<PathBuf>,
    /// Service that collateral is fetched from.
    #[arg(
        long,
        value_name = "URL",
        help = "Service that collateral is fetched from, such as https://api.trustedservices.intel.com"
    )]
    pub collateral_service: Option<String>,
    /// Public half of a simulated platform; on a test network only
    #[arg(long, value_name = "FILE")]
    pub simulated_trust: Option<PathBuf>,
}

/// Options of `setup client`.
#[derive(Debug, Args)]
pub struct SetupClientArgs {
    /// What every role takes.
    #[command(flatten)]
    pub common: SetupArgs,
    /// Address of the proxy contract
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub proxy: Option<Address>,
    /// What is paid in, in TON
    #[arg(long, value_name = "TON")]
    pub amount: Option<Nanoton>,
    /// Where the OpenAI API listens
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<SocketAddr>,
}

/// Options of `setup worker`.
#[derive(Debug, Args)]
pub struct SetupWorkerArgs {
    /// What every role takes.
    #[command(flatten)]
    pub common: SetupArgs,
    /// Address of the proxy contract
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub proxy: Option<Address>,
    /// Folder of the model
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Full name of the model, as the root contract lists its hash
    #[arg(long, value_name = "NAME")]
    pub model_name: Option<String>,
    /// Where statistics and control listen
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<SocketAddr>,
}

/// Options of `setup proxy`.
#[derive(Debug, Args)]
pub struct SetupProxyArgs {
    /// What every role takes.
    #[command(flatten)]
    pub common: SetupArgs,
    /// The stake, in TON
    #[arg(long, value_name = "TON")]
    pub stake: Option<Nanoton>,
    /// Where statistics and control listen; workers and clients get the two ports above, on all addresses
    #[arg(long, value_name = "IP:PORT")]
    pub listen: Option<SocketAddr>,
}
