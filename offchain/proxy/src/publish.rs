//! The published log: receipts that are durable here go into files that anybody may read (docs/log.md), under a checkpoint that is
//! signed with the contract's key.
//!
//! A checkpoint is signed only over receipts whose tree is the one of this database. A published log that is longer than this one,
//! or another one, says that the database was rolled back: then nothing is signed and nobody is served.

mod feed;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cocoon_bindings::units::PublicKey;
use cocoon_receipt::log::WitnessKey;
use cocoon_runner::off_thread;
use cocoon_store::{SharedDisk, files};
use cocoon_tlog::limits::MAX_WITNESSES;
use cocoon_tlog::{Cosigner, FolderSource, PublishedLog, TlogError};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::ProxyError;
use crate::limits::{
    LAST_PUBLICATION_TIMEOUT, PUBLICATION_TICK, START_ATTEMPTS, STORE_CLOSE_TIMEOUT, TAKEN_FOLDER_PAUSE,
};
use crate::state::Proxy;
use feed::{Feed, Origin};

/// `[log]` of the configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Folder of the published log; without it nothing is published. Belongs to one proxy; any web server may serve it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Where the proxy itself serves it over HTTP, for everybody; without it, it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Longest wait of a receipt for the next checkpoint, in seconds.
    pub every: f64,
    /// So many receipts do not wait for it.
    pub count: u64,
    /// Who is asked to sign each checkpoint too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<WitnessConfig>,
}

/// One witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// URL before `/add-checkpoint`.
    pub url: String,
    /// Its verifier key, `name+id+key`.
    pub key: String,
}

impl Default for LogConfig {
    /// A checkpoint costs a handful of small files and their syncs.
    fn default() -> Self {
        Self {
            folder: None,
            listen: None,
            every: 10.0,
            count: 4096,
            witnesses: Vec::new(),
        }
    }
}

impl LogConfig {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses what makes no sense.
    pub(crate) fn check(&self, store: &Path) -> Result<(), ProxyError> {
        let wrong = |key, expected| Err(ProxyError::Setting { key, expected });
        if !(0.05..=86_400.0).contains(&self.every) {
            return wrong("log.every", "0.05 to 86400 seconds");
        }
        if self.count == 0 {
            return wrong("log.count", "at least 1 receipt");
        }
        if self.folder.as_deref() == Some(store) {
            return wrong("log.folder", "another folder than store_dir, which is not for others");
        }
        if self.folder.is_none() && (self.listen.is_some() || !self.witnesses.is_empty()) {
            return wrong("log.folder", "a folder, for what is served or witnessed");
        }
        if self.witnesses.len() > MAX_WITNESSES {
            return wrong("log.witnesses", "at most 16 witnesses");
        }
        self.cosigners().map(drop)
    }

    fn cosigners(&self) -> Result<Vec<Cosigner>, ProxyError> {
        let wrong = || ProxyError::Setting {
            key: "log.witnesses",
            expected: "http or https addresses with keys as name+id+key",
        };
        let cosigner = |witness: &WitnessConfig| {
            let key = WitnessKey::parse(&witness.key).ok_or_else(wrong)?;
            Cosigner::new(&witness.url, key).map_err(|_| wrong())
        };
        self.witnesses.iter().map(cosigner).collect()
    }
}

/// The published log of a proxy that runs.
pub(crate) struct Publication {
    config: LogConfig,
    folder: PathBuf,
    /// Where receipts are read.
    receipts: PathBuf,
    disk: SharedDisk,
    /// Taken up at the first publication, and again after one that failed.
    feed: Arc<Mutex<Option<Feed>>>,
    witnesses: Mutex<Vec<Cosigner>>,
    /// How many they are.
    asked: u64,
    /// Receipts under the newest checkpoint.
    size: AtomicU64,
    /// Witnesses that signed it.
    cosigned: AtomicU64,
}

impl Publication {
    /// What the configuration says; `None` when nothing is published.
    pub(crate) fn new(config: &LogConfig, store: &Path, disk: SharedDisk) -> Result<Option<Self>, ProxyError> {
        let Some(folder) = config.folder.clone() else {
            return Ok(None);
        };
        Ok(Some(Self {
            folder,
            receipts: store.join(files::RECEIPTS),
            disk,
            feed: Arc::default(),
            witnesses: Mutex::new(config.cosigners()?),
            asked: config.witnesses.len() as u64,
            size: AtomicU64::new(0),
            cosigned: AtomicU64::new(0),
            config: config.clone(),
        }))
    }

    /// Receipts under the newest checkpoint, and the witnesses that signed it.
    pub(crate) fn published(&self) -> (u64, u64) {
        (self.size.load(Ordering::Relaxed), self.cosigned.load(Ordering::Relaxed))
    }

    /// Compares what is published with the database, before anything is signed: a contradiction says that the database was rolled
    /// back.
    pub(crate) async fn begin(&self, proxy: &Proxy) -> Result<(), ProxyError> {
        let tree = proxy.books.reader().tree();
        let mut attempt = 1;
        loop {
            let tree = tree.clone();
            match self.with_feed(proxy, move |feed| feed.check(&tree)).await {
                // The process before this one may still be ending.
                Err(ProxyError::Published(TlogError::Taken)) if attempt < START_ATTEMPTS => {
                    tokio::time::sleep(TAKEN_FOLDER_PAUSE).await;
                    attempt += 1;
                }
                checked => return checked,
            }
        }
    }

    /// Does `work` with the feed off the async threads, and keeps the feed when it succeeds: after a failure the next one is taken up
    /// from the last checkpoint. The work ends before anybody else has the feed, also when nobody waits for it any more.
    async fn with_feed<T: Send + 'static>(
        &self,
        proxy: &Proxy,
        work: impl FnOnce(&mut Feed) -> Result<T, ProxyError> + Send + 'static,
    ) -> Result<T, ProxyError> {
        let mut slot = Arc::clone(&self.feed).lock_owned().await;
        let origin = Origin {
            folder: self.folder.clone(),
            receipts: self.receipts.clone(),
            disk: Arc::clone(&self.disk),
            evidence: proxy.books.reader().evidence().clone(),
            key: proxy.books.key().clone(),
        };
        let work = move || -> Result<T, ProxyError> {
            let mut feed = match slot.take() {
                Some(feed) => feed,
                None => Feed::open(origin)?,
            };
            let done = work(&mut feed)?;
            *slot = Some(feed);
            Ok(done)
        };
        let ended = |error: cocoon_runner::NotDone| ProxyError::WriterStopped {
            reason: error.to_string(),
        };
        off_thread(work).await.map_err(ended)?
    }

    /// Publishes what is durable now. With `asks_again`, witnesses that did not sign the checkpoint yet are asked once more.
    async fn publish(&self, proxy: &Proxy, asks_again: bool) -> Result<(), ProxyError> {
        // Before the tree: the receipts that they name are in it.
        let (before, challenges) = proxy.challenges.waiting();
        let count = challenges.len();
        let tree = proxy.books.reader().tree();
        let instance = proxy.on_chain();
        let addresses = (instance.root.to_string(), instance.contract.to_string());
        let cell = proxy.heads.to_publish(&instance.contract, proxy.books.key())?;
        let published = self.with_feed(proxy, move |feed| {
            feed.cover(cell);
            let is_new = feed.publish(&tree, addresses)?;
            let is_whole = feed.published() >= tree.size();
            if is_whole {
                feed.challenges(before, &challenges)?;
            }
            Ok((feed.published(), is_new, is_whole))
        });
        let (size, is_new, is_whole) = published.await?;
        if is_whole {
            proxy.challenges.published(proxy, count)?;
        }
        self.size.store(size, Ordering::Relaxed);
        if is_new {
            self.cosigned.store(0, Ordering::Relaxed);
        }
        // A checkpoint that was not signed by all is sent again, the one of the life before too.
        if (is_new || asks_again) && self.cosigned.load(Ordering::Relaxed) < self.asked {
            match self.cosign(proxy).await {
                Ok(()) => {}
                Err(error) => tracing::warn!(%error, hint = error.hint(), "the checkpoint has no witnesses"),
            }
        }
        Ok(())
    }

    /// Asks the witnesses to sign the newest checkpoint too.
    async fn cosign(&self, proxy: &Proxy) -> Result<(), ProxyError> {
        let witnesses = &mut *self.witnesses.lock().await;
        let source = Arc::new(FolderSource::new(&self.folder));
        let log = PublishedLog::open(source, PublicKey::from(proxy.books.key())).await?;
        let (note, refusals) = Cosigner::ask_all(witnesses, &log).await;
        for error in &refusals {
            tracing::warn!(%error, "a witness did not sign the checkpoint");
        }
        let signed = witnesses.len().saturating_sub(refusals.len()) as u64;
        if note != log.note() {
            self.with_feed(proxy, move |feed| Ok(feed.witnessed(&note)?)).await?;
        }
        self.cosigned.store(signed, Ordering::Relaxed);
        Ok(())
    }

    /// Waits for what is being written, and gives the folder back.
    pub(crate) async fn close(&self) {
        let closed = tokio::time::timeout(STORE_CLOSE_TIMEOUT, self.feed.lock()).await;
        match closed {
            Ok(mut slot) => drop(slot.take()),
            Err(_) => tracing::warn!("the published log is still being written"),
        }
    }
}

/// Publishes on the timer, or when many receipts wait, until dropped.
pub(crate) async fn keep_publishing(proxy: Arc<Proxy>, publication: Arc<Publication>) {
    let every = Duration::from_secs_f64(publication.config.every);
    let mut last: Option<(Instant, bool)> = None;
    loop {
        let waiting = proxy.books.reader().tree().size();
        let waiting = waiting.saturating_sub(publication.published().0);
        let is_due = last.is_none_or(|(last, _)| last.elapsed() >= every);
        let has_failed = last.is_some_and(|(_, is_done)| !is_done);
        if is_due || (waiting >= publication.config.count && !has_failed) {
            let published = publication.publish(&proxy, true).await;
            last = Some((Instant::now(), published.is_ok()));
            match published {
                Ok(()) => {}
                Err(error @ ProxyError::RolledBack(_)) => return proxy.fail(error),
                Err(error) => tracing::warn!(%error, hint = error.hint(), "the log was not published"),
            }
        }
        tokio::time::sleep(every.min(PUBLICATION_TICK)).await;
    }
}

/// Publishes what the last requests left, at an orderly end.
pub(crate) async fn last(proxy: &Proxy, publication: &Publication) {
    if proxy.recovery.error().is_some() {
        return;
    }
    match tokio::time::timeout(LAST_PUBLICATION_TIMEOUT, publication.publish(proxy, false)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, hint = error.hint(), "the last receipts were not published"),
        Err(_) => tracing::warn!("the last receipts were not published in time: the next start does it"),
    }
}
