//! From the configuration to a bot that answers, and back to nothing.

use std::sync::{Arc, Mutex};

use cocoon_ratls::{SharedClock, SystemClock};
use cocoon_runner::off_thread;
use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admit::Memory;
use crate::api::{Api, ApiFailure};
use crate::bot::{self, Bot};
use crate::config::{BotConfig, Token};
use crate::error::TelegramError;
use crate::journal::Journal;
use crate::network::Network;
use crate::web::Web;

/// A bot that answers.
#[derive(Debug)]
pub struct RunningBot {
    /// Its name at Telegram, without the @.
    pub name: String,
    task: JoinHandle<Result<(), TelegramError>>,
}

impl RunningBot {
    /// Waits until it has ended, answers that were running included.
    ///
    /// # Errors
    ///
    /// What ended it, if not the stop.
    pub async fn join(&mut self) -> Result<(), TelegramError> {
        (&mut self.task).await.map_err(|_| TelegramError::Lost)?
    }
}

/// Starts a bot. Returns when Telegram knows it; it ends with the token.
pub fn start(
    config: BotConfig,
    token: Token,
    stop: CancellationToken,
) -> BoxFuture<'static, Result<RunningBot, TelegramError>> {
    start_on(config, token, SystemClock::shared(), stop)
}

/// Starts a bot with a clock of the caller's.
pub fn start_on(
    config: BotConfig,
    token: Token,
    clock: SharedClock,
    stop: CancellationToken,
) -> BoxFuture<'static, Result<RunningBot, TelegramError>> {
    Box::pin(start_in(config, token, clock, stop))
}

async fn start_in(
    config: BotConfig,
    token: Token,
    clock: SharedClock,
    stop: CancellationToken,
) -> Result<RunningBot, TelegramError> {
    config.check()?;
    let web = Web::new()?;
    let network = Network::new(web.clone(), &config)?;
    let api = Api::new(web, &config.api_url, token);
    let me = api.me().await.map_err(|failure| match failure {
        ApiFailure::Refused(code @ (401 | 404)) => TelegramError::TokenRefused { code },
        ApiFailure::Refused(code) => TelegramError::Refused { method: "getMe", code },
        other => TelegramError::Unreachable {
            reason: other.to_string(),
        },
    })?;
    let folder = config.state_dir.clone();
    let opened = off_thread(move || Journal::open(&folder)).await;
    let (journal, budgets) = opened.map_err(|_| TelegramError::Lost)??;
    let name = me.username.clone().unwrap_or_default();
    let bot = Arc::new(Bot {
        memory: Mutex::new(Memory::new(&config, budgets)),
        config,
        me,
        api,
        network,
        clock,
        journal: Arc::new(Mutex::new(journal)),
        tasks: TaskTracker::new(),
        abandon: CancellationToken::new(),
        broken: CancellationToken::new(),
    });
    let task = tokio::spawn(bot::run(bot, stop));
    Ok(RunningBot { name, task })
}
