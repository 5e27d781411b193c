//! The database's own file format. Stores of the first versions have the one before; they are moved to the present one when
//! they are opened, in a copy that takes the place of the file only when it is whole.

use std::io;
use std::path::Path;

use redb::Database;

use crate::disk::{Disk, DiskFile, Storage};
use crate::error::StoreError;
use crate::limits::DATABASE_CACHE_BYTES;
use crate::reader::io as failed;

/// First bytes of a database.
const MAGIC: &[u8; 9] = b"redb\x1a\x0a\xa9\x0d\x0a";
/// Its first bit says which of two slots counts.
const FLAGS: usize = MAGIC.len();
/// Where the slots are. Each begins with the number of the format.
const SLOTS: [usize; 2] = [64, 192];
/// The format whose repair after a crash is no safer than the crash: it works in place.
const OLD: u8 = 2;
/// Bytes copied at once.
const PIECE_BYTES: usize = 1 << 20;

/// Whether a database is in the format before. Anything else is left to the database to judge.
pub(crate) fn is_old(file: &dyn DiskFile) -> io::Result<bool> {
    let mut head = [0; SLOTS[1] + 1];
    if read(file, 0, &mut head)? < head.len() || !head.starts_with(MAGIC) {
        return Ok(false);
    }
    Ok(head[SLOTS[usize::from(head[FLAGS] & 1)]] == OLD)
}

/// Puts a database of the present format in the place of `old`, and returns it open and locked. A crash leaves one of them,
/// whole, under the name.
///
/// The caller holds the lock on `old`, and has to keep it as long as the new one is open: whoever opened the name before is
/// turned away by it.
pub(crate) fn upgraded(disk: &dyn Disk, path: &Path, old: &dyn DiskFile) -> Result<Box<dyn DiskFile>, StoreError> {
    let at = path.with_extension("upgrade");
    let copy = disk.write(&at).map_err(failed("open", &at))?;
    copy_all(old, copy.as_ref()).map_err(failed("copy the database to", &at))?;
    upgrade(copy).map_err(|reason| StoreError::Upgrade {
        path: path.to_owned(),
        reason,
    })?;
    let new = disk.write(&at).map_err(failed("open", &at))?;
    if !new.try_lock().map_err(failed("lock", &at))? {
        return Err(StoreError::InUse { path: path.to_owned() });
    }
    new.sync().map_err(failed("sync", &at))?;
    disk.rename(&at, path).map_err(failed("rename", &at))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    disk.sync_folder(folder).map_err(failed("sync", folder))?;
    Ok(new)
}

/// Repairs the copy if its last life ended in a crash, and changes its format.
fn upgrade(copy: Box<dyn DiskFile>) -> Result<(), String> {
    let mut database = Database::builder()
        .set_cache_size(DATABASE_CACHE_BYTES)
        .create_with_backend(Storage(copy))
        .map_err(|error| error.to_string())?;
    database.upgrade().map_err(|error| error.to_string())?;
    // One for each slot: neither is of the format before.
    for _ in SLOTS {
        let mut transaction = database.begin_write().map_err(|error| error.to_string())?;
        transaction.set_quick_repair(true);
        transaction.commit().map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn copy_all(from: &dyn DiskFile, to: &dyn DiskFile) -> io::Result<()> {
    // What an attempt before this one left is written over, and no more of it stays.
    to.set_size(0)?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut offset = 0;
    loop {
        let read = read(from, offset, &mut piece)?;
        if read == 0 {
            return Ok(());
        }
        to.write_at(offset, &piece[..read])?;
        offset += read as u64;
    }
}

/// Fills the buffer as far as the file goes.
fn read(file: &dyn DiskFile, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(offset + filled as u64, &mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
