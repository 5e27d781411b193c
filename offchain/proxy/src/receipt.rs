//! Fourth phase: what was used, and the receipt that says so.

use cocoon_bindings::tokens::{TokenCounts, TokensUsed};
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::{Coefficient, Multipliers};
use cocoon_ledger::{Charge, Position, pricing};
use cocoon_protocol::extension::TokenCounts as WireCounts;
use cocoon_protocol::proxy::TokensUsed as WireUsed;
use cocoon_receipt::{ChannelLink, FinishReason, Receipt, Timing, WorkStatement, blind_client, salted_hash};

use crate::client::ClientPeer;
use crate::request::Request;
use crate::run::{Ended, Work};
use crate::state::Proxy;
use crate::workers::WorkerPeer;

/// Counts and price of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Raw counts, when the worker tells them.
    pub(crate) counts: Option<TokenCounts>,
    /// Adjusted tokens: computed here from the counts when there are any.
    pub(crate) used: TokensUsed,
}

/// What an attempt used. A worker of version 3 tells raw counts, which are priced here; the adjusted tokens that it sends
/// with them are not believed. An older worker only tells adjusted tokens, and as deployed only with a whole answer.
pub(crate) fn usage(work: &Work, is_counting: bool, coefficient: Coefficient, multipliers: &Multipliers) -> Usage {
    if is_counting {
        let reported = work
            .report
            .as_ref()
            .map(|report| report.counts)
            .or(work.progress)
            .unwrap_or_default();
        let counts = counts_of(&reported);
        return Usage {
            counts: Some(counts),
            used: pricing::adjust(&counts, coefficient, multipliers),
        };
    }
    let claimed = match (&work.ended, &work.final_info) {
        (Ended::Failed(_), _) | (_, None) => WireUsed::default(),
        (_, Some(info)) => info.tokens,
    };
    Usage {
        counts: None,
        used: claimed_tokens(&claimed),
    }
}

/// Negative numbers count as none; a part never exceeds its whole.
pub(crate) fn counts_of(counts: &WireCounts) -> TokenCounts {
    let tokens = |number: i64| u64::try_from(number).unwrap_or(0);
    let (prompt, completion) = (tokens(counts.prompt), tokens(counts.completion));
    TokenCounts {
        prompt,
        cached: tokens(counts.cached).min(prompt),
        completion,
        reasoning: tokens(counts.reasoning).min(completion),
    }
}

/// Adjusted tokens that an old worker claims; negative numbers count as none.
pub(crate) fn claimed_tokens(claimed: &WireUsed) -> TokensUsed {
    let tokens = |number: i64| {
        u64::try_from(number)
            .unwrap_or(0)
            .min(cocoon_ledger::limits::MAX_CLASS_TOKENS)
    };
    let (prompt, cached) = (tokens(claimed.prompt), tokens(claimed.cached));
    let (completion, reasoning) = (tokens(claimed.completion), tokens(claimed.reasoning));
    TokensUsed {
        prompt,
        cached,
        completion,
        reasoning,
        total: prompt + cached + completion + reasoning,
    }
}

/// Adjusted tokens as peers read them.
pub(crate) fn to_wire(used: &TokensUsed) -> WireUsed {
    let tokens = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    WireUsed {
        prompt: tokens(used.prompt),
        cached: tokens(used.cached),
        completion: tokens(used.completion),
        reasoning: tokens(used.reasoning),
        total: tokens(used.total),
    }
}

/// Hashes of the exchanged bytes and the salts that open them.
pub(crate) struct Content {
    pub(crate) request_salt: [u8; 32],
    pub(crate) response_salt: [u8; 32],
    request_hash: HashBytes,
    response_hash: HashBytes,
}

/// The worker's hashes when it reported, else the proxy's own over what went through it.
pub(crate) fn content(request: &Request, work: &Work) -> Content {
    match &work.report {
        Some(report) => Content {
            request_salt: report.request_salt,
            response_salt: report.response_salt,
            request_hash: HashBytes(report.request_hash),
            response_hash: HashBytes(report.response_hash),
        },
        None => {
            let request_salt = rand::random();
            Content {
                request_salt,
                response_salt: work.response_salt,
                request_hash: salted_hash(&request_salt, &request.query),
                response_hash: work.response.clone().finish(),
            }
        }
    }
}

/// Everything that a receipt is made of besides the charge.
pub(crate) struct Parts<'a> {
    pub(crate) proxy: &'a Proxy,
    pub(crate) client: &'a ClientPeer,
    pub(crate) request: &'a Request,
    pub(crate) worker: &'a WorkerPeer,
    pub(crate) coefficient: Coefficient,
    pub(crate) work: &'a Work,
    pub(crate) usage: &'a Usage,
    pub(crate) content: &'a Content,
}

impl Parts<'_> {
    /// The receipt of a charge.
    pub(crate) fn receipt(&self, charge: &Charge) -> Receipt {
        let on_chain = &self.client.instance;
        let (work, report) = (self.work, self.work.report.as_ref());
        let first_token_ms = work.first_token_ms.unwrap_or(work.finished_ms);
        let statement = WorkStatement {
            root: on_chain.root.clone(),
            params_version: on_chain.params.params_version,
            proxy: on_chain.contract.clone(),
            worker: self.worker.contract.clone(),
            client: blind_client(&self.proxy.blinding, &self.worker.contract, &self.client.contract),
            request_id: HashBytes(work.request_id),
            channel: link(&charge.worker_position),
            request_hash: self.content.request_hash,
            response_hash: self.content.response_hash,
            sampling_hash: report.map_or(HashBytes::ZERO, |report| HashBytes(report.sampling_hash)),
            seed: report.map_or(0, |report| report.seed.cast_unsigned()),
            model: self.worker.model.model_hash(),
            worker_evidence: self.worker.evidence,
            counts: self.usage.counts,
            used: self.usage.used,
            coefficient: self.coefficient,
            timing: Timing {
                started_ms: work.started_ms,
                first_token_ms: first_token_ms.clamp(work.started_ms, work.finished_ms),
                finished_ms: work.finished_ms,
            },
            finish: self.finish(),
        };
        Receipt {
            statement,
            client: self.client.contract.clone(),
            request_id: HashBytes(self.request.id),
            channel: link(&charge.client_position),
            proxy_evidence: self.client.evidence,
        }
    }

    /// The worker's word when it reported, else what the proxy saw.
    fn finish(&self) -> FinishReason {
        if let Some(report) = &self.work.report {
            return FinishReason::from_word(&report.finish_reason);
        }
        match &self.work.ended {
            Ended::Finished => FinishReason::Unknown,
            Ended::Failed(_) => FinishReason::Failed,
            Ended::WorkerLost => FinishReason::WorkerLost,
            Ended::Cancelled | Ended::ClientTooSlow => FinishReason::Cancelled,
            Ended::TimedOut => FinishReason::Timeout,
            Ended::ReservationUsed => FinishReason::Length,
        }
    }
}

fn link(position: &Position) -> ChannelLink {
    ChannelLink {
        seqno: position.seqno,
        previous: position.previous,
        before: position.before.get(),
        after: position.after.get(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_a_hostile_worker_are_made_plausible() {
        let counts = counts_of(&WireCounts {
            prompt: -5,
            cached: 7,
            completion: 3,
            reasoning: 9,
        });
        assert_eq!(
            counts,
            TokenCounts {
                prompt: 0,
                cached: 0,
                completion: 3,
                reasoning: 3
            }
        );
        let used = claimed_tokens(&WireUsed {
            prompt: i64::MAX,
            cached: -1,
            completion: 2,
            reasoning: 0,
            total: 1,
        });
        assert!(used.adds_up());
        assert_eq!(used.cached, 0);
    }
}
