//! Collateral from a service, in the background: for the families that the configuration names and for those that peers
//! showed. No handshake waits for it; a peer whose family is not known yet is refused and may come again.
//!
//! What the service says is not believed here: its documents are signed, and verified with each quote's platform. A
//! service that lies makes peers be refused, never accepted.

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

use cocoon_attest::{Endorsements, PlatformFamily};
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
    pace: Pace,
    clock: SharedClock,
}

/// One document as it was fetched.
#[derive(Clone)]
struct Fetched {
    /// In the form that [`Endorsements::with_json`] takes.
    json: String,
    endorsements: Endorsements,
    /// When it holds, Unix seconds, both included.
    window: (u64, u64),
    /// Unix seconds.
    fetched_at: u64,
}

impl Fetched {
    /// A document that is of this family and holds now.
    fn new(family: &PlatformFamily, json: String, fetched_at: u64, now: u64) -> Result<Self, Problem> {
        let endorsements = Endorsements::none().with_json(&json)?;
        let window = endorsements.window(family).ok_or(Problem::OtherFamily)?;
        if !(window.0..=window.1).contains(&now) {
            return Err(Problem::Window {
                not_before: window.0,
                not_after: window.1,
            });
        }
        Ok(Self {
            json,
            endorsements,
            window,
            fetched_at,
        })
    }
}

impl Prefetch {
    /// Reads the cache; asks the service nothing yet.
    pub(super) fn load(config: &CollateralServiceConfig, clock: SharedClock) -> Result<Self, RunnerError> {
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
        for (family, fetched) in cache.iter().flat_map(|cache| cache.load(now)) {
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
        let answer = answer.and_then(|json| Fetched::new(family, json, now, now));
        let held = self.documents.get(family);
        let answer = match (answer, held) {
            (Ok(new), Some(held)) if new.window.0 < held.window.0 => Err(Problem::Older),
            (answer, _) => answer,
        };
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
        let is_new = self.documents.get(family).is_none_or(|held| held.json != fetched.json);
        if is_new {
            tracing::info!(%family, valid_until = fetched.window.1, "new collateral");
        }
        self.documents.insert(*family, fetched);
        is_new
    }
}
