//! The state of an audit that may be interrupted.

use crate::error::AuditError;
use crate::judge::State;
use crate::limits::MAX_STATE_FILE_BYTES;
use crate::log::LogKind;
use crate::recording::{RecordedChain, Recording, RecordingFile, load, save};
use crate::statement::Ledger;
use cocoon_bindings::ton::Address;
use cocoon_chain::ChainClient;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it is written: what is lost is done again.
const WRITE_EVERY: Duration = Duration::from_secs(20);

/// Version of the file: another program counts other things.
const VERSION: u32 = 2;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    proxy: Address,
    log: LogKind,
    chain: RecordingFile,
    state: State,
}

/// What is read of a file of any version; the first one had none.
#[derive(Debug, Deserialize)]
struct Versioned {
    version: Option<u32>,
}

fn content(path: &Path) -> Result<Content, AuditError> {
    let read = load::<Content>(path, MAX_STATE_FILE_BYTES);
    let version = match &read {
        Ok(content) => Some(content.version),
        Err(AuditError::Damaged { .. }) => match load::<Versioned>(path, MAX_STATE_FILE_BYTES) {
            Ok(found) => found.version,
            Err(_) => return read,
        },
        Err(_) => return read,
    };
    if version == Some(VERSION) {
        return read;
    }
    Err(AuditError::OtherState {
        path: path.to_owned(),
        reason: "it was written by another version of this program".to_owned(),
    })
}

/// The file, and what is written into it.
pub(crate) struct StateFile<'a> {
    path: PathBuf,
    proxy: Address,
    log: LogKind,
    chain: Arc<RecordedChain<'a>>,
    state: Option<State>,
    written: Instant,
}

impl<'a> StateFile<'a> {
    /// Takes up the state in a file, or begins one.
    pub(crate) fn open(
        path: &Path,
        live: &'a dyn ChainClient,
        proxy: &Address,
        log: LogKind,
    ) -> Result<Self, AuditError> {
        let (recording, state) = if path.exists() {
            let content = content(path)?;
            let other = |reason| AuditError::OtherState {
                path: path.to_owned(),
                reason,
            };
            if content.proxy != *proxy {
                return Err(other(format!("it is of proxy {}", content.proxy)));
            }
            if content.log != log {
                return Err(other("its log was of another kind".to_owned()));
            }
            let recording = content.chain.recording().map_err(|reason| AuditError::Damaged {
                path: path.to_owned(),
                reason,
            })?;
            (recording, Some(content.state))
        } else {
            (Recording::default(), None)
        };
        Ok(Self {
            path: path.to_owned(),
            proxy: proxy.clone(),
            log,
            chain: Arc::new(RecordedChain::with(Some(live), recording)),
            state,
            written: Instant::now(),
        })
    }

    /// The chain as it was when the audit began.
    pub(crate) fn chain(&self) -> Arc<RecordedChain<'a>> {
        Arc::clone(&self.chain)
    }

    /// Where the audit was, once.
    pub(crate) fn take_state(&mut self) -> Option<State> {
        self.state.take()
    }

    /// Refuses a state that makes other sums than these.
    pub(crate) fn must_have(&self, ledger: &Ledger) -> Result<(), AuditError> {
        match &self.state {
            Some(state) if !state.ledger.is_of(ledger) => Err(AuditError::OtherState {
                path: self.path.clone(),
                reason: "it makes another statement".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Writes where the audit is, now and then.
    pub(crate) fn keep(&mut self, state: &State) -> Result<(), AuditError> {
        if self.written.elapsed() < WRITE_EVERY {
            return Ok(());
        }
        self.write(state)
    }

    /// Writes where the audit is.
    pub(crate) fn write(&mut self, state: &State) -> Result<(), AuditError> {
        let content = ContentRef {
            version: VERSION,
            proxy: &self.proxy,
            log: self.log,
            chain: RecordingFile::new(&self.chain.recorded()),
            state,
        };
        save(&content, &self.path)?;
        self.written = Instant::now();
        Ok(())
    }

    /// There is a verdict: nothing is left to go on with.
    pub(crate) fn remove(self) -> Result<(), AuditError> {
        match std::fs::remove_file(&self.path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(AuditError::File {
                path: self.path,
                source,
            }),
            _ => Ok(()),
        }
    }
}

#[derive(Serialize)]
struct ContentRef<'a> {
    version: u32,
    proxy: &'a Address,
    log: LogKind,
    chain: RecordingFile,
    state: &'a State,
}
