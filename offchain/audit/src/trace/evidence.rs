//! Who did the work, and on what: certificates, quotes, images, the model.

use super::{Finding, Judging, Links, Outcome, Step, TraceLog, proven, refuted, unknown};
use crate::error::AuditError;
use crate::evidence::{Known, read_with_quote};
use crate::history::ChainHistory;
use crate::root::{Listed, Window};
use cocoon_attest::{AttestError, Evidence, Policy, examine, format_moment};
use cocoon_bindings::ton::HashBytes;
use cocoon_receipt::SignedReceipt;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

pub(super) async fn links(
    signed: &SignedReceipt,
    log: &TraceLog,
    history: &ChainHistory,
    judging: &Judging,
    links: &mut Links,
) -> Result<(), AuditError> {
    let (receipt, statement) = (&signed.receipt, &signed.receipt.statement);
    let time_ms = statement.timing.started_ms;
    let is_test = history.root.is_test_at(statement.params_version);
    // Without the maker's word a platform may be made up, and in a network that counts a receipt rests on it.
    let is_real = !is_test || links.strict;
    let judge = |look: &Look, list| {
        let quote = match &look.found {
            Some((_, evidence)) => quote(evidence, is_test, judging, time_ms / 1000),
            None => unknown("the certificate that carries it is not at hand"),
        };
        let image = match &look.found {
            Some((known, _)) => listed(history, list, &known.image.to_hash_bytes(), time_ms),
            None => unknown("the certificate that carries its quote is not at hand"),
        };
        // Anybody can write any image into a quote that nobody has checked.
        let image = match image {
            (Finding::Proven, says) if quote.0 != Finding::Proven => {
                unknown(format!("by a quote that is not proven: {says}"))
            }
            image => image,
        };
        (quote, image)
    };
    let proxy = Look::at(log, receipt.proxy_evidence).await?;
    let (quote, image) = judge(&proxy, Listed::ProxyImage);
    links.must(Step::ProxyCertificate, proxy.outcome);
    links.add(Step::ProxyQuote, is_real, quote);
    links.add(Step::ProxyImage, is_real, image);
    let worker = Look::at(log, statement.worker_evidence).await?;
    let (quote, image) = judge(&worker, Listed::WorkerImage);
    let key = worker.found.map(|(known, _)| known.leaf_key);
    links.must(Step::WorkerCertificate, worker.outcome);
    links.add(Step::WorkerQuote, is_real, quote);
    links.add(Step::WorkerImage, is_real, image);
    let signature = match (&signed.worker_signature, key) {
        (None, _) => unknown("the receipt has none: the worker was lost, or its signature came too late"),
        (Some(_), None) => unknown("the certificate with its key is not at hand"),
        (Some(_), Some(key)) => match signed.verify_worker(&key) {
            Ok(_) => proven(format!("by key {key} of the certificate")),
            Err(error) => refuted(error.to_string()),
        },
    };
    // What cost nothing needs nobody who says that it was done.
    let required = receipt.charged() > 0 || links.strict;
    links.add(Step::WorkerSignature, required, signature);
    let model = statement.model.to_hash_bytes();
    links.must(Step::Model, listed(history, Listed::Model, &model, time_ms));
    Ok(())
}

/// A certificate that was looked for.
struct Look {
    outcome: Outcome,
    found: Option<(Known, Evidence)>,
}

impl Look {
    /// Certificates may come from elsewhere: a thread that may wait looks them up.
    async fn at(log: &TraceLog, hash: HashBytes) -> Result<Self, AuditError> {
        let source = log.evidence()?;
        let looked = tokio::task::spawn_blocking(move || Arc::clone(&source).certificate(&hash));
        let der = looked.await.map_err(|error| AuditError::CutOff {
            reason: error.to_string(),
        })??;
        // One that has another hash is as good as none.
        let der = der.filter(|der| Sha256::digest(der).as_slice() == hash.as_slice());
        Ok(match der.as_deref().map(read_with_quote) {
            None => Self {
                outcome: unknown(format!("{hash} is not at hand")),
                found: None,
            },
            Some(Err(what)) => Self {
                outcome: refuted(format!("{hash} {what}")),
                found: None,
            },
            Some(Ok(found)) => Self {
                outcome: proven(format!(
                    "the receipt names {hash}, of key {}, with a quote for that key",
                    found.0.leaf_key
                )),
                found: Some(found),
            },
        })
    }
}

/// What the maker of the platform says, by collateral that was valid at the time (Unix seconds).
fn quote(evidence: &Evidence, is_test: bool, judging: &Judging, time: u64) -> Outcome {
    // Without a policy of the reader's nothing is asked beyond what is never negotiable.
    let none = Policy::strict();
    let policy = judging.policy.as_ref().unwrap_or(&none);
    let examined = match examine(evidence, &judging.endorsements, &judging.roots, policy, time) {
        Ok(examined) => examined,
        Err(error) => return refusal(&error, is_test, time),
    };
    let claims = &examined.claims;
    if claims.simulated && !is_test {
        return refuted("the platform is SIMULATED, and the root contract is of no test network");
    }
    if let Some(objection) = examined.objections.first().filter(|_| judging.policy.is_some()) {
        return refuted(format!("the policy refuses it: {objection}"));
    }
    let kind = if claims.simulated {
        "SIMULATED platform"
    } else {
        "platform"
    };
    let advisories = match claims.advisories.len() {
        0 => "no advisory".to_owned(),
        1 => "1 advisory".to_owned(),
        count => format!("{count} advisories"),
    };
    proven(format!(
        "{kind} of family {}, {}, {advisories}, by collateral of {}",
        claims.fmspc,
        claims.tcb_status,
        format_moment(time)
    ))
}

/// Why nobody vouches for it: what is not at hand refutes nothing. A platform whose maker the reader does not trust is made up or
/// simulated: no collateral will ever vouch for it, and only a test network may have it.
fn refusal(error: &AttestError, is_test: bool, time: u64) -> Outcome {
    match error {
        AttestError::NoCollateral { .. } => unknown(format!(
            "{error} is at hand: whether it was genuine at {} could not be checked",
            format_moment(time)
        )),
        AttestError::CollateralWindow {
            fmspc,
            not_before,
            not_after,
            ..
        } => unknown(format!(
            "the collateral at hand for family {fmspc} holds from {} to {}, not at {}",
            format_moment(*not_before),
            format_moment(*not_after),
            format_moment(time)
        )),
        AttestError::UntrustedRoot { .. } if is_test => unknown(format!("{error}; this is a SIMULATED network")),
        error => refuted(error.to_string()),
    }
}

/// Whether something was on its list at the time.
fn listed(history: &ChainHistory, list: Listed, hash: &HashBytes, time_ms: u64) -> Outcome {
    match history.root.listings.window(list, hash, time_ms) {
        Err(why) => refuted(format!("{list} {hash}, {why}")),
        Ok(None) => proven(format!(
            "{list} {hash}; the root contract never listed one, so any may be served"
        )),
        Ok(Some(Window { from, until })) => {
            let from = format_moment(from.into());
            let until = until.map(|until| format!(" to {}", format_moment(until.into())));
            proven(format!(
                "{list} {hash}, listed from {from}{}",
                until.unwrap_or_else(|| " on".to_owned())
            ))
        }
    }
}
