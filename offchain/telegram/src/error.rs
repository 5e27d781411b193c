//! Why the bot does not start, or ends.

use std::path::PathBuf;

use cocoon_runner::RunnerError;
pub use cocoon_runner::{Retry, Who};

/// Why the bot does not start, or ends. Never contains a text, or the token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelegramError {
    /// Files and the configuration.
    #[error(transparent)]
    Runner(#[from] RunnerError),
    /// A value of the configuration cannot work.
    #[error("`{key}` {problem}")]
    Setting {
        /// The key.
        key: &'static str,
        /// What it must be.
        problem: &'static str,
    },
    /// The file has no token of a bot.
    #[error("{} holds no token of a bot", path.display())]
    TokenFormat {
        /// Its path.
        path: PathBuf,
    },
    /// TLS toward Telegram cannot be set up.
    #[error(transparent)]
    Tls(#[from] cocoon_web::WebError),
    /// Telegram does not know this token.
    #[error("Telegram does not know this bot (code {code})")]
    TokenRefused {
        /// Telegram's code.
        code: i64,
    },
    /// Telegram refuses what cannot be done without.
    #[error("Telegram refused {method} (code {code})")]
    Refused {
        /// What was asked.
        method: &'static str,
        /// Telegram's code.
        code: i64,
    },
    /// Telegram is not reached.
    #[error("the Bot API cannot be reached: {reason}")]
    Unreachable {
        /// What the system said.
        reason: String,
    },
    /// The file with what users have spent.
    #[error("the journal {} cannot be {what}", path.display())]
    Journal {
        /// Its path.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file with what users have spent is not one of ours.
    #[error("line {line} of the journal {} cannot be read", path.display())]
    JournalLine {
        /// Its path.
        path: PathBuf,
        /// Its number, from 1.
        line: usize,
    },
    /// Another bot works in the same folder.
    #[error("another bot uses the folder {}", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A task of the bot ended in a way that it never should.
    #[error("a task of the bot was lost")]
    Lost,
}

impl TelegramError {
    /// Whose fault it is.
    pub fn who(&self) -> Who {
        match self {
            Self::Runner(error) => error.who(),
            Self::Refused { .. } | Self::Unreachable { .. } => Who::Peer,
            Self::Lost => Who::Host,
            _ => Who::Local,
        }
    }

    /// Whether to try again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Unreachable { .. } => Retry::SamePeer,
            _ => Retry::Never,
        }
    }

    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Runner(error) => error.hint(),
            Self::Setting { .. } => "correct the key that is named, then start again",
            Self::TokenFormat { .. } => "put the token that @BotFather gave into the file, alone on one line",
            Self::Tls(error) => error.hint(),
            Self::TokenRefused { .. } => "ask @BotFather for the token of this bot, and put it into the token file",
            Self::Refused { .. } => "look the code up in Telegram's documentation of the Bot API",
            Self::Unreachable { .. } => "check the network, and --api-url if one is given",
            Self::Journal { .. } => "check the permissions and the free space of the state folder",
            Self::JournalLine { .. } => {
                "restore the file from a copy, or move it away: then everybody's budget of today begins anew"
            }
            Self::InUse { .. } => "stop the other bot, or give this one a state folder of its own",
            Self::Lost => "this is a defect: report it",
        }
    }
}
