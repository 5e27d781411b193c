//! The program that the guest is there for. Its end is the end of the guest.

use std::path::Path;
use std::process::{Command, Stdio};

use cocoon_image::RunnerConfig;
use rustix::process::{WaitOptions, wait};

use crate::console::say;
use crate::error::{Doing as _, InitError};

/// In the root of the debug flavour only.
const SHELL: &str = "/usr/bin/busybox";

/// Runs it until it ends, and buries every other process that is left to the first program.
pub(crate) fn run(config: &RunnerConfig) -> Result<String, InitError> {
    say(&format!("running {} {}", config.program, config.arguments.join(" ")));
    let child = Command::new(&config.program)
        .args(&config.arguments)
        .env_clear()
        .env("HOME", "/run/cocoon")
        .env("TMPDIR", "/tmp")
        .current_dir("/run/cocoon")
        // The console is the host's.
        .stdin(Stdio::null())
        .spawn()
        .doing(format!("start {}", config.program))?;
    loop {
        let ended = wait(WaitOptions::empty()).doing("wait for the runner")?;
        if let Some((process, status)) = ended
            && process.as_raw_nonzero().get() as u32 == child.id()
        {
            return Ok(match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => format!("exit code {code}"),
                (None, Some(signal)) => format!("signal {signal}"),
                (None, None) => "an unknown status".to_owned(),
            });
        }
    }
}

/// Opens a shell on the console, if the root has one.
pub(crate) fn shell() {
    say("DEBUG flavour: whoever has the console has the guest");
    if !Path::new(SHELL).exists() {
        say("this root has no shell");
        return;
    }
    if let Err(error) = Command::new(SHELL).arg("sh").spawn() {
        say(&format!("no shell: {error}"));
    }
}
