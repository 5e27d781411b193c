//! The steps of a boot, in their order.

use std::path::Path;

use cocoon_image::{BootLine, GuestConfig, HostFiles};

use crate::console::say;
use crate::error::{Doing as _, InitError};
use crate::{files, measure, modules, mounts, network, runner, verity};

/// Serial number of the disk with the root and its hash tree.
const ROOT_DISK: &str = "cocoon-root";
/// Serial number of the disk with the host's files.
const HOST_DISK: &str = "cocoon-host";
/// Where the measured configuration lies in the root.
const SPEC: &str = "/usr/share/cocoon/spec";

/// Boots, runs the runner and waits for its end.
pub(crate) fn run() -> Result<String, InitError> {
    mounts::kernel()?;
    say("started");
    let line = std::fs::read_to_string("/proc/cmdline").doing("read the boot line")?;
    let boot = BootLine::parse(&line)?;
    modules::load(Path::new("/"))?;

    let disk = files::disk(ROOT_DISK)?.ok_or(InitError::Disk { serial: ROOT_DISK })?;
    let root = verity::open(&boot, &disk)?;
    mounts::switch_root(&root)?;
    say("the root is mounted; every block of it is checked when it is read");

    let spec = files::spec(Path::new(SPEC))?;
    let config = GuestConfig::load(&spec)?;
    measure::configuration(&spec.tree_id(), boot.debug)?;
    modules::lock()?;

    let host = match files::disk(HOST_DISK)? {
        Some(disk) => files::host(&disk)?,
        None => HostFiles::default(),
    };
    files::write_all(Path::new("/run/cocoon"), &config.render(&spec, &host)?)?;
    network::up(config.network.as_ref())?;
    if boot.debug {
        runner::shell();
    }
    runner::run(&config.runner)
}
