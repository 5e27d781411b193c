//! What can be typed: commands, options, help texts.

pub mod access;
mod ask;
pub mod attest;
pub mod audit;
pub mod dispute;
pub mod doctor;
pub mod explorer;
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
pub mod runners;
pub mod setup;
pub mod simulator;
pub mod telegram;
pub mod up;
pub mod verify;
pub mod wallet;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use self::ask::{ApiKeyArgs, ChatArgs, QuoteArgs};
use self::attest::AttestCommand;
use self::audit::AuditArgs;
use self::dispute::DisputeCommand;
use self::doctor::DoctorCommand;
use self::explorer::ExplorerArgs;
use self::govern::{CodeCommand, PriceCommand};
use self::governance::RootCommand;
use self::governor::GovernorCommand;
use self::image::ImageCommand;
use self::keymanager::KeyManagerCommand;
use self::localnet::LocalnetCommand;
use self::log::LogCommand;
use self::model::ModelCommand;
use self::operate::ConfigCommand;
pub use self::runners::{ClientCommand, PayeeCommand, ProxyCommand, RouterCommand, RunCommand, WorkerCommand};
use self::setup::SetupCommand;
use self::simulator::SimulatorCommand;
use self::telegram::TelegramArgs;
pub use self::up::{Only, UpArgs};
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
    /// Serve a view of a network for people: contracts, proposals, workers, receipts, settlements in words
    Explorer(ExplorerArgs),
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
    /// A Telegram bot in front of a client, with a budget for each user
    Telegram(TelegramArgs),
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
