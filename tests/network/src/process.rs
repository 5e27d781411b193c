//! A network of real processes, each of which can be killed and started again.

use std::{
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use cocoon_cli::local::{layout::DataDir, network::NetworkFile};
use cocoon_client::ClientConfig;
use cocoon_proxy::ProxyConfig;
use cocoon_worker::{BackendConfig, WorkerConfig};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Failure, api::Api, binary, failed, next_instance, stranger::Stranger};

/// Longest time for a process to be ready: a busy machine may need most of it.
const READY: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// A runner of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes requests of clients to workers.
    Proxy,
    /// Answers them.
    Worker,
    /// Serves the OpenAI interface.
    Client,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Worker => "worker",
            Self::Client => "client",
        }
    }
}

/// The processes, their folder and their logs. Everything ends when this is dropped.
pub struct Processes {
    dir: TempDir,
    data: DataDir,
    network: NetworkFile,
    running: Vec<(&'static str, Child)>,
}

impl Processes {
    /// Starts the chain with all contracts deployed, and no runner yet.
    pub async fn deploy() -> Result<Self, Failure> {
        let dir = TempDir::new().map_err(failed("making a folder"))?;
        let data = DataDir::new(dir.path().join("network"));
        fs::create_dir(dir.path().join("logs")).map_err(failed("making a folder"))?;
        let instance = next_instance().to_string();
        let arguments = ["up", "--only", "chain", "--instance", &instance];
        let chain = spawn(dir.path(), &data, "chain", arguments)?;
        let mut running = vec![("chain", chain)];
        let network = ready("the chain", || {
            alive(&mut running[0].1)?;
            Ok(NetworkFile::load(&data).ok())
        })
        .await
        .map_err(|failure| with_log(failure, dir.path(), "chain"))?;
        Ok(Self {
            dir,
            data,
            network,
            running,
        })
    }

    /// Lets the worker ask a server instead of running the model itself.
    pub fn use_upstream(&self, url: &str) -> Result<(), Failure> {
        let path = self.data.config_file("worker");
        let mut config: WorkerConfig = cocoon_runner::config::load(&path).map_err(failed("reading worker.toml"))?;
        config.models[0].backend = BackendConfig::Upstream { url: url.to_owned() };
        let text = toml::to_string(&config).map_err(failed("writing worker.toml"))?;
        fs::write(path, text).map_err(failed("writing worker.toml"))
    }

    /// Lets the client keep what was asked and answered, in this folder.
    pub fn keep_disclosures(&self, folder: &Path) -> Result<(), Failure> {
        let path = self.data.config_file("client");
        let mut config: ClientConfig = cocoon_runner::config::load(&path).map_err(failed("reading client.toml"))?;
        config.disclosures_dir = Some(folder.to_owned());
        let text = toml::to_string(&config).map_err(failed("writing client.toml"))?;
        fs::write(path, text).map_err(failed("writing client.toml"))
    }

    /// Runs the command on this network; gives its exit code, what it printed as JSON, and what it told.
    pub async fn run(&self, arguments: &[&str]) -> Result<(Option<i32>, Value, String), Failure> {
        let mut command = command(&self.data)?;
        command.args(arguments).arg("--json");
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .map_err(failed("running the command"))?
            .map_err(failed("running the command"))?;
        let printed = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((output.status.code(), printed, told))
    }

    /// Makes connections to the proxy cheap: the work is a defence that stories need not wait for.
    pub fn use_cheap_work(&self) -> Result<(), Failure> {
        let path = self.data.config_file("proxy");
        let mut config: ProxyConfig = cocoon_runner::config::load(&path).map_err(failed("reading proxy.toml"))?;
        config.pow_difficulty = 8;
        let text = toml::to_string(&config).map_err(failed("writing proxy.toml"))?;
        fs::write(path, text).map_err(failed("writing proxy.toml"))
    }

    /// Somebody who knows this network.
    pub fn stranger(&self) -> Result<Stranger, Failure> {
        let platform = fs::read_to_string(self.data.platform_file()).map_err(failed("reading the platform"))?;
        let proxy = ProxyConfig::load(&self.data.config_file("proxy")).map_err(failed("reading proxy.toml"))?;
        Stranger::new(&platform, &proxy)
    }

    /// Starts a runner.
    pub fn start(&mut self, role: Role) -> Result<(), Failure> {
        let config = self.data.config_file(role.name());
        let arguments = [
            OsStr::new(role.name()),
            "run".as_ref(),
            "--config".as_ref(),
            config.as_os_str(),
        ];
        let child = spawn(self.dir.path(), &self.data, role.name(), arguments)?;
        self.running.push((role.name(), child));
        Ok(())
    }

    /// Starts all runners and waits until a question can be asked.
    pub async fn start_all(&mut self) -> Result<Api, Failure> {
        for role in [Role::Proxy, Role::Worker, Role::Client] {
            self.start(role)?;
        }
        self.ready().await
    }

    /// Waits until the client lists the model.
    pub async fn ready(&mut self) -> Result<Api, Failure> {
        let api = Api::new(&self.network.client_url).map_err(failed("making an HTTP client"))?;
        let deadline = Instant::now() + READY;
        loop {
            self.all_alive()?;
            if let Ok(reply) = api.get("/v1/models").await {
                let listed = reply.body["data"]
                    .as_array()
                    .is_some_and(|models| models.iter().any(|model| model["id"] == self.network.model.as_str()));
                if reply.status == 200 && listed {
                    return Ok(api);
                }
            }
            if Instant::now() > deadline {
                let failure = Failure::new("the network is not ready in time");
                return Err(with_log(failure, self.dir.path(), "proxy"));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Kills a runner as `kill -9` does.
    pub fn kill(&mut self, role: Role) -> Result<(), Failure> {
        let at = self.running.iter().position(|(name, _)| *name == role.name());
        let at = at.ok_or_else(|| Failure::new("that runner does not run"))?;
        let (_, mut child) = self.running.remove(at);
        child.kill().map_err(failed("killing"))?;
        child.wait().map_err(failed("waiting for the killed"))?;
        Ok(())
    }

    /// What the network is made of.
    pub fn network(&self) -> &NetworkFile {
        &self.network
    }

    /// Runs `cocoon audit` and gives its report; a difference is a failure, tokens that are not settled yet are none.
    pub async fn audit(&self) -> Result<Value, Failure> {
        let mut command = command(&self.data)?;
        command.args(["audit", "--json"]);
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .map_err(failed("running the audit"))?
            .map_err(failed("running the audit"))?;
        let report: Value = serde_json::from_slice(&output.stdout)
            .map_err(|_| Failure::new(format!("the audit failed: {}", String::from_utf8_lossy(&output.stderr))))?;
        match (output.status.code(), report["verdict"].as_str()) {
            (Some(0), Some("equal")) | (Some(1), Some("open")) => Ok(report),
            (code, _) => Err(Failure::new(format!("the audit ended with {code:?}: {report:#}"))),
        }
    }

    /// Runs the audit until everything is settled and equal to the last token.
    pub async fn audit_until_equal(&self) -> Result<Value, Failure> {
        let deadline = Instant::now() + READY;
        loop {
            let report = self.audit().await?;
            if report["verdict"] == "equal" {
                return Ok(report);
            }
            if Instant::now() > deadline {
                return Err(Failure::new(format!("tokens stay unsettled: {report:#}")));
            }
            tokio::time::sleep(10 * POLL).await;
        }
    }

    /// Every file of the network and every log that contains `marker`.
    pub fn files_with(&self, marker: &str) -> Result<Vec<PathBuf>, Failure> {
        let mut found = Vec::new();
        search(self.dir.path(), marker.as_bytes(), &mut found)?;
        Ok(found)
    }

    /// Whether all processes that were started and not killed still run.
    pub fn all_alive(&mut self) -> Result<(), Failure> {
        for (name, child) in &mut self.running {
            alive(child).map_err(|failure| with_log(failure, self.dir.path(), name))?;
        }
        Ok(())
    }

    /// The log of a process.
    pub fn log(&self, name: &str) -> String {
        fs::read_to_string(log_file(self.dir.path(), name)).unwrap_or_default()
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for (_, child) in self.running.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn log_file(dir: &Path, name: &str) -> PathBuf {
    dir.join("logs").join(format!("{name}.log"))
}

fn command(data: &DataDir) -> Result<Command, Failure> {
    let mut command = Command::new(binary::cocoon().map_err(Failure::new)?);
    command.env("COCOON_DATA_DIR", data.path()).stdin(Stdio::null());
    Ok(command)
}

fn spawn(
    dir: &Path,
    data: &DataDir,
    name: &str,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<Child, Failure> {
    let open = || File::options().create(true).append(true).open(log_file(dir, name));
    let log = open().map_err(failed("opening a log"))?;
    let errors = log.try_clone().map_err(failed("opening a log"))?;
    let mut command = command(data)?;
    // The loudest log that there is: what it does not say, no log says.
    command
        .args(arguments)
        .env("COCOON_LOG", "trace")
        .stdout(log)
        .stderr(errors);
    command.spawn().map_err(failed("starting a process"))
}

fn alive(child: &mut Child) -> Result<(), Failure> {
    match child.try_wait().map_err(failed("looking at a process"))? {
        None => Ok(()),
        Some(status) => Err(Failure::new(format!("a process ended: {status}"))),
    }
}

async fn ready<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>, Failure>) -> Result<T, Failure> {
    let deadline = Instant::now() + READY;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            return Err(Failure::new(format!("{what} is not ready in time")));
        }
        tokio::time::sleep(POLL).await;
    }
}

fn with_log(failure: Failure, dir: &Path, name: &str) -> Failure {
    let log = fs::read_to_string(log_file(dir, name)).unwrap_or_default();
    let tail: Vec<_> = log.lines().rev().take(30).collect();
    let tail: Vec<_> = tail.into_iter().rev().collect();
    Failure::new(format!("{failure}; log of {name}:\n{}", tail.join("\n")))
}

fn search(dir: &Path, marker: &[u8], found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for entry in fs::read_dir(dir).map_err(failed("reading a folder"))? {
        let path = entry.map_err(failed("reading a folder"))?.path();
        if path.is_dir() {
            search(&path, marker, found)?;
        } else if path.is_file() {
            // Not a socket, which holds nothing.
            let bytes = fs::read(&path).map_err(failed("reading a file"))?;
            if bytes.windows(marker.len()).any(|window| window == marker) {
                found.push(path);
            }
        }
    }
    Ok(())
}
