//! A Telegram bot in front of a client: chats, translations, summaries, with a budget for each user.
//!
//! **Invariant:** no text of a person or of a model is logged, kept on disk or put into an error; the bot's token is in no
//! error and no output. A request is sent only after what it may cost at most was taken from the budget of who asks and is
//! durable, and an update that comes twice is charged once.
//!
//! The main function is [`start`]. Texts pass through Telegram's servers in the clear: that is Telegram's form of bots, and the
//! bot says so to whoever begins to use it.
//!
//! ```
//! use cocoon_telegram::BotConfig;
//!
//! let config: BotConfig = toml::from_str("nanoton_per_day = 5000000").unwrap();
//! config.check().unwrap();
//! assert!(config.allowed_users.is_empty(), "everybody may ask, each within the budget");
//! ```

mod admit;
mod answer;
mod api;
mod bot;
mod budget;
mod chats;
mod command;
mod config;
mod error;
mod journal;
pub mod limits;
mod network;
mod rate;
mod split;
mod start;
mod text;
mod web;

pub use config::{BotConfig, Token};
pub use error::{Retry, TelegramError, Who};
pub use start::{RunningBot, start, start_on};
