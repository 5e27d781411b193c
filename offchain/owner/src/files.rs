//! Files that hold secrets or must survive a crash: private, written whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;

use crate::OwnerError;

/// Refuses a file that others may read or write, or that belongs to somebody else.
pub fn check_private(path: &Path) -> Result<(), OwnerError> {
    let metadata = std::fs::metadata(path).map_err(OwnerError::disk("read", path))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 != 0 {
            let path = path.to_owned();
            return Err(OwnerError::OpenToOthers { path, mode });
        }
        let (owner, us) = (metadata.uid(), rustix::process::geteuid().as_raw());
        // Root may read everything anyway, so a file of another user tells nothing new to it.
        if owner != us && us != 0 {
            let path = path.to_owned();
            return Err(OwnerError::OfAnotherUser { path, owner });
        }
    }
    drop(metadata);
    Ok(())
}

/// Reads a text file that must not be larger than `limit` bytes.
pub(crate) fn read_small(path: &Path, limit: u64) -> Result<String, OwnerError> {
    let mut text = String::new();
    let file = File::open(path).map_err(OwnerError::disk("read", path))?;
    file.take(limit.saturating_add(1))
        .read_to_string(&mut text)
        .map_err(OwnerError::disk("read", path))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > limit {
        let path = path.to_owned();
        return Err(OwnerError::FileTooLarge { path, limit });
    }
    Ok(text)
}

/// Makes a folder that only its owner can look into.
pub(crate) fn private_folder(path: &Path) -> Result<(), OwnerError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(OwnerError::disk("make", path))
}

/// Writes a private file that must not exist; it is on the disk when this returns.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), OwnerError> {
    if path.exists() {
        let path = path.to_owned();
        return Err(OwnerError::Exists { path });
    }
    replace(path, text)
}

/// Writes a private file, or replaces it: after a crash there is the old text or the new one, whole.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), OwnerError> {
    let part = path.with_extension("part");
    let written = || {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&part, path)?;
        match path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    };
    written().map_err(OwnerError::disk("write", path))
}

/// Removes a file; one that is not there is gone already.
pub(crate) fn remove(path: &Path) -> Result<(), OwnerError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(OwnerError::disk("remove", path)),
    }
}
