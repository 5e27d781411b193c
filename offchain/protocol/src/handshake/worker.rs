//! The worker's side.

use bytes::Bytes;

use super::{HandshakeError, ProofStep, ProxyIdentity};
use crate::codec::{decode, encode};
use crate::extension::Proof;
use crate::proxy::SignedPayment;
use crate::version::VersionRange;
use crate::worker::{
    Capacity, CompareBalanceWithProxy, CompareBalanceWithProxyResult, ConnectToProxy, ConnectedToProxy,
    ExtendedCompareBalanceWithProxy, ExtendedCompareBalanceWithProxyResult, Params, ProxyHandshakeComplete,
    ProxyHandshakeCompleted,
};

/// What a worker says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerOffer {
    /// Address of the worker's owner, user-friendly.
    pub owner_address: String,
    /// `name@commit:verityhash`
    pub model: String,
    /// Price, thousandths.
    pub coefficient: i32,
    /// The network that the worker is for.
    pub is_test: bool,
    /// Over how many proxies it divides its slots.
    pub proxy_cnt: i32,
    /// Its slots.
    pub max_active_requests: i32,
    /// Versions that it speaks.
    pub versions: VersionRange,
}

/// The highest totals that the worker knows, zeros when none.
pub type WorkerBalances = CompareBalanceWithProxy;

/// Waits for `worker.connectedToProxy`.
#[derive(Debug)]
pub struct WorkerConnecting {
    offer: WorkerOffer,
}

/// The proxy has answered; its addresses are to be checked before going on.
#[derive(Debug)]
pub struct WorkerConnected {
    /// Who the proxy is.
    pub proxy: ProxyIdentity,
    /// The worker's contract as the proxy sees it, user-friendly.
    pub worker_contract_address: String,
}

/// Waits for the proxy's totals.
#[derive(Debug)]
pub struct WorkerComparing {
    known: WorkerBalances,
    proof: Option<Bytes>,
}

/// The worker remembers more than the proxy; waits whether the proxy goes on.
#[derive(Debug)]
pub struct WorkerExtending {
    balances: Balances,
    known: i64,
}

/// Totals agree; the last question is due.
#[derive(Debug)]
pub struct WorkerFinishing {
    /// The latest voucher.
    pub signed_payment: SignedPayment,
    /// Stored by the proxy.
    pub tokens_committed_to_db: i64,
    /// Everything so far.
    pub max_tokens: i64,
}

/// Waits for the end.
#[derive(Debug)]
pub struct WorkerCompleting(());

#[derive(Debug)]
struct Balances {
    signed_payment: SignedPayment,
    tokens_committed_to_db: i64,
    max_tokens: i64,
}

impl WorkerConnecting {
    /// The first question.
    pub fn start(offer: WorkerOffer) -> (Self, Bytes) {
        let params = Params {
            flags: (),
            worker_owner_address: offer.owner_address.clone(),
            model: offer.model.clone(),
            coefficient: offer.coefficient,
            capacity: Some(Capacity {
                is_test: offer.is_test,
                proxy_cnt: offer.proxy_cnt,
                max_active_requests: offer.max_active_requests,
            }),
            versions: Some(offer.versions),
        };
        (Self { offer }, encode(&ConnectToProxy { params }))
    }

    /// Takes its answer. What follows waits for the proof of the session, where the version has one.
    pub fn connected(self, answer: &[u8]) -> Result<ProofStep<WorkerConnected>, HandshakeError> {
        let ConnectedToProxy {
            params,
            worker_sc_address,
        } = decode(answer)?;
        let proxy = ProxyIdentity::check(params, self.offer.is_test, self.offer.versions)?;
        let is_owed = proxy.version.has_session_proof();
        let next = WorkerConnected {
            proxy,
            worker_contract_address: worker_sc_address,
        };
        Ok(ProofStep::new(is_owed, next))
    }
}

impl WorkerConnected {
    /// The second question.
    pub fn compare(self, known: WorkerBalances) -> (WorkerComparing, Bytes) {
        (WorkerComparing { known, proof: None }, encode(&known))
    }
}

impl WorkerComparing {
    /// What the proxy is shown of its own signatures if it knows less than we do. Only for a proxy of a version with
    /// extensions: a deployed one expects nothing there.
    pub fn with_proof(mut self, proof: &Proof) -> Self {
        self.proof = Some(encode(proof));
        self
    }

    /// Takes its answer. When the proxy knows less than we do, there is one more question (`Err` of the inner result):
    /// whether it goes on, or what it says to the proof.
    pub fn compared(self, answer: &[u8]) -> Result<Result<WorkerFinishing, (WorkerExtending, Bytes)>, HandshakeError> {
        let result: CompareBalanceWithProxyResult = decode(answer)?;
        let known = self.known.tokens_committed_to_db;
        let balances = Balances {
            signed_payment: result.signed_payment,
            tokens_committed_to_db: result.tokens_committed_to_db,
            max_tokens: result.max_tokens,
        };
        let is_asked = result.error_code != 0;
        if !is_asked || self.proof.is_none() {
            balances.check(known)?;
        }
        if !is_asked {
            return Ok(Ok(balances.into()));
        }
        let question = encode(&ExtendedCompareBalanceWithProxy {
            tokens_committed_to_db: known,
            other: self.proof.unwrap_or_default(),
        });
        Ok(Err((WorkerExtending { balances, known }, question)))
    }
}

impl WorkerExtending {
    /// Takes its answer.
    pub fn extended(self, answer: &[u8]) -> Result<WorkerFinishing, HandshakeError> {
        let ExtendedCompareBalanceWithProxyResult { error_code } = decode(answer)?;
        if error_code != 0 {
            let message = "the proxy knows less than this worker remembers".to_owned();
            return Err(HandshakeError::Refused {
                code: error_code,
                message,
            });
        }
        self.balances.check(self.known)?;
        Ok(self.balances.into())
    }
}

impl Balances {
    /// What the proxy has stored never shrinks.
    fn check(&self, known: i64) -> Result<(), HandshakeError> {
        if self.tokens_committed_to_db < known {
            return Err(HandshakeError::TotalsWentBack {
                proxy: self.tokens_committed_to_db,
                known,
            });
        }
        Ok(())
    }
}

impl From<Balances> for WorkerFinishing {
    fn from(b: Balances) -> Self {
        Self {
            signed_payment: b.signed_payment,
            tokens_committed_to_db: b.tokens_committed_to_db,
            max_tokens: b.max_tokens,
        }
    }
}

impl WorkerFinishing {
    /// The last question.
    pub fn complete(self, is_disabled: bool) -> (WorkerCompleting, Bytes) {
        (WorkerCompleting(()), encode(&ProxyHandshakeComplete { is_disabled }))
    }
}

impl WorkerCompleting {
    /// Takes its answer: the connection serves.
    pub fn completed(self, answer: &[u8]) -> Result<(), HandshakeError> {
        let ProxyHandshakeCompleted = decode(answer)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Version;

    /// Asked by a proxy that has stored 6 tokens, where this worker knows of 7.
    fn compared(proof: Option<&Proof>, error_code: i32) -> Result<Option<(WorkerExtending, Bytes)>, HandshakeError> {
        let connected = WorkerConnected {
            proxy: ProxyIdentity {
                public_key: [1; 32],
                owner_address: String::new(),
                contract_address: String::new(),
                version: Version::V3,
            },
            worker_contract_address: String::new(),
        };
        let (comparing, _) = connected.compare(WorkerBalances {
            tokens_committed_to_db: 7,
            ..WorkerBalances::default()
        });
        let comparing = match proof {
            Some(proof) => comparing.with_proof(proof),
            None => comparing,
        };
        let answer = encode(&CompareBalanceWithProxyResult {
            signed_payment: SignedPayment::Empty,
            tokens_committed_to_db: 6,
            max_tokens: 6,
            error_code,
        });
        Ok(comparing.compared(&answer)?.err())
    }

    #[test]
    fn a_worker_shows_what_was_signed_to_a_proxy_that_knows_less_and_leaves_it_all_the_same() {
        let proof = Proof::Statement {
            statement: Bytes::from_static(b"statement"),
            signature: Bytes::from_static(&[7; 64]),
        };
        let (extending, question) = compared(Some(&proof), 1).unwrap().unwrap();
        let question: ExtendedCompareBalanceWithProxy = decode(&question).unwrap();
        assert_eq!(decode::<Proof>(&question.other).unwrap(), proof);
        // A proxy that goes on as if nothing was wrong gets no work done.
        let answer = encode(&ExtendedCompareBalanceWithProxyResult { error_code: 0 });
        assert_eq!(
            extending.extended(&answer).unwrap_err(),
            HandshakeError::TotalsWentBack { proxy: 6, known: 7 }
        );
    }

    #[test]
    fn totals_that_went_back_end_it_at_once_without_a_proof_or_a_question() {
        let went_back = HandshakeError::TotalsWentBack { proxy: 6, known: 7 };
        assert_eq!(compared(None, 1).unwrap_err(), went_back);
        let proof = Proof::Voucher {
            voucher: Bytes::from_static(b"voucher"),
        };
        assert_eq!(compared(Some(&proof), 0).unwrap_err(), went_back);
    }
}
