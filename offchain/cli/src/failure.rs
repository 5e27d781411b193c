//! How a command fails: one sentence, the causes on `-v`, a hint, and an exit code.

use std::fmt::Write as _;

/// Exit codes of every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or verified.
    Done = 0,
    /// The verdict is negative.
    Negative = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Configuration or local files are wrong.
    Configuration = 3,
    /// The chain cannot be reached or refused.
    Chain = 4,
    /// A peer or its evidence was refused, or a peer refused us.
    Peer = 5,
    /// A defect of this program.
    Defect = 70,
}

/// An error with its exit code and its hint.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    error: anyhow::Error,
    hint: String,
}

impl Failure {
    /// A failure with `hint` as what to do about it.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>, hint: impl Into<String>) -> Self {
        Self {
            exit,
            error: error.into(),
            hint: hint.into(),
        }
    }

    /// Its exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// The text for a person.
    pub fn render(&self, verbose: bool) -> String {
        let error = self.error.to_string();
        let mut text = format!("error: {error}");
        // Some errors say their cause themselves.
        let causes = self.error.chain().skip(1).map(ToString::to_string);
        let causes = causes.filter(|cause| !error.ends_with(cause.as_str()));
        for cause in causes.take(if verbose { usize::MAX } else { 1 }) {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  caused by: {cause}");
        }
        let _ = write!(text, "\nhint: {}", self.hint);
        text
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::Defect, error, "run it again with -v and report what it prints")
    }
}

/// A failure of what all runners share.
pub fn from_runner(error: cocoon_runner::RunnerError) -> Failure {
    let (exit, hint) = (exit_of(error.who()), error.hint());
    Failure::new(exit, error, hint)
}

/// A failure on the way to the chain.
pub fn from_chain(error: cocoon_chain::ChainError) -> Failure {
    let exit = match error.who() {
        cocoon_chain::Who::Local => Exit::Configuration,
        cocoon_chain::Who::Server | cocoon_chain::Who::Chain => Exit::Chain,
    };
    let hint = error.hint();
    Failure::new(exit, error, hint)
}

/// A failure of what owners do.
pub fn from_owner(error: cocoon_owner::OwnerError) -> Failure {
    let exit = match error.who() {
        cocoon_owner::Who::Caller => Exit::Usage,
        cocoon_owner::Who::Chain => Exit::Chain,
        cocoon_owner::Who::Peer => Exit::Peer,
        _ => Exit::Configuration,
    };
    let hint = error.hint();
    Failure::new(exit, error, hint)
}

/// A failure of a quoting service or its files.
pub fn from_guest(error: cocoon_guest::GuestError) -> Failure {
    let hint = error.hint();
    Failure::new(Exit::Configuration, error, hint)
}

/// A simulated platform that could not be made or read.
pub fn from_attest(error: cocoon_attest::AttestError) -> Failure {
    let hint = error.hint();
    Failure::new(Exit::Configuration, error, hint)
}

/// A failure of the local chain itself.
pub fn from_localnet(error: cocoon_localnet::LocalNetError) -> Failure {
    let hint = error.hint();
    Failure::new(Exit::Configuration, error, hint)
}

/// A failure on the way to a model.
pub fn from_hub(error: cocoon_hub::HubError) -> Failure {
    let exit = match error.who() {
        cocoon_hub::Who::Caller => Exit::Usage,
        cocoon_hub::Who::Host => Exit::Configuration,
        _ => Exit::Peer,
    };
    let hint = error.hint();
    Failure::new(exit, error, hint)
}

/// A failure of the engine, on a model of this machine.
#[cfg(feature = "engine")]
pub fn from_engine(error: cocoon_engine::EngineError) -> Failure {
    let exit = match error.who() {
        cocoon_engine::Who::Caller => Exit::Usage,
        _ => Exit::Configuration,
    };
    let hint = error.hint();
    Failure::new(exit, error, hint)
}

/// A failure to build or to read an archive of a model. A file that is no archive is a verdict on it.
pub fn from_archive(error: cocoon_archive::ArchiveError) -> Failure {
    use cocoon_manifest::ManifestError::Archive;
    let exit = match error {
        cocoon_archive::ArchiveError::Manifest(Archive { .. }) => Exit::Negative,
        _ => Exit::Configuration,
    };
    let hint = error.hint();
    Failure::new(exit, error, hint)
}

/// A failure of the client runner.
pub fn from_client(error: cocoon_client::ClientError) -> Failure {
    let (exit, hint) = (exit_of(error.who()), error.hint());
    Failure::new(exit, error, hint)
}

/// A failure of the router.
pub fn from_router(error: cocoon_router::RouterError) -> Failure {
    let (exit, hint) = (exit_of(error.who()), error.hint());
    Failure::new(exit, error, hint)
}

/// A failure of the Telegram bot.
pub fn from_telegram(error: cocoon_telegram::TelegramError) -> Failure {
    let (exit, hint) = (exit_of(error.who()), error.hint());
    Failure::new(exit, error, hint)
}

/// A failure of a key manager, or of a backup of one.
pub fn from_keymanager(error: cocoon_keymanager::KeyManagerError) -> Failure {
    let exit = match &error {
        cocoon_keymanager::KeyManagerError::Backup(_) => Exit::Negative,
        error => exit_of(error.who()),
    };
    let hint = error.hint();
    Failure::new(exit, error, hint)
}

/// A failure of the worker.
#[cfg(feature = "engine")]
pub fn from_worker(error: cocoon_worker::WorkerError) -> Failure {
    let (exit, hint) = (exit_of(error.who()), error.hint());
    Failure::new(exit, error, hint)
}

/// A failure of the proxy.
pub fn from_proxy(error: cocoon_proxy::ProxyError) -> Failure {
    let exit = match error.who() {
        cocoon_proxy::Who::Local => Exit::Configuration,
        cocoon_proxy::Who::Chain => Exit::Chain,
    };
    let hint = error.hint();
    Failure::new(exit, error, hint)
}

/// A published log that cannot be read, written or believed. That it is not what it says it is, is a verdict on it.
pub fn from_tlog(error: cocoon_tlog::TlogError) -> Failure {
    let exit = match error.who() {
        cocoon_tlog::Who::Caller => Exit::Usage,
        cocoon_tlog::Who::Local => Exit::Configuration,
        cocoon_tlog::Who::Log => Exit::Negative,
        _ => Exit::Peer,
    };
    let hint = error.hint();
    Failure::new(exit, error, hint)
}

/// An explorer that cannot start.
pub fn from_explorer(error: cocoon_explorer::ExplorerError) -> Failure {
    let hint = error.hint();
    Failure::new(Exit::Usage, error, hint)
}

/// An audit that came to no verdict.
pub fn from_audit(error: cocoon_audit::AuditError) -> Failure {
    let exit = match &error {
        cocoon_audit::AuditError::Chain(_) | cocoon_audit::AuditError::RootHistory { .. } => Exit::Chain,
        cocoon_audit::AuditError::Tlog(error) if error.who() == cocoon_tlog::Who::Server => Exit::Peer,
        _ => Exit::Configuration,
    };
    let hint = error.hint();
    Failure::new(exit, error, hint)
}

fn exit_of(who: cocoon_runner::Who) -> Exit {
    match who {
        cocoon_runner::Who::Local | cocoon_runner::Who::Host => Exit::Configuration,
        cocoon_runner::Who::Chain => Exit::Chain,
        cocoon_runner::Who::Peer => Exit::Peer,
    }
}

/// Gives an error of a library its exit code and hint.
pub trait OrFail<T> {
    /// Fails with `exit` and `hint`, and says what was being done.
    fn or_fail(self, exit: Exit, doing: &str, hint: &str) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrFail<T> for Result<T, E> {
    fn or_fail(self, exit: Exit, doing: &str, hint: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(exit, error.into().context(doing.to_owned()), hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_the_error_says_itself_is_not_said_twice() {
        #[derive(Debug)]
        struct Whole(std::io::Error);
        impl std::fmt::Display for Whole {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "bundle/chain.json: {}", self.0)
            }
        }
        impl std::error::Error for Whole {
            fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
                Some(&self.0)
            }
        }
        let failure = Failure::new(
            Exit::Configuration,
            Whole(std::io::Error::other("refused")),
            "look there",
        );
        assert_eq!(
            failure.render(true),
            "error: bundle/chain.json: refused\nhint: look there"
        );
    }

    #[test]
    fn what_only_was_tried_out_is_no_failure_of_the_chain() {
        let refused = |would| cocoon_owner::OwnerError::Refused {
            would,
            address: cocoon_bindings::ton::Address::default(),
            exit_code: Some(1),
        };
        assert_eq!(from_owner(refused(true)).exit(), Exit::Usage);
        assert_eq!(from_owner(refused(false)).exit(), Exit::Chain);
        let other = |kind| cocoon_owner::OwnerError::OtherContract {
            address: cocoon_bindings::ton::Address::default(),
            kind,
        };
        use cocoon_bindings::ContractKind::{Client, Governor};
        assert_eq!(from_owner(other(Governor)).exit(), Exit::Usage);
        assert_eq!(from_owner(other(Client)).exit(), Exit::Chain);
    }

    #[test]
    fn failure_ends_with_its_hint() {
        let failed: Result<(), Failure> = Err::<(), _>(std::io::Error::other("refused")).or_fail(
            Exit::Chain,
            "cannot reach the chain",
            "is `cocoon up` running?",
        );
        let failure = failed.unwrap_err();
        assert_eq!(failure.exit(), Exit::Chain);
        insta::assert_snapshot!(failure.render(false), @r"
        error: cannot reach the chain
          caused by: refused
        hint: is `cocoon up` running?
        ");
    }
}
