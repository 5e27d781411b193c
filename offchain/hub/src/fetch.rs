//! One file: from where it broke off to its last byte, then its hash.

use std::path::{Path, PathBuf};

use http::StatusCode;
use http::header::CONTENT_RANGE;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::error::{HubError, Retry};
use crate::hub::{Hub, accepted};
use crate::limits::{FIRST_PAUSE, MAX_VAIN_ATTEMPTS, PROGRESS_STEP};
use crate::listing::{HubFile, Snapshot};

const BUFFER: usize = 1024 * 1024;

/// Whether a file lies in `folder` as the listing says: its whole content is read.
pub(crate) async fn is_there(folder: &Path, file: &HubFile) -> Result<bool, HubError> {
    let path = folder.join(&file.name);
    match tokio::fs::metadata(&path).await {
        Ok(found) if found.is_file() && found.len() == file.size => holds(&path, file).await,
        _ => Ok(false),
    }
}

/// Fetches a file; tells how many of its bytes are there.
pub(crate) async fn fetch(
    hub: &Hub,
    snapshot: &Snapshot,
    file: &HubFile,
    folder: &Path,
    told: &mut (dyn FnMut(u64) + Send),
) -> Result<(), HubError> {
    let partial = folder.join(format!(".{}.{}.partial", file.name, &snapshot.commit[..7]));
    let mut vain = 0;
    let mut pause = FIRST_PAUSE;
    loop {
        let before = length(&partial).await;
        match attempt(hub, snapshot, file, &partial, told).await {
            Ok(()) if length(&partial).await == file.size => break,
            Ok(()) => {}
            Err(error) if error.retry() == Retry::Never => return Err(error),
            Err(error) if vain + 1 >= MAX_VAIN_ATTEMPTS => return Err(error),
            Err(_) => {}
        }
        if length(&partial).await > before {
            (vain, pause) = (0, FIRST_PAUSE);
            continue;
        }
        vain += 1;
        if vain >= MAX_VAIN_ATTEMPTS {
            return Err(HubError::BrokeOff {
                file: file.name.clone(),
                attempts: vain,
            });
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    if !holds(&partial, file).await? {
        // The next attempt must not go on behind wrong bytes.
        tokio::fs::remove_file(&partial).await.map_err(disk(&partial))?;
        return Err(HubError::Checksum {
            file: file.name.clone(),
        });
    }
    let path = folder.join(&file.name);
    tokio::fs::rename(&partial, &path).await.map_err(disk(&path))
}

/// Asks once and writes what comes behind what is there. Ends without an error when the connection ends early.
async fn attempt(
    hub: &Hub,
    snapshot: &Snapshot,
    file: &HubFile,
    partial: &Path,
    told: &mut (dyn FnMut(u64) + Send),
) -> Result<(), HubError> {
    let mut there = length(partial).await;
    if there == file.size && there > 0 {
        return Ok(());
    }
    if there > file.size {
        there = 0;
    }
    let mut answer = accepted(hub.file(snapshot, &file.name, there).await?, &file.name)?;
    let starts = format!("bytes {there}-");
    let goes_on = answer.status == StatusCode::PARTIAL_CONTENT
        && answer
            .headers
            .get(CONTENT_RANGE)
            .is_some_and(|range| range.to_str().is_ok_and(|range| range.starts_with(&starts)));
    if !goes_on {
        there = 0; // a server that does not know ranges sends the file from its start
    }
    let mut out = OpenOptions::new()
        .create(true)
        .write(true)
        .append(there > 0)
        .truncate(there == 0)
        .open(partial)
        .await
        .map_err(disk(partial))?;
    let mut next_word = there;
    // When the connection breaks, what came before is on disk and counts.
    while let Ok(Some(piece)) = answer.piece().await {
        there += piece.len() as u64;
        if there > file.size {
            out.set_len(0).await.map_err(disk(partial))?;
            return Err(HubError::Checksum {
                file: file.name.clone(),
            });
        }
        out.write_all(&piece).await.map_err(disk(partial))?;
        if there >= next_word {
            told(there);
            next_word = there + PROGRESS_STEP;
        }
    }
    out.sync_all().await.map_err(disk(partial))?;
    told(there);
    Ok(())
}

async fn holds(path: &Path, file: &HubFile) -> Result<bool, HubError> {
    let mut content = File::open(path).await.map_err(disk(path))?;
    let mut hashing = file.checksum.begin(file.size);
    let mut buffer = vec![0; BUFFER];
    loop {
        match content.read(&mut buffer).await.map_err(disk(path))? {
            0 => return Ok(hashing.holds()),
            read => hashing.update(&buffer[..read]),
        }
    }
}

/// Bytes of a file that may be missing.
async fn length(path: &Path) -> u64 {
    tokio::fs::metadata(path).await.map_or(0, |found| found.len())
}

pub(crate) fn disk(path: &Path) -> impl FnOnce(std::io::Error) -> HubError {
    let path = PathBuf::from(path);
    move |source| HubError::Disk { path, source }
}
