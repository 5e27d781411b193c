//! Verdicts on evidence that was verified lately: bounded, and each with an end.

use std::collections::HashMap;

use cocoon_attest::Claims;

use crate::limits::MAX_CACHED_VERDICTS;

/// Verified claims by evidence digest.
#[derive(Debug, Default)]
pub(crate) struct VerdictCache {
    entries: HashMap<[u8; 32], Entry>,
}

#[derive(Debug)]
struct Entry {
    claims: Claims,
    expires_at: u64,
}

impl VerdictCache {
    pub(crate) fn get(&self, digest: &[u8; 32], now: u64) -> Option<Claims> {
        self.entries
            .get(digest)
            .filter(|entry| now < entry.expires_at)
            .map(|entry| entry.claims.clone())
    }

    /// Keeps a verdict. When full, expired entries go first; if none is, the one that would end next.
    pub(crate) fn put(&mut self, digest: [u8; 32], claims: Claims, expires_at: u64, now: u64) {
        if self.entries.len() >= MAX_CACHED_VERDICTS && !self.entries.contains_key(&digest) {
            self.entries.retain(|_, entry| now < entry.expires_at);
            if self.entries.len() >= MAX_CACHED_VERDICTS {
                let next = self
                    .entries
                    .iter()
                    .min_by_key(|(_, entry)| entry.expires_at)
                    .map(|(digest, _)| *digest);
                if let Some(next) = next {
                    self.entries.remove(&next);
                }
            }
        }
        self.entries.insert(digest, Entry { claims, expires_at });
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use cocoon_attest::{
        Evidence, Policy, TrustRoots, simulated::SimulatedPlatform, simulated::simulated_measurements,
    };

    use super::*;

    fn claims() -> Claims {
        let platform = SimulatedPlatform::generate().unwrap();
        let quote = platform.issue(&simulated_measurements("worker"), &[0; 64]).unwrap();
        let roots = TrustRoots::intel()
            .unwrap()
            .with_simulated(platform.root_der())
            .unwrap();
        let endorsements = platform.endorsements(1_790_000_000).unwrap();
        let evidence = Evidence::parse(&quote).unwrap();
        cocoon_attest::verify(&evidence, &endorsements, &roots, &Policy::strict(), 1_790_000_000).unwrap()
    }

    fn digest(number: usize) -> [u8; 32] {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&(number as u64).to_le_bytes());
        digest
    }

    #[test]
    fn verdicts_end() {
        let mut cache = VerdictCache::default();
        cache.put(digest(1), claims(), 100, 50);
        assert!(cache.get(&digest(1), 99).is_some());
        assert!(cache.get(&digest(1), 100).is_none());
        cache.clear();
        assert!(cache.get(&digest(1), 60).is_none());
    }

    #[test]
    fn the_cache_is_bounded_and_drops_what_ends_first() {
        let mut cache = VerdictCache::default();
        let claims = claims();
        for number in 0..=MAX_CACHED_VERDICTS {
            cache.put(digest(number), claims.clone(), 1_000 + number as u64, 50);
        }
        assert_eq!(cache.entries.len(), MAX_CACHED_VERDICTS);
        assert!(cache.get(&digest(0), 60).is_none());
        assert!(cache.get(&digest(MAX_CACHED_VERDICTS), 60).is_some());
    }
}
