//! A whole model.

use std::path::Path;

use crate::error::HubError;
use crate::fetch::{disk, fetch, is_there};
use crate::hub::Hub;
use crate::listing::Snapshot;

/// How far a pull is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The file that is being fetched.
    pub file: String,
    /// Bytes of all files that are there.
    pub done: u64,
    /// Bytes of all files.
    pub total: u64,
}

/// What a pull did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pulled {
    /// Files that were fetched.
    pub fetched: usize,
    /// Files that lay there already, as the listing says.
    pub kept: usize,
}

/// Fetches the files of `snapshot` into `folder`, small ones first, so that a wrong model is noticed early. A file that is
/// there with the right content stays; one with another content is replaced when the right one is complete.
pub async fn pull(
    hub: &Hub,
    snapshot: &Snapshot,
    folder: &Path,
    told: &mut (dyn FnMut(Progress) + Send),
) -> Result<Pulled, HubError> {
    tokio::fs::create_dir_all(folder).await.map_err(disk(folder))?;
    let mut files: Vec<_> = snapshot.files.iter().collect();
    files.sort_by_key(|file| file.size);
    let total = snapshot.size();
    let mut done = 0;
    let mut pulled = Pulled { fetched: 0, kept: 0 };
    for file in files {
        let mut progress = |bytes: u64| {
            told(Progress {
                file: file.name.clone(),
                done: done + bytes,
                total,
            });
        };
        progress(0);
        if is_there(folder, file).await? {
            pulled.kept += 1;
        } else {
            fetch(hub, snapshot, file, folder, &mut progress).await?;
            pulled.fetched += 1;
        }
        progress(file.size);
        done += file.size;
    }
    Ok(pulled)
}
