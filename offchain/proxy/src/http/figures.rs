//! The proxy's figures for Prometheus. No label names a peer.

use std::collections::BTreeMap;

use cocoon_bindings::units::{Nanoton, TokenCount};
use cocoon_runner::report::{Exposition, Metric, nanoton};

use crate::outage::Mode;
use crate::state::Proxy;

const ACCEPTING: Metric = Metric::gauge("cocoon_proxy_accepting", "Whether new requests are taken.");
const REQUESTS: Metric =
    Metric::counter("cocoon_proxy_requests_total", "Requests that ended, by result.").by(&["result"]);
const FAILOVERS: Metric = Metric::counter(
    "cocoon_proxy_failovers_total",
    "Attempts that failed and were repeated at another worker.",
);
const BYTES: Metric =
    Metric::counter("cocoon_proxy_bytes_total", "Bytes of requests and of answers.").by(&["direction"]);
const TOKENS: Metric =
    Metric::counter("cocoon_proxy_adjusted_tokens_total", "Adjusted tokens used, by class.").by(&["class"]);
const EXCESS: Metric = Metric::counter(
    "cocoon_proxy_excess_tokens_total",
    "Adjusted tokens used beyond the reservation, which nobody is charged for.",
);
const UNSIGNED: Metric = Metric::counter(
    "cocoon_proxy_receipts_without_worker_signature_total",
    "Receipts that the worker did not sign in time.",
);
const DOUBTFUL: Metric = Metric::counter(
    "cocoon_proxy_workers_that_remember_more_total",
    "Workers that came with higher totals than this database has.",
);
const FIRST_TOKEN: Metric = Metric::histogram(
    "cocoon_proxy_time_to_first_token_seconds",
    "From the dispatch to a worker to the first part of its answer.",
);
const INTER_TOKEN: Metric = Metric::histogram(
    "cocoon_proxy_inter_token_latency_seconds",
    "Mean time between the tokens of an answer that came in parts.",
);
const REQUEST_TIME: Metric = Metric::histogram(
    "cocoon_proxy_request_seconds",
    "From the arrival of a request to its last message.",
);
const DISK_SYNC: Metric = Metric::histogram(
    "cocoon_proxy_disk_sync_seconds",
    "To make a group of writes durable: one sync of the journal.",
);
const CONNECTIONS: Metric = Metric::gauge("cocoon_proxy_connections", "Connections, by the peer's role.").by(&["peer"]);
const WORKERS: Metric = Metric::gauge(
    "cocoon_proxy_workers",
    "Connected workers by model and state: serving, disabled, or held back by the circuit breaker.",
)
.by(&["model", "state"]);
const SLOTS: Metric = Metric::gauge(
    "cocoon_proxy_slots",
    "Requests that the workers of a model take at once.",
)
.by(&["model"]);
const SLOTS_USED: Metric = Metric::gauge(
    "cocoon_proxy_slots_used",
    "Requests that run at the workers of a model.",
)
.by(&["model"]);
const WAITING: Metric = Metric::gauge(
    "cocoon_proxy_waiting_requests",
    "Requests that wait for a slot of a worker.",
);
const QUOTES: Metric = Metric::counter(
    "cocoon_proxy_quotes_total",
    "Firm quotes that were given, and of these those that were used and those that expired.",
)
.by(&["result"]);
const QUOTED: Metric = Metric::gauge("cocoon_proxy_quoted_slots", "Slots of workers that quotes keep.");
const RESERVED: Metric = Metric::gauge(
    "cocoon_proxy_reserved_tokens",
    "Adjusted tokens that running requests have reserved.",
);
const RESERVATIONS: Metric = Metric::gauge("cocoon_proxy_reservations", "Open reservations.");
const UNSETTLED: Metric = Metric::gauge(
    "cocoon_proxy_unsettled_tokens",
    "Adjusted tokens counted and not settled on chain yet: owed by clients, owed to workers.",
)
.by(&["side"]);
const UNSETTLED_NANOTON: Metric = Metric::gauge(
    "cocoon_proxy_unsettled_nanoton",
    "The same in nanoton, at each side's price.",
)
.by(&["side"]);
const CHAIN_AGE: Metric = Metric::gauge(
    "cocoon_proxy_chain_age_seconds",
    "Age of what is known of the chain, as `[outage]` counts it: since it was read, and how late its blocks were.",
);
const PUBLISHED: Metric = Metric::gauge(
    "cocoon_proxy_published_receipts",
    "Receipts under the newest checkpoint of the published log.",
);
const COSIGNED: Metric = Metric::gauge(
    "cocoon_proxy_checkpoint_witnesses",
    "Witnesses that signed the newest checkpoint.",
);
const COMMITS_BEHIND: Metric = Metric::gauge(
    "cocoon_proxy_state_commits_behind",
    "State commits that were begun and not seen on chain yet.",
);
const CHALLENGES: Metric = Metric::counter(
    "cocoon_proxy_challenges_total",
    "Answers that were asked for once more at another worker: equal, different, not_comparable, skipped.",
)
.by(&["result"]);
const BENCHED: Metric = Metric::gauge(
    "cocoon_proxy_benched_workers",
    "Workers, by owner and model, that get no requests because they answered otherwise than others.",
);
const CONTRADICTED: Metric = Metric::gauge(
    "cocoon_proxy_contradicted",
    "Whether the chain contradicts the database, as it does one that was rolled back: then nobody is served.",
);
const OUTAGE: Metric = Metric::gauge(
    "cocoon_proxy_outage",
    "1 for how the chain stands, 0 for the others: current, on_credit, or drained, when no requests are taken.",
)
.by(&["mode"]);
const CERTIFICATE: Metric = Metric::gauge(
    "cocoon_proxy_certificate_left_seconds",
    "For how long peers accept the certificate of new connections; it is renewed when 8 hours are left.",
);
const WALLET: Metric = Metric::gauge("cocoon_proxy_wallet_nanoton", "What the proxy's wallet holds.");

/// Every figure of a proxy.
pub const METRICS: &[Metric] = &[
    ACCEPTING,
    REQUESTS,
    FAILOVERS,
    BYTES,
    TOKENS,
    EXCESS,
    UNSIGNED,
    DOUBTFUL,
    FIRST_TOKEN,
    INTER_TOKEN,
    REQUEST_TIME,
    DISK_SYNC,
    CONNECTIONS,
    WORKERS,
    SLOTS,
    SLOTS_USED,
    WAITING,
    QUOTES,
    QUOTED,
    RESERVED,
    RESERVATIONS,
    UNSETTLED,
    UNSETTLED_NANOTON,
    CHAIN_AGE,
    COMMITS_BEHIND,
    PUBLISHED,
    COSIGNED,
    CHALLENGES,
    BENCHED,
    CONTRADICTED,
    OUTAGE,
    CERTIFICATE,
    WALLET,
];

pub(super) fn write(proxy: &Proxy, page: &mut Exposition) {
    let flag = |is_true: bool| f64::from(u8::from(is_true));
    page.one(&ACCEPTING, flag(proxy.accepts()));
    requests(proxy, page);
    workers(proxy, page);
    page.one(&WAITING, proxy.workers.waiting() as f64);
    let (quoted, tally) = proxy.quotes.counts();
    page.metric(&QUOTES)
        .sample(&[("result", "given")], tally.given as f64)
        .sample(&[("result", "used")], tally.used as f64)
        .sample(&[("result", "expired")], tally.expired as f64);
    page.one(&QUOTED, quoted as f64);
    money(proxy, page);
    page.one(&CHAIN_AGE, proxy.chain_age.age().as_secs_f64());
    let (published, cosigned) = proxy
        .publication
        .as_ref()
        .map_or((0, 0), |publication| publication.published());
    page.one(&PUBLISHED, published as f64);
    page.one(&COSIGNED, cosigned as f64);
    let challenges = proxy.challenges.tally();
    page.metric(&CHALLENGES)
        .sample(&[("result", "equal")], challenges.equal as f64)
        .sample(&[("result", "different")], challenges.different as f64)
        .sample(&[("result", "not_comparable")], challenges.not_comparable as f64)
        .sample(&[("result", "skipped")], challenges.skipped as f64);
    page.one(&BENCHED, challenges.benched as f64);
    page.one(&CONTRADICTED, flag(proxy.recovery.error().is_some()));
    let mode = proxy.chain_age.mode();
    page.metric(&OUTAGE)
        .sample(&[("mode", "current")], flag(mode == Mode::Current))
        .sample(&[("mode", "on_credit")], flag(mode == Mode::OnCredit))
        .sample(&[("mode", "drained")], flag(mode == Mode::Drained));
    let left = proxy.identities.peek().expires_at().saturating_sub(proxy.clock.now());
    page.one(&CERTIFICATE, left as f64);
    page.one(&WALLET, nanoton(proxy.accounts.seen().wallet.balance) as f64);
}

fn requests(proxy: &Proxy, page: &mut Exposition) {
    let stats = &proxy.stats;
    let c = stats.snapshot();
    page.metric(&REQUESTS)
        .sample(&[("result", "success")], c.success.total())
        .sample(&[("result", "failed")], c.failed.total())
        .sample(&[("result", "rejected")], c.rejected.total());
    page.one(&FAILOVERS, c.failovers.total());
    page.metric(&BYTES)
        .sample(&[("direction", "received")], c.bytes_received.total())
        .sample(&[("direction", "sent")], c.bytes_sent.total());
    let classes = ["total", "prompt", "cached", "completion", "reasoning"];
    let mut tokens = page.metric(&TOKENS);
    for (class, counter) in classes.into_iter().zip(c.tokens) {
        tokens.sample(&[("class", class)], counter.total());
    }
    page.one(&EXCESS, c.excess_tokens.total());
    page.one(&UNSIGNED, c.unsigned_receipts.total());
    page.one(&DOUBTFUL, c.doubtful_workers.total());
    for (metric, seen) in [
        (&FIRST_TOKEN, &stats.first_token),
        (&INTER_TOKEN, &stats.inter_token),
        (&REQUEST_TIME, &stats.request_time),
        (&DISK_SYNC, &*proxy.books.disk_sync),
    ] {
        page.metric(metric).distribution(&[], seen);
    }
}

/// The workers of one model.
#[derive(Default)]
struct OfModel {
    serving: u32,
    disabled: u32,
    held_back: u32,
    slots: u64,
    used: u64,
}

fn workers(proxy: &Proxy, page: &mut Exposition) {
    let peers = proxy.workers.views();
    page.metric(&CONNECTIONS)
        .sample(&[("peer", "client")], proxy.clients.all().len() as f64)
        .sample(&[("peer", "worker")], peers.len() as f64);
    // The root contract lists every model, so they are few.
    let mut models: BTreeMap<&str, OfModel> = BTreeMap::new();
    for (peer, state) in &peers {
        let model = models.entry(peer.model.base()).or_default();
        model.slots += u64::from(state.slots);
        model.used += u64::from(state.running);
        match (state.is_enabled && !state.is_draining, state.is_held_back) {
            (false, _) => model.disabled += 1,
            (true, true) => model.held_back += 1,
            (true, false) => model.serving += 1,
        }
    }
    let mut samples = page.metric(&WORKERS);
    for (name, of) in &models {
        for (state, count) in [
            ("serving", of.serving),
            ("disabled", of.disabled),
            ("held_back", of.held_back),
        ] {
            samples.sample(&[("model", name), ("state", state)], f64::from(count));
        }
    }
    let mut samples = page.metric(&SLOTS);
    for (name, of) in &models {
        samples.sample(&[("model", name)], of.slots as f64);
    }
    let mut samples = page.metric(&SLOTS_USED);
    for (name, of) in &models {
        samples.sample(&[("model", name)], of.used as f64);
    }
}

/// Tokens of one side that are not settled.
#[derive(Default)]
struct Owed {
    tokens: u64,
    nanoton: u64,
}

impl Owed {
    fn add(&mut self, tokens: TokenCount, price: Option<Nanoton>) {
        self.tokens = self.tokens.saturating_add(tokens.get());
        let amount = price.and_then(|price| price.checked_mul(tokens.get()));
        self.nanoton = self.nanoton.saturating_add(amount.map_or(0, nanoton));
    }
}

fn money(proxy: &Proxy, page: &mut Exposition) {
    let (mut reserved, mut open) = (0u64, 0usize);
    let (mut clients, mut workers) = (Owed::default(), Owed::default());
    let behind = {
        let ledger = proxy.books.ledger();
        for (_, channel) in ledger.clients() {
            reserved = reserved.saturating_add(channel.reserved().get());
            open = open.saturating_add(channel.running());
            let seen = channel.on_chain.as_ref();
            let charged = seen.map_or(TokenCount::ZERO, |seen| seen.tokens_used);
            let owed = channel.account.max().saturating_sub(charged);
            clients.add(owed, seen.map(|seen| seen.price));
        }
        for (_, channel) in ledger.workers() {
            let seen = channel.on_chain.as_ref();
            let paid = seen.map_or(TokenCount::ZERO, |seen| seen.tokens);
            let owed = channel.account.max().saturating_sub(paid);
            workers.add(owed, seen.map(|seen| seen.worker_fee));
        }
        let commits = ledger.commits();
        commits.seqno().saturating_sub(commits.landed_seqno())
    };
    page.one(&RESERVED, reserved as f64);
    page.one(&RESERVATIONS, open as f64);
    page.metric(&UNSETTLED)
        .sample(&[("side", "clients")], clients.tokens as f64)
        .sample(&[("side", "workers")], workers.tokens as f64);
    page.metric(&UNSETTLED_NANOTON)
        .sample(&[("side", "clients")], clients.nanoton as f64)
        .sample(&[("side", "workers")], workers.nanoton as f64);
    page.one(&COMMITS_BEHIND, f64::from(behind));
}
