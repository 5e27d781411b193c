//! Checkpoints: the size and root of a log as a signed note (C2SP tlog-checkpoint), which witnesses sign too
//! (C2SP tlog-cosignature).
//!
//! The proxy signs with the key of its contract. A note never is 32 bytes long, so its signature cannot be taken for one over
//! the hash of a cell.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;
use ed25519_dalek::{Signer as _, SigningKey};
use signed_note::{Note, Signer, Verifier, VerifierList, is_key_name_valid, key_id};

use crate::limits::{MAX_COSIGNATURES, MAX_LOG_SIZE, MAX_NOTE_BYTES};

/// Number of plain Ed25519 in the id of a key.
const LOG_KEY: u8 = 1;
/// Number of Ed25519 with a time in the id of a key.
const WITNESS_KEY: u8 = 4;
/// Bytes of a cosignature: a time and a signature.
const COSIGNATURE_BYTES: usize = 72;

/// The head of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log, and of the key that signs it.
    pub origin: String,
    /// Entries, at most [`MAX_LOG_SIZE`].
    pub size: u64,
    /// Root of the tree over them.
    pub root: HashBytes,
}

/// What is wrong with a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Not a signed note, or not three lines of a checkpoint.
    #[error("not a checkpoint: {0}")]
    Format(String),
    /// Of another log.
    #[error("the checkpoint is of log {found}, not {expected}")]
    Origin {
        /// The log that was asked for.
        expected: String,
        /// The one it names.
        found: String,
    },
    /// The log's signature is missing or false.
    #[error("the checkpoint is not signed by its log")]
    Unsigned,
    /// A line that the proxy contract would punish is signed wrongly, or not of this log.
    #[error("the line for the proxy contract does not hold: {0}")]
    Cell(&'static str),
    /// A name cannot stand in a note.
    #[error("{0:?} cannot name a key: it is empty or has a space or a plus")]
    Name(String),
}

/// A witness, by its name and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessKey {
    /// Its name, without spaces and pluses.
    pub name: String,
    /// Its key.
    pub key: PublicKey,
}

/// That a witness has seen a checkpoint that continued the one it saw before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// Name of the witness.
    pub witness: String,
    /// Unix seconds when it signed.
    pub time: u64,
}

impl WitnessKey {
    /// From the text that tools for signed notes use, `name+id+key` of type 4.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, key) = parse_key(text, WITNESS_KEY)?;
        Some(Self { name, key })
    }

    /// As that text.
    pub fn verifier_key(&self) -> String {
        key_text(&self.name, &with_type(WITNESS_KEY, &self.key))
    }
}

impl Checkpoint {
    /// The name of the log of the proxy that signs with `key`: a log outlives contracts, its key stays.
    pub fn origin_of(key: &PublicKey) -> String {
        format!("cocoon-receipts/{key}")
    }

    /// The key of a log as tools for signed notes take it: `name+id+key`.
    pub fn verifier_key(origin: &str, key: &PublicKey) -> String {
        key_text(origin, &with_type(LOG_KEY, key))
    }

    /// Origin and key from that text.
    pub fn parse_verifier_key(text: &str) -> Option<(String, PublicKey)> {
        parse_key(text, LOG_KEY)
    }

    /// The origin that a note names, unchecked: to look for the key that it should be signed with.
    pub fn named_origin(note: &str) -> Result<String, CheckpointError> {
        Ok(Self::read(&bounded(note)?)?.origin)
    }

    /// What is signed.
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(text).ok()?.strip_suffix('\n')?.split('\n');
        let (origin, size, hash) = (lines.next()?, lines.next()?, lines.next()?);
        let checkpoint = Self {
            origin: origin.to_owned(),
            size: size.parse().ok()?,
            root: HashBytes(STANDARD.decode(hash).ok()?.try_into().ok()?),
        };
        // Signs, leading zeros and further lines come out as another text.
        let is_possible = !origin.is_empty() && checkpoint.size <= MAX_LOG_SIZE;
        (is_possible && checkpoint.text().as_bytes() == text).then_some(checkpoint)
    }

    fn read(note: &Note) -> Result<Self, CheckpointError> {
        Self::parse(note.text()).ok_or_else(|| CheckpointError::Format("its text is not three lines".into()))
    }

    /// The note, signed by the log.
    pub fn sign(&self, key: &SigningKey) -> Result<String, CheckpointError> {
        let mut note = Note::new(self.text().as_bytes(), &[]).map_err(format)?;
        note.add_sigs(&[&Plain {
            name: &self.origin,
            key,
        }])
        .map_err(|_| CheckpointError::Name(self.origin.clone()))?;
        utf8(note.to_bytes())
    }

    /// Reads a note of the log `origin` and checks the log's signature. Other signatures are left alone.
    pub fn open(note: &str, origin: &str, key: &PublicKey) -> Result<Self, CheckpointError> {
        let note = bounded(note)?;
        let checkpoint = Self::read(&note)?;
        if checkpoint.origin != origin {
            return Err(CheckpointError::Origin {
                expected: origin.to_owned(),
                found: checkpoint.origin,
            });
        }
        let known = VerifierList::new(vec![Box::new(LogVerifier {
            name: origin.to_owned(),
            key: *key,
        })]);
        note.verify(&known).map_err(|_| CheckpointError::Unsigned)?;
        Ok(checkpoint)
    }

    /// The note with a witness's signature in addition; one that it gave before is replaced. The witness must have checked the
    /// log's signature and a consistency proof: this only signs.
    pub fn cosign(note: &str, name: &str, key: &SigningKey, time: u64) -> Result<String, CheckpointError> {
        let mut note = bounded(note)?;
        note.add_sigs(&[&Witness { name, key, time }])
            .map_err(|_| CheckpointError::Name(name.to_owned()))?;
        utf8(note.to_bytes())
    }

    /// Which of these witnesses have signed the note. A signature of one of them that does not hold is an error.
    pub fn cosignatures(note: &str, witnesses: &[WitnessKey]) -> Result<Vec<Cosignature>, CheckpointError> {
        let note = bounded(note)?;
        let known = witnesses.iter().take(MAX_COSIGNATURES);
        let known: Vec<Box<dyn Verifier>> = known
            .map(|witness| Box::new(witness.clone()) as Box<dyn Verifier>)
            .collect();
        let verified = match note.verify(&VerifierList::new(known)) {
            Ok((verified, _)) => verified,
            Err(signed_note::NoteError::UnverifiedNote) => Vec::new(),
            Err(error) => return Err(format(error)),
        };
        let cosignatures = verified.iter().filter_map(|signature| {
            let (time, _) = signature.signature().split_first_chunk::<8>()?;
            Some(Cosignature {
                witness: signature.name().to_owned(),
                time: u64::from_be_bytes(*time),
            })
        });
        Ok(cosignatures.collect())
    }
}

pub(super) fn bounded(note: &str) -> Result<Note, CheckpointError> {
    if note.len() > MAX_NOTE_BYTES {
        return Err(CheckpointError::Format(format!("longer than {MAX_NOTE_BYTES} bytes")));
    }
    Note::from_bytes(note.as_bytes()).map_err(format)
}

fn format(error: impl std::fmt::Display) -> CheckpointError {
    CheckpointError::Format(error.to_string())
}

fn utf8(note: Vec<u8>) -> Result<String, CheckpointError> {
    String::from_utf8(note).map_err(format)
}

fn key_text(name: &str, bytes: &[u8; 33]) -> String {
    format!("{name}+{:08x}+{}", key_id(name, bytes), STANDARD.encode(bytes))
}

/// Name and key of a text that has the id that both make.
fn parse_key(text: &str, kind: u8) -> Option<(String, PublicKey)> {
    let (name, rest) = text.split_once('+')?;
    let (_, encoded) = rest.split_once('+')?;
    let bytes: [u8; 33] = STANDARD.decode(encoded).ok()?.try_into().ok()?;
    let (found, key) = bytes.split_first_chunk::<1>()?;
    let key = PublicKey::new(key.try_into().ok()?);
    let is_same = found[0] == kind && is_key_name_valid(name) && key_text(name, &bytes) == text;
    is_same.then(|| (name.to_owned(), key))
}

fn with_type(kind: u8, key: &PublicKey) -> [u8; 33] {
    let mut bytes = [kind; 33];
    bytes[1..].copy_from_slice(key.as_bytes());
    bytes
}

/// What a witness signs.
fn witnessed(time: u64, text: &[u8]) -> Vec<u8> {
    [format!("cosignature/v1\ntime {time}\n").as_bytes(), text].concat()
}

struct Plain<'a> {
    name: &'a str,
    key: &'a SigningKey,
}

impl Signer for Plain<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn key_id(&self) -> u32 {
        key_id(self.name, &with_type(LOG_KEY, &PublicKey::from(self.key)))
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, ed25519_dalek::SignatureError> {
        Ok(self.key.try_sign(text)?.to_bytes().to_vec())
    }
}

struct Witness<'a> {
    name: &'a str,
    key: &'a SigningKey,
    time: u64,
}

impl Signer for Witness<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn key_id(&self) -> u32 {
        key_id(self.name, &with_type(WITNESS_KEY, &PublicKey::from(self.key)))
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, ed25519_dalek::SignatureError> {
        let signature = self.key.try_sign(&witnessed(self.time, text))?;
        Ok([self.time.to_be_bytes().as_slice(), &signature.to_bytes()].concat())
    }
}

struct LogVerifier {
    name: String,
    key: PublicKey,
}

impl Verifier for LogVerifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        key_id(&self.name, &with_type(LOG_KEY, &self.key))
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        signature
            .try_into()
            .is_ok_and(|bytes: &[u8; 64]| self.key.verifies(text, bytes))
    }
}

impl Verifier for WitnessKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        key_id(&self.name, &with_type(WITNESS_KEY, &self.key))
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let Some((time, signature)) = signature.split_first_chunk::<8>() else {
            return false;
        };
        signature.len() == COSIGNATURE_BYTES - 8
            && signature
                .try_into()
                .is_ok_and(|bytes: &[u8; 64]| self.key.verifies(&witnessed(u64::from_be_bytes(*time), text), bytes))
    }
}

#[cfg(test)]
mod tests;
