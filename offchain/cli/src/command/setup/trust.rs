//! What quotes of peers are believed by: without it a runner refuses every peer, so it is asked for before anything is paid.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Network, Setup};
use crate::command::network::LOCAL;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::local::layout::DataDir;

const HINT: &str = "give --collateral FILE or --collateral-service URL; on a test network also --simulated-trust FILE";

/// What a person answers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Collateral {
    File(PathBuf),
    Service(String),
}

impl Setup {
    /// Asks for what quotes are believed by, where the network is not that of this machine. Gives a warning where the runner
    /// could believe nobody; that is an error when the contract is to be paid for.
    pub(super) fn trust(&mut self, network: &Network, is_test: bool) -> Result<Option<String>, Failure> {
        let typed = self.typed.common.trust.clone();
        let answers = self.kept.answers.clone();
        let mut file = of_file(typed.collateral.or(answers.collateral), "--collateral")?;
        let service = typed.collateral_service.or(answers.collateral_service);
        let mut service = service.map(|url| checked(&url)).transpose()?;
        let simulated = of_file(typed.simulated_trust.or(answers.simulated_trust), "--simulated-trust")?;
        if simulated.is_some() && !is_test {
            let error = anyhow::anyhow!("the network is no test: simulated platforms are not believed there");
            return Err(Failure::new(Exit::Usage, error, "leave --simulated-trust out"));
        }
        let is_local = network.name == LOCAL;
        let mut believes = is_local || file.is_some() || service.is_some() || simulated.is_some();
        if !believes && !self.typed.common.yes && !self.typed.common.no_deploy {
            let question = "Intel's collateral, by which quotes of peers are believed: a file, or the URL of a service";
            match self.asking.value(question, None, "", "--collateral", collateral)? {
                Collateral::File(path) => file = of_file(Some(path), "--collateral")?,
                Collateral::Service(url) => service = Some(url),
            }
            believes = true;
        }
        self.kept.answer(|answers| {
            answers.collateral = file;
            answers.collateral_service = service;
            answers.simulated_trust = simulated;
        })?;
        if believes {
            return Ok(None);
        }
        let says =
            "the configuration names nothing by which quotes are believed, so this runner would refuse every peer";
        if self.typed.common.no_deploy {
            self.output.note(format!("  {says}\n  hint: {HINT}"));
            return Ok(Some(says.to_owned()));
        }
        Err(Failure::new(Exit::Configuration, anyhow::anyhow!(says), HINT))
    }

    /// The part `[attestation]` of the configuration; empty where there is nothing to say.
    pub(super) fn attestation(&self, network: &Network) -> Table {
        let answers = &self.kept.answers;
        let mut table = Table::new();
        let path = |path: &Path| Value::from(path.display().to_string());
        let platform = DataDir::new(&self.global.data_dir).platform_file();
        if let Some(platform) = self.local(network).and_then(|_| platform.canonicalize().ok()) {
            table.insert("simulated_platform".to_owned(), path(&platform));
        } else if let Some(file) = &answers.simulated_trust {
            table.insert("simulated_trust".to_owned(), path(file));
        }
        if let Some(file) = &answers.collateral {
            table.insert("collateral".to_owned(), path(file));
        }
        if let Some(url) = &answers.collateral_service {
            let service = Table::from_iter([("url".to_owned(), Value::from(url.clone()))]);
            table.insert("collateral_service".to_owned(), service.into());
        }
        table
    }
}

/// The file as the daemon will find it from wherever it is started.
fn of_file(path: Option<PathBuf>, option: &str) -> Result<Option<PathBuf>, Failure> {
    let Some(path) = path else {
        return Ok(None);
    };
    let missing = format!("cannot find {}", path.display());
    let found = path.canonicalize();
    found
        .or_fail(Exit::Configuration, &missing, &format!("name a file with {option}"))
        .map(Some)
}

fn checked(url: &str) -> Result<String, Failure> {
    match collateral(url) {
        Ok(Collateral::Service(url)) => Ok(url),
        _ => {
            let error = anyhow::anyhow!("{url:?} is no URL of a service");
            let hint = "a URL begins with https://, such as https://api.trustedservices.intel.com";
            Err(Failure::new(Exit::Usage, error, hint))
        }
    }
}

fn collateral(text: &str) -> Result<Collateral, String> {
    if text.starts_with("https://") || text.starts_with("http://") {
        return Ok(Collateral::Service(text.to_owned()));
    }
    let path = PathBuf::from(text);
    match path.is_file() {
        true => Ok(Collateral::File(path)),
        false => {
            Err("a file with collateral as JSON, or a URL such as https://api.trustedservices.intel.com".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collateral_is_a_file_that_is_there_or_a_url() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("collateral.json");
        let text = file.to_str().unwrap();
        assert!(collateral("").is_err() && collateral(text).is_err());
        std::fs::write(&file, "{}").unwrap();
        assert_eq!(collateral(text), Ok(Collateral::File(file.clone())));
        let url = "https://pccs.example";
        assert_eq!(collateral(url), Ok(Collateral::Service(url.to_owned())));
        assert_eq!(checked(url).unwrap(), url);
        assert_eq!(checked(text).unwrap_err().exit(), Exit::Usage);
        assert!(of_file(Some(folder.path().join("no")), "--collateral").is_err());
    }
}
