//! The journal: what was acknowledged and is not in the database yet. One write and one sync make a batch durable.
//!
//! There are two files. Batches of one generation follow each other in one file; a checkpoint begins the next generation
//! in the other file, and while it moves the rows of the former one into the database, batches go on. Both are in the
//! journal until the database says that it holds the former one; its file is written over after that, and keeps its size, so
//! that a sync has no size to make durable.
//!
//! Batches of all generations are numbered through. The database names the generation and the number from which on it does
//! not hold them. What is found beyond the last whole batch was being written when the machine stopped, unless a later
//! batch is there: then one that was acknowledged is gone, and the store does not open.

use std::path::{Path, PathBuf};

use crate::disk::{Disk, DiskFile};
use crate::error::StoreError;
use crate::limits::{JOURNAL_GROWTH_BYTES, JOURNAL_KEPT_BYTES};
use crate::log::read_whole;
use crate::reader::io;

use batch::{ALIGNMENT, HEADER_BYTES, Header, SALT_BYTES, Salt};
pub(crate) use batch::{Payload, Put};

mod batch;

/// First bytes of a journal file. Its salt stands behind them; batches follow from [`ALIGNMENT`] on.
const MAGIC: &[u8; 8] = b"cocjrn1\n";

const NEWER: &str = "the journal is newer than the database";

/// From which batch on the journal holds what the database does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) generation: u64,
    pub(crate) sequence: u64,
}

impl Place {
    /// Where a journal begins.
    pub(crate) const FIRST: Self = Self {
        generation: 0,
        sequence: 0,
    };

    pub(crate) fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.generation.to_le_bytes());
        bytes[8..].copy_from_slice(&self.sequence.to_le_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; 16] = bytes.try_into().ok()?;
        let number = |half: &[u8]| half.try_into().ok().map(u64::from_le_bytes);
        Some(Self {
            generation: number(&bytes[..8])?,
            sequence: number(&bytes[8..])?,
        })
    }
}

/// The two files and the place of the next batch.
#[derive(Debug)]
pub(crate) struct Journal {
    files: [JournalFile; 2],
    next: Place,
    /// Where in its file the next batch begins.
    offset: u64,
    is_broken: bool,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct JournalFile {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    size: u64,
    salt: Salt,
}

impl Journal {
    /// Creates the files of a journal whose first batch is [`Place::FIRST`]. Durable when it returns. Files of an attempt
    /// whose database never came to know them are taken; files with batches are of another database.
    pub(crate) fn create(disk: &dyn Disk, folder: &Path) -> Result<Self, StoreError> {
        let create = |number| {
            let path = path(folder, number);
            let file = disk.write(&path).map_err(io("create", &path))?;
            let size = file.size().map_err(io("read", &path))?;
            let salt = [0; SALT_BYTES];
            let mut found = JournalFile { path, file, size, salt };
            let mut head = [0; HEADER_BYTES];
            if found.read_salt()? && found.read(ALIGNMENT, &mut head)? && Header::parse(&head, &found.salt).is_some() {
                return Err(found.damaged(0, NEWER));
            }
            let JournalFile { path, file, .. } = found;
            let salt: Salt = rand::random();
            let mut first = [0; ALIGNMENT as usize];
            first[..MAGIC.len()].copy_from_slice(MAGIC);
            first[MAGIC.len()..][..SALT_BYTES].copy_from_slice(&salt);
            file.set_size(0)
                .and_then(|()| file.write_at(0, &first))
                .and_then(|()| file.sync())
                .map_err(io("write", &path))?;
            let size = ALIGNMENT;
            Ok(JournalFile { path, file, size, salt })
        };
        let files = [create(0)?, create(1)?];
        disk.sync_folder(folder).map_err(io("sync", folder))?;
        Ok(Self::at(files, Place::FIRST))
    }

    /// Opens the journal of a database that holds everything before `from`, and hands each batch from there on to `each`.
    /// The next batch begins a new generation: nothing is written over before the database holds what was handed out.
    pub(crate) fn open(
        disk: &dyn Disk,
        folder: &Path,
        from: Place,
        mut each: impl FnMut(Payload) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let open = |number| JournalFile::open(disk, path(folder, number));
        let files = [open(0)?, open(1)?];
        let mut next = from;
        let mut ends = [ALIGNMENT; 2];
        // The generation that the database is behind of, and the one that was begun while a checkpoint ran.
        for generation in [from.generation, from.generation.saturating_add(1)] {
            next.generation = generation;
            let (file, end) = (of(&files, generation), &mut ends[index(generation)]);
            while let Some((payload, stride)) = file.batch(*end, next)? {
                let payload = Payload::decode(&payload).map_err(|reason| file.damaged(next.sequence, reason))?;
                each(payload)?;
                *end += stride;
                next.sequence += 1;
            }
        }
        for (file, end) in files.iter().zip(ends) {
            file.check_end(end, from, next)?;
        }
        next.generation = next.generation.saturating_add(1);
        Ok(Self::at(files, next))
    }

    fn at(files: [JournalFile; 2], next: Place) -> Self {
        Self {
            files,
            next,
            offset: ALIGNMENT,
            is_broken: false,
            buffer: Vec::new(),
        }
    }

    /// Makes a batch durable: records that belong at `log_offset` of the log, and rows.
    pub(crate) fn append(&mut self, log_offset: u64, log: &[u8], puts: &[Put]) -> Result<(), StoreError> {
        self.check()?;
        let Place { generation, sequence } = self.next;
        let file = &mut self.files[index(generation)];
        let encoded = batch::encode(
            &mut self.buffer,
            &file.salt,
            (generation, sequence),
            (log_offset, log),
            puts,
        );
        let stride = self.buffer.len() as u64;
        let written = match encoded {
            Some(()) => file.append(self.offset, &mut self.buffer),
            None => Err(std::io::Error::other("a batch of this size is never written")),
        };
        if self.buffer.capacity() > JOURNAL_GROWTH_BYTES {
            self.buffer = Vec::new();
        }
        if let Err(source) = written {
            let path = file.path.clone();
            // What reached the file is unknown; only opening it again tells.
            self.is_broken = true;
            return Err(io("append to", &path)(source));
        }
        self.offset += stride;
        self.next.sequence += 1;
        Ok(())
    }

    /// Begins the next generation, in the other file. Only when the database holds everything before this one. Returns where
    /// the new one begins.
    pub(crate) fn turn(&mut self) -> Result<Place, StoreError> {
        self.check()?;
        self.next.generation += 1;
        self.offset = ALIGNMENT;
        let file = &mut self.files[index(self.next.generation)];
        if file.size > JOURNAL_KEPT_BYTES {
            if let Err(source) = file.file.set_size(JOURNAL_KEPT_BYTES) {
                self.is_broken = true;
                return Err(io("truncate", &file.path)(source));
            }
            file.size = JOURNAL_KEPT_BYTES;
        }
        Ok(self.next)
    }

    /// Bytes of this generation.
    pub(crate) fn bytes(&self) -> u64 {
        self.offset - ALIGNMENT
    }

    /// Where the next batch goes.
    pub(crate) fn next(&self) -> Place {
        self.next
    }

    /// Takes nothing more until it is opened again.
    pub(crate) fn break_off(&mut self) {
        self.is_broken = true;
    }

    /// An error when an earlier write failed.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.is_broken {
            let source = std::io::Error::other("an earlier write failed: open the store again");
            return Err(io("append to", &of(&self.files, self.next.generation).path)(source));
        }
        Ok(())
    }
}

impl JournalFile {
    fn open(disk: &dyn Disk, path: PathBuf) -> Result<Self, StoreError> {
        if !disk.exists(&path) {
            return Err(StoreError::NoJournal { path });
        }
        let file = disk.write(&path).map_err(io("open", &path))?;
        let size = file.size().map_err(io("read", &path))?;
        let salt = [0; SALT_BYTES];
        let mut file = Self { path, file, size, salt };
        if !file.read_salt()? {
            return Err(StoreError::NoJournal { path: file.path });
        }
        Ok(file)
    }

    /// Reads the salt; `false` when this is no journal.
    fn read_salt(&mut self) -> Result<bool, StoreError> {
        let mut head = [0; MAGIC.len() + SALT_BYTES];
        let is_journal = self.read(0, &mut head)? && head.starts_with(MAGIC);
        self.salt.copy_from_slice(&head[MAGIC.len()..]);
        Ok(is_journal)
    }

    /// The payload of the batch at `offset`, if it is the one that is expected, and how far it is to the next one.
    fn batch(&self, offset: u64, expected: Place) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
        let mut head = [0; HEADER_BYTES];
        if !self.read(offset, &mut head)? {
            return Ok(None);
        }
        let Some(header) = Header::parse(&head, &self.salt) else {
            return Ok(None);
        };
        let is_expected = (header.generation, header.sequence) == (expected.generation, expected.sequence);
        if !is_expected || self.size.saturating_sub(offset) < HEADER_BYTES as u64 + u64::from(header.length) {
            return Ok(None);
        }
        let mut payload = vec![0; header.length as usize];
        let is_whole = self.read(offset + HEADER_BYTES as u64, &mut payload)? && header.fits(&payload, &self.salt);
        Ok(is_whole.then(|| (payload, header.stride())))
    }

    /// Behind the last whole batch nothing may follow that was written later than the one that was being written.
    fn check_end(&self, end: u64, from: Place, next: Place) -> Result<(), StoreError> {
        let mut chunk = vec![0; 128 * ALIGNMENT as usize];
        let mut offset = end;
        while offset < self.size {
            let length = chunk.len().min((self.size - offset) as usize);
            if !self.read(offset, &mut chunk[..length])? {
                break;
            }
            let pages = chunk[..length].chunks(ALIGNMENT as usize);
            for header in pages.filter_map(|page| Header::parse(page, &self.salt)) {
                if header.generation > next.generation {
                    return Err(self.damaged(next.sequence, NEWER));
                }
                if header.generation >= from.generation && header.sequence > next.sequence {
                    return Err(self.damaged(next.sequence, "a later batch is there, this one is not"));
                }
            }
            offset += length as u64;
        }
        Ok(())
    }

    /// Fills the buffer; `false` when the file ends before.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<bool, StoreError> {
        read_whole(self.file.as_ref(), offset, buffer).map_err(io("read", &self.path))
    }

    /// Writes and syncs. A file that has to grow grows by a piece, filled with zeros.
    fn append(&mut self, offset: u64, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        let end = offset + bytes.len() as u64;
        if end > self.size {
            let grown = end.next_multiple_of(JOURNAL_GROWTH_BYTES as u64);
            bytes.resize(bytes.len() + (grown - end) as usize, 0);
            self.file.write_at(offset, bytes)?;
            self.size = grown;
        } else {
            self.file.write_at(offset, bytes)?;
        }
        self.file.sync()
    }

    fn damaged(&self, sequence: u64, reason: &'static str) -> StoreError {
        StoreError::Journal {
            path: self.path.clone(),
            sequence,
            reason,
        }
    }
}

fn of(files: &[JournalFile; 2], generation: u64) -> &JournalFile {
    &files[index(generation)]
}

fn index(generation: u64) -> usize {
    (generation % 2) as usize
}

fn path(folder: &Path, number: u8) -> PathBuf {
    folder.join(format!("journal-{number}"))
}
