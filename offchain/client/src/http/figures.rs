//! The client's figures for Prometheus. No label names a caller or a prompt.

use cocoon_runner::report::{Exposition, Metric, nanoton};

use super::App;
use crate::access::refusal::Why;
use crate::logs::Ended;

const CONNECTED: Metric = Metric::gauge("cocoon_client_connections", "Connections to proxies that serve.");
const RUNNING: Metric = Metric::gauge("cocoon_client_running_requests", "Requests that run.");
const PLACES: Metric = Metric::gauge(
    "cocoon_client_free_places",
    "Requests that could begin now; more get 429.",
);
const REQUESTS: Metric = Metric::counter(
    "cocoon_client_requests_total",
    "Requests that ended, by result; refused ones were never sent to a proxy.",
)
.by(&["result"]);
const BYTES: Metric =
    Metric::counter("cocoon_client_bytes_total", "Bytes of requests and of answers.").by(&["direction"]);
const FIRST_TOKEN: Metric = Metric::histogram(
    "cocoon_client_time_to_first_token_seconds",
    "From a request to the first bytes of its answer.",
);
const REQUEST_TIME: Metric = Metric::histogram("cocoon_client_request_seconds", "From a request to its end.");
const USED: Metric = Metric::gauge(
    "cocoon_client_used_tokens",
    "Adjusted tokens that the connected proxies count, ever.",
);
const UNSETTLED: Metric = Metric::gauge(
    "cocoon_client_unsettled_tokens",
    "Adjusted tokens that the connected proxies count and have not charged on chain yet.",
);
const CONTRACT: Metric = Metric::gauge(
    "cocoon_client_contract_nanoton",
    "What the client contracts at the connected proxies hold.",
);
const WALLET: Metric = Metric::gauge("cocoon_client_wallet_nanoton", "What the client's wallet holds.");
const CHAIN_AGE: Metric = Metric::gauge(
    "cocoon_client_chain_age_seconds",
    "Age of the last view of the root contract, by the chain's clock.",
);
const LOG_LOOKUPS: Metric = Metric::counter(
    "cocoon_client_log_lookups_total",
    "Receipts looked up in the published logs of their proxies, by how it ended; a contradiction is a proxy that signed two histories.",
).by(&["result"]);

const REFUSALS: Metric = Metric::counter(
    "cocoon_client_access_refusals_total",
    "Requests that were refused before anything left, by why; no label names a key.",
)
.by(&["reason"]);

const FORWARDED: Metric = Metric::counter(
    "cocoon_client_forwarded_requests_total",
    "Requests without an API key that a proxy sent on for others; [access] require_keys asks them for one.",
);

/// Every figure of a client.
pub const METRICS: &[Metric] = &[
    CONNECTED,
    RUNNING,
    PLACES,
    REQUESTS,
    BYTES,
    FIRST_TOKEN,
    REQUEST_TIME,
    USED,
    UNSETTLED,
    CONTRACT,
    WALLET,
    CHAIN_AGE,
    LOG_LOOKUPS,
    REFUSALS,
    FORWARDED,
];

pub(super) fn write(app: &App, page: &mut Exposition) {
    let upstream = app.upstream.borrow().clone();
    let accounts = app.accounts.borrow().clone();
    let living = || upstream.connections.iter().filter(|connection| !connection.is_closed());
    page.one(&CONNECTED, living().count() as f64);
    let running: usize = living().map(|connection| connection.running_requests()).sum();
    page.one(&RUNNING, running as f64);
    page.one(&PLACES, app.slots.available_permits() as f64);
    let c = app.stats.snapshot();
    page.metric(&REQUESTS)
        .sample(&[("result", "success")], c.success.total())
        .sample(&[("result", "failed")], c.failed.total())
        .sample(&[("result", "refused")], c.refused.total());
    page.metric(&BYTES)
        .sample(&[("direction", "received")], c.bytes_received.total())
        .sample(&[("direction", "sent")], c.bytes_sent.total());
    page.metric(&FIRST_TOKEN).distribution(&[], &app.stats.first_token);
    page.metric(&REQUEST_TIME).distribution(&[], &app.stats.request_time);
    let (mut used, mut unsettled, mut held) = (0u64, 0u64, 0u64);
    for (contract, connection) in upstream.by_contract() {
        let (counted, account) = (connection.payments().max, accounts.clients.get(&contract));
        let charged = account.map_or(0, |client| client.tokens_used.get());
        used = used.saturating_add(counted);
        unsettled = unsettled.saturating_add(counted.saturating_sub(charged));
        held = held.saturating_add(account.map_or(0, |client| nanoton(client.balance)));
    }
    page.one(&USED, used as f64);
    page.one(&UNSETTLED, unsettled as f64);
    page.one(&CONTRACT, held as f64);
    page.one(&WALLET, nanoton(accounts.wallet_balance) as f64);
    page.one(
        &CHAIN_AGE,
        (app.context.clock.now_f64() - f64::from(app.context.root().time)).max(0.0),
    );
    let mut lookups = page.metric(&LOG_LOOKUPS);
    for how in Ended::ALL {
        lookups.sample(&[("result", how.word())], app.logs.ended(how) as f64);
    }
    let mut refusals = page.metric(&REFUSALS);
    for why in Why::ALL {
        refusals.sample(&[("reason", why.word())], app.access.gate.refusals.of(why) as f64);
    }
    page.one(&FORWARDED, app.access.gate.forwarded.total() as f64);
}
