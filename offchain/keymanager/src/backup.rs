//! A backup: the public description of all its shares, signed with the key of the id.

use cocoon_bindings::units::PublicKey;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::limits::{MAX_BACKUP_BYTES, MAX_OWNERS, MIN_THRESHOLD};
use crate::shamir::{self, Block};
use crate::{KeyManagerError, RootSecret};

/// First bytes of what is signed.
const DOMAIN: &[u8; 24] = b"cocoon.key-manager.bak1\0";
/// First bytes of what a commitment hashes.
const SHARE_DOMAIN: &[u8] = b"cocoon.key-manager.share1\0";

/// Which owners have the shares of which key manager, and how many give the secret back. It holds a hash of each share, so
/// a share that is wrong, or of another backup, is named; the shares are 32 bytes that look random, so the hashes say
/// nothing about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Public id of the key manager.
    pub id: PublicKey,
    /// Shares that give the secret back.
    pub threshold: u8,
    /// X25519 keys of the owners; the first has share 1.
    pub owners: Vec<[u8; 32]>,
    /// A hash of each share.
    pub commitments: Vec<[u8; 32]>,
    /// By the key of the id, over everything before.
    pub signature: [u8; 64],
}

/// What is wrong with a backup or a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackupProblem {
    /// Not the bytes of a description.
    #[error("the description of the backup is malformed")]
    Malformed,
    /// Not signed by the key manager that it names.
    #[error("the description of the backup is not signed by the key manager that it names")]
    Signature,
    /// Of another key manager.
    #[error("the backup is of another key manager, {0}")]
    OtherManager(PublicKey),
    /// Of the same key manager, made with other owners or another threshold.
    #[error("the share is of another backup of this key manager")]
    OtherBackup,
    /// No share has this number.
    #[error("the backup has no share {0}")]
    NoSuchShare(i64),
    /// The share was changed.
    #[error("share {0} is not the one of the backup: it was changed or mixed up")]
    WrongShare(u8),
}

impl Backup {
    /// The description and the shares of `secret` for these owners. The same for each replica and each time.
    pub(crate) fn make(
        secret: &RootSecret,
        threshold: u8,
        owners: &[[u8; 32]],
    ) -> Result<(Self, Vec<Block>), KeyManagerError> {
        let coefficients = secret.coefficients(threshold, owners)?;
        let points = 1..=u8::try_from(owners.len()).unwrap_or(u8::MAX);
        let shares: Vec<Block> = points
            .map(|x| shamir::share(secret.bytes(), &coefficients, x))
            .collect();
        let mut backup = Self {
            id: secret.id()?,
            threshold,
            owners: owners.to_vec(),
            commitments: Vec::new(),
            signature: [0; 64],
        };
        backup.commitments = (1..)
            .zip(&shares)
            .map(|(x, share)| backup.commitment(x, share))
            .collect();
        backup.signature = secret.sign(&backup.signed_bytes())?;
        Ok((backup, shares))
    }

    /// The description as bytes: domain, id, threshold, number of owners, their keys, the commitments, the signature.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.signed_bytes();
        bytes.extend(self.signature);
        bytes
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = DOMAIN.to_vec();
        bytes.extend(self.id.as_bytes());
        // At most MAX_OWNERS.
        bytes.extend([self.threshold, self.owners.len() as u8]);
        bytes.extend(self.owners.as_flattened());
        bytes.extend(self.commitments.as_flattened());
        bytes
    }

    /// Reads a description and checks its signature; what follows it is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, BackupProblem> {
        if bytes.len() > MAX_BACKUP_BYTES {
            return Err(BackupProblem::Malformed);
        }
        let mut rest = bytes;
        let backup = read(&mut rest)
            .filter(|_| rest.is_empty())
            .ok_or(BackupProblem::Malformed)?;
        backup.check()?;
        Ok(backup)
    }

    /// Checks the numbers and the signature.
    pub(crate) fn check(&self) -> Result<(), BackupProblem> {
        let owners = self.owners.len();
        let fits = owners <= MAX_OWNERS
            && self.commitments.len() == owners
            && (MIN_THRESHOLD..=owners).contains(&usize::from(self.threshold));
        if !fits {
            return Err(BackupProblem::Malformed);
        }
        if !self.id.verifies(&self.signed_bytes(), &self.signature) {
            return Err(BackupProblem::Signature);
        }
        Ok(())
    }

    /// Whether `share` is the one of number `index`, from 1.
    pub fn check_share(&self, index: i64, share: &[u8; 32]) -> Result<u8, BackupProblem> {
        let none = BackupProblem::NoSuchShare(index);
        let number = u8::try_from(index).map_err(|_| none)?;
        let at = usize::from(number).checked_sub(1).ok_or(none)?;
        let committed = self.commitments.get(at).ok_or(none)?;
        if bool::from(committed.ct_eq(&self.commitment(number, share))) {
            Ok(number)
        } else {
            Err(BackupProblem::WrongShare(number))
        }
    }

    fn commitment(&self, index: u8, share: &[u8; 32]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(SHARE_DOMAIN);
        hash.update(self.id.as_bytes());
        hash.update([self.threshold, self.owners.len() as u8, index]);
        hash.update(self.owners.as_flattened());
        hash.update(share);
        hash.finalize().into()
    }

    /// What a sealed share is bound to: another share, or another backup, does not open with it.
    pub(crate) fn context(&self, index: u8) -> Vec<u8> {
        let mut context = Sha256::digest(self.signed_bytes()).to_vec();
        context.push(index);
        context
    }
}

fn read(rest: &mut &[u8]) -> Option<Backup> {
    let domain: [u8; 24] = take(rest)?;
    if domain != *DOMAIN {
        return None;
    }
    let id = PublicKey::new(take(rest)?);
    let [threshold, count] = take(rest)?;
    // The number is a byte, and memory grows with what is there.
    let hashes = |rest: &mut &[u8]| (0..count).map(|_| take(rest)).collect::<Option<Vec<[u8; 32]>>>();
    Some(Backup {
        id,
        threshold,
        owners: hashes(rest)?,
        commitments: hashes(rest)?,
        signature: take(rest)?,
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    pub(crate) fn made(secret: [u8; 32], threshold: u8, owners: u8) -> (Backup, Vec<Block>) {
        let owners: Vec<[u8; 32]> = (0..owners).map(|owner| [owner; 32]).collect();
        Backup::make(&RootSecret::new(Zeroizing::new(secret)), threshold, &owners).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn descriptions_survive_and_every_change_cut_and_tail_is_refused(
            (secret, more, threshold, at, bit) in (any::<[u8; 32]>(), 0u8..9, 2u8..6, any::<prop::sample::Index>(), 0u8..8)
        ) {
            let (backup, _) = made(secret, threshold, threshold + more);
            let bytes = backup.to_bytes();
            prop_assert_eq!(&Backup::parse(&bytes).unwrap(), &backup);
            let at = at.index(bytes.len());
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            prop_assert!(Backup::parse(&changed).is_err());
            prop_assert_eq!(Backup::parse(&bytes[..at]), Err(BackupProblem::Malformed));
            prop_assert_eq!(Backup::parse(&[&bytes[..], &[0]].concat()), Err(BackupProblem::Malformed));
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(Backup::parse(&bytes).is_err());
            let _ = Backup::parse(&[&DOMAIN[..], &bytes].concat());
        }
    }

    #[test]
    fn a_share_that_was_changed_or_mixed_up_is_named() {
        let (backup, shares) = made([7; 32], 2, 3);
        for (index, share) in (1..).zip(&shares) {
            assert_eq!(backup.check_share(index, share), Ok(index as u8));
        }
        assert_eq!(backup.check_share(2, &shares[0]), Err(BackupProblem::WrongShare(2)));
        let mut changed = shares[2].clone();
        changed[31] ^= 1;
        assert_eq!(backup.check_share(3, &changed), Err(BackupProblem::WrongShare(3)));
        for index in [0, 4, -1, 257, i64::MAX] {
            assert_eq!(
                backup.check_share(index, &shares[0]),
                Err(BackupProblem::NoSuchShare(index))
            );
        }
        let (other, theirs) = made([8; 32], 2, 3);
        assert_ne!(other.id, backup.id);
        assert_eq!(backup.check_share(1, &theirs[0]), Err(BackupProblem::WrongShare(1)));
    }

    #[test]
    fn each_replica_makes_the_same_shares_and_other_owners_have_other_ones() {
        let (one, shares) = made([7; 32], 2, 3);
        assert_eq!(made([7; 32], 2, 3), (one, shares.clone()));
        for (threshold, owners) in [(3, 3), (2, 4)] {
            let (_, other) = made([7; 32], threshold, owners);
            assert!(
                shares.iter().all(|share| !other.contains(share)),
                "{threshold} of {owners}"
            );
        }
    }

    #[test]
    fn a_threshold_of_one_or_above_the_owners_is_no_backup() {
        for (threshold, owners) in [(1, 1), (1, 3), (4, 3), (0, 2)] {
            let (backup, _) = made([7; 32], threshold, owners);
            assert_eq!(Backup::parse(&backup.to_bytes()), Err(BackupProblem::Malformed));
        }
    }
}
