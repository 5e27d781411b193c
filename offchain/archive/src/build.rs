//! From a folder to an archive.

use crate::error::ArchiveError;
use crate::folder::{FolderStream, lay_out};
use crate::scan::{Sink, scan};
use crate::{Hashed, Progress};
use cocoon_manifest::verity::{BLOCK_BYTES, Block};
use std::fs::File;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Makes the archive `out` of the files in `folder`: those in folders below it too, and none whose name begins with a
/// dot. `out` must not be there; it appears when all is written and durable. All processors hash unless `threads` says
/// how many.
pub fn build(
    folder: &Path,
    out: &Path,
    threads: Option<NonZeroUsize>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Hashed, ArchiveError> {
    if out.exists() {
        return Err(ArchiveError::Exists { path: out.to_owned() });
    }
    let layout = lay_out(folder)?;
    let mut partial = out.file_name().unwrap_or_default().to_owned();
    partial.push(".partial");
    let partial = out.with_file_name(partial);
    let mut sink = Archive {
        file: File::create(&partial).map_err(ArchiveError::write(&partial))?,
        hash_offset: layout.blocks() * BLOCK_BYTES as u64,
        path: partial.clone(),
    };
    let mut stream = FolderStream::new(folder, &layout);
    let hashed = scan(&layout, threads, &mut |buffer| stream.fill(buffer), &mut sink, progress);
    let hashed = hashed.and_then(|hashed| {
        sink.file.sync_all().map_err(ArchiveError::write(&partial))?;
        std::fs::rename(&partial, out).map_err(ArchiveError::write(out))?;
        Ok(hashed)
    });
    if hashed.is_err() {
        // The first failure is what is told.
        let _ = std::fs::remove_file(&partial);
    }
    hashed
}

/// What [`build`] would make of `folder`, without writing it.
pub fn hash_folder(
    folder: &Path,
    threads: Option<NonZeroUsize>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Hashed, ArchiveError> {
    let layout = lay_out(folder)?;
    let mut stream = FolderStream::new(folder, &layout);
    scan(
        &layout,
        threads,
        &mut |buffer| stream.fill(buffer),
        &mut Nowhere,
        progress,
    )
}

struct Nowhere;

impl Sink for Nowhere {
    fn data(&mut self, _: &[u8]) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn hashes(&mut self, _: u64, _: &Block) -> Result<(), ArchiveError> {
        Ok(())
    }
}

/// An archive while it is written: data from its beginning, hashes behind where the data will end.
struct Archive {
    file: File,
    hash_offset: u64,
    path: PathBuf,
}

impl Sink for Archive {
    fn data(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.file.write_all(bytes).map_err(ArchiveError::write(&self.path))
    }

    fn hashes(&mut self, place: u64, block: &Block) -> Result<(), ArchiveError> {
        let at = self.hash_offset + place * BLOCK_BYTES as u64;
        self.file
            .write_all_at(block, at)
            .map_err(ArchiveError::write(&self.path))
    }
}
