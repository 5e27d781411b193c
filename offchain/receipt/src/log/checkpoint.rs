//! Checkpoints: the size and root of a log as a signed note (C2SP tlog-checkpoint), which witnesses sign too
//! (C2SP tlog-cosignature).
//!
//! The proxy signs with the key of its contract. A note never is 32 bytes long, so its signature cannot be taken for one over
//! the hash of a cell.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::PublicKey;
use ed25519_dalek::{Signer as _, SigningKey};
use signed_note::{Note, Signer, Verifier, VerifierList, key_id};

use crate::limits::{MAX_COSIGNATURES, MAX_NOTE_BYTES};

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
    /// Entries.
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

impl Checkpoint {
    /// The name of a proxy's log.
    pub fn origin_of(proxy: &Address) -> String {
        format!("cocoon-receipts/{proxy}")
    }

    /// The key of a log as tools for signed notes take it: `name+id+key`.
    pub fn verifier_key(origin: &str, key: &PublicKey) -> String {
        let bytes = with_type(LOG_KEY, key);
        format!("{origin}+{:08x}+{}", key_id(origin, &bytes), STANDARD.encode(bytes))
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
        (!origin.is_empty() && checkpoint.text().as_bytes() == text).then_some(checkpoint)
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
        let checkpoint =
            Self::parse(note.text()).ok_or_else(|| CheckpointError::Format("its text is not three lines".into()))?;
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

fn bounded(note: &str) -> Result<Note, CheckpointError> {
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples::address;

    fn key(tag: u8) -> SigningKey {
        SigningKey::from_bytes(&[tag; 32])
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            origin: Checkpoint::origin_of(&address(2)),
            size: 300,
            root: HashBytes([9; 32]),
        }
    }

    fn open(note: &str) -> Result<Checkpoint, CheckpointError> {
        Checkpoint::open(note, &Checkpoint::origin_of(&address(2)), &PublicKey::from(&key(1)))
    }

    #[test]
    fn a_signed_checkpoint_opens_with_its_own_key_and_name_only() {
        let note = checkpoint().sign(&key(1)).unwrap();
        assert_eq!(open(&note), Ok(checkpoint()));
        let origin = checkpoint().origin;
        assert_eq!(
            Checkpoint::open(&note, &origin, &PublicKey::from(&key(2))),
            Err(CheckpointError::Unsigned)
        );
        let other = Checkpoint::origin_of(&address(3));
        assert!(matches!(
            Checkpoint::open(&note, &other, &PublicKey::from(&key(1))),
            Err(CheckpointError::Origin { .. })
        ));
    }

    #[test]
    fn tools_for_signed_notes_verify_it_with_the_text_of_the_key() {
        let note = checkpoint().sign(&key(1)).unwrap();
        let text = Checkpoint::verifier_key(&checkpoint().origin, &PublicKey::from(&key(1)));
        let verifier = signed_note::StandardVerifier::new(&text).unwrap();
        let known = VerifierList::new(vec![Box::new(verifier)]);
        assert!(Note::from_bytes(note.as_bytes()).unwrap().verify(&known).is_ok());
    }

    #[test]
    fn witnesses_sign_beside_the_log_and_are_told_apart() {
        let note = checkpoint().sign(&key(1)).unwrap();
        let witness = |tag: u8| WitnessKey {
            name: format!("witness.example/{tag}"),
            key: PublicKey::from(&key(tag)),
        };
        let first = Checkpoint::cosign(&note, &witness(5).name, &key(5), 1_700_000_000).unwrap();
        let both = Checkpoint::cosign(&first, &witness(6).name, &key(6), 1_700_000_009).unwrap();
        let again = Checkpoint::cosign(&both, &witness(5).name, &key(5), 1_700_000_010).unwrap();
        assert_eq!(open(&again), Ok(checkpoint()));
        let seen = |note: &str, witnesses: &[WitnessKey]| {
            let found = Checkpoint::cosignatures(note, witnesses).unwrap();
            found
                .into_iter()
                .map(|found| (found.witness, found.time))
                .collect::<Vec<_>>()
        };
        assert!(seen(&note, &[witness(5)]).is_empty());
        assert_eq!(seen(&both, &[witness(5)]), [(witness(5).name, 1_700_000_000)]);
        assert_eq!(seen(&again, &[witness(5), witness(6), witness(7)]).len(), 2);
        assert!(seen(&again, &[witness(5)])[0].1 == 1_700_000_010);
        let mut thief = witness(5);
        thief.key = PublicKey::from(&key(6));
        assert!(seen(&first, &[thief]).is_empty(), "another key has another id");
        assert!(matches!(
            Checkpoint::cosign(&note, "a b", &key(5), 1),
            Err(CheckpointError::Name(_))
        ));
    }

    #[test]
    fn a_changed_time_or_text_is_not_what_the_witness_signed() {
        let witness = WitnessKey {
            name: "witness.example".into(),
            key: PublicKey::from(&key(5)),
        };
        let note = Checkpoint::cosign(&checkpoint().sign(&key(1)).unwrap(), &witness.name, &key(5), 7).unwrap();
        let larger = note.replacen("\n300\n", "\n301\n", 1);
        assert!(Checkpoint::cosignatures(&larger, std::slice::from_ref(&witness)).is_err());
        assert_eq!(open(&larger), Err(CheckpointError::Unsigned));
    }

    #[test]
    fn another_spelling_of_a_text_is_no_checkpoint() {
        let texts = [
            "x\n+3\nA\n",
            "x\n03\nA\n",
            "\n3\nA\n",
            "x\n3\nA",
            "x\n3\nA\nmore\n",
            "x\n-3\nA\n",
        ];
        for text in texts.map(|text| text.replace('A', &STANDARD.encode([9; 32]))) {
            assert_eq!(Checkpoint::parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_refused_without_panic(note in ".{0,300}") {
            prop_assert!(open(&note).is_err());
            prop_assert!(Checkpoint::cosign(&note, "w", &key(5), 1).is_err());
        }

        #[test]
        fn a_changed_letter_never_opens_as_another_checkpoint(at in any::<prop::sample::Index>(), letter in "[ -~\n]") {
            let note = checkpoint().sign(&key(1)).unwrap();
            let starts: Vec<_> = note.char_indices().map(|(start, _)| start).collect();
            let start = starts[at.index(starts.len())];
            let mut changed = note.clone();
            let end = start + note[start..].chars().next().unwrap().len_utf8();
            changed.replace_range(start..end, &letter);
            match open(&changed) {
                Ok(opened) => prop_assert_eq!(opened, checkpoint()),
                Err(_) => prop_assert!(changed != note),
            }
        }
    }
}
