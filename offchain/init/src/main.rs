//! The guest's first program, and its last: PID 1 of the initial RAM disk and, after that, of the verified root. It
//! loads kernel modules, maps the root through dm-verity, measures the configuration, sets up the network and runs one
//! program. There is no shell, no login and no other service.
//!
//! **Invariant:** every step that fails ends the guest. Nothing that a host can change reaches the runner, except the
//! files that the measured configuration names; nothing of one host or one boot is measured.
//!
//! The steps in their order are [`steps::run`]; each is a file of its own. What can be computed without a machine
//! (boot line, configuration, host's files, events) is in `cocoon-image` and tested there.

mod console;
mod error;
mod files;
mod measure;
mod modules;
mod mounts;
mod network;
mod runner;
mod steps;
mod verity;

use std::process::ExitCode;

use rustix::system::{RebootCommand, reboot};

fn main() -> ExitCode {
    if std::process::id() != 1 {
        console::say("this is the first program of a guest and does nothing elsewhere");
        return ExitCode::from(2);
    }
    match steps::run() {
        Ok(code) => console::say(&format!("the runner ended with {code}; powering off")),
        Err(error) => console::say_error(&error),
    }
    rustix::fs::sync();
    // A first program that returns makes the kernel panic, which ends the guest too.
    match reboot(RebootCommand::PowerOff) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
