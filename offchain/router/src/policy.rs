//! What is asked of a peer: the three kinds of the deployed router, and lists that narrow them.

use std::collections::BTreeSet;

use cocoon_attest::{Register, RootKeyId};
use cocoon_bindings::units::ImageHash;
use cocoon_ratls::{Peer, PeerPolicy};

use crate::{PolicyConfig, PolicyKind, RouterError};

/// A policy that was read. Empty lists allow everything, as deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    kind: PolicyKind,
    images: BTreeSet<ImageHash>,
    mrtd: BTreeSet<Register>,
    rtmr: BTreeSet<[Register; 4]>,
    roots: BTreeSet<RootKeyId>,
}

/// Why a peer with good evidence is not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Evidence of a simulated platform under the policy of real ones.
    #[error("the peer's platform is simulated, and the policy asks for a real one")]
    Simulated,
    /// No evidence where the policy asks for it.
    #[error("the peer's evidence was not verified")]
    Unattested,
    /// MRTD.
    #[error("the peer's MRTD is not in the policy's list")]
    Mrtd,
    /// RTMR0 to RTMR3.
    #[error("the peer's RTMRs are not in the policy's list")]
    Rtmr,
    /// Root of the platform.
    #[error("the root of the peer's platform is not in the policy's list")]
    Root,
}

impl Policy {
    /// One of the three kinds without lists, by its name.
    pub fn built_in(name: &str) -> Option<Self> {
        let kind = match name {
            "any" => PolicyKind::Any,
            "tdx" => PolicyKind::Tdx,
            "simulated" => PolicyKind::Simulated,
            _ => return None,
        };
        Some(Self {
            kind,
            images: BTreeSet::new(),
            mrtd: BTreeSet::new(),
            rtmr: BTreeSet::new(),
            roots: BTreeSet::new(),
        })
    }

    /// Reads a policy of the configuration.
    pub fn parse(name: &str, config: &PolicyConfig) -> Result<Self, RouterError> {
        let wrong = |problem| RouterError::Policy {
            name: name.to_owned(),
            problem,
        };
        let PolicyConfig {
            kind,
            images,
            mrtd,
            rtmr,
            roots,
        } = config;
        if *kind == PolicyKind::Any && !(images.is_empty() && mrtd.is_empty() && rtmr.is_empty() && roots.is_empty()) {
            return Err(wrong("`any` looks at no evidence, so it can have no lists"));
        }
        let image = |text: &String| text.parse().map_err(|_| wrong("an image hash is 64 hex digits"));
        let rtmrs = |texts: &[String; 4]| -> Option<[Register; 4]> {
            let [a, b, c, d] = texts.each_ref().map(|text| register(text));
            Some([a?, b?, c?, d?])
        };
        Ok(Self {
            kind: *kind,
            images: images.iter().map(image).collect::<Result<_, _>>()?,
            mrtd: mrtd
                .iter()
                .map(|text| register(text))
                .collect::<Option<_>>()
                .ok_or_else(|| wrong("an MRTD is 96 hex digits"))?,
            rtmr: rtmr
                .iter()
                .map(rtmrs)
                .collect::<Option<_>>()
                .ok_or_else(|| wrong("an RTMR is 96 hex digits"))?,
            roots: roots
                .iter()
                .map(|text| register(text).map(RootKeyId))
                .collect::<Option<_>>()
                .ok_or_else(|| wrong("a root's key id is 96 hex digits"))?,
        })
    }

    /// What the handshake asks; [`Policy::check`] asks the rest.
    pub fn of_peers(&self) -> PeerPolicy {
        if self.kind == PolicyKind::Any {
            return PeerPolicy::Any;
        }
        let images = self.images.clone();
        PeerPolicy::attested(move |image| images.is_empty() || images.contains(image))
    }

    /// Asks what the handshake did not.
    pub fn check(&self, peer: &Peer) -> Result<(), Refused> {
        if self.kind == PolicyKind::Any {
            return Ok(());
        }
        let claims = peer.claims.as_ref().ok_or(Refused::Unattested)?;
        if self.kind == PolicyKind::Tdx && claims.simulated {
            return Err(Refused::Simulated);
        }
        let measured = &claims.measurements;
        let listed = |is_listed: bool, is_empty: bool, refused| (is_listed || is_empty).then_some(()).ok_or(refused);
        listed(self.mrtd.contains(&measured.mrtd), self.mrtd.is_empty(), Refused::Mrtd)?;
        listed(self.rtmr.contains(&measured.rtmr), self.rtmr.is_empty(), Refused::Rtmr)?;
        listed(
            self.roots.contains(&claims.root_key_id),
            self.roots.is_empty(),
            Refused::Root,
        )
    }
}

fn register(text: &str) -> Option<Register> {
    let mut register = [0; 48];
    hex::decode_to_slice(text, &mut register).ok()?;
    Some(register)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(kind: PolicyKind) -> PolicyConfig {
        PolicyConfig {
            kind,
            images: vec![],
            mrtd: vec![],
            rtmr: vec![],
            roots: vec![],
        }
    }

    #[test]
    fn the_built_in_kinds_are_those_without_lists() {
        for (name, kind) in [
            ("any", PolicyKind::Any),
            ("tdx", PolicyKind::Tdx),
            ("simulated", PolicyKind::Simulated),
        ] {
            assert_eq!(Policy::built_in(name), Policy::parse(name, &config(kind)).ok());
        }
        assert_eq!(Policy::built_in("fake_tdx"), None);
    }

    #[test]
    fn a_policy_that_looks_at_nothing_has_no_lists() {
        let mut any = config(PolicyKind::Any);
        any.mrtd.push("00".repeat(48));
        assert!(matches!(Policy::parse("mine", &any), Err(RouterError::Policy { .. })));
    }

    #[test]
    fn values_of_a_wrong_length_are_refused() {
        for length in [0, 47, 49] {
            let mut tdx = config(PolicyKind::Tdx);
            tdx.mrtd.push("00".repeat(length));
            assert!(Policy::parse("mine", &tdx).is_err());
            let mut tdx = config(PolicyKind::Tdx);
            tdx.roots.push("00".repeat(length));
            assert!(Policy::parse("mine", &tdx).is_err());
            let mut tdx = config(PolicyKind::Tdx);
            tdx.images.push("00".repeat(length));
            assert!(Policy::parse("mine", &tdx).is_err());
        }
    }
}
