//! The configuration that the daemon reads: only what was answered, the rest being defaults.

use std::path::{Path, PathBuf};

use cocoon_owner::StoredWallet;
use toml::{Table, Value};

use super::checks::beside;
use super::{Answers, Network, Role, Setup};
use crate::args::operate;
use crate::command::config;
use crate::command::owner::ask;
use crate::failure::{self, Exit, Failure, OrFail as _};

impl Setup {
    /// Writes the configuration, unless it is there already, and reads it as the daemon does. Gives its path and which files
    /// are not there yet.
    pub(super) fn configure(
        &mut self,
        network: &Network,
        owner: &StoredWallet,
        folder: &Path,
    ) -> Result<(PathBuf, Vec<String>), Failure> {
        let path = folder.join(self.typed.role.config_name());
        self.draw_keys(folder)?;
        let text = self.text(network, owner, folder)?;
        let is_same = std::fs::read_to_string(&path).is_ok_and(|found| found == text);
        if !is_same {
            self.may_replace(&path)?;
            write(&path, &text)?;
        }
        let role = match self.typed.role {
            Role::Client => operate::Role::Client,
            Role::Worker => operate::Role::Worker,
            Role::Proxy => operate::Role::Proxy,
        };
        let not_there = config::load(role, &path)?;
        let word = if is_same { "is there already" } else { "written" };
        self.output.note(format!("  {} {word}, and valid", path.display()));
        self.kept.answer(|answers| answers.is_configured = true)?;
        Ok((path, not_there))
    }

    /// Keys that the daemon needs, each drawn once.
    fn draw_keys(&self, folder: &Path) -> Result<(), Failure> {
        let names: &[&str] = match self.typed.role {
            Role::Client => &["wallet"],
            Role::Worker => &[],
            Role::Proxy => &["wallet", "contract"],
        };
        for name in names {
            cocoon_runner::keys::load_or_create_key(&key_file(folder, name)).map_err(failure::from_runner)?;
        }
        Ok(())
    }

    fn may_replace(&self, path: &Path) -> Result<(), Failure> {
        if !path.exists() || self.typed.common.overwrite {
            return Ok(());
        }
        if self.output.is_interactive() && !self.typed.common.yes {
            return ask(
                self.output,
                &format!("{} says something else. Replace it?", path.display()),
            );
        }
        let error = anyhow::anyhow!("{} is there and says something else", path.display());
        let hint = "give --overwrite to replace it, or another --folder";
        Err(Failure::new(Exit::Configuration, error, hint))
    }

    fn text(&self, network: &Network, owner: &StoredWallet, folder: &Path) -> Result<String, Failure> {
        let answers = &self.kept.answers;
        let listen = Answers::given(&answers.listen, "the port")?;
        let state = path_of(&folder.join("state"));
        let mut config = match self.typed.role {
            Role::Client => table([("data_dir", state), ("listen", listen.to_string().into())]),
            Role::Worker => table([
                ("data_dir", state),
                ("http", listen.to_string().into()),
                ("owner", owner.address.to_string().into()),
                ("models", Value::Array(vec![self.model_table()?.into()])),
            ]),
            Role::Proxy => {
                let (workers, clients) = beside(listen)?;
                let ports = [("http", listen), ("workers", workers), ("clients", clients)];
                let ports = ports.map(|(name, address)| (name, Value::from(address.to_string())));
                table([
                    ("store_dir", state),
                    ("contract_key_file", path_of(&key_file(folder, "contract"))),
                    ("listen", table(ports).into()),
                ])
            }
        };
        let chain = table([
            ("url", network.chain_url.clone().into()),
            ("root", network.root.clone().into()),
        ]);
        config.insert("chain".to_owned(), chain.into());
        if self.typed.role != Role::Worker {
            let wallet = table([
                ("key_file", path_of(&key_file(folder, "wallet"))),
                ("owner", owner.address.to_string().into()),
            ]);
            config.insert("wallet".to_owned(), wallet.into());
        }
        let attestation = self.attestation(network);
        if !attestation.is_empty() {
            config.insert("attestation".to_owned(), attestation.into());
        }
        let role = self.typed.role.name();
        let head = format!(
            "# Written by `cocoon setup {role}`. Every other key has its default: docs/reference/config.md.\n\n"
        );
        Ok(head + &toml::to_string_pretty(&config).map_err(anyhow::Error::from)?)
    }

    fn model_table(&self) -> Result<Table, Failure> {
        let folder = Answers::given(&self.kept.answers.model, "the model")?;
        let name = Answers::given(&self.kept.answers.model_name, "the model's name")?;
        let backend = table([("kind", "engine".into()), ("folder", path_of(&folder))]);
        Ok(table([("name", name.into()), ("backend", backend.into())]))
    }
}

/// Where a key of the runner lies.
pub(super) fn key_file(folder: &Path, name: &str) -> PathBuf {
    folder.join("keys").join(format!("{name}.key"))
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn path_of(path: &Path) -> Value {
    Value::from(path.display().to_string())
}

/// Writes the whole file or none of it.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let part = path.with_extension("toml.part");
    std::fs::write(&part, text)
        .and_then(|()| std::fs::rename(&part, path))
        .or_fail(
            Exit::Configuration,
            &format!("cannot write {}", path.display()),
            "check the permissions and the free space of the folder",
        )
}
