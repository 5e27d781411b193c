//! What the guest says: lines on the kernel's console, for whoever runs the machine.

use std::error::Error;
use std::io::Write as _;

/// Writes a line. A console that is gone is no reason to stop.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "cocoon-init: {line}");
}

/// Writes an error with its causes.
pub(crate) fn say_error(error: &dyn Error) {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(&format!(": {error}"));
        cause = error.source();
    }
    say(&format!("FAILED: {line}; powering off"));
}
