//! Second phase: the worker.

use cocoon_market::Refusal;
use cocoon_protocol::ErrorCode;

use crate::request::{Failure, Request};
use crate::state::Proxy;
use crate::workers::Lease;

/// Chooses a worker that was not tried yet and takes one of its slots.
pub(crate) fn choose(proxy: &Proxy, request: &Request, tried: &[u64]) -> Result<Lease, Failure> {
    let chosen = proxy
        .workers
        .lease(&request.model, request.max_coefficient, tried, proxy.uptime());
    chosen.map_err(|refusal| {
        let code = match refusal {
            Refusal::UnknownModel { .. } => ErrorCode::UnknownModel,
            _ => ErrorCode::NoWorker,
        };
        Failure::new(code, refusal.to_string())
    })
}
