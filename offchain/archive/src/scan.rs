//! One pass over the data of an archive: every block is hashed for the tree, and every file as a whole.

use crate::error::ArchiveError;
use crate::limits::{CHUNK_BYTES, MAX_THREADS};
use crate::{Hashed, Progress};
use cocoon_manifest::archive::Layout;
use cocoon_manifest::verity::{BLOCK_BYTES, Block, BlockHash, Salt, TreeWriter};
use cocoon_manifest::{FileEntry, FileHash};
use sha2::{Digest, Sha256};
use std::num::NonZeroUsize;

/// Where the data come from: fills a buffer with the next bytes.
pub(crate) type Fill<'a> = dyn FnMut(&mut [u8]) -> Result<(), ArchiveError> + 'a;

/// What happens with the data and with the blocks of the hash area besides.
pub(crate) trait Sink {
    /// The next bytes of the file system.
    fn data(&mut self, bytes: &[u8]) -> Result<(), ArchiveError>;
    /// A block of the hash area and its place there.
    fn hashes(&mut self, place: u64, block: &Block) -> Result<(), ArchiveError>;
}

/// Hashes all data. Two buffers are held: one is hashed on all threads while the next is read and this one written.
pub(crate) fn scan(
    layout: &Layout,
    threads: Option<NonZeroUsize>,
    fill: &mut Fill<'_>,
    sink: &mut impl Sink,
    progress: &mut dyn FnMut(Progress),
) -> Result<Hashed, ArchiveError> {
    let superblock = layout.verity()?;
    let mut tree = TreeWriter::new(&superblock);
    let mut files = Files {
        layout,
        hasher: Sha256::new(),
        done: Vec::new(),
    };
    let total = layout.blocks() * BLOCK_BYTES as u64;
    let threads = threads.or_else(|| std::thread::available_parallelism().ok());
    let buffer_bytes = threads.map_or(1, NonZeroUsize::get).min(MAX_THREADS) * CHUNK_BYTES;
    let length_at = |done: u64| (total - done).min(buffer_bytes as u64) as usize;
    let (mut now, mut next) = (vec![0; length_at(0)], Vec::new());
    fill(&mut now)?;
    let mut done = 0;
    while !now.is_empty() {
        progress(Progress { done, total });
        let behind = done + now.len() as u64;
        next.resize(length_at(behind), 0);
        let hashes = std::thread::scope(|scope| {
            let chunks = now.chunks(CHUNK_BYTES);
            let hashing = chunks.map(|chunk| scope.spawn(|| hash_blocks(superblock.salt(), chunk)));
            let hashing: Vec<_> = hashing.collect();
            let of_files = scope.spawn(|| files.take(done, &now));
            let moved = sink.data(&now).and_then(|()| fill(&mut next));
            let hashes: Vec<Vec<BlockHash>> = hashing.into_iter().map(join).collect();
            join(of_files)?;
            moved.map(|()| hashes)
        })?;
        for hash in hashes.into_iter().flatten() {
            tree.push_hash(hash, |place, block| sink.hashes(place, block))?;
        }
        done = behind;
        std::mem::swap(&mut now, &mut next);
    }
    progress(Progress { done: total, total });
    Ok(Hashed {
        root: tree.finish()?,
        files: files.done,
        hash_offset: total,
        size: total + superblock.hash_area_blocks() * BLOCK_BYTES as u64,
    })
}

fn hash_blocks(salt: &Salt, bytes: &[u8]) -> Vec<BlockHash> {
    let (blocks, _) = bytes.as_chunks::<BLOCK_BYTES>();
    blocks.iter().map(|block| salt.hash_block(block)).collect()
}

/// What a thread returned; its panic is this thread's panic.
fn join<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Hashes of whole files, one after the other.
struct Files<'a> {
    layout: &'a Layout,
    hasher: Sha256,
    done: Vec<FileEntry>,
}

impl Files<'_> {
    /// Takes the bytes of the archive from `start`.
    fn take(&mut self, start: u64, bytes: &[u8]) -> Result<(), ArchiveError> {
        let end = start + bytes.len() as u64;
        while let Some(file) = self.layout.files().get(self.done.len()) {
            let file_end = file.offset() + file.size();
            let (from, to) = (file.offset().clamp(start, end), file_end.clamp(start, end));
            self.hasher
                .update(&bytes[(from - start) as usize..(to - start) as usize]);
            if file_end > end {
                break;
            }
            let hash = FileHash::new(self.hasher.finalize_reset().into());
            self.done.push(FileEntry::new(file.path(), file.size(), hash)?);
        }
        Ok(())
    }
}
