//! What can be said of a receipt by itself, without those before it: many are looked at by all cores at once.

use crate::error::AuditError;
use crate::evidence::{Certificates, EvidenceSource, Known};
use crate::history::ChainHistory;
use crate::root::{Listed, Listings};
use crate::signatures::{self, Signed};
use crate::source::Entry;
use crate::verdict::{Difference, DifferenceKind as Kind};
use cocoon_bindings::Multipliers;
use cocoon_bindings::ton::Address;
use cocoon_bindings::units::{ParamsVersion, PublicKey};
use cocoon_ledger::pricing;
use cocoon_receipt::{Hashes, Receipt, ReceiptError, ReceiptId, Signature, SignedReceipt};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::BTreeMap;

/// What the chain asks of every receipt.
#[derive(Debug)]
pub(crate) struct Rules {
    key: PublicKey,
    root: Address,
    contracts: BTreeMap<Address, (ParamsVersion, Multipliers)>,
    listings: Listings,
}

/// A receipt and what was found in it alone.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) signed: SignedReceipt,
    pub(crate) hashes: Hashes,
    /// What comes before its place in the channels.
    pub(crate) first: Option<Difference>,
    /// What comes after.
    pub(crate) then: Option<Difference>,
}

/// What became of an entry.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every entry is a receipt")]
pub(crate) enum Outcome {
    Receipt(Examined),
    LateSignature(ReceiptId, Signature),
    /// It is none.
    Damaged(Difference),
}

impl Rules {
    pub(crate) fn of(history: &ChainHistory) -> Self {
        let contracts = history.contracts().map(|contract| {
            let params = &contract.account.params;
            (contract.address.clone(), (params.params_version, params.multipliers))
        });
        Self {
            key: *history.key(),
            root: history.root.address.clone(),
            contracts: contracts.collect(),
            listings: history.root.listings.clone(),
        }
    }

    /// Examines entries, in their order.
    pub(crate) fn examine(
        &self,
        entries: Vec<Entry>,
        certificates: &Certificates,
        evidence: &dyn EvidenceSource,
    ) -> Result<Vec<Outcome>, AuditError> {
        let mut outcomes: Vec<Outcome> = entries.into_iter().map(read).collect();
        let mut signed = Vec::with_capacity(outcomes.len() * 2);
        // To each signature the outcome that it belongs to, and whether it is the worker's.
        let mut owners = Vec::with_capacity(outcomes.len() * 2);
        for (at, outcome) in outcomes.iter_mut().enumerate() {
            let Outcome::Receipt(examined) = outcome else {
                continue;
            };
            self.judge(examined);
            owners.push((at, false));
            signed.push(Signed {
                key: self.key,
                hash: examined.hashes.id.0,
                signature: examined.signed.proxy_signature.0,
            });
            let worker = self.judge_evidence(examined, certificates, evidence)?;
            if let (Some(worker), Some(signature)) = (worker, examined.signed.worker_signature) {
                owners.push((at, true));
                signed.push(Signed {
                    key: worker.leaf_key,
                    hash: examined.hashes.statement,
                    signature: signature.0,
                });
            }
        }
        for wrong in signatures::wrong(&signed, StdRng::from_os_rng) {
            let Some((at, is_worker)) = owners.get(wrong).copied() else {
                continue;
            };
            if let Some(Outcome::Receipt(examined)) = outcomes.get_mut(at) {
                let id = examined.hashes.id;
                let differs = |what: ReceiptError| Some(Difference::of_receipt(Kind::Signature, id, what));
                if is_worker {
                    examined.then = differs(ReceiptError::WorkerSignature);
                } else {
                    examined.first = differs(ReceiptError::ProxySignature);
                }
            }
        }
        Ok(outcomes)
    }

    /// Terms and price.
    fn judge(&self, examined: &mut Examined) {
        let receipt = &examined.signed.receipt;
        let differs = |kind, what: String| Some(Difference::of_receipt(kind, examined.hashes.id, what));
        let statement = &receipt.statement;
        let Some((version, multipliers)) = self.contracts.get(&statement.proxy) else {
            let what = format!("it is of proxy {}, which is no contract of this key", statement.proxy);
            examined.first = differs(Kind::Terms, what);
            return;
        };
        examined.first = if statement.root != self.root {
            let what = format!(
                "it is of root {}, the proxy contract's is {}",
                statement.root, self.root
            );
            differs(Kind::Terms, what)
        } else if statement.params_version != *version {
            let what = format!(
                "it is priced by parameters {}, the contract's are {version}",
                statement.params_version
            );
            differs(Kind::Terms, what)
        } else if let Err(error) = receipt.check_arithmetic() {
            differs(Kind::Price, error.to_string())
        } else {
            price(receipt, multipliers).and_then(|what| differs(Kind::Price, what))
        };
    }

    /// Certificates and what was listed. Returns the worker's, if it is sound.
    fn judge_evidence(
        &self,
        examined: &mut Examined,
        certificates: &Certificates,
        evidence: &dyn EvidenceSource,
    ) -> Result<Option<Known>, AuditError> {
        let receipt = &examined.signed.receipt;
        let statement = &receipt.statement;
        let time = statement.timing.started_ms;
        let worker = certificates.look(evidence, &statement.worker_evidence)?;
        let proxy = certificates.look(evidence, &receipt.proxy_evidence)?;
        let of = |whose: &str, known: &Result<Known, String>, list| {
            let found = known
                .as_ref()
                .map_err(|what| format!("the {whose}'s certificate {what}"));
            found.and_then(|known| {
                let allowed = self.listings.check(list, &known.image.to_hash_bytes(), time);
                let image = known.image;
                allowed.map_err(|why| format!("the {whose}'s certificate is of image {image}, {why}"))
            })
        };
        let model = || {
            let allowed = self
                .listings
                .check(Listed::Model, &statement.model.to_hash_bytes(), time);
            allowed.map_err(|why| format!("it is of model {}, {why}", statement.model))
        };
        let judged = of("worker", &worker, Listed::WorkerImage)
            .and_then(|()| of("proxy", &proxy, Listed::ProxyImage))
            .and_then(|()| model());
        if let Err(what) = judged {
            examined.then = Some(Difference::of_receipt(Kind::Evidence, examined.hashes.id, what));
            return Ok(None);
        }
        Ok(worker.ok())
    }
}

/// Reads an entry. What is in memory already is hashed, what is read has its hashes.
fn read(entry: Entry) -> Outcome {
    match entry {
        Entry::Receipt(signed) => Outcome::Receipt(Examined {
            hashes: signed.receipt.hashes(),
            signed,
            first: None,
            then: None,
        }),
        Entry::LateSignature(id, signature) => Outcome::LateSignature(id, signature),
        Entry::Boc { id, boc, signature } => {
            let damaged =
                |what: String| Outcome::Damaged(Difference::of_receipt(Kind::Log, id, format!("its entry {what}")));
            match SignedReceipt::from_boc_hashed(&boc) {
                Err(error) => damaged(format!("is no receipt: {error}")),
                Ok((signed, _)) if signed.worker_signature.is_some() => {
                    damaged("carries the worker's signature, which stands beside it".to_owned())
                }
                Ok((_, hashes)) if hashes.id != id => damaged(format!("holds receipt {}", hashes.id)),
                Ok((mut signed, hashes)) => {
                    signed.worker_signature = signature;
                    Outcome::Receipt(Examined {
                        signed,
                        hashes,
                        first: None,
                        then: None,
                    })
                }
            }
        }
    }
}

/// What was used follows from the counts; what is wrong, if anything.
pub(crate) fn price(receipt: &Receipt, multipliers: &Multipliers) -> Option<String> {
    let statement = &receipt.statement;
    let used = statement.used;
    if let Some(counts) = statement.counts {
        let expected = pricing::adjust(&counts, statement.coefficient, multipliers);
        if expected != used {
            return Some(format!(
                "{} tokens follow from its counts, it says {}",
                expected.total, used.total
            ));
        }
    }
    (receipt.charged() > used.total)
        .then(|| format!("it charges {} tokens, {} were used", receipt.charged(), used.total))
}
