//! Where a receipt stands: in a log that the proxy's key signs, and below an anchor on chain.

use super::{Finding, Outcome, Subject, proven, refuted, unknown};
use crate::error::AuditError;
use crate::evidence::EvidenceSource;
use crate::history::ChainHistory;
use crate::log::{Log as _, PublishedReceipts, StoreLog};
use crate::proxy::{self, Anchor};
use crate::source::{Entry, Piece, ReceiptSource as _, StoreSource};
use cocoon_bindings::ton::HashBytes;
use cocoon_receipt::log::Checkpoint;
use cocoon_receipt::tree::{Frontier, leaf_hash};
use cocoon_receipt::{ReceiptId, Signature};
use cocoon_store::files;
use cocoon_tlog::{Description, PublishedLog, SharedSource, TlogError, Who};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the receipt stands and its certificates are.
#[derive(Debug, Clone)]
pub enum TraceLog {
    /// A published log: a folder, a mirror, a URL.
    Published(SharedSource),
    /// The folder of a proxy's store.
    Store(PathBuf),
    /// None is at hand.
    Nowhere,
}

/// What a log says of a receipt.
pub(super) struct Placed {
    pub(super) inclusion: Outcome,
    pub(super) anchor: Outcome,
    /// The worker's signature that stands beside the receipt.
    pub(super) worker_signature: Option<Signature>,
}

impl TraceLog {
    /// By its name: the URL or folder of a published log, or the folder of a proxy's store.
    pub fn open(text: &str) -> Result<Self, AuditError> {
        let folder = Path::new(text);
        if folder.join(files::RECEIPTS).is_file() {
            return Ok(Self::Store(folder.to_owned()));
        }
        Ok(Self::Published(cocoon_tlog::source(text)?))
    }

    /// The receipt with this id. The log is believed for now: [`super::trace`] checks it with the key that the chain holds.
    pub async fn find(&self, id: &ReceiptId) -> Result<Option<Subject>, AuditError> {
        match self {
            Self::Nowhere => Ok(None),
            Self::Store(folder) => {
                let receipt = Pass::over(folder, id, &[]).await?.receipt;
                Ok(receipt.map(Subject::of))
            }
            Self::Published(source) => {
                let key = Description::read(source.as_ref()).await?.public_key()?;
                let log = PublishedLog::open(Arc::clone(source), key).await?;
                let Some(index) = log.find(id).await? else {
                    return Ok(None);
                };
                let proof = log.prove(index).await?;
                let receipt = proof.receipt()?;
                Ok(receipt.map(|receipt| Subject {
                    receipt,
                    proof: Some(proof),
                }))
            }
        }
    }

    /// The certificates beside the log.
    pub(super) fn evidence(&self) -> Result<Arc<dyn EvidenceSource>, AuditError> {
        match self {
            Self::Published(source) => PublishedReceipts::new(Arc::clone(source)).evidence(),
            Self::Store(folder) => StoreLog::new(folder).evidence(),
            Self::Nowhere => Ok(Arc::new(BTreeMap::new())),
        }
    }
}

pub(super) async fn find(
    subject: &Subject,
    id: &ReceiptId,
    log: &TraceLog,
    history: &ChainHistory,
) -> Result<Placed, AuditError> {
    let mut anchors: Vec<Anchor> = history.contracts().flat_map(proxy::anchors).collect();
    anchors.sort_by_key(|anchor| anchor.size);
    match log {
        TraceLog::Nowhere => Ok(by_proof(subject, id, history, &anchors)),
        TraceLog::Store(folder) => in_store(subject, folder, id, history, &anchors).await,
        TraceLog::Published(source) => match in_log(subject, id, source, history, &anchors).await {
            Ok(placed) => Ok(placed),
            // What the log did wrong is a finding; what keeps it from being read is not.
            Err(error) if error.who() == Who::Log => Ok(Placed {
                inclusion: refuted(error.to_string()),
                anchor: unknown("the log cannot be believed"),
                worker_signature: None,
            }),
            Err(error) => Err(error.into()),
        },
    }
}

fn included(index: u64, checkpoint: &Checkpoint) -> Outcome {
    proven(format!(
        "number {} of {} under root {}, signed by the same key",
        index.saturating_add(1),
        checkpoint.size,
        checkpoint.root
    ))
}

fn anchored(anchor: &Anchor) -> Outcome {
    proven(format!(
        "checkpoint {} over {} receipts, taken by {} in transaction {}",
        anchor.seqno, anchor.size, anchor.proxy, anchor.lt
    ))
}

fn not_that_root(anchor: &Anchor, found: &HashBytes) -> Outcome {
    refuted(format!(
        "the chain has root {} for {} receipts, the log {found}",
        anchor.root, anchor.size
    ))
}

fn covering(anchors: &[Anchor], index: u64) -> Option<&Anchor> {
    anchors.iter().find(|anchor| anchor.size > index)
}

/// By the proof alone that came with it.
fn by_proof(subject: &Subject, id: &ReceiptId, history: &ChainHistory, anchors: &[Anchor]) -> Placed {
    let Some(proof) = &subject.proof else {
        return Placed {
            inclusion: unknown("no log and no proof is at hand"),
            anchor: unknown("no log is at hand"),
            worker_signature: None,
        };
    };
    let checkpoint = match proof.verify(id, history.key()) {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            return Placed {
                inclusion: refuted(error.to_string()),
                anchor: unknown("the proof proves nothing"),
                worker_signature: None,
            };
        }
    };
    let same = anchors.iter().find(|anchor| anchor.size == checkpoint.size);
    let anchor = match same {
        Some(anchor) if anchor.root == checkpoint.root => anchored(anchor),
        Some(anchor) => not_that_root(anchor, &checkpoint.root),
        None => unknown("the checkpoint of the proof is none of those on chain, and no log is at hand"),
    };
    Placed {
        inclusion: included(proof.index, &checkpoint),
        anchor,
        worker_signature: None,
    }
}

async fn in_log(
    subject: &Subject,
    id: &ReceiptId,
    source: &SharedSource,
    history: &ChainHistory,
    anchors: &[Anchor],
) -> Result<Placed, TlogError> {
    let log = PublishedLog::open(Arc::clone(source), *history.key()).await?;
    // A proof that came with the receipt must be of this log too.
    let mut place = None;
    if let Some(proof) = &subject.proof {
        let checkpoint = proof.verify(id, history.key())?;
        if checkpoint.size > log.size() {
            return Ok(older(by_proof(subject, id, history, anchors), &log));
        }
        if !log.continues(checkpoint.size, &checkpoint.root).await? {
            let (known, root) = (checkpoint.size, checkpoint.root);
            return Err(TlogError::Fork { known, root });
        }
        place = Some(proof.index);
    }
    let place = match place {
        Some(index) => Some(index),
        None => {
            let finished = subject.receipt.receipt.statement.timing.finished_ms;
            match log.find_near(id, finished).await? {
                Some(index) => Some(index),
                None => log.find(id).await?,
            }
        }
    };
    let Some(index) = place else {
        let says = format!("the log of {} receipts does not have it (yet)", log.size());
        return Ok(Placed {
            inclusion: unknown(says),
            anchor: unknown("it is not in the log"),
            worker_signature: None,
        });
    };
    let proof = log.prove(index).await?;
    let checkpoint = proof.verify(id, history.key())?;
    let anchor = match covering(anchors, index) {
        None => unknown("no checkpoint on chain covers it yet"),
        Some(anchor) if anchor.size > log.size() => unknown(format!(
            "the next checkpoint on chain is of {} receipts, the log at hand has {}",
            anchor.size,
            log.size()
        )),
        Some(anchor) => {
            let root = log.prefix_root(anchor.size).await?;
            if root == anchor.root {
                anchored(anchor)
            } else {
                not_that_root(anchor, &root)
            }
        }
    };
    Ok(Placed {
        inclusion: included(index, &checkpoint),
        anchor,
        worker_signature: proof.receipt()?.and_then(|receipt| receipt.worker_signature),
    })
}

/// The log at hand is older than the proof: what the chain has of the proof's size is compared all the same.
fn older(mut placed: Placed, log: &PublishedLog) -> Placed {
    if placed.anchor.0 == Finding::Unknown {
        placed.anchor = unknown(format!(
            "the log at hand has {} receipts, fewer than the proof says",
            log.size()
        ));
    }
    placed
}

/// In a proxy's own folder, whose log is signed by nobody: what the chain has taken of it proves it.
async fn in_store(
    subject: &Subject,
    folder: &Path,
    id: &ReceiptId,
    history: &ChainHistory,
    anchors: &[Anchor],
) -> Result<Placed, AuditError> {
    let proof = match &subject.proof {
        None => None,
        Some(proof) => match proof.verify(id, history.key()) {
            Ok(checkpoint) => Some((proof.index, checkpoint)),
            Err(_) => return Ok(by_proof(subject, id, history, anchors)),
        },
    };
    let mut sizes: Vec<u64> = anchors.iter().map(|anchor| anchor.size).collect();
    sizes.extend(proof.as_ref().map(|(_, checkpoint)| checkpoint.size));
    sizes.sort_unstable();
    let mut pass = Pass::over(folder, id, &sizes).await?;
    let receipt = pass.receipt.take();
    let mut placed = by_store(&pass, anchors);
    placed.worker_signature = receipt.and_then(|receipt| receipt.worker_signature);
    if let Some((index, checkpoint)) = proof {
        match pass.roots.get(&checkpoint.size) {
            Some(root) if *root != checkpoint.root => {
                placed.inclusion = refuted(format!(
                    "its proof is of root {} over {} receipts, the store's is {root}",
                    checkpoint.root, checkpoint.size
                ));
            }
            _ => {
                let alone = by_proof(subject, id, history, anchors);
                if placed.inclusion.0 == Finding::Unknown {
                    placed.inclusion = included(index, &checkpoint);
                }
                if placed.anchor.0 == Finding::Unknown && alone.anchor.0 != Finding::Unknown {
                    placed.anchor = alone.anchor;
                }
            }
        }
    }
    Ok(placed)
}

/// What a reading of the store says by itself.
fn by_store(pass: &Pass, anchors: &[Anchor]) -> Placed {
    let (inclusion, anchor) = match (pass.index, &pass.damage) {
        (_, Some(damage)) => (refuted(damage.clone()), unknown("the log is damaged")),
        (None, None) => {
            let says = format!("the store's log of {} receipts does not have it", pass.size);
            (unknown(says), unknown("it is not in the log"))
        }
        (Some(index), None) => match covering(anchors, index) {
            None => {
                let says =
                    "it stands in the store, which is signed by nobody, and no checkpoint on chain covers it yet";
                (unknown(says), unknown("no checkpoint on chain covers it yet"))
            }
            Some(anchor) => match pass.roots.get(&anchor.size) {
                Some(root) if *root == anchor.root => {
                    let place = index.saturating_add(1);
                    let (size, root) = (anchor.size, anchor.root);
                    (
                        proven(format!(
                            "number {place} of {size} under root {root}, which the chain took"
                        )),
                        anchored(anchor),
                    )
                }
                Some(root) => (not_that_root(anchor, root), not_that_root(anchor, root)),
                None => {
                    let says = format!("the chain took {} receipts, the store has {}", anchor.size, pass.size);
                    (unknown(says.clone()), unknown(says))
                }
            },
        },
    };
    Placed {
        inclusion,
        anchor,
        worker_signature: None,
    }
}

/// One reading of a store's log.
#[derive(Default)]
struct Pass {
    size: u64,
    index: Option<u64>,
    receipt: Option<cocoon_receipt::SignedReceipt>,
    /// Roots of the beginnings of these sizes.
    roots: BTreeMap<u64, HashBytes>,
    damage: Option<String>,
}

impl Pass {
    /// `sizes` are in their order.
    async fn over(folder: &Path, id: &ReceiptId, sizes: &[u64]) -> Result<Self, AuditError> {
        let mut source = StoreSource::open(&folder.join(files::RECEIPTS))?;
        let (mut pass, mut tree) = (Self::default(), Frontier::default());
        loop {
            let entries = match source.next().await? {
                Piece::Entries(entries) => entries,
                Piece::Difference(difference) => {
                    pass.damage = Some(difference.sentence.trim_end_matches('.').to_owned());
                    break;
                }
                Piece::End => break,
            };
            for entry in entries {
                match entry {
                    Entry::Receipt(receipt) => {
                        let found = receipt.id();
                        if found == *id {
                            pass.index = Some(tree.size());
                            pass.receipt = Some(receipt);
                        }
                        tree.push(leaf_hash(found.0.as_slice()));
                        if sizes.binary_search(&tree.size()).is_ok() {
                            pass.roots.insert(tree.size(), tree.root());
                        }
                    }
                    Entry::LateSignature(of, signature) if of == *id => {
                        if let Some(receipt) = &mut pass.receipt {
                            receipt.worker_signature = Some(signature);
                        }
                    }
                    Entry::LateSignature(..) | Entry::Boc { .. } => {}
                }
            }
        }
        pass.size = tree.size();
        Ok(pass)
    }
}
