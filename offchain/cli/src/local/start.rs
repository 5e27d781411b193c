//! Starting and stopping a local network.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use cocoon_attest::simulated::{SimulatedPlatform, simulated_measurements};
use cocoon_bindings::ProxyEndpoints;
use cocoon_chain::{HttpApi, SharedChain};
use cocoon_client::Secret;
use cocoon_localnet::{LocalNet, RunningLocalNet};
use cocoon_manifest::ModelName;

use super::actors::Actors;
use super::chain::ChainFile;
use super::configs::{Configs, Owners};
use super::deploy::{Contracts, Deployment, Listing};
use super::faucet::Faucet;
use super::layout::DataDir;
use super::model::LocalModel;
use super::network::NetworkFile;
use super::ports::Ports;
use super::runners::Runners;
use crate::failure::{self, Exit, Failure, OrFail as _};

const DATA_FOLDER_HINT: &str = "check the permissions and the free space of the data folder";

/// What is wanted of a local network.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Folders of the models, the first one being asked by default; the built-in one without.
    pub models: Vec<PathBuf>,
    /// Adds ten times this to the usual ports.
    pub instance: u16,
    /// Forget the network that is there.
    pub fresh: bool,
    /// Start chain and contracts only; the runners are started by hand.
    pub only_chain: bool,
    /// URL of a collector that the runners send traces of requests to.
    pub collector: Option<String>,
}

impl LocalOptions {
    /// The usual network in `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            models: Vec::new(),
            instance: 0,
            fresh: false,
            only_chain: false,
            collector: None,
        }
    }
}

/// A running local network.
pub struct LocalNetwork {
    file: NetworkFile,
    data: DataDir,
    chain: RunningLocalNet,
    shared: SharedChain,
    runners: Option<Runners>,
    _lock: File,
}

impl LocalNetwork {
    /// Starts or resumes the network in the data folder. `on_step` hears what is being done.
    pub async fn start(options: LocalOptions, mut on_step: impl FnMut(&str)) -> Result<Self, Failure> {
        let data = DataDir::new(&options.data_dir).create().or_fail(
            Exit::Configuration,
            "cannot make the data folder",
            DATA_FOLDER_HINT,
        )?;
        let lock = lock(&data)?;
        if options.fresh {
            data.clear()
                .or_fail(Exit::Configuration, "cannot clear the data folder", DATA_FOLDER_HINT)?;
        }
        let ports = choose_ports(&data, &options)?;
        on_step("Preparing the model");
        let models = LocalModel::prepare_all(&options.models, &data)?;
        ensure_platform(&data)?;

        on_step("Starting the local chain");
        let chain_file = ChainFile::new(ports.chain, data.chain_state_file());
        let chain = LocalNet::start(chain_file.into_config())
            .await
            .map_err(failure::from_localnet)?;
        let url = chain.url();
        let shared: SharedChain = Arc::new(HttpApi::new(&url, None).map_err(failure::from_chain)?);
        let faucet = Faucet::http(chain.control_url())?;

        on_step("Deploying wallets");
        let actors = Actors::prepare(&data, &shared, &faucet).await?;
        on_step("Deploying contracts");
        let contracts = deploy(&data, &shared, &actors, &models, &ports).await?;

        let owners = Owners {
            proxy: actors.proxy_owner.address().clone(),
            worker: actors.worker_owner.address().clone(),
            client: actors.client_owner.address().clone(),
        };
        let mut configs = Configs::new(&data, &ports, &url, &contracts.root, &owners, &models);
        configs.trace(options.collector);
        configs.write(&data)?;
        let file = describe(&data, options.instance, &configs, &contracts, &actors, &models);
        file.save(&data)?;
        let runners = match options.only_chain {
            true => None,
            false => Some(Runners::start(configs, &file, &mut on_step).await?),
        };
        Ok(Self {
            file,
            data,
            chain,
            shared,
            runners,
            _lock: lock,
        })
    }

    /// Its description, as `network.json` holds it.
    pub fn file(&self) -> &NetworkFile {
        &self.file
    }

    /// Its data folder.
    pub fn data(&self) -> &DataDir {
        &self.data
    }

    /// Its chain, over HTTP.
    pub fn chain(&self) -> &SharedChain {
        &self.shared
    }

    /// Waits until a runner ends by itself, which is always a failure.
    pub async fn failed(&mut self) -> Failure {
        match &mut self.runners {
            Some(runners) => runners.failed().await,
            None => std::future::pending().await,
        }
    }

    /// Drains the runners, then saves and stops the chain.
    pub async fn shutdown(self) -> Result<(), Failure> {
        let stopped = match self.runners {
            Some(runners) => runners.stop().await,
            None => Ok(()),
        };
        self.chain.shutdown().await.map_err(failure::from_localnet)?;
        stopped
    }
}

fn lock(data: &DataDir) -> Result<File, Failure> {
    let opened = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(data.lock_file());
    let file = opened.or_fail(
        Exit::Configuration,
        "cannot open the lock of the data folder",
        DATA_FOLDER_HINT,
    )?;
    file.try_lock().or_fail(
        Exit::Configuration,
        &format!("the network in {} is running already", data.path().display()),
        "stop it first, or choose another folder with --data-dir",
    )?;
    Ok(file)
}

fn choose_ports(data: &DataDir, options: &LocalOptions) -> Result<Ports, Failure> {
    let before = NetworkFile::load(data)
        .ok()
        .filter(|file| file.instance == options.instance)
        .map(|file| file.ports);
    match before {
        // The runners are processes of their own and may hold their ports already.
        Some(ports) if options.only_chain => Ok(ports),
        before => before
            .unwrap_or_else(|| Ports::usual(options.instance))
            .or_free()
            .or_fail(Exit::Configuration, "no free port on 127.0.0.1", "stop other programs"),
    }
}

fn ensure_platform(data: &DataDir) -> Result<(), Failure> {
    let path = data.platform_file();
    if path.exists() {
        return Ok(());
    }
    let json = SimulatedPlatform::generate()
        .and_then(|platform| platform.to_json())
        .map_err(anyhow::Error::from)?;
    cocoon_runner::keys::write_secret(&path, json.as_bytes()).map_err(failure::from_runner)
}

async fn deploy(
    data: &DataDir,
    chain: &SharedChain,
    actors: &Actors,
    models: &[LocalModel],
    ports: &Ports,
) -> Result<Contracts, Failure> {
    let listing = Listing {
        proxy_image: simulated_measurements("proxy").image_hash(),
        worker_image: simulated_measurements("worker").image_hash(),
        models: models.iter().map(|model| model.name.model_hash()).collect(),
        endpoints: ProxyEndpoints {
            workers: ports.proxy_workers.to_string(),
            clients: ports.proxy_clients.to_string(),
        },
    };
    let client_dir = data.store_dir("client");
    std::fs::create_dir_all(&client_dir).or_fail(Exit::Configuration, "cannot make a folder", DATA_FOLDER_HINT)?;
    let secret = Secret::load_or_create(&client_dir.join("secret")).map_err(failure::from_client)?;
    let deployment = Deployment::new(chain, actors);
    let root = deployment.root(&listing).await?;
    let proxy = deployment.proxy(&root).await?;
    let worker = deployment.worker(&root, &proxy).await?;
    let client = deployment.client(&root, &proxy, secret.hash()).await?;
    Ok(Contracts {
        root: root.address,
        proxy,
        client,
        worker,
    })
}

fn describe(
    data: &DataDir,
    instance: u16,
    configs: &Configs,
    contracts: &Contracts,
    actors: &Actors,
    models: &[LocalModel],
) -> NetworkFile {
    let ports = Ports {
        chain: configs.chain.listen,
        client: configs.client.listen,
        proxy: configs.proxy.listen.http,
        proxy_workers: configs.proxy.listen.workers,
        proxy_clients: configs.proxy.listen.clients,
        proxy_log: configs.proxy.log.listen,
        worker: configs.worker.http,
    };
    // There is at least one.
    let name = |text: fn(&ModelName) -> String| models.first().map(|model| text(&model.name)).unwrap_or_default();
    NetworkFile {
        simulated: true,
        instance,
        ports,
        chain_url: configs.client.chain.url.clone(),
        chain_state_file: data.chain_state_file(),
        root: contracts.root.to_string(),
        proxy_contract: contracts.proxy.to_string(),
        client_contract: contracts.client.to_string(),
        worker_contract: contracts.worker.to_string(),
        governor: actors.governor.address().to_string(),
        proxy_owner: actors.proxy_owner.address().to_string(),
        worker_owner: actors.worker_owner.address().to_string(),
        client_owner: actors.client_owner.address().to_string(),
        client_wallet: actors.client_wallet.address().to_string(),
        proxy_wallet: actors.proxy_wallet.address().to_string(),
        worker_wallet: actors.worker_wallet.address().to_string(),
        model: name(|name| name.base().to_owned()),
        deployed_model: name(ModelName::to_string),
        models: models.iter().map(|model| model.name.base().to_owned()).collect(),
        client_url: format!("http://{}", ports.client),
        proxy_url: format!("http://{}", ports.proxy),
        worker_url: format!("http://{}", ports.worker),
        proxy_store_dir: data.store_dir("proxy"),
        client_store_dir: data.store_dir("client"),
        worker_store_dir: data.store_dir("worker"),
    }
}
