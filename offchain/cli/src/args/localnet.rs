//! What can be typed behind `cocoon localnet`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use cocoon_bindings::Nanoton;
use cocoon_bindings::ton::Address;

use super::governance::address;

/// Commands of the local chain.
#[derive(Debug, Subcommand)]
pub enum LocalnetCommand {
    /// Run until Ctrl-C or SIGTERM, then save
    Run(LocalnetRunArgs),
    /// Show time, block and snapshots of a running chain
    Status(LocalnetPlace),
    /// Give coins to an address, which need not exist
    Fund(LocalnetFundArgs),
    /// Make empty blocks, for what waits for a number of them
    Mine(LocalnetMineArgs),
    /// Let time pass
    Advance(LocalnetAdvanceArgs),
    /// Keep a copy of the chain, in the memory of the process that runs it
    Snapshot(LocalnetPlace),
    /// Go back to a copy
    Restore(LocalnetRestoreArgs),
}

/// Options of `localnet run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --config and --state the chain is kept in memory. What is typed goes before what the file says.

With --start-time the chain's time stands still until it is told to move, so that the same messages make
the same transactions, with the same hashes. A saved chain goes on from its own time.

Examples:
  cocoon localnet run
  cocoon localnet run --config .cocoon/chain.toml
  cocoon localnet run --listen 127.0.0.1:8081 --state chain.state --lite-listen 127.0.0.1:8082
  cocoon localnet run --start-time 1780000000 --block-interval 5")]
pub struct LocalnetRunArgs {
    /// Its TOML configuration, such as the one that `cocoon up` writes
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the HTTP API listens; 127.0.0.1:8045 when neither this nor the configuration says
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// File that the chain is saved in, with a journal beside it
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Where a lite server listens, for clients that prove what they read; its configuration is at /global.config.json
    #[arg(long, value_name = "ADDRESS")]
    pub lite_listen: Option<SocketAddr>,
    /// Time at which a new chain starts, in seconds since 1970; it then moves only when told
    #[arg(long, value_name = "SECONDS")]
    pub start_time: Option<u32>,
    /// Seconds between empty blocks; without, only messages make blocks
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub block_interval: Option<u32>,
}

/// Which local chain.
#[derive(Debug, Args)]
pub struct LocalnetPlace {
    /// URL of the local chain, instead of that of the network in the data folder
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// Options of `localnet fund`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cocoon localnet fund EQD... 100
  cocoon localnet fund 0:5aa3... 0.5 --url http://127.0.0.1:8081")]
pub struct LocalnetFundArgs {
    /// Who gets them
    #[arg(value_name = "ADDRESS", value_parser = address)]
    pub address: Address,
    /// How much, in TON
    #[arg(value_name = "TON")]
    pub amount: Nanoton,
    /// The chain.
    #[command(flatten)]
    pub place: LocalnetPlace,
}

/// Options of `localnet mine`.
#[derive(Debug, Args)]
pub struct LocalnetMineArgs {
    /// How many
    #[arg(value_name = "BLOCKS", default_value_t = 1)]
    pub blocks: u32,
    /// The chain.
    #[command(flatten)]
    pub place: LocalnetPlace,
}

/// Options of `localnet advance`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cocoon localnet advance 3600
  cocoon localnet advance --to 1780000000")]
pub struct LocalnetAdvanceArgs {
    /// By how many seconds
    #[arg(value_name = "SECONDS", required_unless_present = "to", conflicts_with = "to")]
    pub seconds: Option<u32>,
    /// To which time, in seconds since 1970; it does not run backwards
    #[arg(long, value_name = "SECONDS")]
    pub to: Option<u32>,
    /// The chain.
    #[command(flatten)]
    pub place: LocalnetPlace,
}

/// Options of `localnet restore`.
#[derive(Debug, Args)]
#[command(after_help = "\
Daemons that follow the chain refuse one that went back, as they should: start them anew.

Examples:
  cocoon localnet restore 1")]
pub struct LocalnetRestoreArgs {
    /// Number of the copy, as `cocoon localnet snapshot` printed it
    #[arg(value_name = "NUMBER")]
    pub snapshot: u64,
    /// The chain.
    #[command(flatten)]
    pub place: LocalnetPlace,
}
