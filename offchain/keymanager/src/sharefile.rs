//! The file of one share: sealed to its owner, with the description of the whole backup.

use std::path::Path;

use cocoon_bindings::units::PublicKey;
use cocoon_ratls::{Sealed, seal};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::backup::Backup;
use crate::limits::MAX_SHARE_FILE_BYTES;
use crate::shamir::Block;
use crate::{BackupProblem, KeyManagerError, OwnerKey, OwnerPublic, RootSecret};

/// What the sealing is for.
const INFO: &[u8] = b"cocoon key share v1";

/// One share as JSON. All of it may be public: only its owner opens it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareFile {
    /// Of this form: 1.
    pub version: u8,
    /// Public id of the key manager.
    pub id: PublicKey,
    /// Whether the key manager ran on a SIMULATED platform: then its machine's owner may know the secret.
    pub simulated: bool,
    /// Shares that give the secret back.
    pub threshold: u8,
    /// Number of this share, from 1.
    pub index: u8,
    /// The X25519 key that it is sealed to.
    pub owner: OwnerPublic,
    /// The signed description of the backup, in hex.
    pub backup: String,
    /// The sender's ephemeral key, in hex.
    pub encapsulated: String,
    /// The sealed share, in hex.
    pub sealed: String,
}

impl ShareFile {
    /// All shares of a secret, each sealed to its owner.
    pub(crate) fn make_all(
        secret: &RootSecret,
        threshold: u8,
        owners: &[[u8; 32]],
        simulated: bool,
    ) -> Result<Vec<Self>, KeyManagerError> {
        let (backup, shares) = Backup::make(secret, threshold, owners)?;
        let description = hex::encode(backup.to_bytes());
        let numbered = (1..).zip(owners).zip(&shares);
        numbered
            .map(|((index, owner), share)| {
                let sealed = seal(owner, INFO, &backup.context(index), share.as_slice())?;
                Ok(Self {
                    version: 1,
                    id: backup.id,
                    simulated,
                    threshold,
                    index,
                    owner: OwnerPublic::new(*owner),
                    backup: description.clone(),
                    encapsulated: hex::encode(sealed.encapsulated),
                    sealed: hex::encode(sealed.ciphertext),
                })
            })
            .collect()
    }

    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self, KeyManagerError> {
        let malformed = || KeyManagerError::ShareFile {
            path: path.to_path_buf(),
        };
        let length = std::fs::metadata(path).map_err(KeyManagerError::reading(path))?.len();
        if length > MAX_SHARE_FILE_BYTES {
            return Err(malformed());
        }
        let text = std::fs::read_to_string(path).map_err(KeyManagerError::reading(path))?;
        let file: Self = serde_json::from_str(&text).map_err(|_| malformed())?;
        if file.version == 1 { Ok(file) } else { Err(malformed()) }
    }

    /// The description of the backup, checked against itself and against what the file says beside it.
    pub fn backup(&self) -> Result<Backup, KeyManagerError> {
        let bytes = hex::decode(&self.backup).map_err(|_| BackupProblem::Malformed)?;
        let backup = Backup::parse(&bytes)?;
        let at = usize::from(self.index).checked_sub(1);
        let owner = at.and_then(|at| backup.owners.get(at));
        let agrees = backup.id == self.id && backup.threshold == self.threshold && owner == Some(self.owner.as_bytes());
        if agrees {
            Ok(backup)
        } else {
            Err(BackupProblem::Malformed.into())
        }
    }

    /// Opens it with its owner's key and checks the share.
    pub(crate) fn open(&self, key: &OwnerKey) -> Result<(Backup, Block), KeyManagerError> {
        let backup = self.backup()?;
        if key.public() != self.owner {
            return Err(KeyManagerError::OtherOwner {
                index: self.index,
                owner: self.owner,
            });
        }
        let wrong = || BackupProblem::WrongShare(self.index);
        let bytes = |text: &str| hex::decode(text).map_err(|_| wrong());
        let sealed = Sealed {
            encapsulated: bytes(&self.encapsulated)?,
            ciphertext: bytes(&self.sealed)?,
        };
        let plain = key
            .open(&sealed, INFO, &backup.context(self.index))
            .map_err(|_| wrong())?;
        let share = <&[u8; 32]>::try_from(plain.as_slice()).map_err(|_| wrong())?;
        backup.check_share(self.index.into(), share)?;
        Ok((backup, Zeroizing::new(*share)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> (Vec<OwnerKey>, Vec<ShareFile>, RootSecret) {
        let keys: Vec<OwnerKey> = [1, 2, 3]
            .map(|byte| OwnerKey::new(Zeroizing::new([byte; 32])).unwrap())
            .into();
        let owners: Vec<[u8; 32]> = keys.iter().map(|key| *key.public().as_bytes()).collect();
        let secret = RootSecret::new(Zeroizing::new([9; 32]));
        let files = ShareFile::make_all(&secret, 2, &owners, true).unwrap();
        (keys, files, secret)
    }

    #[test]
    fn each_owner_opens_the_own_share_and_no_other() {
        let (keys, files, secret) = files();
        let opened: Vec<_> = keys
            .iter()
            .zip(&files)
            .map(|(key, file)| file.open(key).unwrap().1)
            .collect();
        let two = [(1, opened[0].clone()), (3, opened[2].clone())];
        assert_eq!(&*crate::shamir::combine(&two), secret.bytes());
        let other = files[0].open(&keys[1]);
        assert!(matches!(other, Err(KeyManagerError::OtherOwner { index: 1, .. })));
    }

    #[test]
    fn a_changed_file_is_refused_wherever_it_was_changed() {
        let (keys, files, _) = files();
        let changed = |change: &dyn Fn(&mut ShareFile)| {
            let mut file = files[0].clone();
            change(&mut file);
            file.open(&keys[0])
        };
        let wrong = |result: Result<_, KeyManagerError>| match result {
            Err(KeyManagerError::Backup(problem)) => problem,
            other => panic!("{:?}", other.map(|_: (Backup, Block)| ())),
        };
        assert_eq!(
            wrong(changed(&|f| f.sealed.replace_range(0..1, "z"))),
            BackupProblem::WrongShare(1)
        );
        assert_eq!(
            wrong(changed(&|f| f.sealed = files[1].sealed.clone())),
            BackupProblem::WrongShare(1)
        );
        assert_eq!(
            wrong(changed(&|f| f.encapsulated.clear())),
            BackupProblem::WrongShare(1)
        );
        assert_eq!(wrong(changed(&|f| f.index = 2)), BackupProblem::Malformed);
        assert_eq!(wrong(changed(&|f| f.index = 0)), BackupProblem::Malformed);
        assert_eq!(wrong(changed(&|f| f.threshold = 1)), BackupProblem::Malformed);
        let flip = |f: &mut ShareFile| {
            let digit = if f.backup.ends_with('0') { "1" } else { "0" };
            f.backup.replace_range(f.backup.len() - 1.., digit);
        };
        assert_eq!(wrong(changed(&flip)), BackupProblem::Signature);
    }

    #[test]
    fn a_file_survives_its_text_and_holds_neither_secret_nor_share() {
        let (keys, files, secret) = files();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("share.json");
        let text = serde_json::to_string_pretty(&files[0]).unwrap();
        let (_, share) = files[0].open(&keys[0]).unwrap();
        for bytes in [secret.bytes().as_slice(), share.as_slice()] {
            assert!(!text.contains(&hex::encode(bytes)));
        }
        std::fs::write(&path, &text).unwrap();
        assert_eq!(ShareFile::load(&path).unwrap(), files[0]);
        std::fs::write(&path, text.replace("\"version\": 1", "\"version\": 2")).unwrap();
        assert!(matches!(ShareFile::load(&path), Err(KeyManagerError::ShareFile { .. })));
    }
}
