//! Writing the receipt log: append only. What is appended is durable here, or in a journal until this file is synced.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{DiskFile, RealDisk, SharedDisk};
use crate::error::StoreError;
use crate::reader::{LogEntry, LogReader, io};
use crate::record::{CHECK_BYTES, HEADER_BYTES, Header, LogRecord, MAGIC, NewRecord};

/// The writer of a log. One process at a time: the database next to it is the lock.
#[derive(Debug)]
pub struct ReceiptLog {
    path: PathBuf,
    disk: SharedDisk,
    file: Arc<dyn DiskFile>,
    length: u64,
    records: u64,
    is_broken: bool,
}

impl ReceiptLog {
    /// Opens or creates a log and hands each of its records to `each`.
    ///
    /// `acknowledged` is how many bytes are known to have been acknowledged. Damage or a missing end before that point is
    /// an error; behind it, a record that was being written when the process died is cut off.
    pub fn open(
        path: &Path,
        acknowledged: u64,
        each: impl FnMut(LogEntry) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        Self::open_on(RealDisk::shared(), path, acknowledged, each)
    }

    /// The same on a disk.
    pub fn open_on(
        disk: SharedDisk,
        path: &Path,
        acknowledged: u64,
        mut each: impl FnMut(LogEntry) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let is_new = !disk.exists(path);
        let file = disk.write(path).map_err(io("open", path))?;
        if is_new && let Some(folder) = path.parent() {
            disk.sync_folder(folder).map_err(io("sync", folder))?;
        }
        let size = file.size().map_err(io("read", path))?;
        if size < acknowledged {
            return Err(StoreError::LogCut {
                path: path.to_owned(),
                found: size,
                acknowledged,
            });
        }
        let mut reader = LogReader::open_on(disk.as_ref(), path)?;
        loop {
            match reader.next() {
                None => break,
                Some(Ok(entry)) => each(entry)?,
                // Behind the acknowledged part a half-written record may look like anything.
                Some(Err(StoreError::Damaged { offset, .. }))
                    if offset >= acknowledged.max(MAGIC.len() as u64) && acknowledged > 0 =>
                {
                    break;
                }
                Some(Err(error)) => return Err(error),
            }
        }
        let (mut length, records) = (reader.offset(), reader.records());
        if length < acknowledged {
            return Err(StoreError::LogCut {
                path: path.to_owned(),
                found: length,
                acknowledged,
            });
        }
        if size < MAGIC.len() as u64 {
            file.set_size(0).map_err(io("truncate", path))?;
            file.write_at(0, MAGIC)
                .and_then(|()| file.sync())
                .map_err(io("write", path))?;
            length = MAGIC.len() as u64;
        } else if size > length {
            file.set_size(length)
                .and_then(|()| file.sync())
                .map_err(io("truncate", path))?;
        }
        Ok(Self {
            path: path.to_owned(),
            disk,
            file: file.into(),
            length,
            records,
            is_broken: false,
        })
    }

    /// Appends records and makes them durable.
    pub fn append<R: Clone + Into<NewRecord>>(&mut self, records: &[R]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        for record in records.iter().cloned() {
            record.into().encode(&mut bytes);
        }
        self.write(&bytes, records.len() as u64)?;
        self.file.sync().map_err(|source| {
            self.is_broken = true;
            io("append to", &self.path)(source)
        })
    }

    /// Appends records that are durable elsewhere: a journal has them until this file was synced.
    pub(crate) fn write(&mut self, bytes: &[u8], records: u64) -> Result<(), StoreError> {
        let failed = |source| io("append to", &self.path)(source);
        if self.is_broken {
            return Err(failed(std::io::Error::other(
                "an earlier write failed: open the log again",
            )));
        }
        if let Err(source) = self.file.write_at(self.length, bytes) {
            // What reached the file is unknown; only opening it again tells.
            self.is_broken = true;
            return Err(failed(source));
        }
        self.length += bytes.len() as u64;
        self.records += records;
        Ok(())
    }

    /// The record that begins there; the inner error says what is wrong with it.
    pub(crate) fn record_at(&self, offset: u64) -> Result<Result<LogRecord, String>, StoreError> {
        let read =
            |offset, buffer: &mut [u8]| read_whole(self.file.as_ref(), offset, buffer).map_err(io("read", &self.path));
        let mut head = [0; HEADER_BYTES];
        if !read(offset, &mut head)? {
            return Ok(Err("the log ends before it".into()));
        }
        let header = Header::parse(&head);
        if !header.is_intact() {
            return Ok(Err("header checksum differs".into()));
        }
        let mut body = vec![0; header.length + CHECK_BYTES];
        if !read(offset.saturating_add(HEADER_BYTES as u64), &mut body)? {
            return Ok(Err("the log ends within it".into()));
        }
        let (payload, check) = body.split_at(header.length);
        Ok(header.record(payload, check))
    }

    /// The file.
    pub(crate) fn file(&self) -> Arc<dyn DiskFile> {
        Arc::clone(&self.file)
    }

    /// Bytes written.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Records written.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Reads the log from its beginning.
    pub fn iter(&self) -> Result<LogReader, StoreError> {
        LogReader::open_on(self.disk.as_ref(), &self.path)
    }
}

/// Fills the buffer; `false` when the file ends before.
pub(crate) fn read_whole(file: &dyn DiskFile, offset: u64, buffer: &mut [u8]) -> std::io::Result<bool> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(offset + filled as u64, &mut buffer[filled..]) {
            Ok(0) => return Ok(false),
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
