//! What was fetched, on disk, so that a restart asks nobody. The files are not trusted: what they hold is signed, and is
//! checked as an answer of the service is. Whoever writes to the disk can put older documents there that still hold.

use std::path::{Path, PathBuf};

use cocoon_attest::{PlatformFamily, TrustRoots};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;

use super::Fetched;
use super::problem::Problem;
use crate::RunnerError;
use crate::limits::{MAX_COLLATERAL_CACHE_BYTES, MAX_COLLATERAL_FAMILIES};

/// A folder with one file a family: `90c06f000000-platform.json`.
pub(super) struct Cache(PathBuf);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Unix seconds.
    fetched_at: u64,
    collateral: String,
}

impl Cache {
    /// Makes the folder if it is missing.
    pub(super) fn open(folder: &Path) -> Result<Self, RunnerError> {
        std::fs::create_dir_all(folder).map_err(|source| RunnerError::Unwritable {
            path: folder.to_owned(),
            source,
        })?;
        Ok(Self(folder.to_owned()))
    }

    /// What holds now. A file that is broken or has expired is left out, and fetched again when it is wanted.
    pub(super) fn load(&self, roots: &TrustRoots, now: u64) -> Vec<(PlatformFamily, Fetched)> {
        let entries = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let families = entries.filter_map(|entry| family_of(entry.file_name().to_str()?));
        families
            .take(MAX_COLLATERAL_FAMILIES)
            .filter_map(|family| match self.read(&family, roots, now) {
                Ok(fetched) => Some((family, fetched)),
                Err(problem) => {
                    tracing::warn!(%family, %problem, "collateral in the cache is not used");
                    None
                }
            })
            .collect()
    }

    fn read(&self, family: &PlatformFamily, roots: &TrustRoots, now: u64) -> Result<Fetched, Problem> {
        let text = crate::config::read_small(&self.path(family), "collateral", MAX_COLLATERAL_CACHE_BYTES);
        let file: File = text
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .ok_or(Problem::Cache)?;
        Fetched::new(family, &file.collateral, roots, file.fetched_at.min(now))?.holding(now)
    }

    /// Puts a document in the place of an older one, whole or not at all.
    pub(super) async fn store(&self, family: &PlatformFamily, fetched: &Fetched) -> Result<(), Problem> {
        let file = File {
            fetched_at: fetched.fetched_at,
            collateral: fetched.endorsements.texts().collect(),
        };
        let text = serde_json::to_vec(&file).map_err(|_| Problem::Cache)?;
        let path = self.path(family);
        let partial = path.with_extension("part");
        let mut out = tokio::fs::File::create(&partial).await?;
        out.write_all(&text).await?;
        out.sync_all().await?;
        Ok(tokio::fs::rename(&partial, &path).await?)
    }

    fn path(&self, family: &PlatformFamily) -> PathBuf {
        self.0.join(format!("{}.json", family.to_string().replace('/', "-")))
    }
}

fn family_of(name: &str) -> Option<PlatformFamily> {
    name.strip_suffix(".json")?.replacen('-', "/", 1).parse().ok()
}
