//! Key files: a 32-byte Ed25519 seed as hex in a file that only its owner can read. Secrets that keys are derived from have
//! the same form.

use std::io::Write;
use std::path::Path;

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use crate::RunnerError;
use crate::config::read_small;
use crate::limits::MAX_KEY_FILE_BYTES;

/// Loads a key; refuses a file that others may read.
pub fn load_key(path: &Path) -> Result<SigningKey, RunnerError> {
    Ok(SigningKey::from_bytes(&*load_seed(path)?))
}

/// Loads a key, or draws one and writes it when the file is missing.
pub fn load_or_create_key(path: &Path) -> Result<SigningKey, RunnerError> {
    Ok(SigningKey::from_bytes(&*load_or_create_seed(path)?))
}

/// The 32 bytes of a file; refuses one that others may read.
pub fn load_seed(path: &Path) -> Result<Zeroizing<[u8; 32]>, RunnerError> {
    check_mode(path)?;
    let text = Zeroizing::new(read_small(path, "key file", MAX_KEY_FILE_BYTES)?);
    let mut seed = Zeroizing::new([0u8; 32]);
    hex::decode_to_slice(text.trim(), seed.as_mut_slice()).map_err(|_| RunnerError::KeyFileFormat {
        path: path.to_path_buf(),
    })?;
    Ok(seed)
}

/// The text of a file of at most `limit` bytes, such as a token; refuses one that others may read. `kind` names it in errors.
pub fn load_secret_text(path: &Path, kind: &'static str, limit: u64) -> Result<Zeroizing<String>, RunnerError> {
    check_mode(path)?;
    Ok(Zeroizing::new(read_small(path, kind, limit)?))
}

/// The 32 bytes of a file, or new ones that are written when it is missing.
pub(crate) fn load_or_create_seed(path: &Path) -> Result<Zeroizing<[u8; 32]>, RunnerError> {
    if path.exists() {
        return load_seed(path);
    }
    let seed = Zeroizing::new(rand::random::<[u8; 32]>());
    write_secret(path, hex::encode(seed.as_slice()).as_bytes())?;
    Ok(seed)
}

/// Writes a new file with mode 0600; an existing file is an error.
pub fn write_secret(path: &Path, text: &[u8]) -> Result<(), RunnerError> {
    let unwritable = |source| RunnerError::Unwritable {
        path: path.to_path_buf(),
        source,
    };
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(unwritable)?;
    file.write_all(text)
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .map_err(unwritable)
}

/// Bits that must not be set. systemd opens a credential (`LoadCredential=`) to the service's user by an access list, which
/// shows as reading by the group; the folder that it names in `CREDENTIALS_DIRECTORY` is open to that user alone.
fn closed_bits(path: &Path, credentials: Option<&Path>) -> u32 {
    match credentials {
        Some(folder) if folder.is_absolute() && path.starts_with(folder) => 0o037,
        _ => 0o077,
    }
}

fn check_mode(path: &Path) -> Result<(), RunnerError> {
    #[cfg(unix)]
    {
        let metadata = std::fs::metadata(path).map_err(|source| RunnerError::Unreadable {
            path: path.to_path_buf(),
            source,
        })?;
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
        if mode & closed_bits(path, credentials.as_deref().map(Path::new)) != 0 {
            return Err(RunnerError::KeyFileMode {
                path: path.to_path_buf(),
                mode,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_credentials_of_the_service_may_be_read_by_a_group() {
        let credentials = Some(Path::new("/run/credentials/cocoon-client.service"));
        let inside = Path::new("/run/credentials/cocoon-client.service/wallet.key");
        assert_eq!(closed_bits(inside, credentials), 0o037);
        assert_eq!(closed_bits(inside, None), 0o077);
        assert_eq!(closed_bits(Path::new("/etc/wallet.key"), credentials), 0o077);
        assert_eq!(
            closed_bits(Path::new("/run/credentials/cocoon-client.service.d/x"), credentials),
            0o077
        );
        assert_eq!(closed_bits(Path::new("wallet.key"), Some(Path::new(""))), 0o077);
    }

    #[test]
    fn created_key_is_private_and_loads_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.key");
        let created = load_or_create_key(&path).unwrap();
        assert_eq!(load_key(&path).unwrap().to_bytes(), created.to_bytes());
        assert_eq!(load_or_create_key(&path).unwrap().to_bytes(), created.to_bytes());
    }

    #[test]
    #[cfg(unix)]
    fn key_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.key");
        load_or_create_key(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            load_key(&path),
            Err(RunnerError::KeyFileMode { mode: 0o640, .. })
        ));
    }

    #[test]
    fn content_of_a_bad_key_file_is_not_in_the_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.key");
        write_secret(&path, b"5ec2e7").unwrap();
        let error = load_key(&path).unwrap_err();
        assert!(matches!(error, RunnerError::KeyFileFormat { .. }));
        assert!(!format!("{error} {error:?}").contains("5ec2e7"));
    }
}
