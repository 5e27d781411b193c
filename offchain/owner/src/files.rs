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
    #[cfg(not(unix))]
    let _ = &metadata;
    Ok(())
}

/// Reads a text file that must not be larger than `limit` bytes.
pub(crate) fn read_small(path: &Path, limit: u64) -> Result<String, OwnerError> {
    let file = File::open(path).map_err(OwnerError::disk("read", path))?;
    // Room for all of it at once: a buffer that grows leaves copies of a secret behind.
    let size = file
        .metadata()
        .map_err(OwnerError::disk("read", path))?
        .len()
        .min(limit);
    let mut text = String::with_capacity(usize::try_from(size).unwrap_or(0).saturating_add(64));
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
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    builder.create(path).map_err(OwnerError::disk("make", path))?;
    // A folder is on the disk when the one that names it is.
    missing
        .into_iter()
        .try_for_each(sync_parent)
        .map_err(OwnerError::disk("make", path))
}

fn sync_parent(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Writes a private file that must not exist; it is on the disk when this returns.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), OwnerError> {
    let part = path.with_extension(format!("{:016x}.part", rand::random::<u64>()));
    let written = || {
        write_part(&part, text)?;
        // A link, other than a renamed file, takes nobody's place.
        std::fs::hard_link(&part, path)?;
        sync_parent(path)
    };
    let outcome = written();
    // What is left of it is a second name of the same file, or a file that nobody knows.
    let cleared = remove(&part);
    match outcome {
        Ok(()) => cleared,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(OwnerError::Exists { path: path.to_owned() })
        }
        Err(error) => Err(OwnerError::disk("write", path)(error)),
    }
}

/// Writes a private file that is not there yet, down to the disk.
fn write_part(part: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Writes a private file, or replaces it: after a crash there is the old text or the new one, whole.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), OwnerError> {
    let part = path.with_extension("part");
    // Of a process that was killed: whoever writes here holds the lock.
    remove(&part)?;
    let written = || {
        write_part(&part, text)?;
        std::fs::rename(&part, path)?;
        sync_parent(path)
    };
    written().map_err(OwnerError::disk("write", path))
}

/// Removes a file; one that is not there is gone already.
pub(crate) fn remove(path: &Path) -> Result<(), OwnerError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other
            .and_then(|()| sync_parent(path))
            .map_err(OwnerError::disk("remove", path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_that_write_the_same_new_file_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a").join("b.wallet");
        private_folder(&folder.path().join("a")).unwrap();
        let texts: Vec<String> = (0..8).map(|number| format!("{number}").repeat(1000)).collect();
        let outcomes: Vec<bool> = std::thread::scope(|scope| {
            let writers: Vec<_> = texts
                .iter()
                .map(|text| scope.spawn(|| write_new(&path, text).is_ok()))
                .collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        let kept: Vec<&String> = texts
            .iter()
            .zip(&outcomes)
            .filter(|(_, is_kept)| **is_kept)
            .map(|(text, _)| text)
            .collect();
        assert_eq!(kept, [&read_small(&path, 10_000).unwrap()], "the one that was told so");
        let left = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1, "no part is left behind");
        assert!(matches!(write_new(&path, "x"), Err(OwnerError::Exists { .. })));
    }
}
