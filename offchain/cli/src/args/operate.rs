//! Commands to running daemons, over their administration sockets, and commands about configuration files.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use cocoon_bindings::ton::Address;

use super::governance::address;
use super::owner::OwnerArgs;

/// Where a daemon's administration socket is.
#[derive(Clone, Debug, Args)]
pub struct AdminPlace {
    /// The daemon's configuration, instead of the local network's
    #[arg(long, value_name = "FILE", conflicts_with = "socket")]
    pub config: Option<PathBuf>,
    /// The socket itself
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

/// What every running daemon can be asked.
#[derive(Debug, Subcommand)]
pub enum OperateCommand {
    /// Show the state of the running daemon, or of a contract on chain
    #[command(after_help = "\
Examples:
  cocoon worker status
  cocoon client status --contract CONTRACT --network mainnet")]
    Status(StatusArgs),
    /// List who is connected
    Peers(AdminPlace),
    /// Read the configuration again, and say which keys changed and which need a restart
    #[command(after_help = "\
SIGHUP does the same. What counts at once: of a proxy [routing], [settlement] and timers.drain; of a
worker models.coefficient, models.pricing and payout.minimum_nanoton; of a client [funding],
max_body_bytes and wait_for_receipts.

Examples:
  cocoon proxy reload
  cocoon worker reload --config /etc/cocoon/worker.toml --json")]
    Reload(AdminPlace),
    /// Take no more work, let what runs end, and end the daemon; or empty one worker of a proxy
    #[command(after_help = "\
A worker that is drained gets no new requests, also after it has connected again, until
`cocoon proxy enable --worker` or a restart of the proxy. What runs there goes on.

Examples:
  cocoon worker drain
  cocoon proxy drain --worker EQ...")]
    Drain(DrainArgs),
    /// Take work again
    Enable(SwitchArgs),
    /// Take no more work, and go on running
    Disable(SwitchArgs),
    /// Log with another filter from now on
    Log {
        /// Such as info,cocoon_proxy=debug
        #[arg(value_name = "FILTER")]
        filter: String,
        /// Where the daemon is.
        #[command(flatten)]
        place: AdminPlace,
    },
}

/// Whose state is shown.
#[derive(Clone, Debug, Args)]
pub struct StatusArgs {
    /// Show this contract instead, and what its owner can do now
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub contract: Option<Address>,
    /// TON HTTP API to ask for the contract, instead of the network's
    #[arg(long, value_name = "URL", requires = "contract")]
    pub chain_url: Option<String>,
    /// Where the daemon is.
    #[command(flatten)]
    pub place: AdminPlace,
}

/// What is withdrawn.
#[derive(Clone, Debug, Args)]
pub struct WithdrawArgs {
    /// Do it by a message of a wallet to this proxy contract, whether the proxy runs or not
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub contract: Option<Address>,
    /// How the message is sent.
    #[command(flatten)]
    pub owner: OwnerArgs,
    /// Where the proxy is.
    #[command(flatten)]
    pub admin: AdminPlace,
}

/// What is emptied.
#[derive(Clone, Debug, Args)]
pub struct DrainArgs {
    /// Only this worker of a proxy, which runs on: address of its owner or of its contract
    #[arg(long, value_name = "ADDRESS")]
    pub worker: Option<String>,
    /// Where the daemon is.
    #[command(flatten)]
    pub place: AdminPlace,
}

/// What is switched.
#[derive(Clone, Debug, Args)]
pub struct SwitchArgs {
    /// Only this model of a worker
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Only this worker of a proxy: address of its owner or of its contract
    #[arg(long, value_name = "ADDRESS", conflicts_with = "model")]
    pub worker: Option<String>,
    /// Where the daemon is.
    #[command(flatten)]
    pub place: AdminPlace,
}

/// What only a running proxy can be asked.
#[derive(Debug, Subcommand)]
pub enum SettleCommand {
    /// Submit a client's voucher now
    Charge {
        /// Address of the client's owner, as the statistics list it
        #[arg(value_name = "OWNER")]
        owner: String,
        /// Where the proxy is.
        #[command(flatten)]
        place: AdminPlace,
    },
    /// Submit a worker's voucher now
    Payout {
        /// Address of the worker's owner, as the statistics list it
        #[arg(value_name = "OWNER")]
        owner: String,
        /// Where the proxy is.
        #[command(flatten)]
        place: AdminPlace,
    },
    /// Send what the proxy has earned to its owner
    #[command(after_help = "\
Examples:
  cocoon proxy withdraw                                       the running proxy sends it
  cocoon proxy withdraw --contract CONTRACT --wallet treasury
  cocoon proxy withdraw --contract CONTRACT --wallet treasury --dry-run")]
    Withdraw(Box<WithdrawArgs>),
}

/// Commands about configuration files.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read a configuration as the daemon would, without starting it
    #[command(after_help = "\
Examples:
  cocoon config check proxy .cocoon/proxy.toml
  cocoon config check worker /etc/cocoon/worker.toml --json")]
    Check {
        /// Whose it is
        #[arg(value_enum)]
        role: Role,
        /// The TOML file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print every key that a daemon takes from a configuration, and which are defaults
    #[command(after_help = "\
The result is TOML that means the same. Secrets stand in it as the paths of their files; of URLs names, passwords and
what is behind a question mark are left out, but paths are shown: some providers put a key there.

Examples:
  cocoon config show proxy .cocoon/proxy.toml
  cocoon config show worker /etc/cocoon/worker.toml --json")]
    Show {
        /// Whose it is
        #[arg(value_enum)]
        role: Role,
        /// The TOML file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Turn a JSON configuration of the deployed network's runners into a TOML one
    #[command(after_help = "\
Says which keys were taken, which were ignored, and what is left to be filled in. Keys of the
wallet are not taken: name their file in the TOML.

Example:
  cocoon config import worker worker.json --chain-url https://toncenter.com/api/v2/jsonRPC \\
      --out worker.toml")]
    Import {
        /// Whose it is
        #[arg(value_enum)]
        role: Role,
        /// The JSON file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// URL of a TON HTTP API: a deployed configuration names lite servers
        #[arg(long, value_name = "URL")]
        chain_url: String,
        /// Where the TOML goes; must not exist
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Roles that have configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// The proxy
    Proxy,
    /// The worker
    Worker,
    /// The client
    Client,
}

impl Role {
    /// Its name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Worker => "worker",
            Self::Client => "client",
        }
    }
}
