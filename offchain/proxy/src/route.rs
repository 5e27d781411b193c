//! Second phase: the worker.

use std::time::Duration;

use cocoon_market::Refusal;
use cocoon_protocol::ErrorCode;
use tokio::time::Instant;

use crate::client::ClientPeer;
use crate::request::{Failure, Request};
use crate::state::Proxy;
use crate::timing::{Round, round};
use crate::workers::{Lease, NoLease, Wanted};

/// Refuses a client that asks for more than it may. Asked once for each request, however many workers it is tried at.
pub(crate) fn admit(proxy: &Proxy, client: &ClientPeer, tokens: u64) -> Result<(), Failure> {
    proxy.workers.take_rate(&client.contract, tokens).map_err(failure)
}

/// Chooses a worker that was not tried yet and takes one of its slots, now or in its turn.
pub(crate) async fn choose(
    proxy: &Proxy,
    client: &ClientPeer,
    request: &Request,
    tried: &[u64],
    tokens: u64,
) -> Result<Lease, Failure> {
    let left = request.timeout.saturating_sub(request.received.elapsed());
    let wanted = Wanted {
        client: &client.contract,
        model: &request.model,
        query: &request.query,
        max_coefficient: request.max_coefficient,
        tried,
        cost: tokens,
        deadline: Instant::now() + left,
        cancel: &request.cancel,
    };
    let chosen = round(Round::Route, proxy.workers.lease(wanted)).await;
    chosen.map_err(|no_lease| match no_lease {
        NoLease::Refused(refusal) => failure(refusal),
        NoLease::Cancelled => Failure::new(ErrorCode::Cancelled, "the request was cancelled"),
    })
}

/// What a client is told of a refusal.
pub(crate) fn failure(refusal: Refusal) -> Failure {
    let code = match refusal {
        Refusal::UnknownModel { .. } => ErrorCode::UnknownModel,
        Refusal::ShareFull { .. } => ErrorCode::TooManyRequests,
        Refusal::RateLimited { retry_after: None, .. } => ErrorCode::TooLarge,
        Refusal::RateLimited { .. } => ErrorCode::TooManyRequests,
        _ => ErrorCode::NoWorker,
    };
    let retry_after = refusal.retry_after().map(whole_seconds);
    Failure {
        retry_after,
        ..Failure::new(code, refusal.to_string())
    }
}

/// Rounded up: who comes back a moment too early is refused again.
fn whole_seconds(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis().div_ceil(1000))
        .unwrap_or(u32::MAX)
        .max(1)
}
