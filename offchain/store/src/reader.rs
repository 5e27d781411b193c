//! Reading a receipt log, also while its proxy runs.

use std::collections::HashMap;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use cocoon_receipt::{ReceiptId, SignedReceipt};

use crate::disk::{Disk, Reading, RealDisk};
use crate::error::StoreError;
use crate::record::{CHECK_BYTES, HEADER_BYTES, Header, LogRecord, MAGIC, NewRecord};

/// One record with its place.
#[derive(Debug, Clone)]
pub struct LogEntry<R = LogRecord> {
    /// Number of the record, from 0.
    pub index: u64,
    /// Where it starts in the file.
    pub offset: u64,
    /// Where the next one starts.
    pub end: u64,
    /// What it holds.
    pub record: R,
}

impl From<LogEntry<NewRecord>> for LogEntry {
    fn from(entry: LogEntry<NewRecord>) -> Self {
        Self {
            index: entry.index,
            offset: entry.offset,
            end: entry.end,
            record: entry.record.into(),
        }
    }
}

/// Iterates over the records of a log. A record that is still being written ends the iteration; damage is an error that
/// names the record and the receipt, and ends it too.
pub struct LogReader {
    path: PathBuf,
    file: BufReader<Reading>,
    next_index: u64,
    offset: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Ended,
    Torn,
}

impl LogReader {
    /// Opens a log for reading.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_on(&RealDisk, path)
    }

    /// Opens a log on a disk.
    pub fn open_on(disk: &dyn Disk, path: &Path) -> Result<Self, StoreError> {
        let file = disk.read(path).map_err(io("open", path))?;
        let mut file = BufReader::new(Reading::new(file));
        let mut magic = [0; MAGIC.len()];
        let read = read_up_to(&mut file, &mut magic).map_err(io("read", path))?;
        let state = match read {
            0 => State::Ended,
            _ if read < MAGIC.len() && magic[..read] == MAGIC[..read] => State::Torn,
            _ if magic != *MAGIC => return Err(StoreError::NotALog { path: path.to_owned() }),
            _ => State::Reading,
        };
        Ok(Self {
            path: path.to_owned(),
            file,
            next_index: 0,
            offset: MAGIC.len() as u64,
            state,
        })
    }

    /// Opens a log on a disk where record number `index` begins, `offset` bytes from its beginning: as [`LogEntry::end`] of the one
    /// before it said. Another place is damage to whoever reads from there.
    pub fn open_at(disk: &dyn Disk, path: &Path, offset: u64, index: u64) -> Result<Self, StoreError> {
        let offset = offset.max(MAGIC.len() as u64);
        let file = disk.read(path).map_err(io("open", path))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufReader::new(Reading::at(file, offset)),
            next_index: index,
            offset,
            state: State::Reading,
        })
    }

    /// Where the last whole record ends.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many whole records were read.
    pub fn records(&self) -> u64 {
        self.next_index
    }

    /// Whether the iteration ended in the middle of a record.
    pub fn is_torn(&self) -> bool {
        self.state == State::Torn
    }

    /// The same records with their cells, for whoever needs names or bytes of receipts again.
    pub fn built(mut self) -> impl Iterator<Item = Result<LogEntry<NewRecord>, StoreError>> {
        std::iter::from_fn(move || self.next_built())
    }

    fn read_entry(&mut self) -> Result<Option<LogEntry<NewRecord>>, StoreError> {
        let mut head = [0; HEADER_BYTES];
        let read = read_up_to(&mut self.file, &mut head).map_err(io("read", &self.path))?;
        if read == 0 {
            self.state = State::Ended;
            return Ok(None);
        }
        if read < HEADER_BYTES {
            self.state = State::Torn;
            return Ok(None);
        }
        let header = Header::parse(&head);
        if !header.is_intact() {
            if head.iter().all(|byte| *byte == 0) && self.rest_is_zero()? {
                // The file grew, its bytes did not arrive: a crash of the machine.
                self.state = State::Torn;
                return Ok(None);
            }
            return Err(self.damaged(header.id, "header checksum differs".into()));
        }
        let mut body = vec![0; header.length + CHECK_BYTES];
        let read = read_up_to(&mut self.file, &mut body).map_err(io("read", &self.path))?;
        if read < body.len() {
            self.state = State::Torn;
            return Ok(None);
        }
        let (payload, check) = body.split_at(header.length);
        let record = header
            .built(payload, check)
            .map_err(|reason| self.damaged(header.id, reason))?;
        let (index, offset) = (self.next_index, self.offset);
        self.next_index += 1;
        self.offset += (HEADER_BYTES + body.len()) as u64;
        Ok(Some(LogEntry {
            index,
            offset,
            end: self.offset,
            record,
        }))
    }

    fn next_built(&mut self) -> Option<Result<LogEntry<NewRecord>, StoreError>> {
        if self.state != State::Reading {
            return None;
        }
        let entry = self.read_entry();
        if entry.is_err() {
            self.state = State::Ended;
        }
        entry.transpose()
    }

    fn rest_is_zero(&mut self) -> Result<bool, StoreError> {
        let mut chunk = [0; 4096];
        loop {
            let read = read_up_to(&mut self.file, &mut chunk).map_err(io("read", &self.path))?;
            if chunk[..read].iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            if read < chunk.len() {
                return Ok(true);
            }
        }
    }

    fn damaged(&self, id: ReceiptId, reason: String) -> StoreError {
        StoreError::Damaged {
            path: self.path.clone(),
            index: self.next_index,
            receipt: id.to_string(),
            offset: self.offset,
            reason,
        }
    }
}

impl Iterator for LogReader {
    type Item = Result<LogEntry, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_built().map(|entry| entry.map(LogEntry::from))
    }
}

/// All receipts of a log in order, with the worker signatures that came later filled in. The first damage is an error.
pub fn read_receipts(path: &Path) -> Result<Vec<SignedReceipt>, StoreError> {
    read_receipts_on(&RealDisk, path)
}

/// The same on a disk.
pub fn read_receipts_on(disk: &dyn Disk, path: &Path) -> Result<Vec<SignedReceipt>, StoreError> {
    let mut receipts: Vec<SignedReceipt> = Vec::new();
    let mut places: HashMap<ReceiptId, usize> = HashMap::new();
    for entry in LogReader::open_on(disk, path)? {
        let entry = entry?;
        match entry.record {
            LogRecord::Receipt(receipt) => {
                places.insert(receipt.id(), receipts.len());
                receipts.push(receipt);
            }
            LogRecord::WorkerSignature(id, signature) => match places.get(&id) {
                Some(place) => receipts[*place].worker_signature = Some(signature),
                None => {
                    return Err(StoreError::Inconsistent {
                        path: path.to_owned(),
                        index: entry.index,
                        receipt: id.to_string(),
                        reason: "a worker's signature without its receipt".into(),
                    });
                }
            },
        }
    }
    Ok(receipts)
}

pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}

/// Fills as much of the buffer as the file has.
fn read_up_to(file: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
