//! Nothing that a test starts runs for ever.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Longer than anything here takes on two busy cores; the longest are models that are built and payouts that are awaited.
const LIMIT: Duration = Duration::from_secs(180);

/// Kills what it watches when the time is over, with all that it started. Dropped before, it does nothing.
pub(crate) struct Watch {
    _ended: Sender<()>,
}

/// Starts a command in a group of its own, and watches it.
pub(crate) fn spawn(command: &mut Command) -> (Child, Watch) {
    let child = command.process_group(0).spawn().unwrap();
    let group = child.id();
    let (ended, wait) = channel::<()>();
    std::thread::spawn(move || {
        if wait.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            eprintln!("process {group} was killed after {LIMIT:?}");
            kill(group);
        }
    });
    (child, Watch { _ended: ended })
}

/// Runs a command to its end. One that was killed has no exit code.
pub(crate) fn output(command: &mut Command) -> Output {
    let (child, _watch) = spawn(
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    );
    child.wait_with_output().unwrap()
}

/// Kills a command and all that it started.
pub(crate) fn kill(group: u32) {
    // It may have ended by itself.
    let _ = Command::new("kill")
        .args(["-KILL", "--", &format!("-{group}")])
        .status();
}
