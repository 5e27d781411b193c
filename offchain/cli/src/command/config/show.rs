//! `cocoon config show`: every key of a runner's configuration, its value, and whether the file or a default says so.

use std::fmt::Write as _;
use std::path::Path;

use cocoon_chain::HttpApi;
use cocoon_runner::config::{AttestationConfig, CollateralServiceConfig};
use cocoon_runner::telemetry::TelemetryConfig;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::credentials::without_credentials;
use super::keys;
use crate::args::operate::Role;
use crate::command::operate::with_default;
use crate::failure::{self, Exit, Failure, OrFail as _};
use crate::output::Output;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Origin {
    /// The file says it.
    File,
    /// The file says nothing.
    Default,
    /// Nobody says anything: what the key is for is not done, or is chosen at the start.
    Unset,
}

#[derive(Debug, Serialize)]
struct Shown {
    role: &'static str,
    file: String,
    settings: Vec<Setting>,
    #[serde(skip)]
    text: String,
}

#[derive(Debug, Serialize)]
struct Setting {
    /// Dotted, elements of lists by number, such as `models.0.coefficient`.
    key: String,
    /// `null` where it is unset.
    value: Option<Value>,
    from: Origin,
}

/// Runs the command.
pub(super) fn run(role: Role, file: &Path, output: Output) -> Result<Exit, Failure> {
    let (effective, given) = read(role, file)?;
    let shown = describe(role, file, &effective, &given);
    output.result(&shown, |shown| shown.text.clone())?;
    Ok(Exit::Done)
}

/// A configuration as its daemon takes it, with its defaults, and as the file has it. Secrets are paths in both.
fn read(role: Role, file: &Path) -> Result<(Table, Table), Failure> {
    let mut effective = match role {
        Role::Proxy => {
            let mut config = cocoon_proxy::ProxyConfig::load(file).map_err(failure::from_proxy)?;
            config.telemetry.check().map_err(failure::from_runner)?;
            config.admin = with_default(config.admin, &config.store_dir);
            let mut table = table(&config)?;
            // Left out of files that are written where everything in them is a default.
            for (name, part) in [
                ("log", self::table(&config.log)?),
                ("challenge", self::table(&config.challenge)?),
            ] {
                table.entry(name).or_insert(Value::Table(part));
            }
            table
        }
        #[cfg(not(feature = "engine"))]
        Role::Worker => {
            return Err(crate::command::no_engine::failure(
                "the configuration of a worker cannot be read",
            ));
        }
        #[cfg(feature = "engine")]
        Role::Worker => {
            let mut config: cocoon_worker::WorkerConfig = load(file)?;
            config.check().map_err(failure::from_worker)?;
            config.telemetry.check().map_err(failure::from_runner)?;
            config.admin = with_default(config.admin, &config.data_dir);
            table(&config)?
        }
        Role::Client => {
            let mut config: cocoon_client::ClientConfig = load(file)?;
            config.telemetry.check().map_err(failure::from_runner)?;
            config.admin = with_default(config.admin, &config.data_dir);
            config.secret_file = Some(config.secret_path());
            table(&config)?
        }
    };
    with_usual(&mut effective)?;
    let telemetry = table(&TelemetryConfig::default())?;
    effective.entry("telemetry").or_insert(Value::Table(telemetry));
    check_servers(&effective)?;
    let text = std::fs::read_to_string(file);
    let text = text.or_fail(Exit::Configuration, &format!("cannot read {}", file.display()), HINT)?;
    let given = toml::from_str(&text).or_fail(Exit::Configuration, &format!("{} is no TOML", file.display()), HINT)?;
    Ok((effective, given))
}

/// Puts in what a file leaves out that is written of it, because it is what a default says.
fn with_usual(config: &mut Table) -> Result<(), Failure> {
    let Some(Value::Table(attestation)) = config.get_mut("attestation") else {
        return Ok(());
    };
    let usual = AttestationConfig::default();
    let value = |made: Result<Value, toml::ser::Error>| made.map_err(anyhow::Error::from);
    let usual = [
        ("evidence", value(Value::try_from(usual.evidence))?),
        ("gpu", value(Value::try_from(usual.gpu))?),
        ("require_session_proof", usual.require_session_proof.into()),
    ];
    for (key, value) in usual {
        attestation.entry(key).or_insert(value);
    }
    if let Some(Value::Table(service)) = attestation.get_mut("collateral_service") {
        let usual = CollateralServiceConfig::default();
        service.entry("plain_http").or_insert(usual.plain_http.into());
    }
    Ok(())
}

/// Refuses URLs of the chain that a daemon refuses, such as those with a password in them.
fn check_servers(config: &Table) -> Result<(), Failure> {
    let Some(Value::Table(chain)) = config.get("chain") else {
        return Ok(());
    };
    let more = chain.get("endpoints").and_then(Value::as_array).into_iter().flatten();
    let more = more.filter_map(|server| server.get("url"));
    let urls = chain.get("url").into_iter().chain(more).filter_map(Value::as_str);
    for url in urls.filter(|url| !url.is_empty()) {
        HttpApi::new(url, None).map_err(failure::from_chain)?;
    }
    Ok(())
}

const HINT: &str = "run it again: the file changed while it was read";

fn load<T: DeserializeOwned + cocoon_runner::config::NamesFiles>(file: &Path) -> Result<T, Failure> {
    cocoon_runner::config::load(file).map_err(failure::from_runner)
}

fn table<T: Serialize>(config: &T) -> Result<Table, Failure> {
    Ok(Table::try_from(config).map_err(anyhow::Error::from)?)
}

fn describe(role: Role, file: &Path, effective: &Table, given: &Table) -> Shown {
    let mut lines = Lines {
        declared: keys::declared(role),
        text: format!("# {} of {}\n", role.name(), file.display()),
        settings: Vec::new(),
    };
    lines.table(&Place::default(), effective, Given::Table(given));
    Shown {
        role: role.name(),
        file: file.display().to_string(),
        settings: lines.settings,
        text: lines.text,
    }
}

/// What the file has at a place.
#[derive(Clone, Copy)]
enum Given<'a> {
    Nothing,
    Table(&'a Table),
    /// Something of another form than ours: all of it is the file's.
    Whole,
}

impl<'a> Given<'a> {
    fn of(value: Option<&'a Value>) -> Self {
        match value {
            None => Self::Nothing,
            Some(Value::Table(table)) => Self::Table(table),
            Some(_) => Self::Whole,
        }
    }

    fn key(self, key: &str) -> Option<&'a Value> {
        match self {
            Self::Table(table) => table.get(key),
            Self::Nothing | Self::Whole => None,
        }
    }

    fn has(self, key: &str) -> bool {
        matches!(self, Self::Whole) || self.key(key).is_some()
    }
}

/// A table, by the name in its header and by the one with the numbers of list elements.
#[derive(Clone, Default)]
struct Place {
    header: String,
    numbered: String,
}

impl Place {
    fn key(&self, key: &str) -> Self {
        let behind = |place: &str, key: &str| {
            if place.is_empty() {
                key.to_owned()
            } else {
                format!("{place}.{key}")
            }
        };
        Self {
            header: behind(&self.header, &bare(key)),
            numbered: behind(&self.numbered, key),
        }
    }

    fn element(&self, number: usize) -> Self {
        Self {
            header: self.header.clone(),
            numbered: format!("{}.{number}", self.numbered),
        }
    }
}

/// A key as TOML writes it.
fn bare(key: &str) -> String {
    let plain = !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if plain {
        key.to_owned()
    } else {
        Value::from(key).to_string()
    }
}

struct Lines {
    declared: Vec<(&'static str, &'static [&'static str])>,
    text: String,
    settings: Vec<Setting>,
}

impl Lines {
    /// The keys of a table, then the tables in it, as TOML wants it.
    fn table(&mut self, place: &Place, table: &Table, given: Given<'_>) {
        for (key, value) in table.iter().filter(|(_, value)| !is_table(value)) {
            let from = if given.has(key) { Origin::File } else { Origin::Default };
            self.setting(place, key, Some(without_credentials(value)), from);
        }
        for key in self.left_out(place, table) {
            // What is empty is not kept, also where the file says so.
            match given.key(key) {
                Some(value) => self.setting(place, key, Some(without_credentials(value)), Origin::File),
                None => self.setting(place, key, None, Origin::Unset),
            }
        }
        for (key, value) in table {
            let (inside, given_inside) = (place.key(key), given.key(key));
            match value {
                Value::Table(part) => {
                    let _ = writeln!(self.text, "\n[{}]", inside.header);
                    let whole = given.has(key) && given_inside.is_none();
                    let given = if whole { Given::Whole } else { Given::of(given_inside) };
                    self.table(&inside, part, given);
                }
                Value::Array(items) if is_table(value) => {
                    for (number, part) in items.iter().enumerate() {
                        let _ = writeln!(self.text, "\n[[{}]]", inside.header);
                        let given = given_inside
                            .and_then(Value::as_array)
                            .and_then(|items| items.get(number));
                        if let Value::Table(part) = part {
                            self.table(&inside.element(number), part, Given::of(given));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn setting(&mut self, place: &Place, key: &str, value: Option<Value>, from: Origin) {
        // Writing to a String cannot fail.
        let _ = match (&value, from) {
            (Some(value), Origin::File) => writeln!(self.text, "{} = {value}", bare(key)),
            (Some(value), _) => writeln!(self.text, "{} = {value}  # default", bare(key)),
            (None, _) => writeln!(self.text, "# {} is not set", bare(key)),
        };
        self.settings.push(Setting {
            key: place.key(key).numbered,
            value,
            from,
        });
    }

    /// Keys that the declaration knows and nobody has set.
    fn left_out(&self, place: &Place, table: &Table) -> Vec<&'static str> {
        let is_other_backend = table.get("kind").is_some_and(|kind| kind.as_str() != Some("engine"));
        let found = self.declared.iter().find(|(name, _)| *name == place.header);
        match found {
            Some((_, names)) if !is_other_backend => names
                .iter()
                .copied()
                .filter(|name| !table.contains_key(*name))
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// Whether it is written under a header of its own.
fn is_table(value: &Value) -> bool {
    match value {
        Value::Table(_) => true,
        Value::Array(items) => !items.is_empty() && items.iter().all(Value::is_table),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
