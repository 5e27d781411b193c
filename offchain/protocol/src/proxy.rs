//! What a proxy says of itself and of money to both kinds of peers, and the work that it gives to a worker.

use bytes::Bytes;
use tl_proto::{TlRead, TlWrite};

use crate::codec::{blob, double, text, text_lossy};

/// Tokens after coefficient and multipliers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, TlRead, TlWrite)]
pub struct TokensUsed {
    pub prompt: i64,
    pub cached: i64,
    pub completion: i64,
    pub reasoning: i64,
    pub total: i64,
}

/// A voucher, or none yet.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, scheme = "../schema/cocoon.tl")]
pub enum SignedPayment {
    /// BoC of the voucher.
    #[tl(id = "proxy.signedPayment")]
    Voucher {
        #[tl(with = "blob")]
        data: Bytes,
    },
    /// Nothing was signed yet.
    #[tl(id = "proxy.signedPaymentEmpty")]
    Empty,
}

impl SignedPayment {
    /// The voucher's BoC.
    pub fn boc(&self) -> Option<&Bytes> {
        match self {
            Self::Voucher { data } => Some(data),
            Self::Empty => None,
        }
    }
}

/// Who a proxy is.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
pub struct Params {
    #[tl(flags)]
    pub flags: (),
    pub proxy_public_key: [u8; 32],
    #[tl(with = "text")]
    pub proxy_owner_address: String,
    #[tl(with = "text")]
    pub proxy_sc_address: String,
    #[tl(flags_bit = 0)]
    pub is_test: Option<bool>,
    #[tl(flags_bit = 1)]
    pub proto_version: Option<i32>,
}

/// What a request has cost its client, after the answer.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "proxy.clientRequestPayment", scheme = "../schema/cocoon.tl")]
pub struct ClientRequestPayment {
    pub request_id: [u8; 32],
    pub signed_payment: SignedPayment,
    pub db_tokens: i64,
    pub max_tokens: i64,
    pub request_tokens: i64,
}

/// What a request has earned its worker, after the answer.
///
/// `request_client_owner` is the deployed field for the payer's address. We send it empty: a worker never learns who
/// pays.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "proxy.workerRequestPayment", scheme = "../schema/cocoon.tl")]
pub struct WorkerRequestPayment {
    pub request_id: [u8; 32],
    pub signed_payment: SignedPayment,
    pub db_tokens: i64,
    pub max_tokens: i64,
    pub request_tokens: i64,
    #[tl(with = "text")]
    pub request_client_owner: String,
}

/// Work for a worker of version 0.
#[derive(Clone, PartialEq, TlRead, TlWrite)]
#[tl(boxed, id = "proxy.runQuery", scheme = "../schema/cocoon.tl")]
pub struct RunQuery {
    #[tl(with = "blob")]
    pub query: Bytes,
    pub signed_payment: SignedPayment,
    pub coefficient: i64,
    #[tl(with = "double")]
    pub timeout: f64,
    pub request_id: [u8; 32],
}

/// Work for a worker.
#[derive(Clone, PartialEq, TlRead, TlWrite)]
#[tl(boxed, id = "proxy.runQueryEx", scheme = "../schema/cocoon.tl")]
pub struct RunQueryEx {
    #[tl(with = "blob")]
    pub query: Bytes,
    pub signed_payment: SignedPayment,
    pub coefficient: i64,
    #[tl(with = "double")]
    pub timeout: f64,
    pub request_id: [u8; 32],
    #[tl(flags)]
    pub flags: (),
    #[tl(flags_bit = 0)]
    pub enable_debug: Option<bool>,
}

/// What the worker adds to its last message.
#[derive(Debug, Clone, Default, PartialEq, TlRead, TlWrite)]
pub struct QueryFinalInfo {
    #[tl(flags)]
    pub flags: (),
    pub tokens_used: TokensUsed,
    #[tl(flags_bit = 0, with = "text")]
    pub worker_debug: Option<String>,
    #[tl(flags_bit = 1)]
    pub worker_times: Option<Span>,
}

/// When a node began and ended its part of a request, Unix seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, TlRead, TlWrite)]
pub struct Span {
    #[tl(with = "double")]
    pub start: f64,
    #[tl(with = "double")]
    pub end: f64,
}

answer_messages!(
    QueryFinalInfo,
    "proxy.queryAnswer",
    "proxy.queryAnswerError",
    "proxy.queryAnswerPart",
    "proxy.queryAnswerPartError",
    "proxy.queryAnswerEx",
    "proxy.queryAnswerErrorEx",
    "proxy.queryAnswerPartEx"
);

impl std::fmt::Debug for RunQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RunQuery({} bytes, timeout {} s)", self.query.len(), self.timeout)
    }
}

impl std::fmt::Debug for RunQueryEx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RunQueryEx({} bytes, timeout {} s)", self.query.len(), self.timeout)
    }
}
