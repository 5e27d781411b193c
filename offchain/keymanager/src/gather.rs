//! Shares that owners gave to a replica that restores, until there are enough.

use std::collections::BTreeMap;

use cocoon_bindings::units::PublicKey;

use crate::shamir::{self, Block};
use crate::{Backup, BackupProblem, KeyManagerError, RootSecret};

/// The shares of one backup of one key manager.
pub(crate) struct Gather {
    id: PublicKey,
    backup: Option<Backup>,
    shares: BTreeMap<u8, Block>,
}

/// What became of a share.
pub(crate) struct Taken {
    pub(crate) have: usize,
    pub(crate) need: usize,
    /// When they were enough.
    pub(crate) secret: Option<RootSecret>,
}

impl Gather {
    pub(crate) fn new(id: PublicKey) -> Self {
        Self {
            id,
            backup: None,
            shares: BTreeMap::new(),
        }
    }

    /// Takes a share that belongs to the others; the same one twice counts once.
    pub(crate) fn take(&mut self, description: &[u8], index: i64, share: Block) -> Result<Taken, KeyManagerError> {
        let backup = Backup::parse(description)?;
        if backup.id != self.id {
            return Err(BackupProblem::OtherManager(backup.id).into());
        }
        if self.backup.as_ref().is_some_and(|known| *known != backup) {
            return Err(BackupProblem::OtherBackup.into());
        }
        let index = backup.check_share(index, &share)?;
        let need = usize::from(backup.threshold);
        self.backup = Some(backup);
        self.shares.insert(index, share);
        let have = self.shares.len();
        let secret = if have >= need { Some(self.combine(need)?) } else { None };
        Ok(Taken { have, need, secret })
    }

    /// The description is signed and each share is the one that it commits to; still, what comes out must have the id.
    fn combine(&mut self, need: usize) -> Result<RootSecret, KeyManagerError> {
        let shares: Vec<(u8, Block)> = std::mem::take(&mut self.shares).into_iter().take(need).collect();
        let secret = RootSecret::new(shamir::combine(&shares));
        let found = secret.id()?;
        if found == self.id {
            Ok(secret)
        } else {
            Err(BackupProblem::OtherManager(found).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::tests::made;

    fn problem(result: Result<Taken, KeyManagerError>) -> BackupProblem {
        match result {
            Err(KeyManagerError::Backup(problem)) => problem,
            _ => panic!("a problem was expected"),
        }
    }

    #[test]
    fn enough_shares_give_the_secret_and_one_fewer_does_not() {
        let (backup, shares) = made([7; 32], 3, 5);
        let mut gather = Gather::new(backup.id);
        let description = backup.to_bytes();
        for (number, have) in [(4, 1), (1, 2), (4, 2)] {
            let taken = gather
                .take(&description, number, shares[number as usize - 1].clone())
                .unwrap();
            assert!(taken.secret.is_none(), "share {number}");
            assert_eq!((taken.have, taken.need), (have, 3));
        }
        let last = gather.take(&description, 5, shares[4].clone()).unwrap();
        assert_eq!(last.secret.unwrap().bytes(), &[7; 32]);
    }

    #[test]
    fn shares_of_another_key_manager_or_backup_are_named_and_the_others_stay() {
        let (backup, shares) = made([7; 32], 2, 3);
        let (foreign, theirs) = made([8; 32], 2, 3);
        let (other, of_other) = made([7; 32], 2, 4);
        let mut gather = Gather::new(backup.id);
        assert!(
            gather
                .take(&backup.to_bytes(), 1, shares[0].clone())
                .unwrap()
                .secret
                .is_none()
        );
        let refused = problem(gather.take(&foreign.to_bytes(), 2, theirs[1].clone()));
        assert_eq!(refused, BackupProblem::OtherManager(foreign.id));
        let refused = problem(gather.take(&other.to_bytes(), 2, of_other[1].clone()));
        assert_eq!(refused, BackupProblem::OtherBackup);
        let refused = problem(gather.take(&backup.to_bytes(), 2, of_other[1].clone()));
        assert_eq!(refused, BackupProblem::WrongShare(2));
        let taken = gather.take(&backup.to_bytes(), 2, shares[1].clone()).unwrap();
        assert_eq!(taken.secret.unwrap().id().unwrap(), backup.id);
    }
}
