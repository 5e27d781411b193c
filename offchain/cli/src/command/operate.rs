//! `cocoon proxy|worker|client status`, `reload` and the like: questions to a running daemon over its socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cocoon_runner::admin::AdminConfig;
use serde_json::Value;

use crate::args::Global;
use crate::args::operate::{AdminPlace, OperateCommand, Role, SettleCommand};
use crate::args::owner::OwnerArgs;
use crate::command::network::LOCAL;
use crate::failure::{self, Exit, Failure, OrFail as _};
use crate::local::layout::DataDir;
use crate::output::Output;

/// A payout waits until the chain has executed its message.
const PATIENCE: Duration = Duration::from_secs(180);

/// Runs a command to any daemon.
pub(crate) async fn run(global: &Global, role: Role, command: OperateCommand, output: Output) -> Result<Exit, Failure> {
    let none = Vec::new;
    let (place, is_change, path, query) = match command {
        OperateCommand::Status(args) if args.contract.is_some() => {
            return super::owner::status(global, role, args, output).await;
        }
        OperateCommand::Status(args) => (args.place, false, "/admin/status", none()),
        OperateCommand::Peers(place) => (place, false, "/admin/peers", none()),
        OperateCommand::Reload(place) => (place, true, "/admin/reload", none()),
        OperateCommand::Drain(args) => (args.place, true, "/admin/drain", of("worker", args.worker)),
        OperateCommand::Enable(args) => (args.place, true, "/admin/enable", which(args.model, args.worker)),
        OperateCommand::Disable(args) => (args.place, true, "/admin/disable", which(args.model, args.worker)),
        OperateCommand::Log { filter, place } => (place, true, "/admin/log", of("filter", Some(filter))),
    };
    ask(&socket(global, role, &place)?, is_change, path, &query, output).await
}

/// Runs a command that only a proxy knows.
pub(crate) async fn settle(global: &Global, command: SettleCommand, output: Output) -> Result<Exit, Failure> {
    let (place, path, query) = match command {
        SettleCommand::Charge { owner, place } => (place, "/request/charge", of("client", Some(owner))),
        SettleCommand::Payout { owner, place } => (place, "/request/payout", of("worker", Some(owner))),
        SettleCommand::Withdraw(args) => match args.contract {
            Some(contract) => return super::owner::proxy_withdraw(global, contract, args.owner, output).await,
            None => {
                running_only(global, &args.owner)?;
                (args.admin, "/request/withdraw", Vec::new())
            }
        },
    };
    ask(&socket(global, Role::Proxy, &place)?, true, path, &query, output).await
}

/// The running proxy withdraws at once and asks nobody: whoever gives an option of owners means the other way.
fn running_only(global: &Global, owner: &OwnerArgs) -> Result<(), Failure> {
    let elsewhere = global
        .network
        .as_ref()
        .filter(|name| *name != LOCAL && std::env::var("COCOON_NETWORK").ok().as_ref() != Some(*name));
    match owner.typed().or(elsewhere.map(|_| "--network")) {
        None => Ok(()),
        Some(option) => Err(Failure::new(
            Exit::Usage,
            anyhow::anyhow!("{option} has no meaning for the running proxy, which withdraws at once"),
            "name the proxy contract with --contract, or leave the option out",
        )),
    }
}

fn which(model: Option<String>, worker: Option<String>) -> Vec<(&'static str, String)> {
    [of("model", model), of("worker", worker)].concat()
}

fn of(name: &'static str, value: Option<String>) -> Vec<(&'static str, String)> {
    value.map(|value| (name, value)).into_iter().collect()
}

/// The socket of a daemon: as typed, or of its configuration, or of the local network.
pub(crate) fn socket(global: &Global, role: Role, place: &AdminPlace) -> Result<PathBuf, Failure> {
    if let Some(socket) = &place.socket {
        return Ok(socket.clone());
    }
    let local = || DataDir::new(&global.data_dir).config_file(role.name());
    let file = place.config.clone().unwrap_or_else(local);
    let admin = match role {
        Role::Proxy => {
            let config = cocoon_proxy::ProxyConfig::load(&file).map_err(failure::from_proxy)?;
            with_default(config.admin, &config.store_dir)
        }
        #[cfg(not(feature = "engine"))]
        Role::Worker => {
            return Err(super::no_engine::failure(
                "the configuration of a worker cannot be read",
            ));
        }
        #[cfg(feature = "engine")]
        Role::Worker => {
            let config: cocoon_worker::WorkerConfig =
                cocoon_runner::config::load(&file).map_err(failure::from_runner)?;
            with_default(config.admin, &config.data_dir)
        }
        Role::Client => {
            let config: cocoon_client::ClientConfig =
                cocoon_runner::config::load(&file).map_err(failure::from_runner)?;
            with_default(config.admin, &config.data_dir)
        }
    };
    let missing = || anyhow::anyhow!("the {} has no administration socket", role.name());
    admin.socket.ok_or_else(|| {
        let hint = "name a socket with a short path in its configuration: [admin] socket = \"/run/cocoon.sock\"";
        Failure::new(Exit::Configuration, missing(), hint)
    })
}

/// How a daemon of its own process is administered: with the usual socket when its configuration names none.
pub(crate) fn with_default(admin: AdminConfig, folder: &Path) -> AdminConfig {
    let usual = AdminConfig::in_folder(folder);
    AdminConfig {
        socket: admin.socket.or(usual.socket),
        file: admin.file,
        reloads_at_hangup: true,
    }
}

async fn ask(
    socket: &Path,
    is_change: bool,
    path: &str,
    query: &[(&str, String)],
    output: Output,
) -> Result<Exit, Failure> {
    let value = answer(socket, is_change, path, query).await?;
    output.result(&value, lines)?;
    Ok(Exit::Done)
}

/// What a daemon answers; a refusal of it is an error with its words.
pub(crate) async fn answer(
    socket: &Path,
    is_change: bool,
    path: &str,
    query: &[(&str, String)],
) -> Result<Value, Failure> {
    let http = reqwest::Client::builder()
        .unix_socket(socket)
        .timeout(PATIENCE)
        .no_proxy()
        .build()
        .map_err(anyhow::Error::from)?;
    let url = format!("http://cocoon{path}");
    let request = if is_change { http.post(url) } else { http.get(url) };
    let doing = format!("cannot ask at {}", socket.display());
    let answer = request.query(query).send().await.or_fail(
        Exit::Configuration,
        &doing,
        "is the daemon running, with this socket, as this user?",
    )?;
    let status = answer.status();
    let value: Value = answer.json().await.map_err(anyhow::Error::from)?;
    if !status.is_success() {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let error = anyhow::anyhow!(text("error").unwrap_or_else(|| format!("the daemon answered {status}")));
        let hint = text("hint").unwrap_or_else(|| "the daemon's log says more".to_owned());
        return Err(Failure::new(Exit::Peer, error, hint));
    }
    Ok(value)
}

/// An answer for people: a line for each value.
fn lines(value: &Value) -> String {
    let mut lines = Vec::new();
    show("", value, &mut lines);
    lines.join("\n")
}

/// One line for each value, with its dotted name.
fn show(place: &str, value: &Value, lines: &mut Vec<String>) {
    let under = |name: &str| match place {
        "" => name.to_owned(),
        place => format!("{place}.{name}"),
    };
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, member)| show(&under(name), member, lines)),
        Value::Array(items) if items.is_empty() => lines.push(format!("{place}: none")),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let names: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            lines.push(format!("{place}: {}", names.join(", ")));
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                show(&under(&number.to_string()), item, lines);
            }
        }
        Value::String(text) => lines.push(format!("{place}: {text}")),
        other => lines.push(format!("{place}: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn options_of_owners_are_refused_where_the_running_proxy_would_withdraw() {
        use clap::Parser as _;
        let folder = tempfile::tempdir().unwrap();
        for option in [
            vec!["--dry-run"],
            vec!["--export"],
            vec!["--wallet", "treasury"],
            vec!["--yes"],
            vec!["--network", "mainnet"],
        ] {
            let mut line = vec![
                "cocoon",
                "proxy",
                "withdraw",
                "--data-dir",
                folder.path().to_str().unwrap(),
            ];
            line.extend(&option);
            let cli = crate::args::Cli::try_parse_from(line).unwrap();
            let crate::args::Command::Proxy { command } = cli.command else {
                unreachable!()
            };
            let crate::args::ProxyCommand::Settle(command) = command else {
                unreachable!()
            };
            let refused = settle(&cli.global, command, Output { json: false }).await.unwrap_err();
            assert_eq!(refused.exit(), Exit::Usage, "{option:?}");
            assert!(refused.render(false).contains(option[0]), "{option:?}");
        }
    }

    #[test]
    fn an_answer_is_shown_line_by_line() {
        let answer = json!({ "state": "ready", "applied": ["a.b", "c"], "none": [], "peers": [{ "id": 1 }] });
        let mut lines = Vec::new();
        show("", &answer, &mut lines);
        assert_eq!(
            lines,
            ["state: ready", "applied: a.b, c", "none: none", "peers.0.id: 1"]
        );
    }
}
