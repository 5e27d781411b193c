//! Collateral from a service, in the background: for the families that the configuration names and for those that peers
//! showed. No handshake waits for it; a peer whose family is not known yet is refused and may come again.
//!
//! What the service says is not believed: each part of its documents is signed, which is checked here and again, with the
//! platform, for each quote. A part counts only when it is newer than that which is known. So a service that lies, or a
//! disk that forgets, can hold back news for as long as what it shows instead holds (about 30 days), and make no peer be
//! accepted otherwise; `min_evaluation` of the policy file narrows that to one judgement.

mod cache;
mod document;
mod problem;
mod schedule;
mod service;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cocoon_attest::{Endorsements, PlatformFamily, TrustRoots};
use cocoon_ratls::{SharedClock, TrustStore};
use tokio::sync::watch;

use crate::RunnerError;
use crate::config::CollateralServiceConfig;
use crate::limits::{COLLATERAL_EXPIRY_WARNING_SECONDS, COLLATERAL_PAUSE, COLLATERAL_TICK};

use self::cache::Cache;
use self::problem::Problem;
use self::schedule::Schedule;
use self::service::Service;

/// How the work is spread over time; tests take shorter ones.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Between two families.
    pause: Duration,
    /// Between two looks at the clock.
    tick: Duration,
}

/// Fetches collateral and keeps it current.
pub(super) struct Prefetch {
    service: Service,
    cache: Option<Cache>,
    schedule: Schedule,
    documents: BTreeMap<PlatformFamily, Fetched>,
    roots: TrustRoots,
    pace: Pace,
    clock: SharedClock,
}

/// One document, of parts that were fetched.
#[derive(Clone)]
struct Fetched {
    endorsements: Endorsements,
    /// When it holds, Unix seconds, the end excluded.
    window: (u64, u64),
    /// Unix seconds.
    fetched_at: u64,
}

impl Fetched {
    /// A document that is of this family and signed under one of `roots`.
    fn new(family: &PlatformFamily, json: &str, roots: &TrustRoots, fetched_at: u64) -> Result<Self, Problem> {
        let endorsements = Endorsements::none().with_json(json)?;
        let window = endorsements.window(family).ok_or(Problem::OtherFamily)?;
        endorsements.check_signatures(roots)?;
        Ok(Self {
            endorsements,
            window,
            fetched_at,
        })
    }

    /// Itself, if all of it holds now.
    fn holding(self, now: u64) -> Result<Self, Problem> {
        let (not_before, not_after) = self.window;
        if (not_before..not_after).contains(&now) {
            Ok(self)
        } else {
            Err(Problem::Window { not_before, not_after })
        }
    }

    /// The newest parts of both, or what is wrong when `self` has none that `held` does not have.
    fn beside(self, held: &Self, family: &PlatformFamily, now: u64) -> Result<Self, Problem> {
        let endorsements = held.endorsements.clone().renewed(&self.endorsements, now)?;
        // Of another root than what is held, and of one that is trusted now.
        if endorsements.texts().count() > 1 {
            return Ok(self);
        }
        if endorsements.texts().eq(held.endorsements.texts()) && !self.says_the_same(held) {
            return Err(Problem::Older);
        }
        let window = endorsements.window(family).ok_or(Problem::OtherFamily)?;
        Ok(Self {
            endorsements,
            window,
            fetched_at: self.fetched_at,
        })
    }

    fn says_the_same(&self, other: &Self) -> bool {
        self.endorsements.texts().eq(other.endorsements.texts())
    }
}

impl Prefetch {
    /// Reads the cache; asks the service nothing yet. Documents must be signed under one of `roots`.
    pub(super) fn load(
        config: &CollateralServiceConfig,
        roots: TrustRoots,
        clock: SharedClock,
    ) -> Result<Self, RunnerError> {
        let service = Service::new(config)?;
        let mut configured = Vec::new();
        for family in &config.fmspc {
            configured.push(
                family
                    .parse()
                    .map_err(|error: cocoon_attest::AttestError| RunnerError::ConfigValue {
                        key: "attestation.collateral_service.fmspc".to_owned(),
                        problem: error.to_string(),
                    })?,
            );
        }
        let now = clock.now();
        let mut schedule = Schedule::new(&configured, now)?;
        let cache = config.cache.as_deref().map(Cache::open).transpose()?;
        let mut documents = BTreeMap::new();
        for (family, fetched) in cache.iter().flat_map(|cache| cache.load(&roots, now)) {
            if schedule.want(family, now) {
                schedule.succeeded(&family, fetched.window, fetched.fetched_at);
                documents.insert(family, fetched);
            }
        }
        Ok(Self {
            service,
            cache,
            schedule,
            documents,
            roots,
            pace: Pace {
                pause: COLLATERAL_PAUSE,
                tick: COLLATERAL_TICK,
            },
            clock,
        })
    }

    /// All that is known.
    pub(super) fn endorsements(&self) -> Endorsements {
        let all = self.documents.values();
        // Cannot fail: the schedule has room for fewer families than endorsements.
        all.fold(Endorsements::none(), |known, one| {
            known.clone().merged(&one.endorsements).unwrap_or(known)
        })
    }

    /// Fetches what is due and what quotes at `store` lacked, until dropped.
    pub(super) async fn run(mut self, store: Arc<TrustStore>, current: watch::Sender<Endorsements>) {
        loop {
            while let Some(family) = self.schedule.due(self.clock.now()) {
                self.roots = store.roots();
                if self.update(&family).await {
                    current.send_replace(self.endorsements());
                }
                tokio::time::sleep(self.pace.pause).await;
            }
            tokio::select! {
                missing = store.missing_families() => {
                    let now = self.clock.now();
                    for family in missing {
                        self.schedule.want(family, now);
                    }
                }
                () = tokio::time::sleep(self.pace.tick) => {}
            }
        }
    }

    /// Whether something new is known.
    async fn update(&mut self, family: &PlatformFamily) -> bool {
        let answer = self.service.fetch(family).await;
        let now = self.clock.now();
        let answer = answer.and_then(|json| Fetched::new(family, &json, &self.roots, now));
        let answer = match self.documents.get(family) {
            Some(held) => answer.and_then(|new| new.beside(held, family, now)),
            None => answer,
        };
        let answer = answer.and_then(|newest| newest.holding(now));
        let is_new = match answer {
            Ok(fetched) => self.take(family, fetched).await,
            Err(problem) => {
                let wait = self.schedule.failed(family, now, rand::random());
                tracing::warn!(%family, %problem, retry_in_seconds = wait, "collateral could not be fetched");
                false
            }
        };
        if let Some(held) = self.documents.get(family) {
            let left = held.window.1.saturating_sub(now);
            if left < COLLATERAL_EXPIRY_WARNING_SECONDS {
                tracing::warn!(%family, seconds_left = left, "the newest collateral expires soon: peers will be refused");
            }
        }
        is_new
    }

    async fn take(&mut self, family: &PlatformFamily, fetched: Fetched) -> bool {
        self.schedule.succeeded(family, fetched.window, fetched.fetched_at);
        if let Some(cache) = &self.cache
            && let Err(error) = cache.store(family, &fetched).await
        {
            tracing::warn!(%family, %error, "collateral could not be kept on disk");
        }
        let is_new = self
            .documents
            .get(family)
            .is_none_or(|held| !held.says_the_same(&fetched));
        if is_new {
            tracing::info!(%family, valid_until = fetched.window.1, "new collateral");
        }
        self.documents.insert(*family, fetched);
        is_new
    }
}
