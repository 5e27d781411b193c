//! Steps whose answers the root contract decides about: the proxy and the model.

use std::path::{Path, PathBuf};

use cocoon_bindings::ton::parse_address;
use cocoon_chain::{ProxyAccount, RootView};
use cocoon_manifest::ModelName;
use cocoon_manifest::verity::RootHash;

use super::{Network, Setup};
use crate::command::network::LOCAL;
use crate::failure::{self, Exit, Failure, OrFail as _};
use crate::local::layout::DataDir;
use crate::local::network::NetworkFile;
use crate::progress::Portion;

impl Setup {
    /// The proxy, which must be one of the network.
    pub(super) async fn proxy(&mut self, network: &Network, view: &RootView) -> Result<(), Failure> {
        for (seqno, listed) in &view.data.proxies {
            let (clients, workers) = (&listed.clients, &listed.workers);
            self.output
                .note(format!("  listed: {seqno}, clients {clients}, workers {workers}"));
        }
        let default = self.local(network).map(|file| file.proxy_contract).unwrap_or_default();
        let typed = self.typed.proxy.as_ref().map(ToString::to_string);
        let known = typed.or_else(|| self.kept.answers.proxy.clone());
        let proxy = self.asking.value("Address of the proxy contract", known, &default, "--proxy", |text| {
            let hint = "an address is 0: and 64 hex digits, or 48 characters of base64; the operator of a proxy publishes it";
            parse_address(text).map(|address| address.to_string()).map_err(|_| hint.to_owned())
        })?;
        let address = parse_address(&proxy).map_err(anyhow::Error::from)?;
        let (chain, root) = network.open()?;
        let account = ProxyAccount::fetch(chain.as_ref(), &address).await;
        let account = account.map_err(failure::from_chain)?;
        if account.root != root {
            let error = anyhow::anyhow!(
                "{address} is a proxy of another network, that of root contract {}",
                account.root
            );
            return Err(Failure::new(
                Exit::Usage,
                error,
                "name a proxy of this network with --proxy",
            ));
        }
        self.output.note(format!("  {address}, stake {}", account.stake));
        self.kept.answer(|answers| answers.proxy = Some(proxy))
    }

    /// The model, whose hash the root contract must list.
    pub(super) fn model(&mut self, view: &RootView) -> Result<(), Failure> {
        let local = self
            .kept
            .answers
            .network
            .clone()
            .and_then(|known| self.local(&known.into()));
        let data = DataDir::new(&self.global.data_dir);
        let usual = local
            .as_ref()
            .map(|_| data.demo_model_dir())
            .filter(|folder| folder.is_dir());
        let usual = usual.map(|folder| folder.display().to_string()).unwrap_or_default();
        let known = self.typed.model.clone().or_else(|| self.kept.answers.model.clone());
        let folder = self
            .asking
            .value("Folder of the model", known, &usual, "--model", |text| {
                let folder = PathBuf::from(text);
                match holds_model(&folder) {
                    true => Ok(folder),
                    false => Err(
                        "name the folder with config.json and the weights; `cocoon model pull` fetches one".to_owned(),
                    ),
                }
            })?;
        let missing = format!("there is no model in {}", folder.display());
        let folder = match holds_model(&folder) {
            true => folder
                .canonicalize()
                .or_fail(Exit::Configuration, &missing, "name the folder with --model")?,
            false => {
                let hint = "name the folder with config.json and the weights; `cocoon model pull` fetches one";
                return Err(Failure::new(Exit::Configuration, anyhow::anyhow!(missing), hint));
            }
        };
        let default = local.map(|file| file.deployed_model).unwrap_or_default();
        let known = self
            .typed
            .model_name
            .clone()
            .or_else(|| self.kept.answers.model_name.clone());
        let parse = |text: &str| {
            let name: ModelName = text.parse().map_err(|_| "a name is NAME@COMMIT:HASH".to_owned())?;
            Ok(name.to_string())
        };
        let name = self
            .asking
            .value("Full name of the model", known, &default, "--model-name", parse)?;
        let name_of_model = listed(&name, view)?;
        self.compare(&folder, &name_of_model)?;
        self.output.note(format!("  {name}"));
        self.kept.answer(|answers| {
            answers.model = Some(folder);
            answers.model_name = Some(name);
        })
    }

    /// The folder must be the model of its name: peers pay for that one.
    fn compare(&self, folder: &Path, name: &ModelName) -> Result<(), Failure> {
        let root = name.verity_hash().and_then(|hash| hash.parse::<RootHash>().ok());
        let is_local = self
            .kept
            .answers
            .network
            .as_ref()
            .is_some_and(|known| known.name == LOCAL);
        let Some(root) = root.filter(|_| !is_local) else {
            self.output.note(
                "  the folder is NOT compared with the name: models of a local network are named by a hash of another kind",
            );
            return Ok(());
        };
        let portion = Portion::new(self.output, &format!("hashing {}", folder.display()));
        let mut progress = |progress: cocoon_archive::Progress| portion.at(progress.done, progress.total);
        let hashed = cocoon_archive::hash_folder(folder, None, &mut progress).map_err(failure::from_archive)?;
        if hashed.root == root {
            return Ok(());
        }
        let error = anyhow::anyhow!("{} is not {name}: it gives the hash {}", folder.display(), hashed.root);
        let hint = "`cocoon model verify --against` says which file differs; `cocoon model pull` fetches a whole one";
        Err(Failure::new(Exit::Configuration, error, hint))
    }

    /// The network of this machine, where it is meant.
    pub(super) fn local(&self, network: &Network) -> Option<NetworkFile> {
        let file = NetworkFile::load(&DataDir::new(&self.global.data_dir)).ok()?;
        (network.name == LOCAL).then_some(file)
    }
}

fn holds_model(folder: &Path) -> bool {
    folder.join("config.json").is_file()
}

/// A worker with a model that is not listed gets no requests.
fn listed(name: &str, view: &RootView) -> Result<ModelName, Failure> {
    let hint =
        "`cocoon root show` has the hashes that are listed, `cocoon model build --archive` gives a folder its name";
    let name: ModelName = name
        .parse()
        .or_fail(Exit::Usage, &format!("{name:?} is no name of a model"), hint)?;
    if view.allows_model(&name.model_hash()) {
        return Ok(name);
    }
    let error = anyhow::anyhow!("the root contract does not list {name}, hash {}", name.model_hash());
    Err(Failure::new(Exit::Configuration, error, hint))
}
