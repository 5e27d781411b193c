//! What a client and a proxy say to each other.

use bytes::Bytes;
use tl_proto::{TlRead, TlWrite};

use crate::codec::{blob, double, list, text, text_lossy};
use crate::proxy::{Params as ProxyParams, SignedPayment, Span, TokensUsed};
use crate::version::VersionRange;

/// Who a client is.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
pub struct Params {
    #[tl(flags)]
    pub flags: (),
    /// Address of the node's wallet contract, user-friendly.
    #[tl(with = "text")]
    pub client_owner_address: String,
    #[tl(flags_bit = 0)]
    pub is_test: Option<bool>,
    #[tl(flags_bit = 1)]
    pub versions: Option<VersionRange>,
}

/// First question of a client.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "client.connectToProxy", scheme = "../schema/cocoon.tl")]
pub struct ConnectToProxy {
    pub params: Params,
    pub min_config_version: i32,
}

/// How the client has to prove that it owns its contract.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, scheme = "../schema/cocoon.tl")]
pub enum ProxyConnectionAuth {
    /// By the secret with this hash.
    #[tl(id = "client.proxyConnectionAuthShort")]
    Short { secret_hash: [u8; 32], nonce: i64 },
    /// By a message through the chain that carries the nonce.
    #[tl(id = "client.proxyConnectionAuthLong")]
    Long { nonce: i64 },
}

/// The proxy's answer to [`ConnectToProxy`].
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "client.connectedToProxy", scheme = "../schema/cocoon.tl")]
pub struct ConnectedToProxy {
    pub params: ProxyParams,
    #[tl(with = "text")]
    pub client_sc_address: String,
    pub auth: ProxyConnectionAuth,
    pub signed_payment: SignedPayment,
}

/// Proof by the secret itself.
#[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "client.authorizeWithProxyShort", scheme = "../schema/cocoon.tl")]
pub struct AuthorizeWithProxyShort {
    #[tl(with = "blob")]
    pub data: Bytes,
}

/// Announces a proof through the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "client.authorizeWithProxyLong", scheme = "../schema/cocoon.tl")]
pub struct AuthorizeWithProxyLong;

/// The proxy's answer to an authorisation.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, scheme = "../schema/cocoon.tl")]
pub enum AuthorizationWithProxy {
    /// The connection serves now.
    #[tl(id = "client.authorizationWithProxySuccess")]
    Success {
        signed_payment: SignedPayment,
        tokens_committed_to_db: i64,
        max_tokens: i64,
    },
    /// It does not.
    #[tl(id = "client.authorizationWithProxyFailed")]
    Failed {
        error_code: i32,
        #[tl(with = "text_lossy")]
        error: String,
    },
}

/// Asks for the latest voucher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "client.updatePaymentStatus", scheme = "../schema/cocoon.tl")]
pub struct UpdatePaymentStatus;

/// The latest voucher and totals.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "client.paymentStatus", scheme = "../schema/cocoon.tl")]
pub struct PaymentStatus {
    pub signed_payment: SignedPayment,
    pub db_tokens: i64,
    pub max_tokens: i64,
}

/// Asks which models there are, old form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "client.getWorkerTypes", scheme = "../schema/cocoon.tl")]
pub struct GetWorkerTypes;

/// Asks which models there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "client.getWorkerTypesV2", scheme = "../schema/cocoon.tl")]
pub struct GetWorkerTypesV2;

/// Asks for the final voucher of a closing contract. Known, and refused: the chain is the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "client.requestRefund", scheme = "../schema/cocoon.tl")]
pub struct RequestRefund;

/// One model, old form.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
pub struct WorkerType {
    #[tl(with = "text")]
    pub name: String,
    pub active_workers: i32,
    pub coefficient_min: i32,
    pub coefficient_median: i32,
    pub coefficient_max: i32,
}

/// Models, old form.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "client.workerTypes", scheme = "../schema/cocoon.tl")]
pub struct WorkerTypes {
    #[tl(with = "list")]
    pub types: Vec<WorkerType>,
}

/// One worker of a model.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
pub struct WorkerInstanceV2 {
    #[tl(flags)]
    pub flags: (),
    pub coefficient: i32,
    pub active_requests: i32,
    pub max_active_requests: i32,
}

/// One model with its workers, cheapest first.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
pub struct WorkerTypeV2 {
    #[tl(with = "text")]
    pub name: String,
    #[tl(with = "list")]
    pub workers: Vec<WorkerInstanceV2>,
}

/// Models with their workers.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "client.workerTypesV2", scheme = "../schema/cocoon.tl")]
pub struct WorkerTypesV2 {
    #[tl(with = "list")]
    pub types: Vec<WorkerTypeV2>,
}

/// Answer to [`RequestRefund`].
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, scheme = "../schema/cocoon.tl")]
pub enum Refund {
    /// The final voucher.
    #[tl(id = "client.refund")]
    Granted {
        #[tl(with = "blob")]
        data: Bytes,
    },
    /// Requests still run.
    #[tl(id = "client.refundRejected")]
    Rejected { active_queries: i64 },
}

/// A request of a version 0 client.
#[derive(Clone, PartialEq, TlRead, TlWrite)]
#[tl(boxed, id = "client.runQuery", scheme = "../schema/cocoon.tl")]
pub struct RunQuery {
    #[tl(with = "text")]
    pub model_name: String,
    #[tl(with = "blob")]
    pub query: Bytes,
    pub max_coefficient: i32,
    pub max_tokens: i32,
    #[tl(with = "double")]
    pub timeout: f64,
    pub request_id: [u8; 32],
    pub min_config_version: i32,
}

/// A request.
#[derive(Clone, PartialEq, TlRead, TlWrite)]
#[tl(boxed, id = "client.runQueryEx", scheme = "../schema/cocoon.tl")]
pub struct RunQueryEx {
    #[tl(with = "text")]
    pub model_name: String,
    #[tl(with = "blob")]
    pub query: Bytes,
    pub max_coefficient: i32,
    pub max_tokens: i32,
    #[tl(with = "double")]
    pub timeout: f64,
    pub request_id: [u8; 32],
    pub min_config_version: i32,
    #[tl(flags)]
    pub flags: (),
    #[tl(flags_bit = 0)]
    pub enable_debug: Option<bool>,
}

/// What the proxy adds to the last message of an answer.
#[derive(Debug, Clone, Default, PartialEq, TlRead, TlWrite)]
pub struct QueryFinalInfo {
    #[tl(flags)]
    pub flags: (),
    pub tokens_used: TokensUsed,
    #[tl(flags_bit = 0)]
    pub debug: Option<Debug>,
    #[tl(flags_bit = 1)]
    pub times: Option<Times>,
}

/// Debug records of both nodes, JSON texts.
#[derive(Debug, Clone, Default, PartialEq, Eq, TlRead, TlWrite)]
pub struct Debug {
    #[tl(with = "text")]
    pub worker: String,
    #[tl(with = "text")]
    pub proxy: String,
}

/// When both nodes worked on the request.
#[derive(Debug, Clone, Copy, Default, PartialEq, TlRead, TlWrite)]
pub struct Times {
    pub proxy: Span,
    pub worker: Span,
}

answer_messages!(
    QueryFinalInfo,
    "client.queryAnswer",
    "client.queryAnswerError",
    "client.queryAnswerPart",
    "client.queryAnswerPartError",
    "client.queryAnswerEx",
    "client.queryAnswerErrorEx",
    "client.queryAnswerPartEx"
);

impl std::fmt::Debug for AuthorizeWithProxyShort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthorizeWithProxyShort")
    }
}

impl std::fmt::Debug for RunQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "RunQuery({}, {} bytes, timeout {} s)",
            self.model_name,
            self.query.len(),
            self.timeout
        )
    }
}

impl std::fmt::Debug for RunQueryEx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "RunQueryEx({}, {} bytes, timeout {} s)",
            self.model_name,
            self.query.len(),
            self.timeout
        )
    }
}
