//! What can be typed behind `cocoon doctor`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use cocoon_bindings::ImageHash;
use cocoon_guest::Endpoint;

use super::governance::Place;

/// Commands of the doctor.
#[derive(Debug, Subcommand)]
pub enum DoctorCommand {
    /// Look at this machine, link by link, up to the first that is broken
    Host(DoctorHostArgs),
    /// Look at the way to the chain: server, time, root contract
    #[command(after_help = "\
Exit code 0 when nothing is broken, 4 otherwise.

Examples:
  cocoon doctor chain
  cocoon doctor chain --network mainnet --json")]
    Chain(DoctorNetworkArgs),
    /// Look at the network: what its root contract lists, and whether its proxies answer
    #[command(after_help = "\
Exit code 0 when nothing is broken, 1 when something is, 4 when the chain cannot be read.

Examples:
  cocoon doctor network
  cocoon doctor network --chain-url URL --root ADDRESS")]
    Network(DoctorNetworkArgs),
}

/// Which network is looked at.
#[derive(Debug, Args)]
pub struct DoctorNetworkArgs {
    /// The root contract.
    #[command(flatten)]
    pub place: Place,
}

/// What a machine should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleArg {
    /// Runs models in a TDX guest
    Worker,
    /// Keeps accounts in a TDX guest
    Proxy,
    /// Serves the API to its owner; needs no TDX
    Client,
}

/// Options of `doctor host`.
#[derive(Debug, Args)]
#[command(after_help = "\
Works on a host before any guest is started, and inside a guest. Exit code 0 when no link is broken, 1 when
one is, 4 when it is the chain.

Examples:
  cocoon doctor host --role worker
  cocoon doctor host --role proxy --chain-url URL --root ADDRESS --image HASH
  cocoon doctor host --role client --folder /srv/cocoon --json")]
pub struct DoctorHostArgs {
    /// What this machine should be
    #[arg(long, value_enum, value_name = "ROLE")]
    pub role: RoleArg,
    /// The network whose root contract is asked; none is asked without it
    #[command(flatten)]
    pub place: Place,
    /// Image hash that should be listed for the role
    #[arg(long, value_name = "HASH", requires = "root")]
    pub image: Option<ImageHash>,
    /// Where the quoting service listens, instead of the usual places
    #[arg(long, value_name = "ADDRESS")]
    pub qgs: Option<Endpoint>,
    /// Ports that must be free, instead of the role's
    #[arg(long = "port", value_name = "IP:PORT")]
    pub ports: Vec<SocketAddr>,
    /// Folder where the runner will keep its state
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
}
