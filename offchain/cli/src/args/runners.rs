//! Commands of the daemons: what all do, and what one does.

use std::path::PathBuf;

use clap::Subcommand;

use super::access::KeyCommand;
use super::ask::ApiKeyArgs;
use super::govern::ProxyListCommand;
use super::operate::{OperateCommand, SettleCommand};
use super::owner::{ClientOwnerCommand, ProxyOwnerCommand, WorkerOwnerCommand};

/// Commands of the worker.
#[derive(Debug, Subcommand)]
pub enum WorkerCommand {
    /// What all do whose accounts a proxy keeps.
    #[command(flatten)]
    Payee(PayeeCommand),
    /// Print the unsigned messages by which its owner settles on chain when a proxy is silent
    #[command(after_help = "\
For each proxy two messages: the claim, by what the proxy has signed, begins the delay in which the
proxy may settle by itself; the other one settles when the delay is over.")]
    Claims {
        /// URL of the running runner, instead of the local network's
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
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
    /// Print the unsigned messages by which its owner settles on chain when a proxy is silent
    #[command(after_help = "\
For each proxy two messages: the claim, by what the proxy has signed, begins the delay in which the
proxy may settle by itself; the other one settles when the delay is over.

Examples:
  cocoon client claims
  cocoon client claims --url https://models.example --api-key-file laptop.key --json")]
    Claims {
        /// URL of the running runner, instead of the local network's
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        /// What the client may want.
        #[command(flatten)]
        key: ApiKeyArgs,
    },
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
}
