//! `cocoon config show`: every key of a runner's configuration, its value, and whether the file or a default says so.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

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
    let effective = match role {
        Role::Proxy => {
            let mut config = cocoon_proxy::ProxyConfig::load(file).map_err(failure::from_proxy)?;
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
            config.admin = with_default(config.admin, &config.data_dir);
            table(&config)?
        }
        Role::Client => {
            let mut config: cocoon_client::ClientConfig = load(file)?;
            config.admin = with_default(config.admin, &config.data_dir);
            config.secret_file = Some(config.secret_path());
            table(&config)?
        }
    };
    let text = std::fs::read_to_string(file);
    let text = text.or_fail(Exit::Configuration, &format!("cannot read {}", file.display()), HINT)?;
    let given = toml::from_str(&text).or_fail(Exit::Configuration, &format!("{} is no TOML", file.display()), HINT)?;
    Ok((effective, given))
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
            self.setting(place, key, None, Origin::Unset);
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

/// Secrets of our own stand in files; what a URL may carry is left out.
fn without_credentials(value: &Value) -> Value {
    let Some(text) = value.as_str().filter(|text| text.contains("://")) else {
        return value.clone();
    };
    match reqwest::Url::parse(text) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() || url.query().is_some() => {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            let host = url.host_str().unwrap_or_default();
            Value::from(format!(
                "{}://{host}{port}{} (credentials left out)",
                url.scheme(),
                url.path()
            ))
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKER: &str = "\
owner = \"0:0000000000000000000000000000000000000000000000000000000000000001\"
data_dir = \"data\"

[chain]
url = \"https://user:pa55@chain.example/api?api_key=k3y\"
root = \"0:0000000000000000000000000000000000000000000000000000000000000002\"

[[models]]
name = \"cocoon/tiny\"
coefficient = 900
backend = { kind = \"engine\", folder = \"tiny\" }
";

    fn shown(role: Role, text: &str) -> (Shown, std::path::PathBuf, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("runner.toml");
        std::fs::write(&file, text).unwrap();
        let (effective, given) = read(role, &file).unwrap();
        (describe(role, &file, &effective, &given), file, folder)
    }

    fn of<'a>(shown: &'a Shown, key: &str) -> (&'a Option<Value>, Origin) {
        let found = shown.settings.iter().find(|setting| setting.key == key);
        let setting = found.unwrap_or_else(|| panic!("{key} is not shown"));
        (&setting.value, setting.from)
    }

    #[test]
    fn each_key_says_whether_the_file_or_a_default_set_it() {
        let (shown, _, folder) = shown(Role::Worker, WORKER);
        assert_eq!(of(&shown, "models.0.coefficient"), (&Some(900.into()), Origin::File));
        assert_eq!(of(&shown, "proxy_connections").1, Origin::Default);
        assert_eq!(
            of(&shown, "models.0.backend.verify_name"),
            (&Some(false.into()), Origin::Default)
        );
        assert_eq!(of(&shown, "models.0.backend.weight_format"), (&None, Origin::Unset));
        assert_eq!(of(&shown, "payout"), (&None, Origin::Unset));
        assert_eq!(of(&shown, "attestation.require_session_proof"), (&None, Origin::Unset));
        let socket = folder.path().join("data/admin.sock");
        let socket = Value::from(socket.display().to_string());
        assert_eq!(of(&shown, "admin.socket"), (&Some(socket), Origin::Default));
        assert!(
            !shown.text.contains("pa55") && !shown.text.contains("k3y"),
            "{}",
            shown.text
        );
    }

    #[test]
    fn what_is_shown_is_a_configuration_that_means_the_same() {
        let text = WORKER.replace("https://user:pa55@chain.example/api?api_key=k3y", "http://127.0.0.1:1");
        let (first, file, _folder) = shown(Role::Worker, &text);
        std::fs::write(&file, &first.text).unwrap();
        let (effective, given) = read(Role::Worker, &file).unwrap();
        let again = describe(Role::Worker, &file, &effective, &given);
        let values = |shown: &Shown| -> Vec<(String, Option<Value>)> {
            let settings = shown.settings.iter();
            settings
                .map(|setting| (setting.key.clone(), setting.value.clone()))
                .collect()
        };
        assert_eq!(values(&first), values(&again));
        assert!(again.settings.iter().all(|setting| setting.from != Origin::Default));
    }

    #[test]
    fn tables_that_are_all_defaults_are_shown_too() {
        let text = "\
store_dir = \"store\"
contract_key_file = \"proxy.key\"
[chain]
url = \"http://127.0.0.1:1\"
root = \"0:00\"
[wallet]
key_file = \"wallet.key\"
owner = \"0:00\"
";
        let (shown, _, folder) = shown(Role::Proxy, text);
        assert_eq!(of(&shown, "challenge.restore"), (&Some(10.into()), Origin::Default));
        assert_eq!(of(&shown, "log.folder"), (&None, Origin::Unset));
        assert_eq!(of(&shown, "timers.drain"), (&Some(30.0.into()), Origin::Default));
        // A path, not what is in the file.
        let key = folder.path().join("proxy.key").display().to_string();
        assert_eq!(of(&shown, "contract_key_file"), (&Some(key.into()), Origin::File));
    }
}
