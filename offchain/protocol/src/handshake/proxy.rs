//! The proxy's side of both handshakes: which question may come when, and who is let in.

use crate::client::{AuthorizationWithProxy, ConnectedToProxy, Params as ClientParams, ProxyConnectionAuth};
use crate::codec::encode;
use crate::error_code::ErrorCode;
use crate::extension::{ProveSession, SessionProof};
use crate::message::{ClientQuery, WorkerQuery};
use crate::proxy::{Params, SignedPayment};
use crate::version::{Version, VersionRange, negotiate};
use crate::worker::{
    Capacity, CompareBalanceWithProxy, CompareBalanceWithProxyResult, ConnectedToProxy as WorkerConnectedToProxy,
    ExtendedCompareBalanceWithProxyResult, Params as WorkerParams, ProxyHandshakeCompleted,
};
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// The answer to a question that ends the handshake: `tcp.queryError`, then the proxy closes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Why.
    pub code: ErrorCode,
    /// For the peer's log. Names no secret.
    pub message: String,
}

impl Refusal {
    /// A refusal with a text.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    fn out_of_order() -> Self {
        Self::new(
            ErrorCode::ProtocolViolation,
            "this question is not allowed in this state of the handshake",
        )
    }
}

/// What a proxy demands of whoever connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyRules {
    /// The network that the proxy is for.
    pub is_test: bool,
    /// Version of the root state that the proxy uses.
    pub config_version: i32,
    /// Versions that it speaks.
    pub versions: VersionRange,
}

/// A client that passed the first checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHello {
    /// The wallet that owns the client's contract, as the client wrote it: still to be parsed.
    pub owner_address: String,
    /// The connection's version.
    pub version: Version,
}

/// A worker that passed the first checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerHello {
    /// The worker's owner, as the worker wrote it: still to be parsed.
    pub owner_address: String,
    /// `name@commit:verityhash`: still to be looked up.
    pub model: String,
    /// Price, thousandths.
    pub coefficient: u32,
    /// Slots for this proxy.
    pub slots: u32,
    /// The connection's version.
    pub version: Version,
}

/// A client's connection before it serves.
#[derive(Debug, Default)]
pub struct ProxyClientHandshake {
    state: ClientState,
}

#[derive(Debug, Default)]
enum ClientState {
    #[default]
    Start,
    Greeted(Version),
    Unproven(Version, ProxyConnectionAuth),
    Challenged(Version, ProxyConnectionAuth),
    Registering(Version),
    Ready(Version),
    Failed,
}

/// What an authorisation asks of the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizeStep {
    /// Proven: answer with [`ProxyClientHandshake::success`].
    Proven,
    /// Answer once the contract has received a registration with this nonce
    /// ([`ProxyClientHandshake::registered`]).
    AwaitRegistration {
        /// The nonce of the challenge.
        nonce: i64,
    },
}

impl ProxyClientHandshake {
    /// Takes the first question. The caller parses the address, finds the account and then calls
    /// [`ProxyClientHandshake::challenge`].
    pub fn connect(&mut self, query: &ClientQuery, rules: &ProxyRules) -> Result<ClientHello, Refusal> {
        let (ClientState::Start, ClientQuery::ConnectToProxy(hello)) = (&self.state, query) else {
            return self.fail(Refusal::out_of_order());
        };
        match check_client(&hello.params, hello.min_config_version, rules) {
            Ok(hello) => {
                self.state = ClientState::Greeted(hello.version);
                Ok(hello)
            }
            Err(refusal) => self.fail(refusal),
        }
    }

    /// Answers the first question with a challenge.
    pub fn challenge(
        &mut self,
        mut identity: Params,
        client_sc_address: String,
        auth: ProxyConnectionAuth,
        signed_payment: SignedPayment,
    ) -> Result<Bytes, Refusal> {
        let ClientState::Greeted(version) = self.state else {
            return self.fail(Refusal::out_of_order());
        };
        self.state = if version.has_session_proof() {
            ClientState::Unproven(version, auth.clone())
        } else {
            ClientState::Challenged(version, auth.clone())
        };
        identity.proto_version = version_field(version);
        Ok(encode(&ConnectedToProxy {
            params: identity,
            client_sc_address,
            auth,
            signed_payment,
        }))
    }

    /// Whether the session has to be proven next.
    pub fn awaits_proof(&self) -> bool {
        matches!(self.state, ClientState::Unproven(..))
    }

    /// Takes the client's proof of the session and answers with ours, `own`; `is_valid` verifies the client's.
    pub fn prove(
        &mut self,
        query: &ClientQuery,
        own: &[u8; 64],
        is_valid: impl FnOnce(&[u8; 64]) -> bool,
    ) -> Result<Bytes, Refusal> {
        match (std::mem::replace(&mut self.state, ClientState::Failed), query) {
            (ClientState::Unproven(version, auth), ClientQuery::ProveSession(proof)) => {
                let answer = check_proof(proof, own, is_valid)?;
                self.state = ClientState::Challenged(version, auth);
                Ok(answer)
            }
            _ => self.fail(Refusal::out_of_order()),
        }
    }

    /// Takes the second question.
    pub fn authorize(&mut self, query: &ClientQuery) -> Result<AuthorizeStep, Refusal> {
        let ClientState::Challenged(version, auth) = std::mem::replace(&mut self.state, ClientState::Failed) else {
            return self.fail(Refusal::out_of_order());
        };
        match (query, auth) {
            (ClientQuery::AuthorizeShort(m), ProxyConnectionAuth::Short { secret_hash, .. }) => {
                if <[u8; 32]>::from(Sha256::digest(&m.data)) != secret_hash {
                    return self.fail(Refusal::new(ErrorCode::Plain, "sha256 mismatch"));
                }
                self.state = ClientState::Ready(version);
                Ok(AuthorizeStep::Proven)
            }
            (
                ClientQuery::AuthorizeLong(_),
                ProxyConnectionAuth::Short { nonce, .. } | ProxyConnectionAuth::Long { nonce },
            ) => {
                self.state = ClientState::Registering(version);
                Ok(AuthorizeStep::AwaitRegistration { nonce })
            }
            _ => self.fail(Refusal::out_of_order()),
        }
    }

    /// The registration was seen on chain.
    pub fn registered(&mut self) -> Result<(), Refusal> {
        let ClientState::Registering(version) = self.state else {
            return self.fail(Refusal::out_of_order());
        };
        self.state = ClientState::Ready(version);
        Ok(())
    }

    /// The answer to a proven authorisation.
    pub fn success(&self, signed_payment: SignedPayment, tokens_committed_to_db: i64, max_tokens: i64) -> Bytes {
        encode(&AuthorizationWithProxy::Success {
            signed_payment,
            tokens_committed_to_db,
            max_tokens,
        })
    }

    /// The version of a connection that serves.
    pub fn ready(&self) -> Option<Version> {
        if let ClientState::Ready(version) = self.state {
            Some(version)
        } else {
            None
        }
    }

    fn fail<T>(&mut self, refusal: Refusal) -> Result<T, Refusal> {
        self.state = ClientState::Failed;
        Err(refusal)
    }
}

/// A worker's connection before it serves.
#[derive(Debug, Default)]
pub struct ProxyWorkerHandshake {
    state: WorkerState,
}

#[derive(Debug, Default)]
enum WorkerState {
    #[default]
    Start,
    Greeted(Version),
    Unproven(Version),
    Comparing(Version),
    Extending(Version),
    Finishing(Version),
    Ready(Version),
    Failed,
}

/// What a question of a worker, after the first, asks of the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerStep {
    /// Answer with [`ProxyWorkerHandshake::balances`].
    Compare(CompareBalanceWithProxy),
    /// Answer with [`ProxyWorkerHandshake::extended`], unless the proof contradicts.
    ExtendedCompare {
        /// What the worker holds as stored.
        tokens_committed_to_db: i64,
        /// A boxed [`crate::extension::Proof`], or nothing.
        other: Bytes,
    },
    /// Answer with [`ProxyWorkerHandshake::completed`]; the connection serves from then on.
    Complete {
        /// The worker takes no work yet.
        is_disabled: bool,
    },
}

impl ProxyWorkerHandshake {
    /// Takes the first question. The caller parses the address, checks the model and then calls
    /// [`ProxyWorkerHandshake::greet`].
    pub fn connect(&mut self, query: &WorkerQuery, rules: &ProxyRules) -> Result<WorkerHello, Refusal> {
        let (WorkerState::Start, WorkerQuery::ConnectToProxy(hello)) = (&self.state, query) else {
            return self.fail(Refusal::out_of_order());
        };
        match check_worker(&hello.params, rules) {
            Ok(hello) => {
                self.state = WorkerState::Greeted(hello.version);
                Ok(hello)
            }
            Err(refusal) => self.fail(refusal),
        }
    }

    /// Answers the first question.
    pub fn greet(&mut self, mut identity: Params, worker_sc_address: String) -> Result<Bytes, Refusal> {
        let WorkerState::Greeted(version) = self.state else {
            return self.fail(Refusal::out_of_order());
        };
        self.state = if version.has_session_proof() {
            WorkerState::Unproven(version)
        } else {
            WorkerState::Comparing(version)
        };
        identity.proto_version = version_field(version);
        Ok(encode(&WorkerConnectedToProxy {
            params: identity,
            worker_sc_address,
        }))
    }

    /// Whether the session has to be proven next.
    pub fn awaits_proof(&self) -> bool {
        matches!(self.state, WorkerState::Unproven(_))
    }

    /// Takes the worker's proof of the session and answers with ours, `own`; `is_valid` verifies the worker's.
    pub fn prove(
        &mut self,
        query: &WorkerQuery,
        own: &[u8; 64],
        is_valid: impl FnOnce(&[u8; 64]) -> bool,
    ) -> Result<Bytes, Refusal> {
        match (std::mem::replace(&mut self.state, WorkerState::Failed), query) {
            (WorkerState::Unproven(version), WorkerQuery::ProveSession(proof)) => {
                let answer = check_proof(proof, own, is_valid)?;
                self.state = WorkerState::Comparing(version);
                Ok(answer)
            }
            _ => self.fail(Refusal::out_of_order()),
        }
    }

    /// Takes a later question.
    pub fn next(&mut self, query: &WorkerQuery) -> Result<WorkerStep, Refusal> {
        match (&self.state, query) {
            (WorkerState::Comparing(_), WorkerQuery::CompareBalance(m)) => Ok(WorkerStep::Compare(*m)),
            (WorkerState::Extending(_), WorkerQuery::ExtendedCompareBalance(m)) => Ok(WorkerStep::ExtendedCompare {
                tokens_committed_to_db: m.tokens_committed_to_db,
                other: m.other.clone(),
            }),
            (WorkerState::Finishing(_), WorkerQuery::HandshakeComplete(m)) => Ok(WorkerStep::Complete {
                is_disabled: m.is_disabled,
            }),
            _ => self.fail(Refusal::out_of_order()),
        }
    }

    /// Answers the comparison. `ahead` says that the worker remembers more than this proxy.
    pub fn balances(
        &mut self,
        signed_payment: SignedPayment,
        tokens_committed_to_db: i64,
        max_tokens: i64,
        ahead: bool,
    ) -> Result<Bytes, Refusal> {
        let WorkerState::Comparing(version) = self.state else {
            return self.fail(Refusal::out_of_order());
        };
        self.state = if ahead {
            WorkerState::Extending(version)
        } else {
            WorkerState::Finishing(version)
        };
        let error_code = i32::from(ahead);
        Ok(encode(&CompareBalanceWithProxyResult {
            signed_payment,
            tokens_committed_to_db,
            max_tokens,
            error_code,
        }))
    }

    /// Answers the extended comparison: the proxy goes on from its own totals.
    pub fn extended(&mut self) -> Result<Bytes, Refusal> {
        let WorkerState::Extending(version) = self.state else {
            return self.fail(Refusal::out_of_order());
        };
        self.state = WorkerState::Finishing(version);
        Ok(encode(&ExtendedCompareBalanceWithProxyResult { error_code: 0 }))
    }

    /// Answers the last question.
    pub fn completed(&mut self) -> Result<Bytes, Refusal> {
        let WorkerState::Finishing(version) = self.state else {
            return self.fail(Refusal::out_of_order());
        };
        self.state = WorkerState::Ready(version);
        Ok(encode(&ProxyHandshakeCompleted))
    }

    /// The version of a connection that serves.
    pub fn ready(&self) -> Option<Version> {
        if let WorkerState::Ready(version) = self.state {
            Some(version)
        } else {
            None
        }
    }

    fn fail<T>(&mut self, refusal: Refusal) -> Result<T, Refusal> {
        self.state = WorkerState::Failed;
        Err(refusal)
    }
}

fn check_client(params: &ClientParams, min_config_version: i32, rules: &ProxyRules) -> Result<ClientHello, Refusal> {
    let Some(is_test) = params.is_test else {
        return Err(Refusal::new(ErrorCode::ProtocolViolation, "too old client"));
    };
    if is_test != rules.is_test {
        return Err(Refusal::new(ErrorCode::Error, "test mode mismatch"));
    }
    if min_config_version > rules.config_version {
        return Err(Refusal::new(ErrorCode::Error, "active config version is too low"));
    }
    let version = choose(params.versions, rules)?;
    Ok(ClientHello {
        owner_address: params.client_owner_address.clone(),
        version,
    })
}

fn check_worker(params: &WorkerParams, rules: &ProxyRules) -> Result<WorkerHello, Refusal> {
    let violation = |text: &str| Refusal::new(ErrorCode::ProtocolViolation, text);
    let Some(Capacity {
        is_test,
        proxy_cnt,
        max_active_requests,
    }) = params.capacity
    else {
        return Err(violation("too old worker"));
    };
    if is_test != rules.is_test {
        return Err(Refusal::new(ErrorCode::Error, "test mode mismatch"));
    }
    if params.model.is_empty() {
        return Err(violation("the worker names no model"));
    }
    let coefficient = u32::try_from(params.coefficient)
        .ok()
        .filter(|c| *c < 1_000_000_000)
        .ok_or_else(|| violation("the worker's coefficient is out of range"))?;
    let (Ok(proxies @ 1..), Ok(slots @ 1..)) = (u32::try_from(proxy_cnt), u32::try_from(max_active_requests)) else {
        return Err(violation(
            "the worker's numbers of proxies and requests must be positive",
        ));
    };
    let version = choose(params.versions, rules)?;
    Ok(WorkerHello {
        owner_address: params.worker_owner_address.clone(),
        model: params.model.clone(),
        coefficient,
        slots: slots.div_ceil(proxies),
        version,
    })
}

fn check_proof(
    proof: &ProveSession,
    own: &[u8; 64],
    is_valid: impl FnOnce(&[u8; 64]) -> bool,
) -> Result<Bytes, Refusal> {
    if proof.signature.as_ref().try_into().is_ok_and(is_valid) {
        Ok(encode(&SessionProof {
            signature: Bytes::copy_from_slice(own),
        }))
    } else {
        Err(Refusal::new(
            ErrorCode::SessionNotProven,
            "the proof is not of this session",
        ))
    }
}

fn choose(offered: Option<VersionRange>, rules: &ProxyRules) -> Result<Version, Refusal> {
    negotiate(offered, rules.versions)
        .ok_or_else(|| Refusal::new(ErrorCode::ProtocolViolation, "cannot choose common protocol version"))
}

/// Version 0 is said by leaving the field out.
fn version_field(version: Version) -> Option<i32> {
    (version > Version::V0).then(|| version.to_wire())
}
