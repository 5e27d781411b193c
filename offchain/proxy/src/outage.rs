//! The chain is away: the proxy goes on for a while with what it read last, on bounded credit, and then takes no more
//! requests until the chain is back. It resumes by itself.
//!
//! What is known of the chain ages: a client may have closed its contract, an image may have been revoked. So both the
//! time and the money are bounded; see [`cocoon_ledger::OutageCredit`] for the money. A chain that answers, and whose blocks
//! stand still or come from a copy that stays behind, is away too.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use cocoon_ledger::OutageCredit;
use cocoon_protocol::codec::{decode, encode};
use cocoon_protocol::http::{Header, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::ClientPeer;
use crate::contracts;
use crate::error::ProxyError;
use crate::limits::{BLOCK_MEMORY, OUTAGE_POLL};
use crate::state::Proxy;

/// Header of an answer that was given without the chain: for how many seconds it had been away.
const CHAIN_AGE: &str = "X-Cocoon-Chain-Age";

/// `[outage]` of the configuration: what is served while the chain cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutageConfig {
    /// Seconds without the chain until the credit below counts.
    pub after: f64,
    /// For how many seconds from then on requests are taken; 0: none.
    pub serve_for: f64,
    /// Seconds by which the chain's blocks may fall behind until it counts as away for as long; 0: not looked at.
    pub stalled: f64,
    /// What is granted in that time.
    pub credit: OutageCredit,
}

impl Default for OutageConfig {
    /// A minute, then half an hour: clients that close get their coins five minutes after they asked at the earliest. Blocks
    /// come every few seconds, and two minutes without one are no hiccup.
    fn default() -> Self {
        Self {
            after: 60.0,
            serve_for: 1800.0,
            stalled: 120.0,
            credit: OutageCredit::default(),
        }
    }
}

/// How the chain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mode {
    /// It answers.
    Current,
    /// It does not, and requests are taken on credit.
    OnCredit,
    /// It did not for too long.
    Drained,
}

impl Mode {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::OnCredit => "on credit",
            Self::Drained => "drained",
        }
    }
}

/// How old what is known of the chain is: the one measure of the figures, of the header and of `[outage]`.
pub(crate) struct ChainAge {
    begun: Instant,
    /// From which lateness of blocks on it counts; `None`: never.
    stalled: Option<Duration>,
    heard: Mutex<Heard>,
    mode: AtomicU8,
}

struct Heard {
    at: Instant,
    blocks: Blocks,
    /// How late they were then.
    late: Duration,
}

impl ChainAge {
    pub(crate) fn new(config: &OutageConfig) -> Self {
        let now = Instant::now();
        Self {
            begun: now,
            stalled: (config.stalled > 0.0).then(|| Duration::from_secs_f64(config.stalled)),
            heard: Mutex::new(Heard {
                at: now,
                blocks: Blocks::default(),
                late: Duration::ZERO,
            }),
            mode: AtomicU8::new(Mode::Current as u8),
        }
    }

    /// The proxy contract was read just now, when the chain's time was `block_time` (Unix seconds).
    pub(crate) fn heard(&self, block_time: u32) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.at = Instant::now();
        heard.late = heard.blocks.late(self.begun.elapsed(), block_time);
    }

    /// Time since the chain was read, and how late its blocks were then if that was too late.
    pub(crate) fn age(&self) -> Duration {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let is_stalled = self.stalled.is_some_and(|bound| heard.late >= bound);
        let late = if is_stalled { heard.late } else { Duration::ZERO };
        heard.at.elapsed().saturating_add(late)
    }

    pub(crate) fn mode(&self) -> Mode {
        match self.mode.load(Ordering::Relaxed) {
            0 => Mode::Current,
            1 => Mode::OnCredit,
            _ => Mode::Drained,
        }
    }
}

/// How far blocks fall behind. The chain's clock and ours may differ by anything; what counts is that the difference grows.
/// What was measured long ago is forgotten, so that one answer with a time ahead, or a clock that drifts, does not count for ever;
/// but not while blocks stand still.
#[derive(Debug, Default)]
struct Blocks {
    /// Seconds of ours less seconds of the chain, when the chain was nearest since `turned`.
    least: Option<i64>,
    /// The same in the time before.
    former: Option<i64>,
    /// When the former time ended, in seconds after the first look.
    turned: i64,
    /// Of the last look.
    block_time: u32,
}

impl Blocks {
    /// By how much a block of that time is late, so long after the first look.
    fn late(&mut self, elapsed: Duration, block_time: u32) -> Duration {
        let elapsed = i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX);
        let difference = elapsed.saturating_sub(i64::from(block_time));
        let is_moving = block_time != self.block_time;
        self.block_time = block_time;
        if is_moving && elapsed.saturating_sub(self.turned) >= BLOCK_MEMORY {
            self.former = self.least.take();
            self.turned = elapsed;
        }
        let nearest = |known: Option<i64>| known.map_or(difference, |known| known.min(difference));
        self.least = Some(nearest(self.least));
        let least = nearest(self.least).min(nearest(self.former));
        Duration::from_secs(u64::try_from(difference.saturating_sub(least)).unwrap_or(0))
    }
}

/// What should hold after so long without the chain.
fn mode_after(age: Duration, config: &OutageConfig) -> Mode {
    let seconds = age.as_secs_f64();
    if seconds < config.after {
        Mode::Current
    } else if seconds < config.after + config.serve_for {
        Mode::OnCredit
    } else {
        Mode::Drained
    }
}

/// Follows the age of the chain until dropped.
pub(crate) async fn keep_watch(proxy: Arc<Proxy>) {
    loop {
        tokio::time::sleep(OUTAGE_POLL).await;
        let (now, next) = (
            proxy.chain_age.mode(),
            mode_after(proxy.chain_age.age(), &proxy.config.outage),
        );
        if now == next {
            continue;
        }
        match next {
            // Before the bounds are lifted, the contracts of everybody here are read again.
            Mode::Current => match contracts::refresh_current(&proxy).await {
                Ok(()) => {
                    proxy.books.ledger().end_outage();
                    tracing::info!("the chain is back");
                }
                Err(ProxyError::Chain(_)) => continue,
                Err(error) => return proxy.fail(error),
            },
            Mode::OnCredit => {
                proxy.books.ledger().begin_outage(proxy.config.outage.credit);
                tracing::warn!("the chain is away: requests are taken on bounded credit");
            }
            Mode::Drained => {
                proxy.books.ledger().begin_outage(proxy.config.outage.credit);
                tracing::warn!("the chain is away for too long: no more requests until it is back");
            }
        }
        proxy.chain_age.mode.store(next as u8, Ordering::Relaxed);
    }
}

/// The head of an answer, with the age of the chain while that is away. Only for clients that expect such headers.
pub(crate) fn with_age(proxy: &Proxy, client: &ClientPeer, head: Bytes) -> Bytes {
    if proxy.chain_age.mode() == Mode::Current || !client.version.has_extensions() {
        return head;
    }
    aged(head, proxy.chain_age.age())
}

fn aged(head: Bytes, age: Duration) -> Bytes {
    // A head that cannot be read is the client's to refuse.
    let Ok(mut response) = decode::<Response>(&head) else {
        return head;
    };
    response.headers.push(Header {
        name: CHAIN_AGE.into(),
        value: age.as_secs().to_string(),
    });
    encode(&response)
}

/// For the statistics.
pub(crate) fn json(proxy: &Proxy) -> Value {
    json!({
        "mode": proxy.chain_age.mode().word(),
        "age_seconds": proxy.chain_age.age().as_secs(),
        "credit_nanoton": proxy.books.ledger().outage_credit(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_credit_for_a_while_and_then_the_end() {
        let config = OutageConfig {
            after: 10.0,
            serve_for: 20.0,
            ..OutageConfig::default()
        };
        let mode = |seconds| mode_after(Duration::from_secs(seconds), &config);
        assert_eq!([mode(0), mode(9)], [Mode::Current; 2]);
        assert_eq!([mode(10), mode(29)], [Mode::OnCredit; 2]);
        assert_eq!([mode(30), mode(3000)], [Mode::Drained; 2]);
        let none = OutageConfig {
            serve_for: 0.0,
            ..config
        };
        assert_eq!(mode_after(Duration::from_secs(10), &none), Mode::Drained);
    }

    #[test]
    fn blocks_are_late_by_what_they_fall_behind_whatever_their_clock_says() {
        let mut blocks = Blocks::default();
        let mut late = |elapsed, block_time| blocks.late(Duration::from_secs(elapsed), block_time).as_secs();
        assert_eq!([late(0, 1000), late(5, 1004), late(10, 1010)], [0, 1, 0]);
        // They stand still, and go on where they should be.
        assert_eq!([late(40, 1010), late(70, 1010), late(75, 1075)], [30, 60, 0]);
        // A server that is behind, and one that is ahead: that is the measure, for a while.
        assert_eq!([late(80, 900), late(85, 1085)], [180, 0]);
        assert_eq!([late(90, 1190), late(100, 1190), late(110, 1110)], [0, 10, 100]);
        let memory = BLOCK_MEMORY.unsigned_abs();
        let block = |elapsed: u64| u32::try_from(1000 + elapsed).unwrap();
        assert_eq!(late(memory, block(memory)), 100, "as the time before had it");
        assert_eq!(late(2 * memory, block(2 * memory)), 0);
    }

    #[test]
    fn blocks_that_stand_still_are_not_forgotten_however_long() {
        let mut blocks = Blocks::default();
        let mut late = |elapsed, block_time| blocks.late(Duration::from_secs(elapsed), block_time).as_secs();
        assert_eq!(late(0, 1000), 0);
        let days = 86_400;
        for look in 1..50 {
            assert_eq!(late(look * days, 1000), look * days);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_chain_that_answers_and_stands_still_is_as_old_as_its_last_block() {
        let age = ChainAge::new(&OutageConfig {
            stalled: 20.0,
            ..OutageConfig::default()
        });
        let none = ChainAge::new(&OutageConfig {
            stalled: 0.0,
            ..OutageConfig::default()
        });
        let mut seen = Vec::new();
        for block_time in [500, 505, 505, 505, 505, 525] {
            age.heard(block_time);
            none.heard(block_time);
            seen.push(age.age().as_secs());
            assert_eq!(none.age(), Duration::ZERO);
            tokio::time::advance(Duration::from_secs(10)).await;
            assert_eq!(age.age().as_secs(), seen.last().unwrap() + 10);
        }
        // 5, 15 and 25 seconds behind, then 35, then 25.
        assert_eq!(seen, [0, 0, 0, 25, 35, 25]);
    }

    #[test]
    fn the_age_is_added_to_a_head_and_nothing_to_what_is_none() {
        let head = Response {
            http_version: "HTTP/1.1".into(),
            status_code: 200,
            reason: "OK".into(),
            headers: Vec::new(),
            payload: Bytes::new(),
        };
        let with = decode::<Response>(&aged(encode(&head), Duration::from_secs(75))).unwrap();
        assert_eq!(with.headers[0].value, "75");
        let none = Bytes::from_static(b"none");
        assert_eq!(aged(none.clone(), Duration::from_secs(75)), none);
    }
}
