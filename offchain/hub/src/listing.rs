//! What a repository holds at one commit.

use serde::Deserialize;

use crate::checksum::Checksum;
use crate::error::HubError;
use crate::limits::{MAX_FILE_BYTES, MAX_FILES, MAX_NAME_BYTES};

/// Files beside the weights that an engine reads; others are left where they are.
const PLAIN: [&str; 7] = [
    "chat_template.jinja",
    "chat_template.json",
    "config.json",
    "generation_config.json",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
];

/// A repository at one commit: what an engine reads of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// `OWNER/NAME`.
    pub repository: String,
    /// The commit that the revision meant when it was listed; every file is fetched from it.
    pub commit: String,
    /// The files, by name.
    pub files: Vec<HubFile>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HubFile {
    /// Its name; it lies directly in the repository.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// What it hashes to.
    pub checksum: Checksum,
}

impl Snapshot {
    /// Bytes of all files.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// Reads the answer to `GET /api/models/OWNER/NAME/revision/REVISION?blobs=true`.
    pub(crate) fn parse(repository: &str, bytes: &[u8]) -> Result<Self, HubError> {
        let listing = |problem| HubError::Listing { problem };
        let answer: Answer = serde_json::from_slice(bytes).map_err(|_| listing("it is not the JSON of a model"))?;
        if !(answer.sha.len() >= 7 && answer.sha.len() <= 64 && answer.sha.bytes().all(|b| b.is_ascii_hexdigit())) {
            return Err(listing("its commit is no hash"));
        }
        if answer.siblings.len() > MAX_FILES {
            return Err(listing("it has too many files"));
        }
        let mut files = Vec::new();
        for sibling in answer
            .siblings
            .into_iter()
            .filter(|sibling| is_read(&sibling.rfilename))
        {
            files.push(file(sibling)?);
        }
        files.sort_by(|one, other| one.name.cmp(&other.name));
        files.dedup_by(|one, other| one.name == other.name);
        let snapshot = Self {
            repository: repository.to_owned(),
            commit: answer.sha,
            files,
        };
        snapshot.demand("config.json", |name| name == "config.json")?;
        snapshot.demand("tokenizer.json", |name| name == "tokenizer.json")?;
        snapshot.demand("safetensors weights", |name| name.ends_with(".safetensors"))?;
        Ok(snapshot)
    }

    fn demand(&self, missing: &'static str, is: impl Fn(&str) -> bool) -> Result<(), HubError> {
        if self.files.iter().any(|file| is(&file.name)) {
            return Ok(());
        }
        Err(HubError::NotAModel {
            repository: self.repository.clone(),
            missing,
        })
    }
}

#[derive(Deserialize)]
struct Answer {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: String,
    size: u64,
}

/// Only files directly in the repository: weights elsewhere are of other formats. Names are plain, so that none leads out
/// of the folder.
fn is_read(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let safe = name.len() <= MAX_NAME_BYTES && !name.starts_with('.') && name.bytes().all(plain);
    safe && (PLAIN.contains(&name) || name.ends_with(".safetensors"))
}

fn file(sibling: Sibling) -> Result<HubFile, HubError> {
    let listing = |problem| HubError::Listing { problem };
    let (size, checksum) = match (sibling.lfs, sibling.size, sibling.blob_id) {
        (Some(lfs), ..) => (lfs.size, Checksum::Sha256(hash(&lfs.sha256)?)),
        (None, Some(size), Some(blob)) => (size, Checksum::GitBlob(hash(&blob)?)),
        _ => return Err(listing("a file has no length or no hash")),
    };
    if size > MAX_FILE_BYTES {
        return Err(listing("a file is too large"));
    }
    Ok(HubFile {
        name: sibling.rfilename,
        size,
        checksum,
    })
}

fn hash<const N: usize>(text: &str) -> Result<[u8; N], HubError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| HubError::Listing {
        problem: "a file's hash is none",
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn listing(files: Value) -> Vec<u8> {
        json!({"id": "a/b", "sha": "c1899de289a04d12100db370d81485cdf75e47ca", "siblings": files, "tags": []})
            .to_string()
            .into_bytes()
    }

    fn small(name: &str) -> Value {
        json!({"rfilename": name, "size": 6, "blobId": "ce013625030ba8dba906f756967f9e9ca394464a"})
    }

    fn large(name: &str) -> Value {
        json!({"rfilename": name, "size": 9, "blobId": "00", "lfs": {"sha256": "ab".repeat(32), "size": 9}})
    }

    #[test]
    fn a_listing_names_what_an_engine_reads_and_nothing_else() {
        let files = json!([
            small("config.json"),
            small("tokenizer.json"),
            large("model.safetensors"),
            large("pytorch_model.bin"),
            small("README.md"),
            large("onnx/model.safetensors"),
            large("../model.safetensors"),
            small(".gitattributes"),
        ]);
        let snapshot = Snapshot::parse("a/b", &listing(files)).unwrap();
        let names: Vec<&str> = snapshot.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["config.json", "model.safetensors", "tokenizer.json"]);
        assert_eq!(snapshot.size(), 21);
        assert_eq!(snapshot.files[1].checksum, Checksum::Sha256([0xab; 32]));
    }

    #[test]
    fn what_is_no_model_is_refused_by_what_it_lacks() {
        for (files, lacks) in [
            (
                json!([small("tokenizer.json"), large("model.safetensors")]),
                "config.json",
            ),
            (
                json!([small("config.json"), large("model.safetensors")]),
                "tokenizer.json",
            ),
            (
                json!([small("config.json"), small("tokenizer.json")]),
                "safetensors weights",
            ),
        ] {
            match Snapshot::parse("a/b", &listing(files)) {
                Err(HubError::NotAModel { missing, .. }) => assert_eq!(missing, lacks),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_listing_without_hashes_is_refused() {
        for bad in [
            json!([{"rfilename": "config.json"}]),
            json!([{"rfilename": "config.json", "size": 6, "blobId": "zz"}]),
            json!([{"rfilename": "model.safetensors", "lfs": {"sha256": "ab", "size": 1}}]),
        ] {
            assert!(matches!(
                Snapshot::parse("a/b", &listing(bad)),
                Err(HubError::Listing { .. })
            ));
        }
        assert!(matches!(
            Snapshot::parse("a/b", br#"{"sha": "main", "siblings": []}"#),
            Err(HubError::Listing { .. })
        ));
    }
}
