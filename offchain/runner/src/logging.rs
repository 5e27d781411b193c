//! Log set-up: one line per event on stderr, never any content of requests.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::RunnerError;

/// What is logged when neither configuration nor environment says otherwise.
pub const DEFAULT_FILTER: &str = "info";

/// Starts logging to stderr with `filter` (such as `info,cocoon_proxy=debug`).
///
/// A second call in one process changes nothing: the first one decides.
pub fn init(filter: Option<&str>) -> Result<(), RunnerError> {
    let text = filter.unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::try_new(text).map_err(|_| RunnerError::LogFilter {
        filter: text.to_owned(),
    })?;
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_filter_is_refused_by_name() {
        let error = init(Some("cocoon=shouting")).unwrap_err();
        assert!(error.to_string().contains("cocoon=shouting"));
    }
}
