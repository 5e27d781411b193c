//! What can be typed behind `cocoon simulator`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use cocoon_guest::Endpoint;

/// Commands of the simulator.
#[derive(Debug, Subcommand)]
pub enum SimulatorCommand {
    /// Answer guests until Ctrl-C or SIGTERM
    Run(SimulatorArgs),
}

/// Options of `simulator run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Its quotes are SIMULATED: they have the form of real ones and protect nothing. Runners believe them only
with its public half, and only while the root contract says that the network is a test. A guest names in
its [attestation]: simulator = \"ADDRESS\" and simulated_trust = \"FILE\".

Examples:
  cocoon simulator run --platform platform.json --trust trust.json
  cocoon simulator run --platform platform.json --listen vsock:any:4050
  cocoon simulator run --platform .cocoon/platform.json --listen unix:/run/qgs.socket
  cocoon simulator run --config simulator.toml   with the keys platform, listen and trust")]
pub struct SimulatorArgs {
    /// Keys of the simulated platform; made when the file is missing
    #[arg(long, value_name = "FILE", required_unless_present = "config")]
    pub platform: Option<PathBuf>,
    /// Where guests ask: vsock:CID:PORT (CID may be any), tcp:IP:PORT or unix:PATH [default: tcp:127.0.0.1:4050]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<Endpoint>,
    /// Write the public half of the platform here, for runners to believe it by
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// TOML file that says all of this instead; its paths are relative to it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["platform", "listen", "trust"])]
    pub config: Option<PathBuf>,
}
