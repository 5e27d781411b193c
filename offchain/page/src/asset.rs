//! The files, and their compressed form.

use std::io::Write as _;
use std::sync::{LazyLock, OnceLock};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

/// Name and bytes of each file of `assets/`.
static FILES: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Below this a compressed file saves less than its headers cost, bytes.
const WORTH_COMPRESSING: usize = 256;

static ASSETS: LazyLock<Vec<Asset>> =
    LazyLock::new(|| FILES.iter().map(|(name, bytes)| Asset::new(name, bytes)).collect());

/// A file of the page.
#[derive(Debug)]
pub struct Asset {
    name: &'static str,
    bytes: &'static [u8],
    tag: String,
    gzip: OnceLock<Option<Vec<u8>>>,
}

impl Asset {
    fn new(name: &'static str, bytes: &'static [u8]) -> Self {
        let digest = hex::encode(Sha256::digest(bytes));
        Self {
            name,
            bytes,
            tag: digest.chars().take(32).collect(),
            gzip: OnceLock::new(),
        }
    }

    /// All files, by name.
    pub fn all() -> &'static [Self] {
        &ASSETS
    }

    /// Its name in `/assets/`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The file as it is.
    pub fn bytes(&self) -> &'static [u8] {
        self.bytes
    }

    /// Beginning of its SHA-256, hex.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Compressed; made when it is asked for first. `None` where it would be no smaller.
    pub fn gzip(&self) -> Option<&[u8]> {
        let made = self.gzip.get_or_init(|| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(self.bytes).ok()?;
            let compressed = encoder.finish().ok()?;
            (self.bytes.len() >= WORTH_COMPRESSING && compressed.len() < self.bytes.len()).then_some(compressed)
        });
        made.as_deref()
    }

    /// Its content type. A file of an unknown kind is offered as bytes, which no browser runs.
    pub fn content_type(&self) -> &'static str {
        match self.name.rsplit_once('.').map(|(_, kind)| kind) {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("wasm") => "application/wasm",
            Some("svg") => "image/svg+xml",
            _ => "application/octet-stream",
        }
    }
}

/// The file of that name.
pub fn find(name: &str) -> Option<&'static Asset> {
    let at = ASSETS.binary_search_by(|asset| asset.name.cmp(name)).ok()?;
    ASSETS.get(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn every_file_is_found_by_its_name_and_has_a_type_that_browsers_know() {
        for asset in Asset::all() {
            let found = find(asset.name()).unwrap();
            assert_eq!(found.tag(), asset.tag());
            assert_ne!(found.content_type(), "application/octet-stream", "{}", asset.name());
        }
        assert!(find("../src/lib.rs").is_none());
        assert!(find("").is_none());
    }

    #[test]
    fn what_is_compressed_is_the_file() {
        for asset in Asset::all() {
            let Some(compressed) = asset.gzip() else { continue };
            let mut bytes = Vec::new();
            flate2::read::GzDecoder::new(compressed)
                .read_to_end(&mut bytes)
                .unwrap();
            assert_eq!(bytes, asset.bytes(), "{}", asset.name());
        }
    }
}
