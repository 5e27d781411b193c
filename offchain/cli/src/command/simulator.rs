//! `cocoon simulator run`: a quoting service for machines without TDX.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use cocoon_attest::simulated::SimulatedPlatform;
use cocoon_guest::{Endpoint, SimulatedTrust, Simulator};
use cocoon_ratls::{Clock as _, SystemClock};
use cocoon_runner::config::NamesFiles;
use cocoon_runner::keys;
use serde::{Deserialize, Serialize};

use crate::args::simulator::SimulatorArgs;
use crate::command::stop::Stop;
use crate::failure::{self, Exit, Failure, OrFail as _};
use crate::output::Output;

/// Port of the hosts' quoting services.
const PORT: u16 = 4050;

/// What a simulator is told. Unknown keys are refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    /// Keys of the platform; made when the file is missing.
    platform: PathBuf,
    /// Where guests ask.
    #[serde(default = "usual_endpoint")]
    listen: Endpoint,
    /// Where the public half is written.
    #[serde(default)]
    trust: Option<PathBuf>,
}

impl NamesFiles for Told {
    fn files_mut(&mut self) -> Vec<&mut PathBuf> {
        let socket = match &mut self.listen {
            Endpoint::Unix(path) => Some(path),
            Endpoint::Vsock { .. } | Endpoint::Tcp(_) => None,
        };
        let files = std::iter::once(&mut self.platform).chain(&mut self.trust);
        files.chain(socket).collect()
    }
}

impl Told {
    fn by(args: SimulatorArgs) -> Result<Self, Failure> {
        match (args.config, args.platform) {
            (Some(config), _) => cocoon_runner::config::load(&config).map_err(failure::from_runner),
            (None, Some(platform)) => Ok(Self {
                platform,
                listen: args.listen.unwrap_or_else(usual_endpoint),
                trust: args.trust,
            }),
            (None, None) => Err(Failure::new(
                Exit::Usage,
                anyhow::anyhow!("no platform is named"),
                "name its file with --platform, or a configuration with --config",
            )),
        }
    }
}

fn usual_endpoint() -> Endpoint {
    Endpoint::Tcp((Ipv4Addr::LOCALHOST, PORT).into())
}

#[derive(Serialize)]
struct Ready {
    ready: &'static str,
    at: String,
    simulated: bool,
}

/// Answers guests until a signal.
pub(crate) async fn run(args: SimulatorArgs, output: Output) -> Result<Exit, Failure> {
    let told = Told::by(args)?;
    let platform = platform(&told.platform)?;
    if let Some(path) = &told.trust {
        let text = SimulatedTrust::of(&platform, SystemClock.now())
            .and_then(|trust| trust.to_json())
            .map_err(failure::from_guest)?;
        std::fs::File::create(path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .or_fail(
                Exit::Configuration,
                &format!("cannot write {}", path.display()),
                "check the folder and its permissions",
            )?;
    }
    let simulator = Simulator::start(platform, &told.listen).map_err(failure::from_guest)?;
    let ready = Ready {
        ready: "simulator",
        at: simulator.endpoint().to_string(),
        simulated: true,
    };
    let signal = Stop::listen().await;
    output.result(&ready, |ready| {
        format!("SIMULATED quoting service ready at {}", ready.at)
    })?;
    signal.asked().await?;
    let stopped = tokio::task::spawn_blocking(move || simulator.stop()).await;
    stopped.map_err(anyhow::Error::from)?;
    Ok(Exit::Done)
}

/// The platform of a file; a new one if there is none.
fn platform(path: &Path) -> Result<SimulatedPlatform, Failure> {
    if !path.exists() {
        let platform = SimulatedPlatform::generate().map_err(failure::from_attest)?;
        let text = platform.to_json().map_err(failure::from_attest)?;
        keys::write_secret(path, text.as_bytes()).map_err(failure::from_runner)?;
        return Ok(platform);
    }
    let text = std::fs::read_to_string(path).or_fail(
        Exit::Configuration,
        &format!("cannot read {}", path.display()),
        "check the path and that this user may read it",
    )?;
    SimulatedPlatform::from_json(&text).map_err(failure::from_attest)
}
