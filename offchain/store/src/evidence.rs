//! Certificates by their hash: files that anybody may read while the runner runs.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use cocoon_bindings::ton::HashBytes;
use sha2::{Digest, Sha256};

use crate::error::StoreError;
use crate::limits::MAX_EVIDENCE_BYTES;
use crate::reader::io;

/// A folder of certificates, each named by the SHA-256 of its bytes.
#[derive(Debug, Clone)]
pub struct EvidenceFolder {
    folder: PathBuf,
}

impl EvidenceFolder {
    /// Opens or creates the folder.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(folder).map_err(io("create", folder))?;
        Ok(Self {
            folder: folder.to_owned(),
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
        if path.exists() {
            return Ok(hash);
        }
        let partial = path.with_extension("partial");
        let mut file = File::create(&partial).map_err(io("create", &partial))?;
        file.write_all(certificate)
            .and_then(|()| file.sync_all())
            .map_err(io("write", &partial))?;
        fs::rename(&partial, &path).map_err(io("rename", &partial))?;
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(io("sync", &self.folder))?;
        Ok(hash)
    }

    /// The certificate with this hash, if it is kept and still has it.
    pub fn get(&self, hash: &HashBytes) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(hash);
        match fs::read(&path) {
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
