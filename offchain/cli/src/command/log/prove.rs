//! `cocoon log prove` and `cocoon log verify`.

use std::path::Path;

use cocoon_audit::Subject;
use cocoon_bindings::PublicKey;
use cocoon_ratls::ParsedCertificate;
use cocoon_receipt::log::Checkpoint;
use cocoon_receipt::{ReceiptId, SignedReceipt};
use cocoon_tlog::limits::MAX_PROOF_BYTES;
use cocoon_tlog::{InclusionProof, PublishedLog, TlogError, parse_key};
use futures_util::StreamExt as _;
use serde::Serialize;

use super::Place;
use crate::args::Global;
use crate::args::log::{LogProveArgs, LogVerifyArgs};
use crate::failure::{self, Exit, Failure, OrFail as _};
use crate::output::Output;
use crate::progress::Progress;

const FILE_HINT: &str = "check the file and its rights";

/// What a proof shows.
#[derive(Serialize)]
struct Proven {
    receipt: String,
    index: u64,
    /// Receipts of the log under its checkpoint.
    size: u64,
    /// Root of the log, hex.
    root: String,
    /// What the receipt says, when the proof brings it.
    #[serde(skip_serializing_if = "Option::is_none")]
    says: Option<Says>,
}

/// What a receipt says, in short.
#[derive(Serialize)]
struct Says {
    client: String,
    worker: String,
    proxy: String,
    tokens: u64,
    finished_ms: u64,
    /// Whether the worker's signature is there and holds; absent when its certificate is not at hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    worker_signed: Option<bool>,
}

impl Says {
    fn of(receipt: &SignedReceipt, worker: Option<&PublicKey>) -> Self {
        let statement = &receipt.receipt.statement;
        Self {
            client: receipt.receipt.client.to_string(),
            worker: statement.worker.to_string(),
            proxy: statement.proxy.to_string(),
            tokens: receipt.receipt.charged(),
            finished_ms: statement.timing.finished_ms,
            worker_signed: worker.map(|key| receipt.verify_worker(key).unwrap_or(false)),
        }
    }
}

impl Proven {
    fn of(id: &ReceiptId, index: u64, checkpoint: &Checkpoint, says: Option<Says>) -> Self {
        Self {
            receipt: id.to_string(),
            index,
            size: checkpoint.size,
            root: checkpoint.root.to_string(),
            says,
        }
    }

    fn text(&self) -> String {
        let mut text = format!(
            "receipt {}\nis number {} of {} under the root {}",
            self.receipt, self.index, self.size, self.root
        );
        if let Some(says) = &self.says {
            text.push_str(&format!(
                "\n{} tokens, client {}, worker {}",
                says.tokens, says.client, says.worker
            ));
        }
        text
    }
}

/// Writes a proof.
pub(crate) async fn prove(global: &Global, args: LogProveArgs, output: Output) -> Result<Exit, Failure> {
    let wanted = match &args.receipt {
        Some(text) => Some(receipt_id(text)?),
        None => None,
    };
    let place = Place::of(global, args.log).await?;
    let log = place.open(output).await?;
    let index = match (args.index, &wanted) {
        (Some(index), _) => index,
        (None, Some(id)) => match log.find(id).await.map_err(failure::from_tlog)? {
            Some(index) => index,
            None => {
                let error = anyhow::anyhow!("the log has no receipt {id}");
                let hint = "a new receipt is there after the proxy's next checkpoint; an old one is in another log";
                return Err(Failure::new(Exit::Negative, error, hint));
            }
        },
        (None, None) => 0,
    };
    let proof = log.prove(index).await.map_err(failure::from_tlog)?;
    let receipt = proof.receipt().map_err(failure::from_tlog)?;
    std::fs::write(&args.out, proof.to_text()).or_fail(Exit::Configuration, "cannot write the proof", FILE_HINT)?;
    let id = receipt.as_ref().map(SignedReceipt::id).or(wanted);
    if let Some(id) = id {
        let says = match &receipt {
            None => None,
            Some(receipt) => Some(Says::of(receipt, worker_key(&log, receipt).await?.as_ref())),
        };
        let proven = Proven::of(&id, index, log.checkpoint(), says);
        output.result(&proven, Proven::text)?;
    }
    Ok(Exit::Done)
}

/// The key of the worker's certificate, if the log has it.
async fn worker_key(log: &PublishedLog, receipt: &SignedReceipt) -> Result<Option<PublicKey>, Failure> {
    let hash = receipt.receipt.statement.worker_evidence;
    let certificate = log.evidence(&hash).await.map_err(failure::from_tlog)?;
    let parsed = certificate.and_then(|certificate| ParsedCertificate::parse(&certificate).ok());
    Ok(parsed.map(|parsed| parsed.leaf_key))
}

fn receipt_id(text: &str) -> Result<ReceiptId, Failure> {
    let parsed = text.parse::<ReceiptId>();
    parsed.or_fail(
        Exit::Usage,
        &format!("`{text}` is no receipt id"),
        "an id is 64 hex digits",
    )
}

#[derive(Serialize)]
struct Verified {
    receipts: u64,
    root: String,
    /// Receipts that carry their worker's signature.
    signed_by_workers: u64,
    /// Entries of the older checkpoint that is continued.
    #[serde(skip_serializing_if = "Option::is_none")]
    continues: Option<u64>,
}

/// Checks a proof or a whole log.
pub(crate) async fn verify(global: &Global, args: LogVerifyArgs, output: Output) -> Result<Exit, Failure> {
    if let (Some(file), Some(key)) = (&args.proof, &args.log.key) {
        return verify_proof(file, key, output);
    }
    let place = Place::of(global, args.log).await?;
    let log = place.open(output).await?;
    log.cells().await.map_err(failure::from_tlog)?;
    let since = match &args.since {
        None => None,
        Some(file) => {
            let note = read(file)?;
            let known = Checkpoint::open(&note, &log.checkpoint().origin, &place.key);
            let known = known.map_err(|error| failure::from_tlog(error.into()))?;
            log.must_continue(&known).await.map_err(failure::from_tlog)?;
            Some(known.size)
        }
    };
    let mut progress = Progress::new(output);
    progress.step(format!("Reading {} receipts", log.size()));
    let (mut receipts, mut signed) = (0_u64, 0_u64);
    let mut batches = std::pin::pin!(log.receipts(0));
    while let Some(batch) = batches.next().await {
        let (_, batch) = batch.map_err(failure::from_tlog)?;
        for (index, receipt) in (receipts..).zip(&batch) {
            let checked = receipt.verify_proxy(&place.key);
            checked.map_err(|source| failure::from_tlog(TlogError::Receipt { index, source }))?;
        }
        receipts += batch.len() as u64;
        signed += batch
            .iter()
            .filter(|receipt| receipt.worker_signature.is_some())
            .count() as u64;
    }
    progress.finish();
    let verified = Verified {
        receipts,
        root: log.checkpoint().root.to_string(),
        signed_by_workers: signed,
        continues: since,
    };
    output.result(&verified, |verified| {
        let mut text = format!("{} receipts have the root {}", verified.receipts, verified.root);
        if let Some(known) = verified.continues {
            text.push_str(&format!("\nthe log continues the one of {known} receipts"));
        }
        text
    })?;
    Ok(Exit::Done)
}

fn verify_proof(file: &Path, key: &str, output: Output) -> Result<Exit, Failure> {
    let key = parse_key(key).map_err(failure::from_tlog)?;
    let proof = proof_in(&read(file)?)?;
    let Some(receipt) = proof.receipt().map_err(failure::from_tlog)? else {
        return Err(failure::from_tlog(TlogError::Proof("it brings no receipt")));
    };
    let id = receipt.id();
    let checkpoint = proof.verify(&id, &key).map_err(failure::from_tlog)?;
    let signed = receipt.verify_proxy(&key);
    signed.map_err(|source| {
        let index = proof.index;
        failure::from_tlog(TlogError::Receipt { index, source })
    })?;
    // A proof does not bring the worker's certificate.
    let says = Says::of(&receipt, None);
    output.result(&Proven::of(&id, proof.index, &checkpoint, Some(says)), Proven::text)?;
    Ok(Exit::Done)
}

/// A tlog-proof, or the page of a receipt with one.
fn proof_in(text: &str) -> Result<InclusionProof, Failure> {
    if !text.trim_start().starts_with('{') {
        return InclusionProof::parse(text).map_err(failure::from_tlog);
    }
    let page = Subject::parse(text.as_bytes()).map_err(|error| {
        let hint = error.hint();
        Failure::new(Exit::Negative, error, hint)
    })?;
    let none = || failure::from_tlog(TlogError::Proof("the page has none"));
    page.proof.ok_or_else(none)
}

fn read(file: &Path) -> Result<String, Failure> {
    let doing = format!("cannot read {}", file.display());
    let size = std::fs::metadata(file).or_fail(Exit::Configuration, &doing, FILE_HINT)?;
    if size.len() > MAX_PROOF_BYTES as u64 {
        return Err(failure::from_tlog(TlogError::Proof("it is too long")));
    }
    std::fs::read_to_string(file).or_fail(Exit::Configuration, &doing, FILE_HINT)
}
