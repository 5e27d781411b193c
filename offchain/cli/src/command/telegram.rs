//! `cocoon telegram`: a bot in front of a client.

use cocoon_telegram::{BotConfig, Token};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::args::Global;
use crate::args::telegram::TelegramArgs;
use crate::command::stop::Stop;
use crate::failure::{self, Exit, Failure};
use crate::output::Output;

#[derive(Serialize)]
struct Ready<'a> {
    ready: &'a str,
    bot: &'a str,
    client: &'a str,
}

/// Runs the command until Ctrl-C or SIGTERM; answers that are being given end first.
pub(crate) async fn run(global: &Global, args: TelegramArgs, output: Output) -> Result<Exit, Failure> {
    let token = Token::load(&args.token_file).map_err(failure::from_telegram)?;
    let mut config = match &args.config {
        Some(path) => cocoon_runner::config::load(path).map_err(failure::from_runner)?,
        None => BotConfig {
            state_dir: global.data_dir.join("telegram"),
            ..BotConfig::default()
        },
    };
    config.client_url = args.client_url.unwrap_or(config.client_url);
    config.api_url = args.api_url.unwrap_or(config.api_url);
    config.state_dir = args.state_dir.unwrap_or(config.state_dir);
    let client = config.client_url.clone();
    if config.allowed_users.is_empty() {
        output.note("Everybody may ask this bot, each within a daily budget; `allowed_users` lists who may.");
    }
    let stop = CancellationToken::new();
    let started = cocoon_telegram::start(config, token, stop.clone()).await;
    let mut bot = started.map_err(failure::from_telegram)?;
    let signal = Stop::listen().await;
    let ready = Ready {
        ready: "telegram",
        bot: &bot.name,
        client: &client,
    };
    output.result(&ready, |ready| format!("telegram ready as @{}", ready.bot))?;
    tokio::select! {
        asked = signal.asked() => asked?,
        ended = bot.join() => return ended.map(|()| Exit::Done).map_err(failure::from_telegram),
    }
    output.note("Draining ...");
    stop.cancel();
    bot.join().await.map_err(failure::from_telegram)?;
    Ok(Exit::Done)
}
