//! The manifest of a model and its canonical bytes.

use crate::error::ManifestError;
use crate::file::{FileEntry, FileHash};
use crate::limits::{MAX_FIELD_BYTES, MAX_FILES, MAX_MANIFEST_BYTES};
use crate::name::ModelName;
use cocoon_bindings::units::ManifestHash;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// First line of the canonical text. Another layout of the same facts gets another number.
const HEADER: &str = "cocoon-model-manifest 1";

/// Everything that decides what a model answers: two workers with equal manifests give equal answers to equal requests
/// in the engine's deterministic mode.
///
/// Canonical bytes are lines of text, each ended by one line feed: the header, then `name`, `architecture`,
/// `precision`, `engine`, `template` with their values, then one `file <sha256> <size> <path>` for each file in
/// ascending order of path. The tokenizer is one of the files.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelManifest {
    name: ModelName,
    architecture: String,
    precision: String,
    engine: String,
    template: FileHash,
    files: Vec<FileEntry>,
}

impl ModelManifest {
    /// Puts a manifest together; the files may come in any order. `template` is the hash of the chat template's text,
    /// which in some folders is a part of a larger file.
    pub fn new(
        name: ModelName,
        architecture: &str,
        precision: &str,
        engine: &str,
        template: FileHash,
        mut files: Vec<FileEntry>,
    ) -> Result<Self, ManifestError> {
        files.sort_by(|one, other| one.path().cmp(other.path()));
        Self {
            name,
            architecture: architecture.to_owned(),
            precision: precision.to_owned(),
            engine: engine.to_owned(),
            template,
            files,
        }
        .checked()
    }

    /// Reads canonical bytes; any other form of the same facts is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLong { size: bytes.len() });
        }
        let expected = |line, expected| ManifestError::Line { line, expected };
        let text = std::str::from_utf8(bytes).map_err(|_| expected(1, "UTF-8 text"))?;
        let text = text
            .strip_suffix('\n')
            .ok_or(expected(1, "a line feed at the end of each line"))?;
        let mut lines = text.split('\n').enumerate().map(|(index, line)| (index + 1, line));
        if lines.next().map(|(_, line)| line) != Some(HEADER) {
            return Err(expected(1, HEADER));
        }
        let mut field = |key: &'static str| {
            let (number, line) = lines.next().unwrap_or((0, ""));
            line.strip_prefix(key)
                .and_then(|rest| rest.strip_prefix(' '))
                .ok_or(expected(number, key))
        };
        let name = field("name")?.parse()?;
        let architecture = field("architecture")?.to_owned();
        let precision = field("precision")?.to_owned();
        let engine = field("engine")?.to_owned();
        let template = field("template")?.parse()?;
        let files = lines.map(|(number, line)| parse_file(line).ok_or(expected(number, "file <sha256> <size> <path>")));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        Self {
            name,
            architecture,
            precision,
            engine,
            template,
            files,
        }
        .checked()
    }

    /// The one byte form of this manifest.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!(
            "{HEADER}\nname {}\narchitecture {}\nprecision {}\nengine {}\ntemplate {}\n",
            self.name, self.architecture, self.precision, self.engine, self.template
        );
        for file in &self.files {
            // Writing to a string does not fail.
            let _ = writeln!(text, "file {} {} {}", file.hash(), file.size(), file.path());
        }
        text.into_bytes()
    }

    /// SHA-256 of the canonical bytes: the identity of the model in receipts.
    pub fn hash(&self) -> ManifestHash {
        ManifestHash::new(Sha256::digest(self.to_bytes()).into())
    }

    /// The name on the network.
    pub fn name(&self) -> &ModelName {
        &self.name
    }

    /// The architecture, as the model's configuration calls it (`qwen3`).
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// The precision of the arithmetic (`f32`).
    pub fn precision(&self) -> &str {
        &self.precision
    }

    /// The engine and its version (`cocoon-engine/0.1.0`).
    pub fn engine(&self) -> &str {
        &self.engine
    }

    /// SHA-256 of the chat template's text.
    pub fn template(&self) -> FileHash {
        self.template
    }

    /// The files, in ascending order of path.
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    fn checked(self) -> Result<Self, ManifestError> {
        let fields = [
            ("architecture", &self.architecture),
            ("precision", &self.precision),
            ("engine version", &self.engine),
        ];
        for (field, value) in fields {
            let plain = |character: char| !character.is_whitespace() && !character.is_control();
            if value.is_empty() || value.len() > MAX_FIELD_BYTES || !value.chars().all(plain) {
                return Err(ManifestError::Field {
                    field,
                    limit: MAX_FIELD_BYTES,
                });
            }
        }
        if self.files.is_empty() || self.files.len() > MAX_FILES {
            return Err(ManifestError::FileCount {
                count: self.files.len(),
            });
        }
        match self.files.windows(2).position(|pair| pair[0].path() >= pair[1].path()) {
            Some(index) => Err(ManifestError::Order { index: index + 1 }),
            None => Ok(self),
        }
    }
}

fn parse_file(line: &str) -> Option<FileEntry> {
    let (hash, rest) = line.strip_prefix("file ")?.split_once(' ')?;
    let (size, path) = rest.split_once(' ')?;
    let number: u64 = size.parse().ok()?;
    if number.to_string() != size {
        return None;
    }
    FileEntry::new(path, number, hash.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> ModelManifest {
        let files = vec![
            FileEntry::new("tokenizer.json", 2, FileHash::of(b"{}")).unwrap(),
            FileEntry::new("config.json", 0, FileHash::of(b"")).unwrap(),
        ];
        let name = "tiny@1:2".parse().unwrap();
        ModelManifest::new(name, "qwen3", "f32", "cocoon-engine/0.1.0", FileHash::of(b"t"), files).unwrap()
    }

    #[test]
    fn the_canonical_bytes_are_these() {
        let golden = "cocoon-model-manifest 1\n\
            name tiny@1:2\n\
            architecture qwen3\n\
            precision f32\n\
            engine cocoon-engine/0.1.0\n\
            template e3b98a4da31a127d4bde6e43033f66ba274cab0eb7eb1c70ec41402bf6273dd8\n\
            file e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 config.json\n\
            file 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a 2 tokenizer.json\n";
        assert_eq!(String::from_utf8(sample().to_bytes()).unwrap(), golden);
        assert_eq!(
            sample().hash().to_string(),
            "4a4809e64c36cc71b2ba4bc818d819c56bc8979c099fbc691f9b8aa81c009107"
        );
        assert_eq!(ModelManifest::parse(golden.as_bytes()).unwrap(), sample());
    }

    #[test]
    fn any_other_form_of_the_same_facts_is_refused() {
        let text = String::from_utf8(sample().to_bytes()).unwrap();
        let others = [
            text.trim_end().to_owned(),
            format!("{text}\n"),
            text.replace('\n', "\r\n"),
            text.replace(" 2 tokenizer", " 02 tokenizer"),
            text.replace("manifest 1", "manifest 2"),
            text.replace("qwen3", ""),
            text.replace("precision", "Precision"),
            text.replace("e3b0c4", "E3B0C4"),
            text.lines()
                .filter(|line| !line.starts_with("file"))
                .map(|line| format!("{line}\n"))
                .collect(),
        ];
        for other in others {
            assert!(ModelManifest::parse(other.as_bytes()).is_err(), "{other}");
        }
        let mut lines: Vec<&str> = text.lines().collect();
        let last = lines.len() - 1;
        lines.swap(last - 1, last);
        let swapped = format!("{}\n", lines.join("\n"));
        assert_eq!(
            ModelManifest::parse(swapped.as_bytes()),
            Err(ManifestError::Order { index: 1 })
        );
    }

    proptest! {
        #[test]
        fn what_parses_is_canonical(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(manifest) = ModelManifest::parse(&bytes) {
                prop_assert_eq!(manifest.to_bytes(), bytes);
            }
        }

        #[test]
        fn a_change_of_one_byte_changes_or_breaks_the_manifest(at in any::<prop::sample::Index>(), flip in 1u8..) {
            let mut bytes = sample().to_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            if let Ok(manifest) = ModelManifest::parse(&bytes) {
                prop_assert_ne!(manifest.hash(), sample().hash());
                prop_assert_eq!(manifest.to_bytes(), bytes);
            }
        }
    }
}
