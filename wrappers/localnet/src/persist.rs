//! The chain on disk: read at the start, written after changes, whole and at once.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use cocoon_emulator::Snapshot;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::LocalNetError;
use crate::limits::WRITE_DELAY;
use crate::node::Node;

/// The saved chain, if there is one.
pub(crate) fn read(path: &Path) -> Result<Option<Snapshot>, LocalNetError> {
    let path = path.to_owned();
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(LocalNetError::Read { path, source }),
    };
    Snapshot::from_bytes(&bytes)
        .map(Some)
        .map_err(|source| LocalNetError::Damaged { path, source })
}

/// Writes the chain beside the old state and puts it in its place, so that there is always a whole one.
pub(crate) fn write(path: &Path, snapshot: &Snapshot) -> Result<(), LocalNetError> {
    let bytes = snapshot.to_bytes()?;
    let failed = |source| LocalNetError::Write {
        path: path.to_owned(),
        source,
    };
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(directory).map_err(failed)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let mut file = File::create(&beside).map_err(failed)?;
    file.write_all(&bytes).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)?;
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed)
}

/// Writes the chain after every change until told to stop, and once more then. `written` holds the number of the last
/// change on disk.
pub(crate) async fn keep(
    node: Node,
    path: PathBuf,
    written: watch::Sender<u64>,
    stop: CancellationToken,
) -> Result<(), LocalNetError> {
    let mut changes = node.changes();
    let mut stopping = false;
    loop {
        if !stopping {
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { stopping = true; },
                () = stop.cancelled() => stopping = true,
            }
            if !stopping {
                tokio::time::sleep(WRITE_DELAY).await;
            }
        }
        changes.mark_unchanged();
        let (snapshot, number) = node.copy();
        let target = path.clone();
        let result = tokio::task::spawn_blocking(move || write(&target, &snapshot)).await;
        match result
            .map_err(|error| LocalNetError::Server(error.to_string()))
            .and_then(|result| result)
        {
            Ok(()) => {
                written.send_replace(number);
            }
            Err(error) if stopping => return Err(error),
            Err(error) => tracing::error!(%error, "the chain's state is not saved"),
        }
        if stopping {
            return Ok(());
        }
    }
}
