//! The manifest of a model and its canonical bytes.

mod sampling;

pub use sampling::SamplingDefaults;

use crate::difference::{Difference, differences};
use crate::error::ManifestError;
use crate::file::{FileEntry, FileHash};
use crate::limits::{MAX_FILES, MAX_RANKS};
use crate::lines::{Lines, check_word, parse_number};
use crate::name::ModelName;
use cocoon_bindings::units::ManifestHash;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// First line of the canonical text. Another layout of the same facts gets another number.
const HEADER: &str = "cocoon-model-manifest 2";

/// What stands where a model has nothing of a kind.
const NONE: &str = "none";

/// How a model is run, besides its name and its files. What is text is one word.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFacts {
    /// The architecture, as the model's configuration calls it (`qwen3`).
    pub architecture: String,
    /// The format of the weights while they are used (`q8`), which is the precision of the arithmetic.
    pub precision: String,
    /// The engine and its version (`cocoon-engine/0.1.0`).
    pub engine: String,
    /// What computes (`cpu`, `cuda`): roundings depend on it.
    pub device: String,
    /// Parts that the model is cut into: roundings depend on their number; 1 to [`MAX_RANKS`].
    pub ranks: u32,
    /// SHA-256 of the tokenizer's file.
    pub tokenizer: FileHash,
    /// SHA-256 of the chat template's text, which in some folders is a part of a larger file; of nothing if there is none.
    pub template: FileHash,
    /// How calls of tools are read from answers (`hermes`), if they are.
    pub tools: Option<String>,
    /// How reasoning is told from answers (`think`), if it is.
    pub reasoning: Option<String>,
    /// What a request gets that says nothing about sampling.
    pub sampling: SamplingDefaults,
}

/// Everything that decides what a model answers: two workers with equal manifests give equal answers to equal requests
/// in the engine's deterministic mode.
///
/// Canonical bytes are lines of text, each ended by one line feed: the header; `name`, and `model` with the hash of the
/// name, as the root contract lists it; the fields of [`ModelFacts`] in their order, `none` where there is nothing;
/// `files` with the root of the file list; then one `file <sha256> <size> <path>` for each file in ascending order of
/// path. The root of the file list is the SHA-256 of its lines.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelManifest {
    name: ModelName,
    facts: ModelFacts,
    files: Vec<FileEntry>,
}

impl ModelManifest {
    /// Puts a manifest together; the files may come in any order.
    pub fn new(name: ModelName, facts: ModelFacts, mut files: Vec<FileEntry>) -> Result<Self, ManifestError> {
        files.sort_by(|one, other| one.path().cmp(other.path()));
        Self { name, facts, files }.checked()
    }

    /// Reads canonical bytes; any other form of the same facts is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let mut lines = Lines::behind(HEADER, bytes)?;
        let name: ModelName = lines.value("name")?.parse()?;
        if lines.value("model")? != name.model_hash().to_string() {
            return Err(lines.refuse("the hash of the name"));
        }
        let facts = ModelFacts {
            architecture: lines.value("architecture")?.to_owned(),
            precision: lines.value("precision")?.to_owned(),
            engine: lines.value("engine")?.to_owned(),
            device: lines.value("device")?.to_owned(),
            ranks: lines
                .number("ranks")?
                .try_into()
                .map_err(|_| lines.refuse("a number of ranks"))?,
            tokenizer: lines.value("tokenizer")?.parse()?,
            template: lines.value("template")?.parse()?,
            tools: parse_optional(lines.value("tools")?),
            reasoning: parse_optional(lines.value("reasoning")?),
            sampling: lines.value("sampling")?.parse()?,
        };
        let files_root: FileHash = lines.value("files")?.parse()?;
        let wrong_root = lines.refuse("the root of the file list");
        let files = lines.rest("file <sha256> <size> <path>", parse_file)?;
        let manifest = Self { name, facts, files }.checked()?;
        match manifest.files_root() == files_root {
            true => Ok(manifest),
            false => Err(wrong_root),
        }
    }

    /// The one byte form of this manifest.
    pub fn to_bytes(&self) -> Vec<u8> {
        let facts = &self.facts;
        let optional = |value: &Option<String>| value.clone().unwrap_or_else(|| NONE.to_owned());
        let lines = [
            ("name", self.name.to_string()),
            ("model", self.name.model_hash().to_string()),
            ("architecture", facts.architecture.clone()),
            ("precision", facts.precision.clone()),
            ("engine", facts.engine.clone()),
            ("device", facts.device.clone()),
            ("ranks", facts.ranks.to_string()),
            ("tokenizer", facts.tokenizer.to_string()),
            ("template", facts.template.to_string()),
            ("tools", optional(&facts.tools)),
            ("reasoning", optional(&facts.reasoning)),
            ("sampling", facts.sampling.to_string()),
            ("files", self.files_root().to_string()),
        ];
        let mut text = format!("{HEADER}\n");
        for (key, value) in lines {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{key} {value}");
        }
        text.push_str(&self.file_lines());
        text.into_bytes()
    }

    /// SHA-256 of the canonical bytes: the identity of the model in receipts.
    pub fn hash(&self) -> ManifestHash {
        ManifestHash::new(Sha256::digest(self.to_bytes()).into())
    }

    /// Which fields are not those of `expected`; the hashes of the name and of the list of files follow from others.
    pub fn differences(&self, expected: &Self) -> Vec<Difference> {
        differences(&self.to_bytes(), &expected.to_bytes(), &["model", "files"])
    }

    /// The one hash that stands for all files and their paths, however they are run.
    pub fn files_root(&self) -> FileHash {
        FileHash::of(self.file_lines().as_bytes())
    }

    /// The name on the network.
    pub fn name(&self) -> &ModelName {
        &self.name
    }

    /// How the model is run.
    pub fn facts(&self) -> &ModelFacts {
        &self.facts
    }

    /// The files, in ascending order of path.
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    fn file_lines(&self) -> String {
        let mut text = String::new();
        for file in &self.files {
            // Writing to a string does not fail.
            let _ = writeln!(text, "file {} {} {}", file.hash(), file.size(), file.path());
        }
        text
    }

    fn checked(self) -> Result<Self, ManifestError> {
        let facts = &self.facts;
        check_word("architecture", &facts.architecture)?;
        check_word("precision", &facts.precision)?;
        check_word("engine version", &facts.engine)?;
        check_word("device", &facts.device)?;
        for (field, value) in [("tool parser", &facts.tools), ("reasoning parser", &facts.reasoning)] {
            match value.as_deref() {
                // It would read back as nothing.
                Some(NONE) => check_word(field, "")?,
                Some(value) => check_word(field, value)?,
                None => {}
            }
        }
        facts.sampling.check()?;
        if facts.ranks == 0 || facts.ranks > MAX_RANKS {
            return Err(ManifestError::Ranks { count: facts.ranks });
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

fn parse_optional(value: &str) -> Option<String> {
    (value != NONE).then(|| value.to_owned())
}

fn parse_file(line: &str) -> Option<FileEntry> {
    let (hash, rest) = line.strip_prefix("file ")?.split_once(' ')?;
    let (size, path) = rest.split_once(' ')?;
    FileEntry::new(path, parse_number(size)?, hash.parse().ok()?).ok()
}

#[cfg(test)]
mod tests;
