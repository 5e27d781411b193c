//! Protocol versions and how two peers agree on one.

use tl_proto::{TlRead, TlWrite};

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// Old answer messages, no debug.
    V0,
    /// `Ex` messages.
    V1,
    /// `Ex` messages with times.
    V2,
    /// Raw token counts, receipts, evidence, cancel.
    V3,
    /// The session is proven before anything else is said.
    V4,
}

impl Version {
    /// The newest version that this crate speaks.
    pub const NEWEST: Self = Self::V4;

    /// From the number on the wire.
    pub const fn from_wire(number: i32) -> Option<Self> {
        Some(match number {
            0 => Self::V0,
            1 => Self::V1,
            2 => Self::V2,
            3 => Self::V3,
            4 => Self::V4,
            _ => return None,
        })
    }

    /// The number on the wire.
    pub const fn to_wire(self) -> i32 {
        self as i32
    }

    /// Answers use the `Ex` messages.
    pub fn has_ex_answers(self) -> bool {
        self >= Self::V1
    }

    /// Final messages carry times.
    pub fn has_times(self) -> bool {
        self >= Self::V2
    }

    /// Receipts, reports, evidence and cancel may be sent.
    pub fn has_extensions(self) -> bool {
        self >= Self::V3
    }

    /// Both ends prove the session (see [`crate::session_proof`]).
    pub fn has_session_proof(self) -> bool {
        self >= Self::V4
    }
}

/// Versions that a peer offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlRead, TlWrite)]
pub struct VersionRange {
    /// Oldest.
    pub min: i32,
    /// Newest.
    pub max: i32,
}

impl VersionRange {
    /// What our clients and workers offer where they cannot prove the session: another process ends their TLS. Version 0
    /// is what a proxy speaks that names none.
    pub const OFFERED: Self = Self { min: 0, max: 3 };
    /// What our proxies accept where they cannot prove the session.
    pub const ACCEPTED: Self = Self { min: 0, max: 3 };

    /// The same, and the proof of the session: for an end that ends TLS itself.
    #[must_use]
    pub const fn with_session_proof(self) -> Self {
        Self {
            min: self.min,
            max: Version::V4.to_wire(),
        }
    }

    /// Without receipts: for an end that does not know the certificates that receipts name.
    #[must_use]
    pub const fn without_receipts(self) -> Self {
        let newest = Version::V2.to_wire();
        Self {
            min: self.min,
            max: if self.max < newest { self.max } else { newest },
        }
    }

    /// Only versions that prove the session: a deployed peer then finds no common one.
    #[must_use]
    pub const fn only_with_session_proof(self) -> Self {
        Self {
            min: Version::V4.to_wire(),
            max: Version::V4.to_wire(),
        }
    }
}

/// The newest version inside both ranges; a peer without a range speaks version 0.
pub fn negotiate(offered: Option<VersionRange>, accepted: VersionRange) -> Option<Version> {
    let offered = offered.unwrap_or(VersionRange { min: 0, max: 0 });
    let newest = offered.max.min(accepted.max);
    if newest < offered.min.max(accepted.min) {
        None
    } else {
        Version::from_wire(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_common_version_is_chosen() {
        let accept = VersionRange::ACCEPTED;
        assert_eq!(
            negotiate(Some(VersionRange { min: 1, max: 2 }), accept),
            Some(Version::V2)
        );
        assert_eq!(
            negotiate(Some(VersionRange { min: 1, max: 9 }), accept),
            Some(Version::V3)
        );
        assert_eq!(
            negotiate(Some(VersionRange::OFFERED), VersionRange { min: 0, max: 2 }),
            Some(Version::V2)
        );
        assert_eq!(negotiate(None, accept), Some(Version::V0));
    }

    #[test]
    fn the_proof_is_spoken_only_where_both_ends_can() {
        let (plain, proven) = (VersionRange::OFFERED, VersionRange::OFFERED.with_session_proof());
        let (accept, accept_proven) = (VersionRange::ACCEPTED, VersionRange::ACCEPTED.with_session_proof());
        assert_eq!(negotiate(Some(proven), accept_proven), Some(Version::V4));
        assert_eq!(negotiate(Some(plain), accept_proven), Some(Version::V3));
        assert_eq!(negotiate(Some(proven), accept), Some(Version::V3));
        let deployed = VersionRange { min: 0, max: 2 };
        assert_eq!(negotiate(Some(proven), deployed), Some(Version::V2));
        assert_eq!(
            negotiate(Some(plain.without_receipts()), accept_proven),
            Some(Version::V2)
        );
        assert_eq!(negotiate(Some(proven.only_with_session_proof()), deployed), None);
        assert_eq!(negotiate(Some(deployed), accept.only_with_session_proof()), None);
    }

    #[test]
    fn ranges_without_overlap_are_refused() {
        assert_eq!(
            negotiate(Some(VersionRange { min: 4, max: 9 }), VersionRange::ACCEPTED),
            None
        );
        assert_eq!(
            negotiate(Some(VersionRange { min: 2, max: 1 }), VersionRange::ACCEPTED),
            None
        );
        assert_eq!(
            negotiate(Some(VersionRange { min: -5, max: -1 }), VersionRange::ACCEPTED),
            None
        );
    }
}
