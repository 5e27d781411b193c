//! Judges and keeps receipts, one after the other in the order in which the proxy sent them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{Coefficient, PublicKey};
use cocoon_chain::RootView;
use cocoon_ledger::pricing;
use cocoon_protocol::codec::encode;
use cocoon_protocol::extension::{Evidence, GetEvidence, Receipt as ReceiptMessage};
use cocoon_protocol::limits::EVIDENCE_TIMEOUT;
use cocoon_ratls::{PeerPolicy, SharedClock, TrustStore, verify_certificate};
use cocoon_receipt::{BuiltReceipt, ChannelHead, ClientView, Disclosure, ReceiptId, SignedReceipt};
use cocoon_runner::link::LinkHandle;
use cocoon_runner::off_thread;
use cocoon_runner::pace::Pace;
use cocoon_store::{ClientStore, NewReceipt};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, watch};

use crate::calls::{CallEvent, Exchange};
use crate::disclosures::Disclosures;
use crate::limits::MAX_RECEIPT_BURST;

/// The verdict on one receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptNote {
    /// Its name.
    pub id: ReceiptId,
    /// What does not verify; `None` when everything does.
    pub fault: Option<String>,
    /// What it charges, adjusted tokens.
    pub charged: u64,
    /// Where its channel stands after it, adjusted tokens.
    pub total: u64,
}

/// A receipt as it came, with what it is checked against.
pub(crate) struct ReceiptJob {
    pub(crate) message: ReceiptMessage,
    /// Absent when the request is no longer in flight.
    pub(crate) exchange: Option<Exchange>,
    pub(crate) reply: Option<mpsc::UnboundedSender<CallEvent>>,
}

/// How certificates of nodes are judged.
#[derive(Clone)]
pub(crate) struct CertificateRules {
    pub(crate) trust: Arc<TrustStore>,
    pub(crate) workers: PeerPolicy,
    pub(crate) proxies: PeerPolicy,
    pub(crate) clock: SharedClock,
}

/// Everything that receipts of one connection are checked against.
pub(crate) struct ReceiptKeeper {
    pub(crate) link: LinkHandle,
    pub(crate) store: Arc<Mutex<ClientStore>>,
    pub(crate) failed: mpsc::Sender<crate::ClientError>,
    pub(crate) root: watch::Receiver<Arc<RootView>>,
    pub(crate) rules: CertificateRules,
    pub(crate) proxy: Address,
    pub(crate) proxy_key: PublicKey,
    pub(crate) proxy_evidence: [u8; 32],
    pub(crate) client: Address,
    pub(crate) disclosures: Option<Disclosures>,
}

/// Keys of workers whose certificates were accepted in this second under this state of the root contract: the same question
/// has the same answer.
#[derive(Default)]
struct Judged {
    second: u64,
    root: Option<Arc<RootView>>,
    keys: HashMap<HashBytes, PublicKey>,
}

impl Judged {
    /// What was accepted in the second `now` under `root`.
    fn at(&mut self, now: u64, root: &Arc<RootView>) -> &mut HashMap<HashBytes, PublicKey> {
        let is_same = self.second == now && self.root.as_ref().is_some_and(|known| Arc::ptr_eq(known, root));
        if !is_same {
            self.second = now;
            self.root = Some(Arc::clone(root));
            self.keys.clear();
        }
        &mut self.keys
    }
}

impl ReceiptKeeper {
    /// Works until the connection's event loop is gone. What has come together is kept with one sync of the disk. A store
    /// that failed takes nothing more until it is opened again: the client ends.
    pub(crate) async fn run(self, mut jobs: mpsc::UnboundedReceiver<ReceiptJob>) {
        let mut pace = Pace::default();
        let mut judged = Judged::default();
        while let burst = pace.burst(&mut jobs, MAX_RECEIPT_BURST).await
            && !burst.is_empty()
        {
            if let Err(error) = self.take(burst.into_iter(), &mut judged).await {
                tracing::error!(%error, "receipts could not be kept");
                if matches!(error, crate::ClientError::Store(_)) {
                    // A full queue already holds an earlier failure.
                    let _ = self.failed.try_send(error);
                }
            }
        }
    }

    async fn take(
        &self,
        burst: impl Iterator<Item = ReceiptJob>,
        judged: &mut Judged,
    ) -> Result<(), crate::ClientError> {
        let mut head = self.store().head(&self.proxy, &self.client)?;
        let (mut stored, mut waiting, mut opened) = (Vec::new(), Vec::new(), Vec::new());
        for mut job in burst {
            let Ok(built) = BuiltReceipt::from_boc(&job.message.receipt) else {
                tracing::error!("a receipt could not be read");
                continue;
            };
            let reply = job.reply.take();
            let receipt = self.judge(built, &job, &mut head, judged).await;
            if self.disclosures.is_some() {
                opened.extend(job.exchange.as_ref().and_then(|exchange| disclosed(&receipt, exchange)));
            }
            let note = ReceiptNote {
                id: receipt.receipt.id(),
                fault: receipt.fault.clone(),
                charged: receipt.receipt.signed().receipt.charged(),
                total: receipt.receipt.signed().receipt.channel.after,
            };
            stored.push(receipt);
            waiting.push((note, reply));
            // A burst is a long time of checking signatures; answers go before.
            tokio::task::yield_now().await;
        }
        let (store, disclosures) = (Arc::clone(&self.store), self.disclosures.clone());
        let (proxy, client) = (self.proxy.clone(), self.client.clone());
        let kept = off_thread(move || {
            for disclosure in &opened {
                let put = disclosures.as_ref().map(|disclosures| disclosures.put(disclosure));
                if let Some(Err(error)) = put {
                    tracing::warn!(%error, "an exchange could not be kept for its owner");
                }
            }
            let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
            store.put_receipts(&stored, (&proxy, &client, &head))
        });
        kept.await.unwrap_or_else(|_| Err(lost_task()))?;
        for (note, reply) in waiting {
            match &note.fault {
                None => tracing::debug!(receipt = %note.id, "receipt verified"),
                Some(fault) => tracing::error!(receipt = %note.id, fault, "receipt does not verify"),
            }
            if let Some(reply) = reply {
                // The caller may have gone; the receipt is kept all the same.
                let _ = reply.send(CallEvent::Receipt(note));
            }
        }
        Ok(())
    }

    /// Judges a receipt; `head` moves on when it continues the channel.
    async fn judge(
        &self,
        built: BuiltReceipt,
        job: &ReceiptJob,
        head: &mut ChannelHead,
        judged: &mut Judged,
    ) -> NewReceipt {
        let (followed, mut fault) = self.check_content(&built, job, *head);
        if let Some((next, missing)) = followed {
            if missing > 0 {
                // Their answers were never delivered here; the totals still add up.
                tracing::warn!(missing, "receipts of this channel were lost with an earlier connection");
            }
            *head = next;
        }
        if fault.is_none() {
            fault = self.check_price(built.signed(), job).err();
        }
        if fault.is_none() {
            fault = self.check_evidence(&built, judged).await.err();
        }
        NewReceipt {
            receipt: built,
            request_salt: job.message.request_salt,
            response_salt: job.message.response_salt,
            max_coefficient: job.exchange.as_ref().map(|exchange| exchange.max_coefficient),
            verified_at: self.rules.clock.now(),
            fault,
        }
    }

    /// Signature, parties, place in the channel, bytes. The place is taken over also when the bytes are no longer at hand.
    fn check_content(
        &self,
        built: &BuiltReceipt,
        job: &ReceiptJob,
        head: ChannelHead,
    ) -> (Option<(ChannelHead, u64)>, Option<String>) {
        let root = self.root.borrow().address.clone();
        let Some(exchange) = &job.exchange else {
            let receipt = &built.signed().receipt;
            if (&receipt.statement.proxy, &receipt.client) != (&self.proxy, &self.client) {
                return (None, Some("it is of another channel".to_owned()));
            }
            let followed = built
                .verify_proxy(&self.proxy_key)
                .map_err(|e| e.to_string())
                .and_then(|()| head.follow(&receipt.channel, built.id().0).map_err(|e| e.to_string()));
            return match followed {
                Ok(place) => (
                    Some(place),
                    Some("the request and its answer were no longer at hand".to_owned()),
                ),
                Err(problem) => (None, Some(problem)),
            };
        };
        let response = match &exchange.body[..] {
            [whole] => whole.clone(),
            parts => parts.concat().into(),
        };
        let view = ClientView {
            proxy_key: &self.proxy_key,
            root: &root,
            proxy: &self.proxy,
            client: &self.client,
            request_id: HashBytes(job.message.request_id),
            head,
            request_salt: &job.message.request_salt,
            response_salt: &job.message.response_salt,
            request: &exchange.request,
            response: &response,
        };
        match built.verify_for_client(&view) {
            Ok(place) => (Some(place), None),
            Err(problem) => (None, Some(problem.to_string())),
        }
    }

    /// The adjusted tokens follow from the counts, and the price is one that was accepted.
    fn check_price(&self, signed: &SignedReceipt, job: &ReceiptJob) -> Result<(), String> {
        let statement = &signed.receipt.statement;
        let root = self.root.borrow().clone();
        if let Some(exchange) = &job.exchange
            && statement.coefficient > Coefficient::new(exchange.max_coefficient)
        {
            return Err(format!(
                "the coefficient {} is higher than was accepted",
                statement.coefficient
            ));
        }
        // Older parameters are not at hand; the auditor, who has the chain's history, checks those.
        if statement.params_version == root.params_version()
            && let Some(counts) = &statement.counts
            && pricing::adjust(counts, statement.coefficient, &root.params.multipliers) != statement.used
        {
            return Err("the adjusted tokens do not follow from the counts".to_owned());
        }
        Ok(())
    }

    /// The worker's signature under its certificate, and the proxy's certificate.
    async fn check_evidence(&self, built: &BuiltReceipt, judged: &mut Judged) -> Result<(), String> {
        let SignedReceipt {
            receipt,
            worker_signature,
            ..
        } = built.signed();
        if receipt.proxy_evidence.0 != self.proxy_evidence {
            let der = self.certificate(receipt.proxy_evidence).await?;
            let CertificateRules {
                trust, proxies, clock, ..
            } = &self.rules;
            verify_certificate(&der, trust, proxies, clock.now()).map_err(|e| format!("the proxy's evidence: {e}"))?;
        }
        if worker_signature.is_none() {
            // Allowed: an older worker, or one that was lost. It shows in the receipt.
            return Ok(());
        }
        let root = self.root.borrow().clone();
        if !root.data.model_hashes.is_empty() && !root.allows_model(&receipt.statement.model) {
            return Err("the model is not one that the root contract lists".to_owned());
        }
        let leaf_key = self
            .worker_key(receipt.statement.worker_evidence, &root, judged)
            .await?;
        built.verify_worker(&leaf_key).map(drop).map_err(|e| e.to_string())
    }

    /// The key of a worker's certificate, if its evidence holds now.
    async fn worker_key(
        &self,
        evidence: HashBytes,
        root: &Arc<RootView>,
        judged: &mut Judged,
    ) -> Result<PublicKey, String> {
        let CertificateRules {
            trust, workers, clock, ..
        } = &self.rules;
        let now = clock.now();
        if let Some(key) = judged.at(now, root).get(&evidence) {
            return Ok(*key);
        }
        let der = self.certificate(evidence).await?;
        let worker =
            verify_certificate(&der, trust, workers, now).map_err(|e| format!("the worker's evidence: {e}"))?;
        judged.at(now, root).insert(evidence, worker.leaf_key);
        Ok(worker.leaf_key)
    }

    /// A certificate by its hash: kept, or asked of the proxy.
    async fn certificate(&self, hash: HashBytes) -> Result<Vec<u8>, String> {
        let folder = self.store().evidence().clone();
        if let Ok(Some(der)) = folder.get(&hash) {
            return Ok(der);
        }
        let question = encode(&GetEvidence { hash: hash.0 });
        let answer = self
            .link
            .query(question, EVIDENCE_TIMEOUT)
            .await
            .map_err(|e| format!("no evidence: {e}"))?;
        let evidence: Evidence = cocoon_protocol::codec::decode(&answer).map_err(|e| format!("no evidence: {e}"))?;
        if <[u8; 32]>::from(Sha256::digest(&evidence.certificate)) != hash.0 {
            return Err("the proxy sent another certificate than was asked for".to_owned());
        }
        let der = evidence.certificate.to_vec();
        let kept = der.clone();
        let put = off_thread(move || folder.put(&kept)).await;
        if !matches!(put, Ok(Ok(_))) {
            tracing::warn!("a certificate could not be kept");
        }
        Ok(der)
    }

    fn store(&self) -> std::sync::MutexGuard<'_, ClientStore> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The exchange behind a receipt, if receipt and bytes belong together.
fn disclosed(kept: &NewReceipt, exchange: &Exchange) -> Option<Disclosure> {
    let disclosure = Disclosure {
        receipt: kept.receipt.signed().clone(),
        request_salt: kept.request_salt,
        request: exchange.request.to_vec(),
        response_salt: kept.response_salt,
        response: exchange.body.concat(),
    };
    disclosure.check().is_ok().then_some(disclosure)
}

fn lost_task() -> cocoon_store::StoreError {
    cocoon_store::StoreError::Io {
        action: "write",
        path: "receipts".into(),
        source: std::io::Error::other("the writing task was stopped"),
    }
}
