//! Certificates by their hash: files that anybody may read while the runner runs.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cocoon_bindings::ton::HashBytes;
use sha2::{Digest, Sha256};

use crate::disk::{Reading, RealDisk, SharedDisk};
use crate::error::StoreError;
use crate::limits::MAX_EVIDENCE_BYTES;
use crate::reader::io;

/// A folder of certificates, each named by the SHA-256 of its bytes.
#[derive(Debug, Clone)]
pub struct EvidenceFolder {
    folder: PathBuf,
    disk: SharedDisk,
    /// Held while a file is written: many connections of one moment keep the same certificate.
    writing: Arc<Mutex<()>>,
}

impl EvidenceFolder {
    /// Opens or creates the folder.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_on(RealDisk::shared(), folder)
    }

    /// The same on a disk.
    pub fn open_on(disk: SharedDisk, folder: &Path) -> Result<Self, StoreError> {
        disk.create_folder(folder).map_err(io("create", folder))?;
        Ok(Self {
            folder: folder.to_owned(),
            disk,
            writing: Arc::default(),
        })
    }

    /// Keeps a certificate; durable when it returns. Returns its hash.
    pub fn put(&self, certificate: &[u8]) -> Result<HashBytes, StoreError> {
        if certificate.len() > MAX_EVIDENCE_BYTES {
            return Err(StoreError::EvidenceTooLarge {
                bytes: certificate.len(),
                limit: MAX_EVIDENCE_BYTES,
            });
        }
        let hash = HashBytes(Sha256::digest(certificate).into());
        let path = self.path(&hash);
        // Nothing is left half done in memory by whoever panics with it.
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.disk.exists(&path) {
            return Ok(hash);
        }
        let partial = path.with_extension("partial");
        let file = self.disk.write(&partial).map_err(io("create", &partial))?;
        file.set_size(0)
            .and_then(|()| file.write_at(0, certificate))
            .and_then(|()| file.sync())
            .map_err(io("write", &partial))?;
        self.disk.rename(&partial, &path).map_err(io("rename", &partial))?;
        self.disk.sync_folder(&self.folder).map_err(io("sync", &self.folder))?;
        Ok(hash)
    }

    /// The certificate with this hash, if it is kept and still has it.
    pub fn get(&self, hash: &HashBytes) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(hash);
        let read = self.disk.read(&path).and_then(|file| {
            let mut bytes = Vec::new();
            Reading::new(file).read_to_end(&mut bytes).map(|_| bytes)
        });
        match read {
            Ok(bytes) if Sha256::digest(&bytes).as_slice() == hash.as_slice() => Ok(Some(bytes)),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io("read", &path)(error)),
        }
    }

    fn path(&self, hash: &HashBytes) -> PathBuf {
        self.folder.join(format!("{hash}.der"))
    }
}
