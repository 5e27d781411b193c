//! Requests that a proxy on this machine sends on for somebody else: one that calls the client by a name of this machine makes
//! its callers look like callers of this machine, whom a client on loopback asks for no key.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::HeaderMap;

/// Headers by which a proxy says that it asks for another.
const HEADERS: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];

/// How often each header showed such a request. Its size is that of the list, whatever is sent.
#[derive(Debug, Default)]
pub(crate) struct Forwarded([AtomicU64; HEADERS.len()]);

impl Forwarded {
    /// Counts a request if a header shows that it was sent on. Gives the header's name only the first time that it shows one,
    /// so that a cause is told once and not with each request.
    pub(crate) fn see(&self, headers: &HeaderMap) -> Option<&'static str> {
        let (header, count) = HEADERS
            .into_iter()
            .zip(&self.0)
            .find(|(header, _)| headers.contains_key(*header))?;
        (count.fetch_add(1, Ordering::Relaxed) == 0).then_some(header)
    }

    /// How many there were.
    pub(crate) fn total(&self) -> u64 {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        counts.fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_header_is_told_once_and_every_request_is_counted() {
        let forwarded = Forwarded::default();
        let with =
            |name: &'static str, value: &str| HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
        assert_eq!(forwarded.see(&with("host", "localhost")), None);
        assert_eq!(forwarded.total(), 0);
        for caller in 0..1000 {
            let told = forwarded.see(&with("x-forwarded-for", &format!("192.0.2.{caller}")));
            assert_eq!(told, (caller == 0).then_some("x-forwarded-for"));
        }
        assert_eq!(forwarded.see(&with("via", "1.1 proxy")), Some("via"));
        assert_eq!(forwarded.see(&with("via", "1.1 other")), None);
        assert_eq!(forwarded.total(), 1002);
    }
}
