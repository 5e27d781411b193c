//! Log set-up: one line per event on stderr, never any content of requests.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

use crate::RunnerError;

/// What is logged when neither configuration nor environment says otherwise.
pub const DEFAULT_FILTER: &str = "info";

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object on each line: `timestamp`, `level`, `target`, `fields`.
    Json,
}

/// The filter that is in force.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts logging to stderr with `filter` (such as `info,cocoon_proxy=debug`).
///
/// A second call in one process changes nothing: the first one decides.
pub fn init(filter: Option<&str>, format: LogFormat) -> Result<(), RunnerError> {
    let (filter, handle) = reload::Layer::new(parse(filter.unwrap_or(DEFAULT_FILTER))?);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let started = tracing_subscriber::registry().with(filter).with(lines).try_init();
    match started {
        // Nobody else has started it, so nobody has set this.
        Ok(()) => drop(FILTER.set(handle)),
        Err(_) => tracing::debug!("logging was started before"),
    }
    Ok(())
}

/// Takes another filter from now on. Without a log of this process it is only checked.
pub fn set_filter(filter: &str) -> Result<(), RunnerError> {
    let parsed = parse(filter)?;
    match FILTER.get().map(|handle| handle.reload(parsed)) {
        // The subscriber lives as long as the process.
        Some(Err(_)) | None => {}
        Some(Ok(())) => tracing::info!(filter, "the log has another filter"),
    }
    Ok(())
}

fn parse(filter: &str) -> Result<EnvFilter, RunnerError> {
    EnvFilter::try_new(filter).map_err(|_| RunnerError::LogFilter {
        filter: filter.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_filter_is_refused_by_name() {
        for error in [
            init(Some("cocoon=shouting"), LogFormat::Text).unwrap_err(),
            set_filter("cocoon=shouting").unwrap_err(),
        ] {
            assert!(error.to_string().contains("cocoon=shouting"));
        }
    }
}
