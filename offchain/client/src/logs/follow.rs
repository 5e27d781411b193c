//! One log over time: each state of it continues the one that was seen before, or it is refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cocoon_bindings::units::PublicKey;
use cocoon_receipt::log::Checkpoint;
use cocoon_runner::off_thread;
use cocoon_store::ClientStore;
use cocoon_tlog::paths::CHECKPOINT;
use cocoon_tlog::{InclusionProof, PublishedLog, SharedSource, TlogError, Who};
use serde_json::json;

use super::{NoProof, Wanted};

/// A log as it was opened last.
type Opened = Arc<tokio::sync::Mutex<Option<Arc<PublishedLog>>>>;

/// What is known of the logs, by the keys that sign them.
pub(super) struct Follower {
    store: Arc<Mutex<ClientStore>>,
    contradictions: PathBuf,
    opened: Mutex<BTreeMap<[u8; 32], Opened>>,
}

impl Follower {
    pub(super) fn new(store: Arc<Mutex<ClientStore>>, folder: &Path) -> Self {
        Self {
            store,
            contradictions: folder.to_owned(),
            opened: Mutex::default(),
        }
    }

    /// Finds a receipt and proves its place.
    pub(super) async fn prove(
        &self,
        source: SharedSource,
        key: PublicKey,
        wanted: &Wanted,
    ) -> Result<InclusionProof, NoProof> {
        let opened = {
            let mut all = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(*key.as_bytes()).or_default())
        };
        // Those who ask meanwhile want the same: the newest state, which is fetched once.
        let mut opened = opened.lock().await;
        if let Some(log) = opened.as_ref()
            && may_have(log, wanted).await.unwrap_or(false)
            && let Ok(Some(proof)) = look(log, wanted).await
        {
            return Ok(proof);
        }
        let log = Arc::new(self.open(source, key).await?);
        let found = look(&log, wanted).await;
        let size = log.size();
        *opened = Some(log);
        found.map_err(of)?.ok_or(NoProof::Absent { size })
    }

    /// Opens the newest state, which must continue what was seen before, and remembers it.
    async fn open(&self, source: SharedSource, key: PublicKey) -> Result<PublishedLog, NoProof> {
        let opened = PublishedLog::open(source, key).await;
        let known = self.known(&key).await?;
        let log = opened.map_err(|error| match error {
            // A new proxy's log has none before its first checkpoint; one that had one is not at hand.
            TlogError::Missing { path } if path == CHECKPOINT => match known {
                None => NoProof::Absent { size: 0 },
                Some(_) => NoProof::Unreachable(TlogError::Missing { path }),
            },
            error => of(error),
        })?;
        let known = match known {
            None => None,
            Some(note) => {
                let checkpoint = Checkpoint::open(&note, &log.checkpoint().origin, &key);
                let checkpoint = checkpoint.map_err(|error| NoProof::Disk(error.to_string()))?;
                Some((note, checkpoint))
            }
        };
        if let Some((note, known)) = &known {
            match log.must_continue(known).await {
                Ok(()) => {}
                Err(TlogError::Shorter { found, known }) => return Err(NoProof::Behind { found, known }),
                Err(error @ TlogError::Fork { .. }) => {
                    return Err(self.contradicted(&log, note, known.size, error).await);
                }
                Err(error) => return Err(of(error)),
            }
        }
        // Of one size the note with more lines for proxy contracts, which come a moment later. Other lines may be anybody's.
        let lines = |note: &str| Checkpoint::cells(note, &key).map_or(0, |cells| cells.len());
        let is_newer = |(note, known): (String, Checkpoint)| {
            known.size < log.size() || (known.size == log.size() && lines(&note) < lines(log.note()))
        };
        if known.is_none_or(is_newer) {
            self.remember(&key, log.note().to_owned()).await?;
        }
        Ok(log)
    }

    pub(super) async fn known(&self, key: &PublicKey) -> Result<Option<String>, NoProof> {
        let (store, name) = (Arc::clone(&self.store), name(key));
        let read = off_thread(move || store.lock().unwrap_or_else(PoisonError::into_inner).state(&name));
        read.await
            .map_err(|error| NoProof::Disk(error.to_string()))?
            .map_err(|error| NoProof::Disk(error.to_string()))
    }

    async fn remember(&self, key: &PublicKey, note: String) -> Result<(), NoProof> {
        let (store, name) = (Arc::clone(&self.store), name(key));
        let write = off_thread(move || {
            let store = store.lock().unwrap_or_else(PoisonError::into_inner);
            store.put_state(&name, &note)
        });
        write
            .await
            .map_err(|error| NoProof::Disk(error.to_string()))?
            .map_err(|error| NoProof::Disk(error.to_string()))
    }

    /// Keeps both checkpoints, and how the second one contradicts the first: the proof from the newer tree gives another root for
    /// the size of the older one. The first contradiction of a key is enough.
    async fn contradicted(&self, log: &PublishedLog, known: &str, size: u64, error: TlogError) -> NoProof {
        let path = self.contradictions.join(format!("{}.json", log.key()));
        tracing::error!(key = %log.key(), file = %path.display(), %error, "THE PROXY SIGNED TWO HISTORIES OF ITS LOG");
        let proof = log.consistency_proof(size).await.unwrap_or_default();
        let evidence = json!({
            "version": 1,
            "key": log.key().to_string(),
            "known": known,
            "found": log.note(),
            "consistency": proof,
        });
        let (file, folder) = (path.clone(), self.contradictions.clone());
        // Each by itself, as `cocoon dispute equivocation` reads it.
        let notes = [
            (path.with_extension("known"), known.to_owned()),
            (path.with_extension("found"), log.note().to_owned()),
        ];
        let kept = off_thread(move || {
            if file.exists() {
                return Ok(());
            }
            std::fs::create_dir_all(&folder)?;
            for (path, note) in &notes {
                std::fs::write(path, note)?;
            }
            let part = file.with_extension("part");
            std::fs::write(&part, evidence.to_string())?;
            std::fs::File::open(&part)?.sync_all()?;
            std::fs::rename(&part, &file)
        });
        match kept.await {
            Ok(Ok(())) => NoProof::Contradiction(error, path.display().to_string()),
            _ => NoProof::Contradiction(error, "no file: the disk refuses it".to_owned()),
        }
    }
}

/// Whether a receipt that ended then may be in a log as it was opened: its newest answers may be newer.
async fn may_have(log: &PublishedLog, wanted: &Wanted) -> Result<bool, TlogError> {
    Ok(log
        .newest_ms()
        .await?
        .is_some_and(|newest| newest >= wanted.finished_ms))
}

async fn look(log: &PublishedLog, wanted: &Wanted) -> Result<Option<InclusionProof>, TlogError> {
    let Some(index) = log.find_near(&wanted.id, wanted.finished_ms).await? else {
        return Ok(None);
    };
    let proof = log.prove(index).await?;
    // What is given away was checked as whoever gets it will.
    proof.verify(&wanted.id, log.key())?;
    Ok(Some(proof))
}

fn of(error: TlogError) -> NoProof {
    match error.who() {
        Who::Log => NoProof::Refused(error),
        _ => NoProof::Unreachable(error),
    }
}

fn name(key: &PublicKey) -> String {
    format!("log {key}")
}
