//! What can be typed behind `cocoon image`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use super::govern::ImageTrustCommand;

/// Commands about guest images.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "one is made in the life of the program")]
pub enum ImageCommand {
    /// Build the guest image from pinned packages, a runner and a measured configuration
    Build(BuildImageArgs),
    /// Compute the registers and the image hash that a machine shows when it runs an image
    Measure(MeasureArgs),
    /// Recompute everything about an image and say what differs
    Verify(VerifyArgs),
    /// What the network trusts.
    #[command(flatten)]
    Trust(ImageTrustCommand),
}

/// Options of `image build`.
#[derive(Debug, Args)]
#[command(after_help = "\
Runs scripts/image/build of the source tree and checks the result as `image verify` does. The same input gives
the same bytes; the tools that are needed are named when one is missing.

Examples:
  cocoon image build --runner target/dist/cocoon --spec my-worker --out image
  cocoon image build --runner target/dist/cocoon --spec my-worker --out image \\
    --add models/qwen3=/usr/share/cocoon/model")]
pub struct BuildImageArgs {
    /// The program that the image is there for
    #[arg(long, value_name = "FILE")]
    pub runner: PathBuf,
    /// Folder of the measured configuration, with guest.toml
    #[arg(long, value_name = "DIR")]
    pub spec: PathBuf,
    /// Folder to make; it must not be there
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// A file or folder for the root, once for each
    #[arg(long = "add", value_name = "SOURCE=TARGET")]
    pub added: Vec<String>,
    /// Open a shell on the console; such an image has another hash
    #[arg(long)]
    pub debug: bool,
    /// Source tree of this program
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub source: PathBuf,
}

/// The machine that an image is measured for.
#[derive(Debug, Args)]
pub struct MachineArgs {
    /// Shape of the machine, a TOML file such as those in scripts/image/shapes
    #[arg(long, value_name = "FILE")]
    pub shape: PathBuf,
    /// Firmware of the machine: an OVMF with TDX metadata
    #[arg(long, value_name = "FILE")]
    pub firmware: PathBuf,
}

/// Options of `image measure`.
#[derive(Debug, Args)]
#[command(after_help = "\
The image hash is what the root contract lists. Processors, memory, devices and QEMU's version show in RTMR0,
so each shape has a hash of its own. -v also shows everything that is measured. --manifest writes down what the
image is made of, with the registers, in the one form whose SHA-256 may be listed beside the image hash.

Examples:
  cocoon image measure image --shape scripts/image/shapes/emulated.toml --firmware OVMF.fd
  cocoon image measure image --shape small.toml --firmware OVMF.fd --json > image.json
  cocoon image measure image --shape small.toml --firmware OVMF.fd --name worker-0.1.0 --manifest image.manifest")]
pub struct MeasureArgs {
    /// Folder that `image build` made
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// The machine.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// File to write the image's manifest to
    #[arg(long, value_name = "FILE", requires = "name")]
    pub manifest: Option<PathBuf>,
    /// Name and version of the image, one word, for its manifest
    #[arg(long, value_name = "NAME", requires = "manifest")]
    pub name: Option<String>,
}

/// Options of `image verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Checks each block of the root against its hash tree and the tree against the boot line, reads the measured
configuration as the guest does, and with --expect or --manifest compares the registers, with --manifest also what
the image is made of. Exit code 1 when something differs.

Examples:
  cocoon image verify image
  cocoon image verify image --expect image.json --shape small.toml --firmware OVMF.fd
  cocoon image verify image --manifest image.manifest --shape small.toml --firmware OVMF.fd")]
#[command(group = ArgGroup::new("expected").args(["expect", "manifest"]).multiple(true))]
pub struct VerifyArgs {
    /// Folder that `image build` made
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// What `image measure --json` printed for the image that it should be
    #[arg(long, value_name = "FILE", requires_all = ["shape", "firmware"])]
    pub expect: Option<PathBuf>,
    /// Manifest of the image that it should be, as `image measure --manifest` writes it
    #[arg(long, value_name = "FILE", requires_all = ["shape", "firmware"])]
    pub manifest: Option<PathBuf>,
    /// Shape of the machine
    #[arg(long, value_name = "FILE", requires = "expected")]
    pub shape: Option<PathBuf>,
    /// Firmware of the machine
    #[arg(long, value_name = "FILE", requires = "expected")]
    pub firmware: Option<PathBuf>,
}
