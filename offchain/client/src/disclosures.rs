//! Exchanges kept so that their owner can show one of them to somebody: written only where the configuration names a folder.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use cocoon_receipt::{Disclosure, DisclosureDocument};

/// A folder with one file for each receipt. Each holds a prompt and its answer: only this user may read it.
#[derive(Debug, Clone)]
pub(crate) struct Disclosures {
    folder: PathBuf,
}

impl Disclosures {
    /// Makes the folder where it is missing.
    pub(crate) fn open(folder: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Writes one exchange under the id of its receipt. Blocks.
    pub(crate) fn put(&self, disclosure: &Disclosure) -> std::io::Result<()> {
        let name = format!("{}.json", disclosure.receipt.id());
        let (path, partial) = (self.folder.join(&name), self.folder.join(format!("{name}.part")));
        let json = serde_json::to_vec(&DisclosureDocument::from(disclosure)).map_err(std::io::Error::other)?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&partial)?.write_all(&json)?;
        std::fs::rename(partial, path)
    }
}
