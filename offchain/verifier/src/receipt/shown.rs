//! A receipt as it is shown: hashes in hex; numbers that JavaScript cannot hold as text.

use cocoon_bindings::tokens::{TokenCounts, TokensUsed};
use cocoon_receipt::{BuiltReceipt, ChannelLink};
use serde::Serialize;

use super::hex_of;

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownReceipt {
    /// Its name.
    pub id: String,
    /// Name of its request.
    pub request_id: String,
    /// The root contract.
    pub root: String,
    /// Version of the parameters.
    pub params_version: u32,
    /// The proxy's contract.
    pub proxy: String,
    /// The worker's contract.
    pub worker: String,
    /// The contract that pays.
    pub client: String,
    /// The model, as the root contract lists it.
    pub model_hash: String,
    /// The price's coefficient, thousandths.
    pub coefficient: u32,
    /// Tokens as counted.
    pub counts: Option<TokenCounts>,
    /// Tokens as the price makes them.
    pub tokens_used: TokensUsed,
    /// Tokens that are charged.
    pub tokens_charged: u64,
    /// Place in the channel of payer and proxy.
    pub channel: ShownLink,
    /// Place in the channel of proxy and worker.
    pub worker_channel: ShownLink,
    /// Salted hash of the request.
    pub request_hash: String,
    /// Salted hash of the answer.
    pub response_hash: String,
    /// SHA-256 of the worker's certificate.
    pub worker_evidence: String,
    /// SHA-256 of the proxy's certificate.
    pub proxy_evidence: String,
    /// Whether the worker signed.
    pub signed_by_worker: bool,
    /// Dispatch, Unix milliseconds.
    pub started_ms: u64,
    /// First byte of the answer, Unix milliseconds.
    pub first_token_ms: u64,
    /// End of the answer, Unix milliseconds.
    pub finished_ms: u64,
    /// Why the answer ended.
    pub finish_reason: String,
}

/// A place in a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownLink {
    /// Its number, from 1.
    pub seqno: String,
    /// Hash of the one before.
    pub previous: String,
    /// Tokens before.
    pub before: String,
    /// Tokens after.
    pub after: String,
}

impl From<&ChannelLink> for ShownLink {
    fn from(link: &ChannelLink) -> Self {
        Self {
            seqno: link.seqno.to_string(),
            previous: hex_of(&link.previous),
            before: link.before.to_string(),
            after: link.after.to_string(),
        }
    }
}

impl From<&BuiltReceipt> for ShownReceipt {
    fn from(built: &BuiltReceipt) -> Self {
        let signed = built.signed();
        let receipt = &signed.receipt;
        let statement = &receipt.statement;
        Self {
            id: built.id().to_string(),
            request_id: hex_of(&receipt.request_id),
            root: statement.root.to_string(),
            params_version: statement.params_version.get(),
            proxy: statement.proxy.to_string(),
            worker: statement.worker.to_string(),
            client: receipt.client.to_string(),
            model_hash: statement.model.to_string(),
            coefficient: statement.coefficient.get(),
            counts: statement.counts,
            tokens_used: statement.used,
            tokens_charged: receipt.charged(),
            channel: ShownLink::from(&receipt.channel),
            worker_channel: ShownLink::from(&statement.channel),
            request_hash: hex_of(&statement.request_hash),
            response_hash: hex_of(&statement.response_hash),
            worker_evidence: hex_of(&statement.worker_evidence),
            proxy_evidence: hex_of(&receipt.proxy_evidence),
            signed_by_worker: signed.worker_signature.is_some(),
            started_ms: statement.timing.started_ms,
            first_token_ms: statement.timing.first_token_ms,
            finished_ms: statement.timing.finished_ms,
            finish_reason: statement.finish.to_string(),
        }
    }
}
