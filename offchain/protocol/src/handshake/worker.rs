//! The worker's side.

use bytes::Bytes;

use super::{HandshakeError, ProofStep, ProxyIdentity};
use crate::codec::{decode, encode};
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
}

/// The worker remembers more than the proxy; waits whether the proxy goes on.
#[derive(Debug)]
pub struct WorkerExtending {
    balances: Balances,
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
        (WorkerComparing { known }, encode(&known))
    }
}

impl WorkerComparing {
    /// Takes its answer. When the proxy knows less than we do, but not less than it has signed or stored, there is one
    /// more question (`Err` of the inner result).
    pub fn compared(self, answer: &[u8]) -> Result<Result<WorkerFinishing, (WorkerExtending, Bytes)>, HandshakeError> {
        let result: CompareBalanceWithProxyResult = decode(answer)?;
        let known = self.known.tokens_committed_to_db;
        if result.tokens_committed_to_db < known {
            return Err(HandshakeError::TotalsWentBack {
                proxy: result.tokens_committed_to_db,
                known,
            });
        }
        let balances = Balances {
            signed_payment: result.signed_payment,
            tokens_committed_to_db: result.tokens_committed_to_db,
            max_tokens: result.max_tokens,
        };
        if result.error_code == 0 {
            return Ok(Ok(balances.into()));
        }
        let question = encode(&ExtendedCompareBalanceWithProxy {
            tokens_committed_to_db: known,
            other: Bytes::new(),
        });
        Ok(Err((WorkerExtending { balances }, question)))
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
        Ok(self.balances.into())
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
