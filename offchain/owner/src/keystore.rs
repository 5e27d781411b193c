//! A folder of wallets: for each a file in which its key is sealed and what is not secret stands in the open.

use std::path::{Path, PathBuf};

use cocoon_bindings::PublicKey;
use cocoon_bindings::ton::Address;
use cocoon_bindings::wallets::WalletContract;
use serde::{Deserialize, Serialize};

use crate::OwnerError;
use crate::files::{check_private, private_folder, read_small, write_new};
use crate::limits::{MAX_KEY_FILE_BYTES, MAX_NAME_CHARS, MAX_WALLETS};
use crate::seal::{Freshness, Sealed, seal};
use crate::secret::{Passphrase, Secret};

/// Version of the file's form.
const VERSION: u8 = 1;
/// What the file names end with.
const SUFFIX: &str = "wallet.json";

/// The folder.
#[derive(Debug, Clone)]
pub struct Keystore {
    folder: PathBuf,
}

/// One wallet of a keystore, with its key still sealed.
#[derive(Debug, Clone)]
pub struct StoredWallet {
    /// Its name here.
    pub name: String,
    /// What it is.
    pub contract: WalletContract,
    /// Its address.
    pub address: Address,
    sealed: Sealed,
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    version: u8,
    wallet: WalletContract,
    /// For people; what counts follows from `wallet`.
    address: String,
    secret: Sealed,
}

/// A wallet's name, and the wallet or why it cannot be read.
pub type Listed = (String, Result<StoredWallet, OwnerError>);

impl Keystore {
    /// The keystore in a folder, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds a wallet. A name that is taken is refused: nothing is ever written over.
    pub fn add(
        &self,
        name: &str,
        contract: WalletContract,
        secret: &Secret,
        passphrase: &Passphrase,
    ) -> Result<StoredWallet, OwnerError> {
        let path = self.path(name)?;
        if path.exists() {
            return Err(OwnerError::Exists { path });
        }
        passphrase.check_strength()?;
        if PublicKey::from(&secret.key()?) != *contract.public_key() {
            return Err(OwnerError::OtherKey);
        }
        let address = contract.address()?;
        let fresh = Freshness {
            salt: rand::random(),
            nonce: rand::random(),
        };
        let sealed = seal(secret.to_text().as_bytes(), &bound(&contract)?, passphrase, fresh)?;
        let file = KeyFile {
            version: VERSION,
            wallet: contract.clone(),
            address: address.to_string(),
            secret: sealed.clone(),
        };
        let text = serde_json::to_string_pretty(&file).map_err(|_| OwnerError::Sealing)?;
        private_folder(&self.folder)?;
        write_new(&path, &(text + "\n"))?;
        let name = name.to_owned();
        Ok(StoredWallet {
            name,
            contract,
            address,
            sealed,
        })
    }

    /// The wallet of a name. A file that others may read is refused.
    pub fn get(&self, name: &str) -> Result<StoredWallet, OwnerError> {
        let path = self.path(name)?;
        if !path.exists() {
            return Err(OwnerError::NoWallet {
                name: name.to_owned(),
                folder: self.folder.clone(),
            });
        }
        check_private(&path)?;
        let text = read_small(&path, MAX_KEY_FILE_BYTES)?;
        let damaged = |reason: &'static str| OwnerError::KeyFile {
            path: path.clone(),
            reason,
        };
        let file: KeyFile = serde_json::from_str(&text).map_err(|_| damaged("it is not the JSON expected"))?;
        if file.version != VERSION {
            return Err(damaged("it has a version that this program does not know"));
        }
        let address = file.wallet.address()?;
        if file.address != address.to_string() {
            return Err(damaged("its address does not follow from the wallet"));
        }
        Ok(StoredWallet {
            name: name.to_owned(),
            contract: file.wallet,
            address,
            sealed: file.secret,
        })
    }

    /// All wallets by name, each as it could be read.
    pub fn list(&self) -> Result<Vec<Listed>, OwnerError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(OwnerError::disk("read", &self.folder)(error)),
        };
        let mut names = Vec::new();
        for entry in entries.take(MAX_WALLETS) {
            let entry = entry.map_err(OwnerError::disk("read", &self.folder))?;
            let file = entry.file_name();
            if let Some(name) = file.to_str().and_then(|name| name.strip_suffix(&format!(".{SUFFIX}"))) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        let read = |name: String| {
            let wallet = self.get(&name);
            (name, wallet)
        };
        Ok(names.into_iter().map(read).collect())
    }

    fn path(&self, name: &str) -> Result<PathBuf, OwnerError> {
        let fits = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
        if name.is_empty() || name.len() > MAX_NAME_CHARS || !name.chars().all(fits) {
            return Err(OwnerError::Name {
                name: name.chars().take(MAX_NAME_CHARS).collect(),
            });
        }
        Ok(self.folder.join(format!("{name}.{SUFFIX}")))
    }
}

impl StoredWallet {
    /// Opens the secret; it is that of this wallet's key, or the file was tampered with.
    pub fn unlock(&self, passphrase: &Passphrase) -> Result<Secret, OwnerError> {
        let bytes = self.sealed.open(&bound(&self.contract)?, passphrase)?;
        let damaged = OwnerError::SealedForm {
            reason: "what is sealed is not a secret",
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| damaged)?;
        let secret = Secret::parse(text)?;
        if PublicKey::from(&secret.key()?) != *self.contract.public_key() {
            return Err(OwnerError::OtherKey);
        }
        Ok(secret)
    }
}

/// What the seal is bound to.
fn bound(contract: &WalletContract) -> Result<Vec<u8>, OwnerError> {
    let mut bytes = b"cocoon wallet 1 ".to_vec();
    bytes.extend(serde_json::to_vec(contract).map_err(|_| OwnerError::Sealing)?);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cocoon_bindings::wallets::WALLET_ID_MAINNET;

    fn passphrase() -> Passphrase {
        Passphrase::new("correct horse".to_owned())
    }

    fn secret(byte: u8) -> Secret {
        Secret::parse(&hex::encode([byte; 32])).unwrap()
    }

    fn contract(secret: &Secret) -> WalletContract {
        WalletContract::v5r1(PublicKey::from(&secret.key().unwrap()), WALLET_ID_MAINNET)
    }

    #[test]
    fn a_wallet_is_kept_sealed_and_opens_with_its_passphrase_alone() {
        let folder = tempfile::tempdir().unwrap();
        let keystore = Keystore::new(folder.path().join("keys"));
        assert!(keystore.list().unwrap().is_empty());
        let secret = secret(0x5e);
        let added = keystore
            .add("alice", contract(&secret), &secret, &passphrase())
            .unwrap();
        let text = std::fs::read_to_string(keystore.path("alice").unwrap()).unwrap();
        assert!(!text.contains(secret.to_text().as_str()));

        let stored = keystore.get("alice").unwrap();
        assert_eq!(stored.address, added.address);
        assert_eq!(
            stored.unlock(&passphrase()).unwrap().key().unwrap(),
            secret.key().unwrap()
        );
        let wrong = stored.unlock(&Passphrase::new("wrong horse".to_owned()));
        assert!(matches!(wrong, Err(OwnerError::WrongPassphrase)));
        assert_eq!(keystore.list().unwrap().len(), 1);
    }

    #[test]
    fn nothing_is_written_over_and_names_stay_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let keystore = Keystore::new(folder.path());
        let secret = secret(1);
        keystore
            .add("alice", contract(&secret), &secret, &passphrase())
            .unwrap();
        let again = keystore.add("alice", contract(&secret), &secret, &passphrase());
        assert!(matches!(again, Err(OwnerError::Exists { .. })));
        for name in ["", "../alice", "a b", &"x".repeat(65)] {
            let refused = keystore.add(name, contract(&secret), &secret, &passphrase());
            assert!(matches!(refused, Err(OwnerError::Name { .. })), "{name}");
        }
        assert!(matches!(keystore.get("bob"), Err(OwnerError::NoWallet { .. })));
    }

    #[test]
    fn a_weak_passphrase_and_a_foreign_key_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let keystore = Keystore::new(folder.path());
        let (ours, theirs) = (secret(1), secret(2));
        let weak = keystore.add("alice", contract(&ours), &ours, &Passphrase::new("horse".to_owned()));
        assert!(matches!(weak, Err(OwnerError::WeakPassphrase { .. })));
        let foreign = keystore.add("alice", contract(&theirs), &ours, &passphrase());
        assert!(matches!(foreign, Err(OwnerError::OtherKey)));
    }

    #[test]
    fn a_file_in_which_the_wallet_was_exchanged_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let keystore = Keystore::new(folder.path());
        let secret = secret(1);
        let stored = keystore
            .add("alice", contract(&secret), &secret, &passphrase())
            .unwrap();
        let key = *stored.contract.public_key();
        let exchanged = StoredWallet {
            contract: WalletContract::node(key, Address::new(0, [6; 32].into())),
            ..stored
        };
        assert!(matches!(
            exchanged.unlock(&passphrase()),
            Err(OwnerError::WrongPassphrase)
        ));
    }

    #[test]
    #[cfg(unix)]
    fn a_key_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let keystore = Keystore::new(folder.path().join("keys"));
        let secret = secret(1);
        keystore
            .add("alice", contract(&secret), &secret, &passphrase())
            .unwrap();
        let path = keystore.path("alice").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(keystore.folder())), (0o600, 0o700));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = keystore.get("alice").unwrap_err();
        assert!(matches!(refused, OwnerError::OpenToOthers { mode: 0o640, .. }));
        assert!(refused.hint().contains("chmod 600"));
    }
}
