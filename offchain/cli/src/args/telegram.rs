//! What can be typed behind `cocoon telegram`.

use std::path::PathBuf;

use clap::Args;

/// Options of `telegram`.
#[derive(Debug, Args)]
#[command(after_help = "\
The file has the token that @BotFather gave, alone on one line, and only its owner can read it.
Texts pass through Telegram's servers and this machine in the clear. Budgets, lists of users and
the other keys of the configuration are in docs/telegram.md.

Examples:
  cocoon telegram --token-file bot.token                    the client on this machine, everybody within budgets
  cocoon telegram --token-file bot.token --config telegram.toml
  cocoon telegram --token-file bot.token --client-url http://127.0.0.1:10020")]
pub struct TelegramArgs {
    /// The bot's token
    #[arg(long, value_name = "FILE")]
    pub token_file: PathBuf,
    /// Budgets, users and models, as TOML; every key has a default
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// URL of the client that is asked, instead of the configuration's; http://127.0.0.1:10000
    #[arg(long, value_name = "URL")]
    pub client_url: Option<String>,
    /// URL of the Bot API, instead of the configuration's.
    #[arg(
        long,
        value_name = "URL",
        help = "URL of the Bot API, instead of the configuration's; https://api.telegram.org"
    )]
    pub api_url: Option<String>,
    /// Folder of what users have spent, instead of the configuration's; telegram in the data folder
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}
