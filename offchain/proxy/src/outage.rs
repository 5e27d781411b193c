//! The chain is away: the proxy goes on for a while with what it read last, on bounded credit, and then takes no more
//! requests until the chain is back. It resumes by itself.
//!
//! What is known of the chain ages: a client may have closed its contract, an image may have been revoked. So both the
//! time and the money are bounded; see [`cocoon_ledger::OutageCredit`] for the money.

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
use crate::limits::OUTAGE_POLL;
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
    /// What is granted in that time.
    pub credit: OutageCredit,
}

impl Default for OutageConfig {
    /// A minute, then half an hour: clients that close get their coins five minutes after they asked at the earliest.
    fn default() -> Self {
        Self {
            after: 60.0,
            serve_for: 1800.0,
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

/// When the chain was last heard of.
pub(crate) struct ChainAge {
    heard: Mutex<Instant>,
    mode: AtomicU8,
}

impl ChainAge {
    pub(crate) fn new() -> Self {
        Self {
            heard: Mutex::new(Instant::now()),
            mode: AtomicU8::new(Mode::Current as u8),
        }
    }

    /// The proxy contract was read just now.
    pub(crate) fn heard(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Time since then.
    pub(crate) fn age(&self) -> Duration {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    pub(crate) fn mode(&self) -> Mode {
        match self.mode.load(Ordering::Relaxed) {
            0 => Mode::Current,
            1 => Mode::OnCredit,
            _ => Mode::Drained,
        }
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
