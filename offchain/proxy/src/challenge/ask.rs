//! Another worker is asked, as for any request of a client.

use std::sync::Arc;

use cocoon_bindings::ton::Address;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::sample::{Answered, Sampled};
use crate::client::ClientPeer;
use crate::error::ProxyError;
use crate::request::{Request, verdict};
use crate::state::Proxy;
use crate::workers::Lease;
use crate::{reserve, route, run, settle};

/// Who is asked for what.
pub(super) struct Asked<'a> {
    pub(super) sampled: &'a Sampled,
    /// Owners whose workers are not asked.
    pub(super) not_of: Vec<Address>,
    /// A benched worker that is asked instead of one that serves.
    pub(super) only: Option<u64>,
}

/// Has a worker answer. `None` when none could be asked, it costs more than is left of the budget, or the answer is not whole.
pub(super) async fn ask(
    proxy: &Arc<Proxy>,
    client: &Arc<ClientPeer>,
    asked: Asked<'_>,
) -> Result<Option<Answered>, ProxyError> {
    let sampled = asked.sampled;
    let Some(query) = sampled.query() else {
        return Ok(None);
    };
    let request = Request {
        id: rand::random(),
        model: sampled.answered.model.clone(),
        query,
        max_coefficient: sampled.max_coefficient,
        max_tokens: sampled.max_tokens,
        bound: sampled.bound,
        timeout: sampled.timeout,
        min_config_version: sampled.min_config_version,
        quote: None,
        is_debug: false,
        is_sampled: true,
        received: Instant::now(),
        received_ms: proxy.unix_ms(),
        cancel: CancellationToken::new(),
    };
    let Ok(tokens) = reserve::tokens(client, &request) else {
        return Ok(None);
    };
    if tokens.get() > proxy.challenges.left(proxy) {
        return Ok(None);
    }
    let Ok(reserved) = reserve::reserve(proxy, client, &request, tokens) else {
        return Ok(None);
    };
    let Some(mut lease) = lease(proxy, client, &request, &asked, tokens.get()).await else {
        return Ok(None);
    };
    if lease.worker.instance.contract != client.instance.contract {
        return Ok(None);
    }
    let work = run::run(proxy, client, &request, &lease).await;
    lease.judge(verdict(&work), None);
    let (_, rest) = settle::settle(proxy, client, &request, lease, reserved, work).await;
    let Some(mut rest) = rest else { return Ok(None) };
    let answered = rest.answered.take();
    proxy.challenges.spend(proxy, rest.tokens)?;
    // Both receipts are durable before anything is said about them.
    rest.hand_out(proxy, client).await;
    Ok(answered)
}

async fn lease(
    proxy: &Arc<Proxy>,
    client: &ClientPeer,
    request: &Request,
    asked: &Asked<'_>,
    tokens: u64,
) -> Option<Lease> {
    if let Some(worker) = asked.only {
        return proxy.workers.lease_benched(worker, request.max_coefficient);
    }
    let tried = proxy.workers.of_owners(&asked.not_of);
    route::choose(proxy, client, request, &tried, tokens).await.ok()
}
