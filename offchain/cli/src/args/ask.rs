//! What can be typed to ask the network.

use std::path::PathBuf;

use clap::Args;

/// The key that a client may want.
#[derive(Debug, Clone, Args)]
pub struct ApiKeyArgs {
    /// File with an API key, alone on one line and private, for a client that wants one
    #[arg(long, value_name = "FILE", env = "COCOON_API_KEY_FILE", hide_env_values = true)]
    pub api_key_file: Option<PathBuf>,
}

/// Options of `chat`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cocoon chat \"Hello\"
  echo \"Hello\" | cocoon chat
  cocoon chat                 a conversation, line by line
  cocoon chat --url http://127.0.0.1:10000 --max-tokens 32 \"Hello\"
  cocoon chat --url https://models.example --api-key-file laptop.key \"Hello\"")]
pub struct ChatArgs {
    /// What to ask; without it, lines are read from the terminal
    pub prompt: Option<String>,
    /// The client's URL, instead of the local network's
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Name of the model; the first one that the client lists when absent
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Longest answer, in tokens
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<u32>,
    /// Temperature of sampling; 0 takes the likeliest token
    #[arg(long, value_name = "T")]
    pub temperature: Option<f64>,
    /// What the client may want.
    #[command(flatten)]
    pub key: ApiKeyArgs,
}

/// Options of `quote`.
#[derive(Debug, Args)]
#[command(after_help = "\
The proxy signs the quote with the key of its contract, and the client checks it. A request with the
quote's id in its header x-cocoon-quote is served by the worker that is named, at no higher price.

Examples:
  cocoon quote
  cocoon quote --model cocoon/tiny --max-tokens 500 --max-coefficient 1500 --json
  cocoon quote --url https://models.example --api-key-file laptop.key")]
pub struct QuoteArgs {
    /// The client's URL, instead of the local network's
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Name of the model; the first one that the client lists when absent
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Longest answer, in tokens
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub max_tokens: u32,
    /// Price in thousandths of the network's that is paid at most
    #[arg(long, value_name = "N", default_value_t = 4000)]
    pub max_coefficient: u32,
    /// What the client may want.
    #[command(flatten)]
    pub key: ApiKeyArgs,
}
