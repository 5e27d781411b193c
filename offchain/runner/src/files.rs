//! How many files this process may hold open: every connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one, as far as the system lets it. Systems keep the soft limit low for
/// programs that use `select`, which this one does not.
pub fn raise_limit() {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: before.maximum,
        ..before
    };
    let outcome = if before.current == before.maximum {
        Ok(())
    } else {
        setrlimit(Resource::Nofile, raised)
    };
    let after = getrlimit(Resource::Nofile);
    // `None` is no limit.
    match outcome {
        Ok(()) => tracing::info!(before = before.current, limit = after.current, "open files"),
        Err(error) => tracing::warn!(%error, limit = after.current, "the limit of open files cannot be raised"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_the_hard_one_afterwards_and_stays_when_raised_again() {
        let lower = Rlimit {
            current: Some(64),
            ..getrlimit(Resource::Nofile)
        };
        setrlimit(Resource::Nofile, lower).unwrap();
        raise_limit();
        let raised = getrlimit(Resource::Nofile);
        assert_eq!(raised.current, lower.maximum);
        raise_limit();
        assert_eq!(getrlimit(Resource::Nofile), raised);
    }
}
