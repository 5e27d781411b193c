//! Signatures of workers that stand far behind their receipts: the log is read once more for these receipts alone.

use super::Run;
use crate::error::AuditError;
use crate::judge::Judge;
use crate::source::{Entry, Piece};
use crate::verdict::{Difference, DifferenceKind as Kind};
use cocoon_bindings::units::PublicKey;
use cocoon_receipt::{ReceiptId, Signature, SignedReceipt};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Run<'_, '_, '_> {
    /// Checks them. What is left has no receipt.
    pub(super) async fn late(&mut self, judge: &mut Judge, key: &PublicKey) -> Result<Option<Difference>, AuditError> {
        let late = judge.state.late.iter();
        let mut late: BTreeMap<ReceiptId, Option<Signature>> =
            late.map(|late| (late.receipt, late.signature())).collect();
        if late.is_empty() {
            return Ok(None);
        }
        let mut source = match self.log.open(key).await? {
            Ok(source) => source,
            Err(difference) => return Ok(Some(difference)),
        };
        while !late.is_empty() {
            let entries = match source.next().await? {
                Piece::Entries(entries) => entries,
                Piece::Difference(difference) => return Ok(Some(difference)),
                Piece::End => break,
            };
            for entry in entries {
                let Entry::Receipt(signed) = entry else {
                    continue;
                };
                let id = signed.id();
                let Some(signature) = late.remove(&id) else {
                    continue;
                };
                if let Err(what) = self.check_late(&signed, signature).await? {
                    return Ok(Some(Difference::of_receipt(Kind::Signature, id, what)));
                }
                if signed.worker_signature.is_none() {
                    let signed_by_worker = &mut judge.state.totals.signed_by_worker;
                    *signed_by_worker = signed_by_worker.saturating_add(1);
                    judge.state.standing.countersign(&signed.receipt);
                }
            }
        }
        let without = late.keys().next();
        Ok(without.map(|id| Difference::of_receipt(Kind::Log, *id, "a worker's signature without its receipt")))
    }

    /// Certificates may come from elsewhere: a thread that may wait looks them up.
    async fn check_late(
        &self,
        signed: &SignedReceipt,
        signature: Option<Signature>,
    ) -> Result<Result<(), String>, AuditError> {
        let (certificates, evidence) = (Arc::clone(&self.certificates), Arc::clone(&self.evidence));
        let hash = signed.receipt.statement.worker_evidence;
        let look = tokio::task::spawn_blocking(move || certificates.look(evidence.as_ref(), &hash));
        let worker = look.await.map_err(|error| AuditError::CutOff {
            reason: error.to_string(),
        })??;
        let check = || {
            let signature = signature.ok_or("the state of the audit is damaged")?;
            let verified = signed.receipt.statement.verify(&signature, &worker?.leaf_key);
            verified.map_err(|error| error.to_string())
        };
        Ok(check())
    }
}
