//! When a connection is made anew because a certificate of it comes to its end.
//!
//! Certificates last a day, and their holders renew them after two thirds of it; a connection goes on with those that it was made
//! with, and the receipts of its requests name them. So whoever dialled makes it anew while nothing runs over it, before a
//! [`Standing`](crate::standing::Standing) has to end it.

use cocoon_ratls::SharedClock;

use crate::limits::{OLD_CERTIFICATE, REMADE_AFTER, REMAKE_QUIET, STANDING_CHECK, WORN_CERTIFICATE};

/// The certificates of one connection, which ends with the first of them.
#[derive(Clone)]
pub struct Wear {
    clock: SharedClock,
    /// Unix seconds; `None`: nobody knows.
    ends: Option<u64>,
    since: u64,
}

impl Wear {
    /// Of a connection that was just made; `ends` are the ends of its certificates, where they are known, Unix seconds.
    pub fn new(clock: SharedClock, ends: impl IntoIterator<Item = Option<u64>>) -> Self {
        let (ends, since) = (ends.into_iter().flatten().min(), clock.now());
        Self { clock, ends, since }
    }

    /// Waits until the connection is to be made anew: a certificate is worn, and for a while nothing has run.
    pub async fn worn_out(&self, is_idle: impl Fn() -> bool) {
        let mut quiet = 0;
        loop {
            tokio::time::sleep(STANDING_CHECK).await;
            quiet = if is_idle() { quiet + 1 } else { 0 };
            let enough = if self.is_within(OLD_CERTIFICATE.as_secs()) {
                1
            } else {
                REMAKE_QUIET
            };
            if quiet >= enough && self.is_within(WORN_CERTIFICATE.as_secs()) {
                return;
            }
        }
    }

    /// Waits until a certificate is so old that nothing new should begin.
    pub async fn old(&self) {
        while !self.is_within(OLD_CERTIFICATE.as_secs()) {
            tokio::time::sleep(STANDING_CHECK).await;
        }
    }

    /// Whether at most so many seconds are left. Not soon after it was made: its certificates were the newest that there were.
    fn is_within(&self, seconds: u64) -> bool {
        let now = self.clock.now();
        let is_new = now < self.since.saturating_add(REMADE_AFTER.as_secs());
        !is_new && self.ends.is_some_and(|ends| ends.saturating_sub(now) <= seconds)
    }
}

impl std::fmt::Debug for Wear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wear").field("ends", &self.ends).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use cocoon_ratls::ManualClock;
    use tokio::time::timeout;

    use super::*;

    const DAY: u64 = 86_400;
    const HOUR: Duration = Duration::from_secs(3600);

    fn made_at(now: u64) -> (Arc<ManualClock>, Wear) {
        let clock = Arc::new(ManualClock::new(now));
        let wear = Wear::new(clock.clone(), [None, Some(2 * DAY), Some(DAY)]);
        (clock, wear)
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_made_anew_when_its_first_certificate_is_worn_and_nothing_runs() {
        let (clock, wear) = made_at(0);
        clock.advance(DAY - WORN_CERTIFICATE.as_secs() - 1);
        assert!(
            timeout(HOUR, wear.worn_out(|| true)).await.is_err(),
            "it is not worn yet"
        );
        clock.advance(1);
        let is_idle = AtomicBool::new(false);
        let idle = || is_idle.fetch_xor(true, Ordering::Relaxed);
        assert!(
            timeout(HOUR, wear.worn_out(idle)).await.is_err(),
            "it is never quiet for long"
        );
        assert!(timeout(HOUR, wear.old()).await.is_err());
        assert!(timeout(HOUR, wear.worn_out(|| true)).await.is_ok());
        clock.advance(WORN_CERTIFICATE.as_secs() - OLD_CERTIFICATE.as_secs());
        assert!(timeout(HOUR, wear.old()).await.is_ok());
        assert!(
            timeout(HOUR, wear.worn_out(idle)).await.is_ok(),
            "the first quiet second is enough"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_was_just_made_with_an_old_certificate_stays_a_while() {
        let (clock, wear) = made_at(DAY - 2 * REMADE_AFTER.as_secs());
        assert!(timeout(HOUR, wear.worn_out(|| true)).await.is_err());
        clock.advance(REMADE_AFTER.as_secs());
        assert!(timeout(HOUR, wear.worn_out(|| true)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_known_certificates_is_never_worn() {
        let clock = Arc::new(ManualClock::new(0));
        let wear = Wear::new(clock.clone(), [None]);
        clock.advance(1000 * DAY);
        assert!(timeout(HOUR, wear.worn_out(|| true)).await.is_err());
    }
}
