//! The fast way from evidence to claims: what does not depend on the single quote (collateral, revocation lists,
//! certificate chains) is verified once by the thorough way and then reused while all of it is valid.
//!
//! **Invariant:** nothing is prepared that [`verify`](crate::verify) did not accept; what was prepared counts only for
//! the same chain text, under the same collateral text and root, and only inside the intersection of all validities.
//! Whatever is unusual (another layout, another form of PEM, a moment outside the window) takes the thorough way.

mod layout;
mod levels;
mod prepared;

use core::fmt;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use dcap_qvl::config::CryptoProvider;

use crate::{
    AttestError, Claims, Endorsements, Evidence, PckAuthority, PlatformFamily, Policy, TdxQuote, TrustRoots,
    attributes, dcap::Backend, endorsements::Collateral, limits::MAX_PREPARED_PLATFORMS, roots::Root, verify,
};
use layout::Layout;
use prepared::Prepared;

/// Verifies many quotes under the same roots, endorsements and policy: a platform's first quote costs nine signature
/// checks, its further ones two. Safe to share between threads.
pub struct Verifier {
    roots: TrustRoots,
    endorsements: Endorsements,
    policy: Policy,
    platforms: RwLock<HashMap<[u8; 32], Arc<Platform>>>,
}

/// What was verified of one certificate chain; the map's key is SHA-256 of its text.
struct Platform {
    root: Root,
    fmspc: String,
    authority: Option<PckAuthority>,
    /// One per collateral document that vouched for it.
    prepared: Vec<Arc<Prepared>>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("trusts_simulated", &self.roots.trusts_simulated())
            .field("platforms", &self.prepared_platforms())
            .finish_non_exhaustive()
    }
}

impl Verifier {
    /// A verifier that has prepared nothing yet.
    pub fn new(roots: TrustRoots, endorsements: Endorsements, policy: Policy) -> Self {
        Self {
            roots,
            endorsements,
            policy,
            platforms: RwLock::default(),
        }
    }

    /// Who may vouch for platforms.
    pub fn roots(&self) -> &TrustRoots {
        &self.roots
    }

    /// What the makers of platforms say about them.
    pub fn endorsements(&self) -> &Endorsements {
        &self.endorsements
    }

    /// What is asked of platforms.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Platforms whose certificates are kept verified, at most
    /// [`MAX_PREPARED_PLATFORMS`](crate::limits::MAX_PREPARED_PLATFORMS).
    pub fn prepared_platforms(&self) -> usize {
        self.platforms.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The same answer as [`verify`](crate::verify) with this verifier's inputs, at `now` (Unix seconds).
    pub fn verify(&self, evidence: &Evidence, now: u64) -> Result<Claims, AttestError> {
        let claims = match evidence {
            Evidence::Tdx(quote) => {
                attributes::check(&quote.unverified_guest())?;
                self.verify_tdx(quote, now)?
            }
        };
        self.policy.judge(claims, now)
    }

    /// The family that evidence says to come from, for fetching its collateral: nothing of it is verified but that the chain
    /// ends in a trusted root. `None` for an authority of another name.
    pub fn unverified_family(&self, evidence: &Evidence) -> Option<PlatformFamily> {
        let Evidence::Tdx(quote) = evidence;
        let origin = verify::Origin::of(quote, &self.roots).ok()?;
        let mut fmspc = [0; 6];
        hex::decode_to_slice(&origin.fmspc, &mut fmspc).ok()?;
        Some(PlatformFamily {
            fmspc,
            authority: origin.authority?,
        })
    }

    fn verify_tdx(&self, quote: &TdxQuote, now: u64) -> Result<Claims, AttestError> {
        let Some(layout) = Layout::of(quote) else {
            return self.prepare(quote, None, now);
        };
        let digest = Backend::sha256(layout.chain);
        let known = self
            .platforms
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&digest)
            .cloned();
        match known {
            Some(platform) => self.verify_known(&platform, digest, quote, &layout, now),
            None => self.prepare(quote, Some((digest, &layout)), now),
        }
    }

    fn verify_known(
        &self,
        platform: &Platform,
        digest: [u8; 32],
        quote: &TdxQuote,
        layout: &Layout<'_>,
        now: u64,
    ) -> Result<Claims, AttestError> {
        let (fmspc, root) = (&platform.fmspc, &platform.root);
        let family = verify::Family {
            root,
            fmspc,
            authority: platform.authority,
        };
        verify::under_collateral(&self.endorsements, &family, now, |collateral| {
            let usable = |one: &&Arc<Prepared>| one.is_for(collateral) && one.holds(now);
            match platform.prepared.iter().find(usable) {
                Some(prepared) => prepared.claims(quote, layout, root, fmspc),
                None => {
                    let origin = verify::Origin::of(quote, &self.roots)?;
                    self.thorough(quote, Some((digest, layout)), &origin, collateral, now)
                }
            }
        })
    }

    /// The thorough way; keeps what it learnt when there is a key to keep it under.
    fn prepare(&self, quote: &TdxQuote, key: Option<([u8; 32], &Layout<'_>)>, now: u64) -> Result<Claims, AttestError> {
        let origin = verify::Origin::of(quote, &self.roots)?;
        verify::under_collateral(&self.endorsements, &origin.family(), now, |collateral| {
            self.thorough(quote, key, &origin, collateral, now)
        })
    }

    fn thorough(
        &self,
        quote: &TdxQuote,
        key: Option<([u8; 32], &Layout<'_>)>,
        origin: &verify::Origin<'_>,
        collateral: &Collateral,
        now: u64,
    ) -> Result<Claims, AttestError> {
        let verified = verify::verify_under(quote, collateral, origin.root, now)?;
        if let Some((digest, layout)) = key
            && let Some(prepared) = Prepared::new(&verified, collateral, origin, layout.chain)
        {
            self.keep(digest, origin, prepared, now);
        }
        Ok(verify::claims(quote, &verified, origin.root, &origin.fmspc))
    }

    /// When full, platforms without anything valid go first; if none is, the one that would end next.
    fn keep(&self, digest: [u8; 32], origin: &verify::Origin<'_>, prepared: Prepared, now: u64) {
        let mut platforms = self.platforms.write().unwrap_or_else(PoisonError::into_inner);
        if platforms.len() >= MAX_PREPARED_PLATFORMS && !platforms.contains_key(&digest) {
            platforms.retain(|_, platform| platform.expires_at() > now);
            if platforms.len() >= MAX_PREPARED_PLATFORMS {
                let next = platforms.iter().min_by_key(|(_, platform)| platform.expires_at());
                if let Some(next) = next.map(|(digest, _)| *digest) {
                    platforms.remove(&next);
                }
            }
        }
        let mut all = vec![Arc::new(prepared)];
        if let Some(platform) = platforms.get(&digest) {
            let others = platform
                .prepared
                .iter()
                .filter(|one| one.holds(now) && !one.is_same(&all[0]));
            let others: Vec<_> = others.cloned().collect();
            all.extend(others);
        }
        let platform = Platform {
            root: origin.root.clone(),
            fmspc: origin.fmspc.clone(),
            authority: origin.authority,
            prepared: all,
        };
        platforms.insert(digest, Arc::new(platform));
    }
}

impl Platform {
    fn expires_at(&self) -> u64 {
        self.prepared.iter().map(|one| one.expires_at()).max().unwrap_or(0)
    }
}
