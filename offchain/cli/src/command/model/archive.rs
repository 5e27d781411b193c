//! What is told of an archive: its files, its hash, and the names that follow from it.

use std::path::{Path, PathBuf};

use cocoon_archive::Hashed;
use cocoon_manifest::{FileEntry, ModelName};
use serde::Serialize;

use crate::failure::{Exit, Failure, OrFail as _, from_archive};
use crate::output::Output;
use crate::progress::Portion;

/// An archive that was made.
#[derive(Serialize)]
pub(super) struct Archived {
    path: PathBuf,
    bytes: u64,
    /// Where its hash tree begins, for `veritysetup --hash-offset`.
    hash_offset: u64,
    /// Root of the hash tree.
    verity_hash: String,
    /// `name@commit:verityhash`.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// SHA-256 of the name: what the root contract lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    model_hash: Option<String>,
    files: Vec<ArchivedFile>,
}

/// A file in an archive.
#[derive(Serialize)]
pub(super) struct ArchivedFile {
    path: String,
    bytes: u64,
    sha256: String,
}

impl From<&FileEntry> for ArchivedFile {
    fn from(file: &FileEntry) -> Self {
        Self {
            path: file.path().to_owned(),
            bytes: file.size(),
            sha256: file.hash().to_string(),
        }
    }
}

impl ArchivedFile {
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn sha256(&self) -> &str {
        &self.sha256
    }
}

/// Makes the archive `out` of `folder`.
pub(super) fn make(
    folder: &Path,
    out: PathBuf,
    name: Option<&ModelName>,
    threads: Option<std::num::NonZeroUsize>,
    output: Output,
) -> Result<Archived, Failure> {
    let portion = Portion::new(output, "making the archive");
    let hashed = cocoon_archive::build(folder, &out, threads, &mut |progress| {
        portion.at(progress.done, progress.total);
    });
    drop(portion);
    let hashed = hashed.map_err(from_archive)?;
    let name = name.map(|name| named(name, &hashed)).transpose()?;
    Ok(Archived {
        path: out,
        bytes: hashed.size,
        hash_offset: hashed.hash_offset,
        verity_hash: hashed.root.to_string(),
        model_hash: name.as_ref().map(|name| name.model_hash().to_string()),
        name: name.map(|name| name.to_string()),
        files: hashed.files.iter().map(ArchivedFile::from).collect(),
    })
}

/// The full name of a model with this archive.
fn named(name: &ModelName, hashed: &Hashed) -> Result<ModelName, Failure> {
    format!("{name}:{}", hashed.root)
        .parse()
        .or_fail(Exit::Usage, "the full name is too long", "choose a shorter name")
}

impl Archived {
    pub(super) fn text(&self) -> String {
        let size = self.bytes.div_ceil(1 << 20);
        let mut lines = vec![
            format!("{}: {size} MiB, {} files", self.path.display(), self.files.len()),
            format!("  verity hash  {}", self.verity_hash),
            format!("  hash offset  {}", self.hash_offset),
        ];
        if let (Some(name), Some(hash)) = (&self.name, &self.model_hash) {
            lines.push(format!("  name         {name}"));
            lines.push(format!("  model hash   {hash}"));
        }
        lines.join("\n")
    }
}
