//! `cocoon up`: the whole network on this machine.

use std::path::PathBuf;

use clap::Args;

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
    /// Send traces of requests to this OpenTelemetry collector, over OTLP with JSON
    #[arg(long, value_name = "URL")]
    pub collector: Option<String>,
}

/// Parts that `up` can start alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Only {
    /// The local chain with all contracts deployed
    Chain,
}
