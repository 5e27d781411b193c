//! What a witness decides. Each log has one note in its folder: the newest that was signed, durable before the signature is told.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;
use cocoon_receipt::log::{Checkpoint, WitnessKey};
use cocoon_receipt::tree::{root, verify_consistency};
use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha256};

use super::request::AddCheckpoint;
use crate::error::{TlogError, disk};
use crate::folder::{Files, SharedFolder};
use crate::limits::MAX_WITNESSED_LOGS;

/// Why a checkpoint is not signed; the status that tlog-witness has for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// 400: not a request, or one whose numbers contradict each other.
    #[error("the request is none")]
    Malformed,
    /// 404: a log that this witness does not follow.
    #[error("this log is not followed")]
    UnknownLog,
    /// 403: not signed by the log.
    #[error("the checkpoint is not signed by its log")]
    Unsigned,
    /// 409: the log was asked to prove from another size.
    #[error("the newest checkpoint signed here has {size} entries")]
    OtherSize {
        /// Entries of the checkpoint that was signed last.
        size: u64,
    },
    /// 409: another log of the same size.
    #[error("a checkpoint of {size} entries with another root was signed here")]
    OtherRoot {
        /// Entries of both.
        size: u64,
    },
    /// 422: the proof does not lead from the last checkpoint to this one.
    #[error("the consistency proof does not hold")]
    Inconsistent,
    /// 500: what was decided cannot be made durable.
    #[error("the witness cannot write its state")]
    Disk,
}

impl Refusal {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::UnknownLog => 404,
            Self::Unsigned => 403,
            Self::OtherSize { .. } | Self::OtherRoot { .. } => 409,
            Self::Inconsistent => 422,
            Self::Disk => 500,
        }
    }
}

/// A witness with its state.
pub struct Witness {
    name: String,
    key: SigningKey,
    logs: BTreeMap<String, PublicKey>,
    /// The folder, and per origin the newest checkpoint: together under one lock, so that no two requests of a log are decided
    /// side by side.
    state: Mutex<(Files, BTreeMap<String, Checkpoint>)>,
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Witness")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Witness {
    /// A witness of this name and key that follows the logs that sign with `logs`. What it signed before is in the folder, which it
    /// holds: two witnesses on one folder would sign two histories.
    pub fn open(name: String, key: SigningKey, logs: &[PublicKey], folder: SharedFolder) -> Result<Self, TlogError> {
        let files = Files::take(folder)?;
        let mut newest = BTreeMap::new();
        let logs: BTreeMap<String, PublicKey> = logs
            .iter()
            .take(MAX_WITNESSED_LOGS)
            .map(|key| (Checkpoint::origin_of(key), *key))
            .collect();
        for (origin, key) in &logs {
            let path = path(origin);
            if let Some(bytes) = files.read(&path).map_err(disk("read", &path))? {
                let note = String::from_utf8_lossy(&bytes);
                newest.insert(origin.clone(), Checkpoint::open(&note, origin, key)?);
            }
        }
        Ok(Self {
            name,
            key,
            logs,
            state: Mutex::new((files, newest)),
        })
    }

    /// Name and key, for those who check its signatures.
    pub fn verifier(&self) -> WitnessKey {
        WitnessKey {
            name: self.name.clone(),
            key: PublicKey::from(&self.key),
        }
    }

    /// Decides about a request; `now` is Unix seconds. The answer is the lines with this witness's signature.
    pub fn add(&self, request: &str, now: u64) -> Result<String, Refusal> {
        let AddCheckpoint { old, proof, note } = AddCheckpoint::parse(request).ok_or(Refusal::Malformed)?;
        let origin = Checkpoint::named_origin(&note).map_err(|_| Refusal::Malformed)?;
        let key = self.logs.get(&origin).ok_or(Refusal::UnknownLog)?;
        let next = Checkpoint::open(&note, &origin, key).map_err(|_| Refusal::Unsigned)?;
        let cells = Checkpoint::cells(&note, key).map_err(|_| Refusal::Unsigned)?;
        if old > next.size || cells.iter().any(|cell| !next.may_have(&cell.checkpoint)) {
            return Err(Refusal::Malformed);
        }
        let state = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (files, newest) = state;
        let (size, known) = match newest.get(&origin) {
            Some(last) => (last.size, last.root),
            None => (0, root(&[])),
        };
        if old != size {
            return Err(Refusal::OtherSize { size });
        }
        if next.size == size && next.root != known {
            return Err(Refusal::OtherRoot { size });
        }
        if !verify_consistency(size, &known, next.size, &next.root, &proof) {
            return Err(Refusal::Inconsistent);
        }
        let signed = Checkpoint::cosign(&note, &self.name, &self.key, now).map_err(|_| Refusal::Malformed)?;
        let path = path(&origin);
        let kept = files.put(&path, note.as_bytes()).and_then(|()| files.sync());
        if let Err(error) = kept {
            tracing::error!(%error, path, "the witness cannot write its state");
            return Err(Refusal::Disk);
        }
        newest.insert(origin, next);
        let own = format!("— {} ", self.name);
        // The line behind the text that was added, or stood there already: without those of others.
        let mut lines = signed.rsplit_once("\n\n").map_or("", |(_, lines)| lines).lines();
        let added = lines.rfind(|line| line.starts_with(&own));
        Ok(added.map(|line| format!("{line}\n")).unwrap_or_default())
    }
}

fn path(origin: &str) -> String {
    let hash = HashBytes(Sha256::digest(origin).into());
    format!("{}.checkpoint", hex::encode(hash.0))
}
