//! Requests with an idempotency key: each runs once, whoever asks again gets what it gave.
//!
//! On disk is only that a request has left: hashes of its key and its body, its name, and that it ended. Its answer is kept in
//! memory, bounded in bytes and time. So after a crash it is known that a request was run, and by its name whether there is a
//! receipt; it is never run again.

mod ticket;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use cocoon_bindings::ton::HashBytes;
use cocoon_openai::ApiError;
use cocoon_ratls::SharedClock;
use cocoon_receipt::ReceiptId;
use cocoon_store::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use self::ticket::Fate;
pub(crate) use self::ticket::Ticket;
use super::durable::{Rows, Unwritten};
use super::recording::Recording;
use crate::limits::{ANSWERS_KEPT, IDEMPOTENCY_KEPT, MAX_IDEMPOTENCY_KEYS, MAX_KEPT_ANSWERS_BYTES};

/// Code of the error that refuses a new key because all places are taken.
pub(crate) const EXHAUSTED: &str = "idempotency_keys_exhausted";

/// SHA-256 over whose key it is and what it says.
type Id = [u8; 32];

/// The requests with idempotency keys that are remembered.
pub(crate) struct Answers {
    inner: Mutex<Inner>,
    rows: Arc<Rows>,
    clock: SharedClock,
    /// Keys that are remembered at most.
    most: usize,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<Id, Entry>,
    by_age: BTreeSet<(u64, Id)>,
    /// How many each caller has, those without any left out.
    by_owner: HashMap<Id, usize>,
    /// Those whose answers are kept, by when they ended.
    kept: VecDeque<(u64, Id)>,
    /// Bytes of these answers.
    bytes: usize,
    /// Places on disk that were ever used, and those that are free.
    places: u32,
    free: Vec<u32>,
}

struct Entry {
    owner: Id,
    body: [u8; 32],
    since: u64,
    state: State,
    place: Option<u32>,
    recording: Option<Arc<Recording>>,
    ticket: Option<Arc<Ticket>>,
    request: Option<[u8; 32]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    /// It ended; Unix seconds.
    Ended(u64),
    /// It had left when the client ended.
    Unknown,
}

/// What is on disk of one.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: HashBytes,
    /// SHA-256 of who asked; versions before did not say.
    #[serde(default)]
    owner: HashBytes,
    body: HashBytes,
    request: HashBytes,
    since: u64,
    ended: bool,
}

/// What becomes of a request with an idempotency key.
pub(crate) enum Found {
    /// It is the first: it runs, and is written down here.
    First(Arc<Recording>, Arc<Ticket>),
    /// It runs, or has run; the receipt if it is known.
    Again(Arc<Recording>, Option<ReceiptId>),
}

impl Answers {
    /// Takes over what is on disk.
    pub(crate) fn open(rows: Arc<Rows>, clock: SharedClock) -> Result<Arc<Self>, StoreError> {
        Self::open_for(rows, clock, MAX_IDEMPOTENCY_KEYS)
    }

    fn open_for(rows: Arc<Rows>, clock: SharedClock, most: usize) -> Result<Arc<Self>, StoreError> {
        let mut inner = Inner::default();
        let now = clock.now();
        while let Some(row) = rows.read::<Option<Row>>(&row_name(inner.places))? {
            let place = inner.places;
            inner.places += 1;
            match row.filter(|row| now < row.since.saturating_add(IDEMPOTENCY_KEPT.as_secs())) {
                None => inner.free.push(place),
                // Versions before forgot some before their time, which ran again: of two the newer one counts.
                Some(row) if inner.is_newer(&row) => inner.free.push(place),
                Some(row) => {
                    inner.remove(&row.id.0);
                    let entry = Entry {
                        owner: row.owner.0,
                        body: row.body.0,
                        since: row.since,
                        state: if row.ended {
                            State::Ended(row.since)
                        } else {
                            State::Unknown
                        },
                        place: Some(place),
                        recording: None,
                        ticket: None,
                        request: Some(row.request.0),
                    };
                    inner.insert(row.id.0, entry);
                }
            }
        }
        Ok(Arc::new(Self {
            inner: Mutex::new(inner),
            rows,
            clock,
            most,
        }))
    }

    /// Looks what a key stands for. `scope`: whose it is; `about`: the path and the body.
    pub(crate) fn find(self: &Arc<Self>, scope: &str, key: &[u8], about: [&[u8]; 2]) -> Result<Found, ApiError> {
        let (id, body) = (digest([scope.as_bytes(), key]), digest(about));
        let owner: Id = Sha256::digest(scope).into();
        let now = self.clock.now();
        let mut inner = lock(&self.inner);
        inner.forget(now);
        if let Some(entry) = inner.entries.get(&id) {
            if entry.body != body {
                let text = "This idempotency key was used for another request: the body or the path differs.";
                return Err(ApiError::idempotency_key_reused(text));
            }
            if let Some(recording) = &entry.recording {
                let receipt = entry.ticket.as_ref().and_then(|ticket| ticket.receipt.get().copied());
                return Ok(Found::Again(Arc::clone(recording), receipt));
            }
            let (state, request) = (entry.state, entry.request);
            drop(inner);
            return Err(self.gone(state, request));
        }
        // A caller has at most as many as are still free, so that one that takes all that it gets leaves some to the others.
        let free = self.most.saturating_sub(inner.entries.len());
        if inner.by_owner.get(&owner).copied().unwrap_or(0) >= free {
            return Err(exhausted(inner.oldest_ends(), now));
        }
        let recording = Recording::new();
        let ticket = Arc::new(Ticket {
            id,
            answers: Arc::downgrade(self),
            fate: Mutex::new(Fate::Nothing),
            receipt: OnceLock::new(),
        });
        let entry = Entry {
            owner,
            body,
            since: now,
            state: State::Running,
            place: None,
            recording: Some(Arc::clone(&recording)),
            ticket: Some(Arc::clone(&ticket)),
            request: None,
        };
        inner.insert(id, entry);
        Ok(Found::First(recording, ticket))
    }

    /// Why there is no answer of a request that was run.
    fn gone(&self, state: State, request: Option<[u8; 32]>) -> ApiError {
        let stored = request.map(|request| self.rows.look(|store| store.by_request(&HashBytes(request))));
        let receipt = match stored {
            Some(Ok(Some(stored))) => format!(" Its receipt is {}.", stored.receipt.id()),
            _ => String::new(),
        };
        let request = request.map_or(String::new(), |request| {
            format!(" The request was {}.", hex::encode(request))
        });
        let about = |text: &str| format!("{text} It is not run again.{request}{receipt}");
        match state {
            State::Ended(_) => ApiError::answer_not_kept(about(
                "The request with this idempotency key was answered, and the answer is no longer kept.",
            )),
            State::Unknown | State::Running => ApiError::outcome_unknown(about(
                "The request with this idempotency key had left when this client ended, and its outcome is not known.",
            )),
        }
    }

    fn left(&self, id: &Id, request: &[u8; 32]) {
        let mut inner = lock(&self.inner);
        let place = match inner.entries.get(id).map(|entry| entry.place) {
            None => return,
            Some(Some(place)) => place,
            Some(None) => inner.place(),
        };
        if let Some(entry) = inner.entries.get_mut(id) {
            entry.place = Some(place);
            entry.request = Some(*request);
            self.put(id, entry, false);
        }
    }

    /// Says whether something is to be written to disk.
    fn ends(&self, id: &Id, fate: Fate, recording: &Recording) -> bool {
        let now = self.clock.now();
        let mut inner = lock(&self.inner);
        if fate == Fate::Nothing {
            let place = inner.remove(id);
            if let Some(place) = place {
                self.rows.put(row_name(place), serde_json::Value::Null);
            }
            return place.is_some();
        }
        inner.bytes += recording.bytes();
        if let Some(entry) = inner.entries.get_mut(id) {
            entry.state = State::Ended(now);
            self.put(id, entry, true);
        }
        inner.kept.push_back((now, *id));
        inner.drop_answers(|_, bytes| bytes > MAX_KEPT_ANSWERS_BYTES);
        true
    }

    fn put(&self, id: &Id, entry: &Entry, ended: bool) {
        let (Some(place), Some(request)) = (entry.place, entry.request) else {
            return;
        };
        let row = Row {
            id: HashBytes(*id),
            owner: HashBytes(entry.owner),
            body: HashBytes(entry.body),
            request: HashBytes(request),
            since: entry.since,
            ended,
        };
        self.rows.put(row_name(place), json!(row));
    }

    /// Waits until what was said is on disk.
    pub(crate) async fn flush(&self) -> Result<(), Unwritten> {
        self.rows.flush().await
    }
}

impl Inner {
    /// Whether what is known of a row's key is newer.
    fn is_newer(&self, row: &Row) -> bool {
        let known = self.entries.get(&row.id.0);
        known.is_some_and(|known| known.since > row.since)
    }

    /// A place on disk.
    fn place(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.places += 1;
            self.places - 1
        })
    }

    fn insert(&mut self, id: Id, entry: Entry) {
        self.by_age.insert((entry.since, id));
        *self.by_owner.entry(entry.owner).or_default() += 1;
        self.entries.insert(id, entry);
    }

    /// Forgets one; its place on disk is free.
    fn remove(&mut self, id: &Id) -> Option<u32> {
        let entry = self.entries.remove(id)?;
        self.by_age.remove(&(entry.since, *id));
        if let Some(count) = self.by_owner.get_mut(&entry.owner) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_owner.remove(&entry.owner);
            }
        }
        if entry.state != State::Running {
            let bytes = entry.recording.map_or(0, |recording| recording.bytes());
            self.bytes = self.bytes.saturating_sub(bytes);
        }
        self.free.extend(entry.place);
        entry.place
    }

    /// Forgets keys whose time is over and that do not run; answers whose time is over are dropped.
    fn forget(&mut self, now: u64) {
        loop {
            let mut candidates = self.by_age.iter().filter(|(_, id)| {
                let state = self.entries.get(id).map(|entry| entry.state);
                state != Some(State::Running)
            });
            match candidates.next().copied() {
                Some((since, id)) if now >= ends(since) => self.remove(&id),
                _ => break,
            };
        }
        self.drop_answers(|at, _| now >= at.saturating_add(ANSWERS_KEPT.as_secs()));
    }

    /// When the oldest may be forgotten, Unix seconds.
    fn oldest_ends(&self) -> u64 {
        self.by_age.first().map_or(0, |(since, _)| ends(*since))
    }

    /// Drops answers, the oldest first, while something holds of when one ended and of the bytes of all.
    fn drop_answers(&mut self, is_over: impl Fn(u64, usize) -> bool) {
        while let Some((at, id)) = self.kept.front().copied()
            && is_over(at, self.bytes)
        {
            self.kept.pop_front();
            // One that was forgotten and asked anew is another one.
            let entry = self
                .entries
                .get_mut(&id)
                .filter(|entry| entry.state == State::Ended(at));
            if let Some(entry) = entry {
                let bytes = entry.recording.take().map_or(0, |recording| recording.bytes());
                entry.ticket = None;
                self.bytes = self.bytes.saturating_sub(bytes);
            }
        }
    }
}

/// When a key may be forgotten that was first seen at a time, Unix seconds.
fn ends(since: u64) -> u64 {
    since.saturating_add(IDEMPOTENCY_KEPT.as_secs())
}

/// Nothing new is taken until a time: what is remembered is not forgotten for it.
fn exhausted(until: u64, now: u64) -> ApiError {
    let seconds = u32::try_from(until.saturating_sub(now).max(1)).unwrap_or(u32::MAX);
    let text = "This client remembers as many idempotency keys as it may. Keys that it knows go on working; without one the request can \
                be sent now.";
    ApiError {
        code: EXHAUSTED,
        retry_after: Some(seconds),
        ..ApiError::rate_limited(text)
    }
}

/// Of parts whose borders count.
fn digest(parts: [&[u8]; 2]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn row_name(place: u32) -> String {
    format!("idempotency/{place}")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
