//! What can be typed: commands, options, help texts.

pub mod access;
mod ask;
pub mod attest;
pub mod audit;
pub mod dispute;
pub mod doctor;
pub mod govern;
pub mod governance;
pub mod governor;
pub mod image;
pub mod keymanager;
pub mod localnet;
pub mod log;
pub mod model;
pub mod operate;
pub mod owner;
pub mod replay;
pub mod setup;
pub mod simulator;
pub mod verify;
pub mod wallet;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use self::access::KeyCommand;
pub use self::ask::{ChatArgs, QuoteArgs};
use self::attest::AttestCommand;
use self::audit::AuditArgs;
use self::dispute::DisputeCommand;
use self::doctor::DoctorCommand;
use self::govern::{CodeCommand, PriceCommand, ProxyListCommand};
use self::governance::RootCommand;
use self::governor::GovernorCommand;
use self::image::ImageCommand;
use self::keymanager::KeyManagerCommand;
use self::localnet::LocalnetCommand;
use self::log::LogCommand;
use self::model::ModelCommand;
use self::operate::{ConfigCommand, OperateCommand, SettleCommand};
use self::owner::{ClientOwnerCommand, ProxyOwnerCommand, WorkerOwnerCommand};
use self::setup::SetupCommand;
use self::simulator::SimulatorCommand;
use self::verify::VerifyCommand;
use self::wallet::WalletCommand;

/// Private inference with receipts that can be audited.
#[derive(Debug, Parser)]
#[command(name = "cocoon", version, about, after_help = EXAMPLES, max_term_width = 100)]
#[command(disable_help_subcommand = true)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  cocoon up                                  a whole network on this machine
  cocoon up --prompt \"Why is the sky blue?\"  the same, one question, paid and settled
  cocoon chat \"Hello\"                        ask the network that is running
  cocoon audit                               check every receipt against the chain";

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Print the result as JSON on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Folder of the local network
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = ".cocoon",
        env = "COCOON_DATA_DIR"
    )]
    pub data_dir: PathBuf,
    /// Network to speak of: local, or one of networks.toml in the data folder, such as mainnet
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "COCOON_NETWORK",
        hide_env_values = true
    )]
    pub network: Option<String>,
    /// Show the causes of an error, and more of the log
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Filter of the log on stderr, such as info,cocoon_proxy=debug
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "COCOON_LOG",
        hide_env_values = true
    )]
    pub log: Option<String>,
    /// How the lines of the log look
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        env = "COCOON_LOG_FORMAT",
        hide_env_values = true
    )]
    pub log_format: LogFormat,
}

/// Formats of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object on each line
    Json,
}

impl From<LogFormat> for cocoon_runner::logging::LogFormat {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a whole network on this machine: chain, contracts, proxy, worker, client
    Up(UpArgs),
    /// Make a runner ready, step by step: network, wallet, keys, configuration, contract
    Setup {
        /// Which runner.
        #[command(subcommand)]
        command: SetupCommand,
    },
    /// Ask the network, with the answer streamed
    Chat(ChatArgs),
    /// Ask for a firm price: a worker's slot is kept for one request, for a while
    Quote(QuoteArgs),
    /// Check every receipt against the log and the chain
    Audit(AuditArgs),
    /// What can be proven of one thing, whoever says so
    Verify {
        /// Of what.
        #[command(subcommand)]
        command: VerifyCommand,
    },
    /// Evidence for the contracts: two checkpoints that contradict each other, a claim by a receipt
    Dispute {
        /// What it is about.
        #[command(subcommand)]
        command: DisputeCommand,
    },
    /// The log of receipts that a proxy publishes
    Log {
        /// What to do with it.
        #[command(subcommand)]
        command: LogCommand,
    },
    /// Show what runs and what the contracts hold
    Status,
    /// The contract that rules a network
    Root {
        /// What to do with it.
        #[command(subcommand)]
        command: RootCommand,
    },
    /// The contract by which several signers own the root contract
    Governor {
        /// What to do with it.
        #[command(subcommand)]
        command: GovernorCommand,
    },
    /// The price of a token
    Price {
        /// What to do with it.
        #[command(subcommand)]
        command: PriceCommand,
    },
    /// The code of the network's contracts
    Code {
        /// What to do with it.
        #[command(subcommand)]
        command: CodeCommand,
    },
    /// Models: fetch, check, pack, measure; have the network admit them
    Model {
        /// What to do.
        #[command(subcommand)]
        command: ModelCommand,
    },
    /// Guest images: build, measure, verify; have the network trust them
    Image {
        /// What to do.
        #[command(subcommand)]
        command: ImageCommand,
    },
    /// Evidence of machines, claim by claim
    Attest {
        /// What to do.
        #[command(subcommand)]
        command: AttestCommand,
    },
    /// Is this machine fit for its role?
    Doctor {
        /// What to look at.
        #[command(subcommand)]
        command: DoctorCommand,
    },
    /// A SIMULATED quoting service for machines without TDX, on test networks
    Simulator {
        /// What to do with it.
        #[command(subcommand)]
        command: SimulatorCommand,
    },
    /// The local chain
    Localnet {
        /// What to do with it.
        #[command(subcommand)]
        command: LocalnetCommand,
    },
    /// Configuration files of the runners
    Config {
        /// What to do with them.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// The proxy: takes requests of clients to workers and keeps the accounts
    Proxy {
        /// What to do with it.
        #[command(subcommand)]
        command: ProxyCommand,
    },
    /// The router: attested connections for programs that speak plain TCP
    Router {
        /// What to do with it.
        #[command(subcommand)]
        command: RouterCommand,
    },
    /// The key manager: keys that only attested images get
    #[command(name = "keymanager")]
    KeyManager {
        /// What to do with it.
        #[command(subcommand)]
        command: KeyManagerCommand,
    },
    /// The worker: runs the model
    Worker {
        /// What to do with it.
        #[command(subcommand)]
        command: WorkerCommand,
    },
    /// The client: the OpenAI API on this machine
    Client {
        /// What to do with it.
        #[command(subcommand)]
        command: ClientCommand,
    },
    /// Wallets of owners, their keys sealed under a passphrase
    Wallet {
        /// What to do with them.
        #[command(subcommand)]
        command: WalletCommand,
    },
    /// Print completions for a shell
    #[command(after_help = "\
Examples:
  cocoon completions bash > /etc/bash_completion.d/cocoon
  cocoon completions fish > ~/.config/fish/completions/cocoon.fish")]
    Completions {
        /// For which shell
        #[arg(value_enum, value_name = "SHELL")]
        shell: Shell,
    },
    /// Write manual pages, one for each command
    #[command(after_help = "Example:\n  cocoon man --out /usr/local/share/man/man1")]
    Man {
        /// Folder that they go into; made if there is none
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Print versions: of this program, of formats, of the contracts' code
    Version,
}

/// Shells that there are completions for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Shell {
    /// GNU Bash
    Bash,
    /// Z shell
    Zsh,
    /// The friendly interactive shell
    Fish,
}

/// Commands of the worker.
#[derive(Debug, Subcommand)]
pub enum WorkerCommand {
    /// What all do whose accounts a proxy keeps.
    #[command(flatten)]
    Payee(PayeeCommand),
    /// What its owner does on chain.
    #[command(flatten)]
    Owner(WorkerOwnerCommand),
}

/// Commands of the client.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "one is made in the life of the program")]
pub enum ClientCommand {
    /// What all do whose accounts a proxy keeps.
    #[command(flatten)]
    Payee(PayeeCommand),
    /// What its owner does on chain.
    #[command(flatten)]
    Owner(ClientOwnerCommand),
    /// API keys: who may use the client, how fast, and for how much
    Key {
        /// What to do with them.
        #[command(subcommand)]
        command: KeyCommand,
    },
}

/// Commands of a runner.
#[derive(Debug, Subcommand)]
pub enum RunCommand {
    /// Run until Ctrl-C or SIGTERM, then drain
    Run {
        /// Its TOML configuration; `cocoon up` writes one for each
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// Commands of the proxy.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "one is made in the life of the program")]
pub enum ProxyCommand {
    /// What every runner does.
    #[command(flatten)]
    Run(RunCommand),
    /// What every running daemon can be asked.
    #[command(flatten)]
    Operate(OperateCommand),
    /// What only a running proxy can be asked.
    #[command(flatten)]
    Settle(SettleCommand),
    /// What its owner does on chain.
    #[command(flatten)]
    Owner(ProxyOwnerCommand),
    /// What the network lists.
    #[command(flatten)]
    List(ProxyListCommand),
}

/// Commands of the router.
#[derive(Debug, Subcommand)]
pub enum RouterCommand {
    /// Run until Ctrl-C or SIGTERM, then drain
    #[command(after_help = "\
A configuration that does what a proxy's router does, and what a worker's does:

  role = \"proxy\"
  listeners = [
    { kind = \"reverse\", listen = \"0.0.0.0:11001\", to = \"127.0.0.1:11101\", policy = \"tdx\" },
    { kind = \"reverse\", listen = \"0.0.0.0:11002\", to = \"127.0.0.1:11102\", policy = \"any\" },
    { kind = \"socks5\", listen = \"127.0.0.1:8116\", policy = \"tdx\" },
  ]
  [chain]
  url = \"http://127.0.0.1:8045/api/v2/jsonRPC\"
  root = \"EQ...\"

Policies: any, tdx, simulated (only while the root contract says that the network is a test), and
tables [policies.NAME] with lists of images, MRTDs, RTMRs and roots.")]
    Run {
        /// Its TOML configuration
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// Commands of a runner whose accounts a proxy keeps.
#[derive(Debug, Subcommand)]
pub enum PayeeCommand {
    /// What every runner does.
    #[command(flatten)]
    Run(RunCommand),
    /// What every running daemon can be asked.
    #[command(flatten)]
    Operate(OperateCommand),
    /// Print the unsigned messages by which its owner settles on chain when a proxy is silent
    #[command(after_help = "\
For each proxy two messages: the claim, by what the proxy has signed, begins the delay in which the
proxy may settle by itself; the other one settles when the delay is over.")]
    Claims {
        /// URL of the running runner, instead of the local network's
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
}

/// Options of `up`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
The network is SIMULATED: its chain runs in this process and its TDX quotes come from a test
platform that only this network's root contract accepts.

Examples:
  cocoon up
  cocoon up --prompt \"Why is the sky blue?\" --max-tokens 64
  cocoon up --only chain      chain and contracts here; then, in other terminals:
  cocoon proxy run --config .cocoon/proxy.toml")]
pub struct UpArgs {
    /// Ask this once, wait until it is paid for, print the accounts and end
    #[arg(long, value_name = "TEXT", conflicts_with = "only")]
    pub prompt: Option<String>,
    /// Folder of a model, once for each; without it the small built-in one is used
    #[arg(long = "model", value_name = "DIR")]
    pub models: Vec<PathBuf>,
    /// Longest answer to --prompt, in tokens
    #[arg(long, value_name = "N", default_value_t = 48, requires = "prompt")]
    pub max_tokens: u32,
    /// Adds 10 x N to the default ports
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=500))]
    pub instance: u16,
    /// Forget the network in the data folder and start over
    #[arg(long)]
    pub fresh: bool,
    /// Start only this part; the rest is started by hand with its configuration file
    #[arg(long, value_enum, value_name = "PART")]
    pub only: Option<Only>,
}

/// Parts that `up` can start alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Only {
    /// The local chain with all contracts deployed
    Chain,
}
