//! Disks by their serial number, the configuration's files, the host's files.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cocoon_image::limits::{MAX_HOST_ARCHIVE_BYTES, MAX_SPEC_DEPTH, MAX_SPEC_FILE_BYTES};
use cocoon_image::{HostFiles, Node, Spec};

use crate::error::{Doing as _, InitError};

/// How often, a tenth of a second apart, a device is looked for that the kernel is still finding.
const LOOKS: u32 = 100;

/// Waits until `ready`, but not for ever: who comes after finds out.
pub(crate) fn wait_for(mut ready: impl FnMut() -> bool) {
    for _ in 0..LOOKS {
        if ready() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The disk that has this serial number. Disks are found together: when one is there, all are.
pub(crate) fn disk(serial: &str) -> Result<Option<PathBuf>, InitError> {
    let blocks = Path::new("/sys/block");
    let is_disk = |name: &str| name.starts_with("vd");
    let names = || -> Result<Vec<String>, InitError> {
        let entries = fs::read_dir(blocks).doing("list the disks")?;
        let names = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok());
        Ok(names.filter(|name| is_disk(name)).collect())
    };
    wait_for(|| names().is_ok_and(|names| !names.is_empty()));
    let mut names = names()?;
    names.sort();
    for name in names {
        let theirs = fs::read_to_string(blocks.join(&name).join("serial")).unwrap_or_default();
        if theirs.trim_end_matches(['\n', '\0']) == serial {
            return Ok(Some(Path::new("/dev").join(name)));
        }
    }
    Ok(None)
}

/// Reads the measured configuration.
pub(crate) fn spec(folder: &Path) -> Result<Spec, InitError> {
    let mut spec = Spec::default();
    add(&mut spec, folder, "", 0)?;
    Ok(spec)
}

fn add(spec: &mut Spec, folder: &Path, prefix: &str, depth: usize) -> Result<(), InitError> {
    let mut entries = fs::read_dir(folder)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .doing(format!("list {}", folder.display()))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().doing(format!("look at {path}"))?;
        if kind.is_dir() && depth < MAX_SPEC_DEPTH {
            add(spec, &entry.path(), &format!("{path}/"), depth + 1)?;
        } else if kind.is_file() {
            spec.insert(&path, Node::File(read(&entry.path(), MAX_SPEC_FILE_BYTES)?))?;
        } else {
            return Err(InitError::Odd { path });
        }
    }
    Ok(())
}

/// Reads the host's archive from its disk.
pub(crate) fn host(disk: &Path) -> Result<HostFiles, InitError> {
    Ok(HostFiles::parse(&read(disk, MAX_HOST_ARCHIVE_BYTES)?)?)
}

/// Reads at most `limit` bytes and one more, by which the reader behind sees that it is too much.
fn read(path: &Path, limit: usize) -> Result<Vec<u8>, InitError> {
    let mut content = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut content))
        .doing(format!("read {}", path.display()))?;
    Ok(content)
}

/// Writes files into a folder, where none of them is yet. They are for the runner alone: keys may be among them.
pub(crate) fn write_all(folder: &Path, files: &[(String, Vec<u8>)]) -> Result<(), InitError> {
    fs::create_dir_all(folder).doing(format!("make {}", folder.display()))?;
    for (name, content) in files {
        let path = folder.join(name);
        File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(content))
            .doing(format!("write {}", path.display()))?;
    }
    Ok(())
}
