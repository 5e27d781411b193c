//! Spans around work that grows with the number of peers. Nobody collects them but who measures.

use tracing::{Instrument as _, trace_span};

/// Target of the spans, at level trace.
const TARGET: &str = "cocoon_proxy::timing";

/// What a timer does once, and the choice of a worker with the wait for it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Round {
    Commit,
    Contracts,
    Route,
    Settlement,
    Transactions,
}

/// Puts a span around it.
pub(crate) fn round<F: Future>(round: Round, work: F) -> impl Future<Output = F::Output> {
    work.instrument(match round {
        Round::Commit => trace_span!(target: TARGET, "commit"),
        Round::Contracts => trace_span!(target: TARGET, "contracts"),
        Round::Route => trace_span!(target: TARGET, "route"),
        Round::Settlement => trace_span!(target: TARGET, "settlement"),
        Round::Transactions => trace_span!(target: TARGET, "transactions"),
    })
}
