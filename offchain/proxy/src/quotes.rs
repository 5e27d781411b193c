//! Firm quotes: a slot of a worker and the tokens for one request, kept for a client for a while, at a price that is signed.
//!
//! A quote is kept in memory alone: one that a restart has forgotten is "not known" and costs nobody anything.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cocoon_bindings::ton::Address;
use cocoon_bindings::units::Coefficient;
use cocoon_market::{NoQuote, QuoteFault, QuoteId, Quotes, Tally};
use cocoon_protocol::codec::encode;
use cocoon_protocol::extension::{GetQuote, Quote, QuoteTerms};
use cocoon_protocol::{ErrorCode, quote};
use ed25519_dalek::Signer as _;
use tokio::time::{Instant, sleep};

use crate::client::ClientPeer;
use crate::request::{Failure, Request};
use crate::reserve::{self, Reserved};
use crate::route;
use crate::state::Proxy;
use crate::workers::Lease;

/// What is kept for a client.
struct Kept {
    lease: Lease,
    /// Nobody is given quotes that it could not pay. Given back when the quote is used: a request reserves for itself.
    _reserved: Reserved,
    max_tokens: u64,
    query_bytes: u64,
}

impl Kept {
    /// Whether a request asks for no more than was quoted.
    fn fits(&self, request: &Request) -> Result<(), QuoteFault> {
        if self.lease.worker.model.base() != request.model {
            Err(QuoteFault::Other("it names another model"))
        } else if request.max_tokens > self.max_tokens {
            Err(QuoteFault::Other("it asks for more tokens than were quoted"))
        } else if request.query.len() as u64 > self.query_bytes {
            Err(QuoteFault::Other("it is longer than was quoted"))
        } else {
            Ok(())
        }
    }
}

/// The quotes of all clients.
pub(crate) struct QuoteDesk {
    quotes: Mutex<Quotes<Address, Kept>>,
    started: Instant,
}

impl Default for QuoteDesk {
    fn default() -> Self {
        Self {
            quotes: Mutex::default(),
            started: Instant::now(),
        }
    }
}

impl QuoteDesk {
    /// Slots that are kept now, and what came of all quotes so far.
    pub(crate) fn counts(&self) -> (usize, Tally) {
        let quotes = self.lock();
        (quotes.held(), quotes.tally())
    }

    /// Ends the quotes whose time is over; their slots are free.
    fn expire(&self) {
        let ended = self.lock().expire(self.now());
        // Not under the lock: their leases wake requests that wait.
        drop(ended);
    }

    /// Ends all quotes: the proxy stops, and what they keep must not keep it.
    pub(crate) fn end_all(&self) {
        let ended = self.lock().end_all();
        drop(ended);
    }

    /// The request that used a quote was charged.
    pub(crate) fn paid(&self, id: &QuoteId) {
        self.lock().paid(id);
    }

    fn now(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    fn lock(&self) -> MutexGuard<'_, Quotes<Address, Kept>> {
        self.quotes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a slot and tokens for a client, and signs what it may expect. Never waits: there is a free slot, or a refusal.
pub(crate) fn issue(proxy: &Arc<Proxy>, client: &ClientPeer, ask: &GetQuote) -> Result<Quote, Failure> {
    let bad = |_| Failure::new(ErrorCode::BadRequest, "a number of the question is negative");
    let max_tokens = u64::try_from(ask.max_tokens).map_err(bad)?;
    let query_bytes = u64::try_from(ask.query_bytes).map_err(bad)?;
    let ceiling = Coefficient::new(u32::try_from(ask.max_coefficient).map_err(bad)?);
    let life = Duration::try_from_secs_f64(proxy.live.get().routing.quote_seconds).unwrap_or_default();
    if life.is_zero() {
        return Err(Failure::new(ErrorCode::NotReady, "this proxy gives no quotes"));
    }
    let tokens = reserve::amount(client, max_tokens, query_bytes, ceiling)?;
    let reserved = reserve::hold(proxy, client, max_tokens, tokens)?;
    route::admit(proxy, client, tokens.get())?;
    let model = ask.model.split('@').next().unwrap_or_default();
    proxy.quotes.expire();
    let id: QuoteId = rand::random();
    let (worker, coefficient) = {
        let mut quotes = proxy.quotes.lock();
        let now = proxy.quotes.now();
        quotes.may_hold(&client.contract, now).map_err(no_quote)?;
        let may_keep = |worker, slots| quotes.may_keep_of(worker, slots);
        let held = proxy.workers.hold(model, ceiling, &client.instance.contract, may_keep);
        let lease = held.map_err(route::failure)?;
        let kept = (Arc::clone(&lease.worker), lease.coefficient);
        let worker = lease.worker.id;
        let offer = Kept {
            lease,
            _reserved: reserved,
            max_tokens,
            query_bytes,
        };
        quotes.hold(
            id,
            client.contract.clone(),
            worker,
            offer,
            (now, now + life.as_secs_f64()),
        );
        kept
    };
    let desk = Arc::clone(proxy);
    proxy.shutdown.spawn_until_stop(async move {
        sleep(life).await;
        desk.quotes.expire();
    });
    let issued_ms = proxy.unix_ms();
    let ends_ms = issued_ms.saturating_add(u64::try_from(life.as_millis()).unwrap_or(u64::MAX));
    let time = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    let instance = &client.instance;
    let terms = encode(&QuoteTerms {
        quote_id: id,
        proxy_sc_address: instance.text(&instance.contract),
        client_sc_address: instance.text(&client.contract),
        model: worker.model.to_string(),
        worker_evidence: worker.evidence.0,
        coefficient: i32::try_from(coefficient.get()).unwrap_or(i32::MAX),
        max_tokens: ask.max_tokens,
        first_token_seconds: proxy.workers.first_token_seconds(worker.id),
        issued_ms: time(issued_ms),
        expires_ms: time(ends_ms),
    });
    let signature = proxy.books.key().sign(&quote::signed_bytes(&terms)).to_bytes();
    Ok(Quote {
        terms,
        signature: Bytes::copy_from_slice(&signature),
    })
}

/// The slot that was kept for a request of this client.
pub(crate) fn redeem(proxy: &Proxy, client: &ClientPeer, request: &Request, id: &QuoteId) -> Result<Lease, Failure> {
    let desk = &proxy.quotes;
    let redeemed = desk
        .lock()
        .redeem(id, &client.contract, desk.now(), |kept| kept.fits(request));
    let Kept { mut lease, .. } = redeemed.map_err(|fault| {
        let code = match fault {
            QuoteFault::Unknown => ErrorCode::QuoteUnknown,
            QuoteFault::Used => ErrorCode::QuoteUsed,
            QuoteFault::Expired => ErrorCode::QuoteExpired,
            _ => ErrorCode::BadRequest,
        };
        Failure::new(code, fault.to_string())
    })?;
    lease.begin();
    Ok(lease)
}

fn no_quote(why: NoQuote) -> Failure {
    let seconds = match why {
        NoQuote::Client { seconds } => u32::try_from(seconds).unwrap_or(u32::MAX),
        NoQuote::All => 1,
    };
    Failure {
        retry_after: Some(seconds),
        ..Failure::new(ErrorCode::TooManyRequests, "too many quotes are open")
    }
}
