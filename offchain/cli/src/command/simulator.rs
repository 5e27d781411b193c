//! `cocoon simulator run`: a quoting service for machines without TDX.

use std::io::Write as _;
use std::path::Path;

use cocoon_attest::simulated::SimulatedPlatform;
use cocoon_guest::{SimulatedTrust, Simulator};
use cocoon_ratls::{Clock as _, SystemClock};
use cocoon_runner::{keys, shutdown};
use serde::Serialize;

use crate::args::simulator::SimulatorArgs;
use crate::failure::{self, Exit, Failure, OrFail as _};
use crate::output::Output;

#[derive(Serialize)]
struct Ready {
    ready: &'static str,
    at: String,
    simulated: bool,
}

/// Answers guests until a signal.
pub(crate) async fn run(args: SimulatorArgs, output: Output) -> Result<Exit, Failure> {
    let platform = platform(&args.platform)?;
    if let Some(path) = &args.trust {
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
    let simulator = Simulator::start(platform, &args.listen).map_err(failure::from_guest)?;
    let ready = Ready {
        ready: "simulator",
        at: simulator.endpoint().to_string(),
        simulated: true,
    };
    output.result(&ready, |ready| {
        format!("SIMULATED quoting service ready at {}", ready.at)
    })?;
    shutdown::signal().await.map_err(failure::from_runner)?;
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
