//! `cocoon config`: looks at configuration files without starting anything.

mod credentials;
mod deployed;
mod keys;
mod show;

use std::path::Path;

use cocoon_runner::config::NamesFiles;
use serde::Serialize;

use crate::args::operate::{ConfigCommand, Role};
use crate::failure::{self, Exit, Failure, OrFail as _};
use crate::input;
use crate::output::Output;

/// Larger than any deployed configuration.
const MAX_JSON_BYTES: usize = 1 << 20;

/// Runs a command.
pub(crate) fn run(command: ConfigCommand, output: Output) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Check { role, file } => check(role, &file, output),
        ConfigCommand::Show { role, file } => show::run(role, &file, output),
        ConfigCommand::Import {
            role,
            file,
            chain_url,
            out,
        } => import(role, &file, &chain_url, &out, output),
    }
}

#[derive(Serialize)]
struct Checked<'a> {
    role: &'a str,
    valid: bool,
    /// Files and folders that the configuration names and that are not there. Some are made at the start.
    not_there: Vec<String>,
}

fn check(role: Role, file: &Path, output: Output) -> Result<Exit, Failure> {
    let not_there = load(role, file)?;
    let checked = Checked {
        role: role.name(),
        valid: true,
        not_there,
    };
    output.result(&checked, |checked| {
        let mut lines = vec![format!("a valid configuration of a {}", checked.role)];
        lines.extend(checked.not_there.iter().map(|path| format!("not there yet: {path}")));
        lines.join("\n")
    })?;
    Ok(Exit::Done)
}

/// Reads a configuration as its daemon does; says which of its files are missing.
pub(crate) fn load(role: Role, file: &Path) -> Result<Vec<String>, Failure> {
    Ok(match role {
        Role::Proxy => missing(cocoon_proxy::ProxyConfig::load(file).map_err(failure::from_proxy)?),
        #[cfg(not(feature = "engine"))]
        Role::Worker => {
            return Err(super::no_engine::failure(
                "the configuration of a worker cannot be read",
            ));
        }
        #[cfg(feature = "engine")]
        Role::Worker => {
            let config: cocoon_worker::WorkerConfig =
                cocoon_runner::config::load(file).map_err(failure::from_runner)?;
            config.check().map_err(failure::from_worker)?;
            missing(config)
        }
        Role::Client => {
            let config: cocoon_client::ClientConfig =
                cocoon_runner::config::load(file).map_err(failure::from_runner)?;
            missing(config)
        }
    })
}

fn missing(mut config: impl NamesFiles) -> Vec<String> {
    let files = config.files_mut().into_iter();
    files
        .filter(|path| !path.exists())
        .map(|path| path.display().to_string())
        .collect()
}

#[derive(Serialize)]
struct Imported {
    written: String,
    taken: Vec<String>,
    ignored: Vec<String>,
    to_fill_in: Vec<String>,
}

fn import(role: Role, file: &Path, chain_url: &str, out: &Path, output: Output) -> Result<Exit, Failure> {
    let hint = "give a JSON configuration of a deployed runner";
    let bytes = input::read(file, MAX_JSON_BYTES, hint)?;
    let json = serde_json::from_slice(&bytes).or_fail(Exit::Configuration, "this is no JSON", hint)?;
    let draft = deployed::draft(role, &json, chain_url).ok_or_else(|| {
        let error = anyhow::anyhow!("this is no JSON object");
        Failure::new(Exit::Configuration, error, hint)
    })?;
    // Never over a configuration that somebody wrote.
    let written =
        std::fs::File::create_new(out).and_then(|mut file| std::io::Write::write_all(&mut file, draft.text.as_bytes()));
    written.or_fail(
        Exit::Configuration,
        &format!("cannot write {}", out.display()),
        "name a file that does not exist yet",
    )?;
    let imported = Imported {
        written: out.display().to_string(),
        taken: draft.taken,
        ignored: draft.ignored,
        to_fill_in: draft.to_fill_in,
    };
    output.result(&imported, |imported| {
        let list = |name: &str, keys: &[String]| match keys {
            [] => format!("{name}: none"),
            keys => format!("{name}: {}", keys.join(", ")),
        };
        [
            format!("written {}", imported.written),
            list("taken", &imported.taken),
            list("ignored", &imported.ignored),
            list("to fill in", &imported.to_fill_in),
        ]
        .join("\n")
    })?;
    Ok(Exit::Done)
}
