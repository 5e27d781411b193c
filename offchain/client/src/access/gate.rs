//! Who is let in: keys as they stand in their file, and what each has used of its rates.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::SystemTime;

use axum::http::{HeaderMap, Method, Uri, header};
use cocoon_ratls::SharedClock;
use tokio::time::Instant;

use super::config::AccessConfig;
use super::forwarded::Forwarded;
use super::keys::{ApiKey, EndpointName, KeysError, KeysFile, PREFIX, Scope, hash};
use super::origin;
use super::rates::{Busy, Rates};
use super::refusal::{Refusal, Refusals, Why};
use crate::error::ClientError;
use crate::limits::KEYS_LOOK_EVERY;

/// Everything that decides whom a client answers.
pub(crate) struct Gate {
    listen: SocketAddr,
    allowed_hosts: Vec<String>,
    needs_key: bool,
    path: PathBuf,
    keys: RwLock<Arc<Keys>>,
    looked: Mutex<Instant>,
    rates: Mutex<HashMap<String, Rates>>,
    begun: Instant,
    clock: SharedClock,
    pub(crate) refusals: Refusals,
    /// Requests without a key that a proxy sent on.
    pub(crate) forwarded: Forwarded,
}

/// The keys of one state of the file.
#[derive(Debug, Default)]
struct Keys {
    by_hash: HashMap<String, Arc<ApiKey>>,
    stamp: Option<Stamp>,
}

/// By what it is seen that the file has changed: it is replaced, never written over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    #[cfg(unix)]
    inode: u64,
}

/// Who asks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    /// Its key; without one it asks from this machine, or over the administration socket.
    pub(crate) key: Option<Arc<ApiKey>>,
}

impl Caller {
    /// Under which its idempotency keys and accounts go.
    pub(crate) fn scope(&self) -> &str {
        self.key.as_ref().map_or("", |key| &key.hash)
    }
}

/// What a path needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// Nothing: it says no more than that a client is here.
    Nothing,
    Scope(Scope),
    Endpoint(EndpointName),
}

impl Need {
    fn of(method: &Method, path: &str) -> Self {
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        match path {
            "/health" | "/" if is_read => Self::Nothing,
            // The page that the client serves: it asks for a key when it needs one.
            _ if is_read && path.starts_with("/assets/") => Self::Nothing,
            "/v1/cocoon/quote" => Self::Scope(Scope::Inference),
            "/v1/messages/count_tokens" => Self::Scope(Scope::Inference),
            _ if is_read => Self::Scope(Scope::Read),
            _ => EndpointName::at(path).map_or(Self::Scope(Scope::Wallet), Self::Endpoint),
        }
    }
}

impl Gate {
    /// Reads the keys. An address that others reach is not opened without any.
    pub(crate) fn open(
        config: &AccessConfig,
        path: PathBuf,
        listen: SocketAddr,
        clock: SharedClock,
    ) -> Result<Self, ClientError> {
        let keys = read(&path)?;
        let is_local = listen.ip().is_loopback();
        let now = clock.now();
        if !is_local && !keys.by_hash.values().any(|key| key.is_usable(now)) {
            return Err(ClientError::NoKeys { listen, path });
        }
        let begun = Instant::now();
        Ok(Self {
            listen,
            allowed_hosts: config.allowed_hosts.clone(),
            needs_key: config.require_keys || !is_local,
            path,
            keys: RwLock::new(Arc::new(keys)),
            looked: Mutex::new(begun),
            rates: Mutex::default(),
            begun,
            clock,
            refusals: Refusals::default(),
            forwarded: Forwarded::default(),
        })
    }

    /// Lets a caller in, or says why not.
    pub(crate) fn admit(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let need = Need::of(method, uri.path());
        // What watches a machine calls it by any name.
        if uri.path() != "/health" {
            origin::check(self.listen, &self.allowed_hosts, uri, headers)?;
        }
        if need == Need::Nothing {
            return Ok(Caller::default());
        }
        let Some(key) = self.identify(headers)? else {
            if let Some(header) = self.forwarded.see(headers) {
                tracing::warn!(
                    header,
                    hint = "set require_keys = true under [access], and give its callers keys",
                    "a proxy sends requests of others on to this client, which asks for no key on loopback: whoever reaches \
                     that proxy asks at this client's cost"
                );
            }
            return Ok(Caller::default());
        };
        let scope = match need {
            Need::Scope(scope) => scope,
            Need::Endpoint(_) | Need::Nothing => Scope::Inference,
        };
        if !key.is_for(scope) {
            let text = format!("This API key is not for that: it lacks the scope {}.", scope.name());
            return Err(Refusal::new(Why::Scope, text));
        }
        if let Need::Endpoint(endpoint) = need
            && !key.allows_endpoint(endpoint)
        {
            let text = format!("This API key may not use the endpoint {}.", endpoint.name());
            return Err(Refusal::new(Why::Model, text));
        }
        let (now, per_minute) = (self.now(), key.limits.requests_per_minute);
        let taken = self.rates(&key, |rates| rates.request(per_minute, now));
        taken.map_err(|busy| {
            let text = "This API key has made as many requests as it may in a minute.";
            waiting(Why::Requests, text, busy)
        })?;
        Ok(Caller { key: Some(key) })
    }

    /// The key that a request shows. `None`: it needs none and shows none.
    fn identify(&self, headers: &HeaderMap) -> Result<Option<Arc<ApiKey>>, Refusal> {
        let secret = secret_of(headers);
        let secret = match secret {
            Some(secret) if self.needs_key || secret.starts_with(PREFIX) => secret,
            // Without need of keys any word does: packages insist on sending one.
            _ if !self.needs_key => return Ok(None),
            _ => {
                let text = "This client needs an API key, as \"Authorization: Bearer ck-...\" or in x-api-key.";
                return Err(Refusal::new(Why::NoKey, text));
            }
        };
        let hash = hash(secret);
        let find = |keys: Arc<Keys>| keys.by_hash.get(&hash).cloned();
        // A key that was made just now counts at once.
        let found = find(self.keys(false)).or_else(|| find(self.keys(true)));
        // One sentence for all, so that nobody learns which keys there were.
        let usable = found.filter(|key| key.is_usable(self.clock.now()));
        let text = "The API key is not known here, has expired or was revoked.";
        usable.map(Some).ok_or_else(|| Refusal::new(Why::BadKey, text))
    }

    /// Whether a caller may ask a model, and a place among its requests at once.
    pub(crate) fn begin(self: &Arc<Self>, caller: &Caller, model: &str) -> Result<Option<Place>, Refusal> {
        let Some(key) = &caller.key else { return Ok(None) };
        if !key.allows_model(model) {
            return Err(Refusal::new(Why::Model, "This API key may not use that model."));
        }
        let most = key.limits.concurrency;
        if !self.rates(key, |rates| rates.begin(most)) {
            let text = "This API key has as many requests running as it may.";
            return Err(Refusal::new(Why::Concurrency, text).after(1));
        }
        Ok(Some(Place {
            gate: Arc::clone(self),
            key: Arc::clone(key),
        }))
    }

    /// Takes tokens of a caller's minute.
    pub(crate) fn take_tokens(&self, caller: &Caller, tokens: u64) -> Result<(), Refusal> {
        let Some(key) = &caller.key else { return Ok(()) };
        let (now, per_minute) = (self.now(), key.limits.tokens_per_minute);
        let taken = self.rates(key, |rates| rates.tokens(per_minute, tokens, now));
        taken.map_err(|busy| {
            let text =
                format!("The request may use {tokens} tokens, and this API key has no more of them in this minute.");
            waiting(Why::Tokens, &text, busy)
        })
    }

    /// Gives back what a request did not use.
    pub(crate) fn give_back_tokens(&self, caller: &Caller, tokens: u64) {
        if let Some(key) = caller.key.as_ref().filter(|key| key.limits.tokens_per_minute.is_some()) {
            self.rates(key, |rates| rates.unused(tokens));
        }
    }

    /// All keys, as the file has them now.
    pub(crate) fn all(&self) -> Vec<Arc<ApiKey>> {
        self.keys(true).by_hash.values().cloned().collect()
    }

    /// The keys, read again when the file has changed: looked at when it is time, or now.
    fn keys(&self, now: bool) -> Arc<Keys> {
        let known = || Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner));
        {
            let mut looked = lock(&self.looked);
            if !now && looked.elapsed() < KEYS_LOOK_EVERY {
                return known();
            }
            *looked = Instant::now();
        }
        let old = known();
        let stamp = stamp(&self.path);
        if stamp == old.stamp {
            return old;
        }
        let keys = match read(&self.path) {
            Ok(keys) => {
                tracing::info!(keys = keys.by_hash.len(), "API keys read again");
                keys
            }
            Err(error) => {
                tracing::warn!(%error, hint = error.hint(), "API keys cannot be read again, the old ones stay");
                // Told once of each state of the file.
                let by_hash = old.by_hash.clone();
                Keys { by_hash, stamp }
            }
        };
        let keys = Arc::new(keys);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&keys);
        keys
    }

    fn rates<T>(&self, key: &ApiKey, work: impl FnOnce(&mut Rates) -> T) -> T {
        let mut rates = lock(&self.rates);
        if let Some(rates) = rates.get_mut(&key.hash) {
            return work(rates);
        }
        work(rates.entry(key.hash.clone()).or_default())
    }

    /// Milliseconds since the start.
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A place among a key's requests at once; given back when dropped.
pub(crate) struct Place {
    gate: Arc<Gate>,
    key: Arc<ApiKey>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gate.rates(&self.key, Rates::end);
    }
}

fn waiting(why: Why, text: &str, busy: Busy) -> Refusal {
    match busy {
        Busy::Wait(ms) => Refusal::new(why, text).after(ms.div_ceil(1000)),
        Busy::Never => Refusal::new(Why::TooLarge, text),
    }
}

/// The secret that a request shows: as OpenAI's packages send it, or as Anthropic's.
fn secret_of(headers: &HeaderMap) -> Option<&str> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &axum::http::HeaderValue| value.to_str().ok())
    };
    let bearer = text(header::AUTHORIZATION.as_str()).and_then(|value| {
        let (kind, secret) = value.split_once(' ')?;
        kind.eq_ignore_ascii_case("bearer").then(|| secret.trim())
    });
    bearer
        .or_else(|| text("x-api-key").map(str::trim))
        .filter(|secret| !secret.is_empty())
}

fn read(path: &Path) -> Result<Keys, KeysError> {
    // Before the content: a change in between is then seen at the next look.
    let stamp = stamp(path);
    let file = KeysFile::load(path)?;
    let by_hash = file.keys.into_iter().map(|key| (key.hash.clone(), Arc::new(key)));
    Ok(Keys {
        by_hash: by_hash.collect(),
        stamp,
    })
}

fn stamp(path: &Path) -> Option<Stamp> {
    let about = std::fs::metadata(path).ok()?;
    Some(Stamp {
        modified: about.modified().ok(),
        length: about.len(),
        #[cfg(unix)]
        inode: std::os::unix::fs::MetadataExt::ino(&about),
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
