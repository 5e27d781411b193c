//! What can be typed behind `cocoon model`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Commands about models.
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Fetch a model from a hub, with resume and checksums
    Pull(PullArgs),
}

/// Options of `model pull`.
#[derive(Debug, Args)]
#[command(after_help = "\
Fetches config, tokenizer, chat template and safetensors weights at one commit. A broken download goes
on where it stopped when the command is run again; files that are there and right are kept.

Examples:
  cocoon model pull Qwen/Qwen3-0.6B
  cocoon model pull Qwen/Qwen3-0.6B --revision c1899de289a04d12100db370d81485cdf75e47ca --to models/qwen3
  cocoon model pull acme/private --token-file ~/.hub-token --hub https://hub.example.org")]
pub struct PullArgs {
    /// Repository of the model, OWNER/NAME
    #[arg(value_name = "REPOSITORY")]
    pub repository: String,
    /// Branch, tag or commit
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub revision: String,
    /// Folder of the model; models/OWNER/NAME when absent
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Address of the hub
    #[arg(long, value_name = "URL", default_value = cocoon_hub::DEFAULT_HUB, env = "COCOON_HUB")]
    pub hub: String,
    /// File with an access token, for models that are not public
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}
