//! `cocoon client key`: the API keys of a client, in their file, and what its running client holds of their limits.

mod holds;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cocoon_bindings::Nanoton;
use cocoon_client::ClientConfig;
use cocoon_client::access::keys::{ApiKey, KeyLimits, KeysError, KeysFile};
use serde::Serialize;
use serde_json::Value;

use super::operate::with_default;
use crate::args::Global;
use crate::args::access::{Bound, CreateArgs, Ending, KeyCommand, KeysPlace, LimitKeyArgs, LimitOptions, NamedKeyArgs};
use crate::failure::{self, Exit, Failure};
use crate::local::layout::DataDir;
use crate::output::Output;

/// How long a running client may take to say what was spent.
const PATIENCE: Duration = Duration::from_secs(5);

/// A key as it is shown.
#[derive(Serialize)]
struct Shown {
    name: String,
    /// Only when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    state: &'static str,
    begins_with: String,
    created_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<u64>,
    scopes: Vec<&'static str>,
    models: Vec<String>,
    endpoints: Vec<&'static str>,
    limits: KeyLimits,
    /// By the word of the running client.
    #[serde(skip_serializing_if = "Option::is_none")]
    spending: Option<Value>,
}

#[derive(Serialize)]
struct Listed {
    keys: Vec<Shown>,
}

/// Runs a command on keys.
pub(crate) async fn run(global: &Global, command: KeyCommand, output: Output) -> Result<Exit, Failure> {
    match command {
        KeyCommand::Create(args) => create(global, args, output),
        KeyCommand::List(place) => list(global, &place, output),
        KeyCommand::Show(args) => show(global, args, output).await,
        KeyCommand::Revoke(args) => revoke(global, args, output),
        KeyCommand::Limit(args) => limit(global, args, output),
        KeyCommand::Holds(place) => holds::list(global, &place, output).await,
        KeyCommand::Settle(args) => holds::settle(global, args, output).await,
    }
}

fn create(global: &Global, args: CreateArgs, output: Output) -> Result<Exit, Failure> {
    let place = place(global, &args.place)?;
    let now = now();
    let (mut key, secret) = ApiKey::draw(&args.name, now).map_err(refused)?;
    key.expires = args.expires.map(|ending| match ending {
        Ending::After(seconds) => now.saturating_add(seconds),
        Ending::At(time) => time,
    });
    if key.expires.is_some_and(|end| end <= now) {
        let error = anyhow::anyhow!("the key would have ended already");
        return Err(Failure::new(Exit::Usage, error, "give a later --expires"));
    }
    if !args.scopes.is_empty() {
        key.scopes = args.scopes.into_iter().map(Into::into).collect();
    }
    key.models = args.models.into_iter().collect();
    key.endpoints = args.endpoints.into_iter().map(Into::into).collect();
    set(&mut key.limits, &args.limits);
    KeysFile::change(&place.keys, |file| file.add(key.clone())).map_err(refused)?;
    let mut shown = shown(&key, now);
    shown.secret = Some(secret.to_string());
    output.result(&shown, |shown| {
        let secret = shown.secret.as_deref().unwrap_or_default();
        format!("{secret}\n\n{}", text(shown))
    })?;
    output.note(
        "The secret is kept nowhere: copy it now. Requests send it as \"Authorization: Bearer\" or \"x-api-key\".",
    );
    if place.is_open {
        output.note("While the client listens on loopback, callers of this machine need no key: [access] require_keys = true asks all of them for one.");
    }
    Ok(Exit::Done)
}

fn list(global: &Global, at: &KeysPlace, output: Output) -> Result<Exit, Failure> {
    let file = KeysFile::load(&place(global, at)?.keys).map_err(refused)?;
    let now = now();
    let listed = Listed {
        keys: file.keys.iter().map(|key| shown(key, now)).collect(),
    };
    output.result(&listed, |listed| {
        if listed.keys.is_empty() {
            return "no keys".to_owned();
        }
        let width = listed.keys.iter().map(|key| key.name.len()).max().unwrap_or(0);
        let line = |key: &Shown| {
            let scopes = key.scopes.join(", ");
            format!("{:width$}  {}...  {:7}  {scopes}", key.name, key.begins_with, key.state)
        };
        listed.keys.iter().map(line).collect::<Vec<_>>().join("\n")
    })?;
    Ok(Exit::Done)
}

async fn show(global: &Global, args: NamedKeyArgs, output: Output) -> Result<Exit, Failure> {
    let place = place(global, &args.place)?;
    let mut file = KeysFile::load(&place.keys).map_err(refused)?;
    let mut shown = shown(file.find(&args.name).map_err(refused)?, now());
    if let Some(socket) = &place.socket {
        shown.spending = spending(socket, &args.name).await;
    }
    output.result(&shown, text)?;
    if shown.spending.is_none() {
        output.note("What it has spent is known by its client, which does not run here.");
    }
    Ok(Exit::Done)
}

fn revoke(global: &Global, args: NamedKeyArgs, output: Output) -> Result<Exit, Failure> {
    let now = now();
    changed(global, &args.place, &args.name, output, |key| {
        // Once revoked, the first time counts.
        key.revoked.get_or_insert(now);
    })
}

fn limit(global: &Global, args: LimitKeyArgs, output: Output) -> Result<Exit, Failure> {
    let LimitOptions {
        spend,
        spend_per_day,
        requests_per_minute,
        tokens_per_minute,
        concurrency,
    } = args.limits;
    let is_named = spend.is_some() || spend_per_day.is_some() || concurrency.is_some();
    if !is_named && requests_per_minute.is_none() && tokens_per_minute.is_none() {
        let error = anyhow::anyhow!("no limit is named");
        return Err(Failure::new(
            Exit::Usage,
            error,
            "name one, such as --spend 5 or --concurrency none",
        ));
    }
    changed(global, &args.place, &args.name, output, |key| {
        set(&mut key.limits, &args.limits)
    })
}

fn changed(
    global: &Global,
    at: &KeysPlace,
    name: &str,
    output: Output,
    change: impl FnOnce(&mut ApiKey),
) -> Result<Exit, Failure> {
    let place = place(global, at)?;
    let key = KeysFile::change(&place.keys, |file| {
        let key = file.find(name)?;
        change(key);
        Ok(key.clone())
    });
    output.result(&shown(&key.map_err(refused)?, now()), text)?;
    Ok(Exit::Done)
}

fn set(limits: &mut KeyLimits, options: &LimitOptions) {
    fn put<T: Copy>(limit: &mut Option<T>, option: Option<Bound<T>>) {
        if let Some(Bound(value)) = option {
            *limit = value;
        }
    }
    put(&mut limits.spend, options.spend);
    put(&mut limits.spend_per_day, options.spend_per_day);
    put(&mut limits.requests_per_minute, options.requests_per_minute);
    put(&mut limits.tokens_per_minute, options.tokens_per_minute);
    put(&mut limits.concurrency, options.concurrency);
}

/// Where keys are, and what is known of their client.
struct Found {
    keys: PathBuf,
    socket: Option<PathBuf>,
    /// Callers of this machine need no key.
    is_open: bool,
}

fn place(global: &Global, place: &KeysPlace) -> Result<Found, Failure> {
    if let Some(keys) = &place.keys {
        return Ok(Found {
            keys: keys.clone(),
            socket: None,
            is_open: false,
        });
    }
    let local = || DataDir::new(&global.data_dir).config_file("client");
    let file = place.config.clone().unwrap_or_else(local);
    let config: ClientConfig = cocoon_runner::config::load(&file).map_err(failure::from_runner)?;
    Ok(Found {
        keys: config.keys_path(),
        is_open: config.listen.ip().is_loopback() && !config.access.require_keys,
        socket: with_default(config.admin, &config.data_dir).socket,
    })
}

/// What a running client says of a key; nothing if there is none.
async fn spending(socket: &std::path::Path, name: &str) -> Option<Value> {
    let http = reqwest::Client::builder()
        .unix_socket(socket)
        .timeout(PATIENCE)
        .no_proxy();
    let answer = http.build().ok()?.get("http://cocoon/access/keys").send().await.ok()?;
    let told: Value = answer.error_for_status().ok()?.json().await.ok()?;
    let of_key = told
        .get("keys")?
        .as_array()?
        .iter()
        .find(|key| key.get("name").is_some_and(|it| it == name))?;
    let part = |part: &str| Some((part.to_owned(), of_key.get(part)?.clone()));
    Some(
        ["spent", "spent_today", "held", "left", "left_today"]
            .into_iter()
            .filter_map(part)
            .collect(),
    )
}

fn shown(key: &ApiKey, now: u64) -> Shown {
    let state = match key {
        ApiKey { revoked: Some(_), .. } => "revoked",
        key if !key.is_usable(now) => "expired",
        _ => "active",
    };
    Shown {
        name: key.name.clone(),
        secret: None,
        state,
        begins_with: key.shown.clone(),
        created_at: key.created,
        expires_at: key.expires,
        revoked_at: key.revoked,
        scopes: key.scopes.iter().map(|scope| scope.name()).collect(),
        models: key.models.iter().cloned().collect(),
        endpoints: key.endpoints.iter().map(|endpoint| endpoint.name()).collect(),
        limits: key.limits,
        spending: None,
    }
}

fn text(key: &Shown) -> String {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| lines.push(format!("{name:20}  {value}"));
    let date = |time: u64| cocoon_owner::date(u32::try_from(time).unwrap_or(u32::MAX));
    let all = |names: String| if names.is_empty() { "all".to_owned() } else { names };
    line("name", key.name.clone());
    line("state", key.state.to_owned());
    line("begins with", key.begins_with.clone());
    line("created", date(key.created_at));
    if let Some(time) = key.expires_at {
        line("expires", date(time));
    }
    if let Some(time) = key.revoked_at {
        line("revoked", date(time));
    }
    line("scopes", key.scopes.join(", "));
    line("models", all(key.models.join(", ")));
    line("endpoints", all(key.endpoints.join(", ")));
    let limits = &key.limits;
    let none = || "no limit".to_owned();
    let number = |limit: Option<u64>| limit.map_or_else(none, |limit| limit.to_string());
    let money = |limit: Option<Nanoton>| limit.map_or_else(none, |limit| limit.to_string());
    line("spend", money(limits.spend));
    line("spend per day", money(limits.spend_per_day));
    line("requests per minute", number(limits.requests_per_minute));
    line("tokens per minute", number(limits.tokens_per_minute));
    line("concurrency", number(limits.concurrency.map(u64::from)));
    let told =
        |part: &str| -> Option<Nanoton> { serde_json::from_value(key.spending.as_ref()?.get(part)?.clone()).ok() };
    for (name, part) in [
        ("spent", "spent"),
        ("spent today", "spent_today"),
        ("held", "held"),
        ("left", "left"),
        ("left today", "left_today"),
    ] {
        if let Some(amount) = told(part) {
            line(name, amount.to_string());
        }
    }
    lines.join("\n")
}

fn refused(error: KeysError) -> Failure {
    let exit = match error {
        KeysError::Name { .. } | KeysError::Taken { .. } | KeysError::Unknown { .. } => Exit::Usage,
        _ => Exit::Configuration,
    };
    let hint = error.hint();
    Failure::new(exit, error, hint)
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
