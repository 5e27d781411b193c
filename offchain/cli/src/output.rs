//! Where text goes: the result to stdout, everything else to stderr.

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;

/// The two channels, passed down to every command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// Whether the result is JSON.
    pub(crate) json: bool,
}

impl Output {
    /// Prints the result: `value` as JSON, or `text` for people.
    pub(crate) fn result<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        let line = if self.json {
            serde_json::to_string_pretty(value)?
        } else {
            text(value)
        };
        self.stdout(line.trim_end())?;
        self.stdout("\n")
    }

    /// Writes a piece of the result as it is, at once. A reader that has gone (`| head`) had enough; what was begun is
    /// ended all the same, with its own exit code.
    pub(crate) fn stdout(&self, text: &str) -> anyhow::Result<()> {
        self.bytes(text.as_bytes())
    }

    /// The same for a result that is no text.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    }

    /// Tells a person something that is not the result.
    pub(crate) fn note(&self, text: impl AsRef<str>) {
        let mut stderr = std::io::stderr().lock();
        // There is nobody to tell that stderr is closed.
        let _ = writeln!(stderr, "{}", text.as_ref());
    }

    /// Asks a person for a line on stderr, which keeps stdout clean.
    pub(crate) fn prompt(&self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        // There is nobody to tell that stderr is closed.
        let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
    }

    /// Whether a person sits at both ends.
    pub(crate) fn is_interactive(&self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }
}
