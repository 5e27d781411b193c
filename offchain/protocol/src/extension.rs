//! Version 3: raw token counts, receipts, evidence, cancel and quotes. Version 4: the proof of the session. A peer of a lower version
//! never gets these.

use bytes::Bytes;
use tl_proto::{TlRead, TlWrite};

use crate::codec::{blob, double, text};

/// Raw tokens, before coefficient and multipliers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, TlRead, TlWrite)]
pub struct TokenCounts {
    /// All prompt tokens, cached ones included.
    pub prompt: i64,
    /// Prompt tokens that came from a cache.
    pub cached: i64,
    /// All generated tokens, reasoning included.
    pub completion: i64,
    /// Generated tokens of reasoning.
    pub reasoning: i64,
}

/// Proxy to worker: work. The payer is the blinded client id that the statement about this work will carry: the same for
/// all requests of one payer to one worker contract, so that payers share a worker evenly and nobody finds in the prefix
/// cache what another one asked. It is no address, and another worker gets another one.
#[derive(Clone, PartialEq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.runQuery", scheme = "../schema/cocoon.tl")]
pub struct RunQuery {
    /// The boxed `http.request`.
    #[tl(with = "blob")]
    pub query: Bytes,
    /// Thousandths.
    pub coefficient: i64,
    /// Seconds that the proxy waits.
    #[tl(with = "double")]
    pub timeout: f64,
    pub request_id: [u8; 32],
    pub payer: [u8; 32],
}

/// Worker to proxy, after the parts that it describes: what was delivered so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.workProgress", scheme = "../schema/cocoon.tl")]
pub struct WorkProgress {
    pub request_id: [u8; 32],
    pub counts: TokenCounts,
}

/// Worker to proxy, just before the final message.
#[derive(Debug, Clone, PartialEq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.workReport", scheme = "../schema/cocoon.tl")]
pub struct WorkReport {
    pub request_id: [u8; 32],
    pub counts: TokenCounts,
    pub request_salt: [u8; 32],
    /// SHA-256 of the salt and the boxed `http.request` as the worker received it.
    pub request_hash: [u8; 32],
    pub response_salt: [u8; 32],
    /// SHA-256 of the salt and all body bytes in order.
    pub response_hash: [u8; 32],
    pub sampling_hash: [u8; 32],
    pub seed: i64,
    /// Unix seconds; 0 when no token was produced.
    #[tl(with = "double")]
    pub first_token_time: f64,
    #[tl(with = "text")]
    pub finish_reason: String,
}

/// Proxy to worker, query: sign this statement of the work.
#[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.signReceipt", scheme = "../schema/cocoon.tl")]
pub struct SignReceipt {
    /// BoC of the statement.
    #[tl(with = "blob")]
    pub statement: Bytes,
}

/// The worker's signature.
#[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.receiptSignature", scheme = "../schema/cocoon.tl")]
pub struct ReceiptSignature {
    /// 64 bytes, Ed25519.
    #[tl(with = "blob")]
    pub signature: Bytes,
}

/// Proxy to worker, once the worker's signature is durable in the proxy's log: the proxy's own signature over the same
/// statement. With both the worker can claim on chain what the proxy would not pay. Sent again when the worker comes back.
#[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.countersigned", scheme = "../schema/cocoon.tl")]
pub struct Countersigned {
    /// Representation hash of the statement.
    pub statement_hash: [u8; 32],
    /// 64 bytes, Ed25519, by the key of the proxy's contract.
    #[tl(with = "blob")]
    pub signature: Bytes,
}

/// Proxy to client, after the final part.
#[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.receipt", scheme = "../schema/cocoon.tl")]
pub struct Receipt {
    pub request_id: [u8; 32],
    /// BoC of the signed receipt.
    #[tl(with = "blob")]
    pub receipt: Bytes,
    pub request_salt: [u8; 32],
    pub response_salt: [u8; 32],
}

/// Client to proxy, query: the certificate with this SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.getEvidence", scheme = "../schema/cocoon.tl")]
pub struct GetEvidence {
    pub hash: [u8; 32],
}

/// A certificate, DER.
#[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.evidence", scheme = "../schema/cocoon.tl")]
pub struct Evidence {
    #[tl(with = "blob")]
    pub certificate: Bytes,
}

/// Stop this request; what was delivered until then is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.cancel", scheme = "../schema/cocoon.tl")]
pub struct Cancel {
    pub request_id: [u8; 32],
}

/// What a proxy signed: it must be in its database, or that is an old copy. A worker sends it in the `other` bytes of
/// [`crate::worker::ExtendedCompareBalanceWithProxy`], a client in [`CompareProof`]. The proxy believes its own signature
/// only.
#[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, scheme = "../schema/cocoon.tl")]
pub enum Proof {
    /// A client's receipt.
    #[tl(id = "cocoon.provenReceipt")]
    Receipt {
        /// BoC of the signed receipt.
        #[tl(with = "blob")]
        receipt: Bytes,
    },
    /// A worker's statement, with the proxy's signature of [`Countersigned`].
    #[tl(id = "cocoon.provenStatement")]
    Statement {
        /// BoC of the statement.
        #[tl(with = "blob")]
        statement: Bytes,
        /// 64 bytes, Ed25519, by the key of the proxy's contract.
        #[tl(with = "blob")]
        signature: Bytes,
    },
    /// Anybody's voucher.
    #[tl(id = "cocoon.provenVoucher")]
    Voucher {
        /// BoC of the signed voucher.
        #[tl(with = "blob")]
        voucher: Bytes,
    },
}

impl Proof {
    /// Bytes that it carries.
    pub fn size(&self) -> usize {
        match self {
            Self::Receipt { receipt } => receipt.len(),
            Self::Statement { statement, signature } => statement.len() + signature.len(),
            Self::Voucher { voucher } => voucher.len(),
        }
    }
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self {
            Self::Receipt { .. } => "Receipt",
            Self::Statement { .. } => "Statement",
            Self::Voucher { .. } => "Voucher",
        };
        write!(f, "{kind}({} bytes)", self.size())
    }
}

/// Client to proxy, query, once the connection serves: this is what the client holds, so the proxy must know it. A refusal
/// means that it does not, or that the proxy's key did not sign it; code 0 that it does not know the question.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.compareProof", scheme = "../schema/cocoon.tl")]
pub struct CompareProof {
    pub proof: Proof,
}

/// The proxy knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.proofCompared", scheme = "../schema/cocoon.tl")]
pub struct ProofCompared;

/// Client to proxy, query: keep a slot of a worker of this model for a while, and say what it costs.
#[derive(Debug, Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.getQuote", scheme = "../schema/cocoon.tl")]
pub struct GetQuote {
    /// Base name.
    #[tl(with = "text")]
    pub model: String,
    /// Thousandths that the client pays at most.
    pub max_coefficient: i32,
    /// Of the request to come.
    pub max_tokens: i32,
    /// Most bytes that the boxed `http.request` to come will have: prompts are reserved for by their size.
    pub query_bytes: i32,
}

/// A firm quote, and the signature of the proxy's contract key over it: see [`crate::quote::signed_bytes`].
#[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.quote", scheme = "../schema/cocoon.tl")]
pub struct Quote {
    /// Boxed [`QuoteTerms`].
    #[tl(with = "blob")]
    pub terms: Bytes,
    /// 64 bytes, Ed25519.
    #[tl(with = "blob")]
    pub signature: Bytes,
}

/// What a proxy promises: a slot of this worker, for one request of this client, at no more than this price.
#[derive(Debug, Clone, PartialEq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.quoteTerms", scheme = "../schema/cocoon.tl")]
pub struct QuoteTerms {
    pub quote_id: [u8; 32],
    #[tl(with = "text")]
    pub proxy_sc_address: String,
    #[tl(with = "text")]
    pub client_sc_address: String,
    /// `name@commit:verityhash`, as the root contract lists it.
    #[tl(with = "text")]
    pub model: String,
    /// SHA-256 of the worker's certificate, as in receipts.
    pub worker_evidence: [u8; 32],
    /// Thousandths: the most that the request costs per token.
    pub coefficient: i32,
    /// Most tokens that the request may ask for.
    pub max_tokens: i32,
    /// Expected, from this worker's last requests; 0 when there were none.
    #[tl(with = "double")]
    pub first_token_seconds: f64,
    /// Unix milliseconds.
    pub issued_ms: i64,
    /// Unix milliseconds, by the proxy's clock.
    pub expires_ms: i64,
}

/// Client to proxy, one-way: a request under a quote. The price ceiling of the request is that of the quote.
#[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.runQuoted", scheme = "../schema/cocoon.tl")]
pub struct RunQuoted {
    pub quote_id: [u8; 32],
    /// Boxed `client.runQueryEx`.
    #[tl(with = "blob")]
    pub run: Bytes,
}

/// Client or worker to proxy, query, before anything else is said: this signature is ours, over what
/// [`crate::session_proof::Statement`] says.
#[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.proveSession", scheme = "../schema/cocoon.tl")]
pub struct ProveSession {
    /// 64 bytes, Ed25519, by the leaf key.
    #[tl(with = "blob")]
    pub signature: Bytes,
}

/// The proxy's signature, over the statement of the other direction.
#[derive(Clone, PartialEq, Eq, TlRead, TlWrite)]
#[tl(boxed, id = "cocoon.sessionProof", scheme = "../schema/cocoon.tl")]
pub struct SessionProof {
    /// 64 bytes, Ed25519, by the leaf key.
    #[tl(with = "blob")]
    pub signature: Bytes,
}

macro_rules! debug_by_size {
    ($($name:ident.$field:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.$field.len())
            }
        }
    )*};
}

debug_by_size!(
    RunQuery.query,
    SignReceipt.statement,
    ReceiptSignature.signature,
    Countersigned.signature,
    Receipt.receipt,
    Evidence.certificate,
    Quote.terms,
    RunQuoted.run,
    ProveSession.signature,
    SessionProof.signature
);
