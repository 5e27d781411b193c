//! What was answered, kept in the data folder after each step. No secret is in it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use cocoon_bindings::Nanoton;
use serde::{Deserialize, Serialize};

use super::typed::Role;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::input;

/// The form of the file; another one is not guessed at.
const VERSION: u32 = 1;
/// Bytes of the file: some lines.
const MAX_BYTES: usize = 64 * 1024;

const HINT: &str = "--restart begins anew; contracts and keys that are there stay";

/// The answers of one role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answers {
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wallet: Option<String>,
    /// Whether this setup has made that wallet: its words are still to be written down.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_wallet_new: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) folder: Option<PathBuf>,
    /// Contract of the proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) proxy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) listen: Option<SocketAddr>,
    /// What is paid in or staked, nanoton as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) amount: Option<Nanoton>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model_name: Option<String>,
    /// File with what quotes are believed by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) collateral: Option<PathBuf>,
    /// Service with the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) collateral_service: Option<String>,
    /// Public half of a simulated platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) simulated_trust: Option<PathBuf>,
    /// Whether this setup has written the configuration.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_configured: bool,
    /// The contract, once it is deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) contract: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) network: Option<KnownNetwork>,
}

/// A network that was answered. Of one that is written down elsewhere only the name counts: the rest is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KnownNetwork {
    pub(super) name: String,
    pub(super) chain_url: String,
    pub(super) root: String,
    pub(super) is_testnet: bool,
    /// Whether address and root contract were typed in full, and are written down nowhere else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_typed: bool,
}

/// Answers and where they are kept.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
    is_resumed: bool,
    pub(super) answers: Answers,
}

impl Kept {
    /// The answers of before, unless `restart` forgets them.
    pub(super) fn open(data_dir: &Path, role: Role, restart: bool) -> Result<Self, Failure> {
        let path = data_dir.join(format!("setup-{}.toml", role.name()));
        let is_resumed = path.exists() && !restart;
        let answers = match is_resumed {
            true => load(&path)?,
            false => Answers {
                version: VERSION,
                ..Answers::default()
            },
        };
        Ok(Self {
            path,
            is_resumed,
            answers,
        })
    }

    pub(super) fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes an answer and writes all of them, atomically.
    pub(super) fn answer(&mut self, change: impl FnOnce(&mut Answers)) -> Result<(), Failure> {
        change(&mut self.answers);
        let text = toml::to_string_pretty(&self.answers).map_err(anyhow::Error::from)?;
        let part = self.path.with_extension("toml.part");
        let folder = self.path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&part, text))
            .and_then(|()| std::fs::rename(&part, &self.path))
            .or_fail(
                Exit::Configuration,
                &format!("cannot write {}", self.path.display()),
                "check the permissions and the free space of the data folder",
            )
    }
}

fn load(path: &Path) -> Result<Answers, Failure> {
    let unreadable = format!("{} is not what a setup writes", path.display());
    let bytes = input::read(path, MAX_BYTES, HINT)?;
    let text = String::from_utf8(bytes).or_fail(Exit::Configuration, &unreadable, HINT)?;
    let answers: Answers = toml::from_str(&text).or_fail(Exit::Configuration, &unreadable, HINT)?;
    if answers.version == VERSION {
        return Ok(answers);
    }
    let (path, version) = (path.display(), answers.version);
    let error = anyhow::anyhow!("{path} is of version {version}, and this program writes {VERSION}");
    Err(Failure::new(Exit::Configuration, error, HINT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_back_until_they_are_forgotten_and_other_versions_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let open = |restart| Kept::open(folder.path(), Role::Client, restart);
        let mut kept = open(false).unwrap();
        assert!(!kept.is_resumed());
        kept.answer(|answers| answers.wallet = Some("treasury".to_owned()))
            .unwrap();
        kept.answer(|answers| answers.amount = Some(Nanoton::from_ton(20)))
            .unwrap();
        let again = open(false).unwrap();
        assert!(again.is_resumed());
        assert_eq!(again.answers, kept.answers);
        assert_eq!(open(true).unwrap().answers.wallet, None);
        assert!(!Kept::open(folder.path(), Role::Proxy, false).unwrap().is_resumed());
        std::fs::write(kept.path(), "version = 2\n").unwrap();
        assert_eq!(open(false).unwrap_err().exit(), Exit::Configuration);
        std::fs::write(kept.path(), "version = 1\npassphrase = \"x\"\n").unwrap();
        assert!(open(false).is_err());
        open(true).unwrap();
    }
}
