//! Steps of a long command on stderr: a spinner on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::Output;

/// Shows which step a command is at.
pub(crate) struct Progress {
    output: Output,
    spinner: Option<ProgressBar>,
    current: Option<String>,
}

impl Progress {
    /// Shows steps on stderr.
    pub(crate) fn new(output: Output) -> Self {
        let spinner = std::io::stderr().is_terminal().then(|| {
            let spinner = ProgressBar::new_spinner();
            spinner.enable_steady_tick(Duration::from_millis(120));
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
                spinner.set_style(style);
            }
            spinner
        });
        Self {
            output,
            spinner,
            current: None,
        }
    }

    /// The step before is done; this one begins.
    pub(crate) fn step(&mut self, text: impl Into<String>) {
        self.finish_current();
        let text = text.into();
        match &self.spinner {
            Some(spinner) => spinner.set_message(text.clone()),
            None => self.output.note(format!("{text} ...")),
        }
        self.current = Some(text);
    }

    /// All steps are done.
    pub(crate) fn finish(mut self) {
        self.finish_current();
    }

    /// The current step has failed.
    #[cfg(feature = "engine")]
    pub(crate) fn abandon(mut self) {
        self.current = None;
    }

    fn finish_current(&mut self) {
        if let (Some(spinner), Some(text)) = (&self.spinner, self.current.take()) {
            spinner.suspend(|| self.output.note(format!("  {text}: done")));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}

/// Shows how far a transfer of bytes is: a bar on a terminal, a line for each file elsewhere.
pub(crate) struct Transfer {
    output: Output,
    bar: Option<ProgressBar>,
    file: String,
}

impl Transfer {
    /// A transfer of `total` bytes.
    pub(crate) fn new(output: Output, total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total);
            let template = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        });
        Self {
            output,
            bar,
            file: String::new(),
        }
    }

    /// `done` bytes are there; `file` is on its way.
    pub(crate) fn at(&mut self, file: &str, done: u64) {
        if self.file != file {
            file.clone_into(&mut self.file);
            match &self.bar {
                Some(bar) => bar.set_message(self.file.clone()),
                None => self.output.note(format!("{file} ...")),
            }
        }
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
    }

    /// All bytes are there.
    pub(crate) fn finish(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// The transfer has failed; what is there stays shown.
    pub(crate) fn abandon(self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}

/// Shows how much of a whole is done: a bar on a terminal, one line elsewhere.
pub(crate) struct Portion {
    bar: Option<ProgressBar>,
}

impl Portion {
    /// `text` says what is being done.
    pub(crate) fn new(output: Output, text: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(1);
            if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent} % {eta}") {
                bar.set_style(style);
            }
            bar.set_message(text.to_owned());
            bar
        });
        if bar.is_none() {
            output.note(format!("{text} ..."));
        }
        Self { bar }
    }

    /// How far it is.
    pub(crate) fn at(&self, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
        }
    }
}

impl Drop for Portion {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
