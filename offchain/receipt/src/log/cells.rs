//! Lines under a checkpoint that the proxy contract understands: two that contradict each other cost the proxy a share of its stake.
//!
//! A line is a signature of a type that no tool for signed notes knows (0xff), so they pass it over. Its name says which proxy contract,
//! its bytes have a size, a root and the signature over the contract's own checkpoint of both
//! ([`cocoon_bindings::checkpoint::Checkpoint::published`]).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_bindings::checkpoint::{Checkpoint as Cell, SignedCheckpoint};
use cocoon_bindings::ton::{Address, HashBytes, parse_address};
use cocoon_bindings::units::PublicKey;
use signed_note::key_id;

use super::checkpoint::{Checkpoint, CheckpointError, bounded};
use crate::limits::MAX_CELLS;

/// The type of signatures that have none of their own, and what tells this one from others of it.
const KIND: &[u8] = b"\xffcocoon-checkpoint-cell-v1";
/// Before the contract's address in the name of a line.
const NAME: &str = "cocoon-checkpoint/";
/// Id of the key, size, root, signature.
const LINE_BYTES: usize = 4 + 8 + 32 + 64;

impl Checkpoint {
    /// The note with these lines in the place of those that it had. Other signatures stay.
    pub fn with_cells(note: &str, cells: &[SignedCheckpoint], key: &PublicKey) -> Result<String, CheckpointError> {
        bounded(note)?;
        let (text, lines) = parts(note)?;
        let is_other = |line: &&str| !line.strip_prefix("— ").is_some_and(|line| line.starts_with(NAME));
        let mut kept = lines.lines().filter(is_other);
        // The log's own signature stands first.
        let mut lines: Vec<String> = kept.next().map(str::to_owned).into_iter().collect();
        lines.extend(cells.iter().take(MAX_CELLS).map(|cell| line(cell, key)));
        lines.extend(kept.map(str::to_owned));
        Ok(format!("{text}\n{}\n", lines.join("\n")))
    }

    /// The checkpoints for proxy contracts under a note, each signed with `key`. A line of this kind and key that does not hold is an
    /// error; those of other keys are left alone. Whether they are of the note's log is not looked at: [`Checkpoint::may_have`].
    pub fn cells(note: &str, key: &PublicKey) -> Result<Vec<SignedCheckpoint>, CheckpointError> {
        bounded(note)?;
        let (_, lines) = parts(note)?;
        let mut cells = Vec::new();
        for line in lines.lines() {
            let Some((name, encoded)) = line.strip_prefix("— ").and_then(|line| line.split_once(' ')) else {
                continue;
            };
            let Some(contract) = name.strip_prefix(NAME) else {
                continue;
            };
            let bytes = STANDARD.decode(encoded).unwrap_or_default();
            if bytes.first_chunk() != Some(&id(name, key)) {
                continue;
            }
            let wrong = CheckpointError::Cell;
            let contract = address(contract).ok_or(wrong("its name is no address"))?;
            let bytes: [u8; LINE_BYTES] = bytes.try_into().map_err(|_| wrong("it has another length"))?;
            let cell = read(contract, &bytes).ok_or(wrong("its log is longer than any"))?;
            let is_signed = cell.verify(key, &cell.checkpoint.proxy).is_ok();
            if !is_signed {
                return Err(wrong("its signature is false"));
            }
            if cells.len() == MAX_CELLS {
                return Err(wrong("there are too many"));
            }
            cells.push(cell);
        }
        Ok(cells)
    }

    /// Whether such a line may stand under this checkpoint: it is of the same log, or of an earlier state of it, as far as sizes tell.
    pub fn may_have(&self, cell: &Cell) -> bool {
        cell.size < self.size || (cell.size == self.size && cell.root_hash == self.root)
    }
}

/// The text with its line end, and the signatures.
fn parts(note: &str) -> Result<(&str, &str), CheckpointError> {
    let gap = note.rfind("\n\n").ok_or(CheckpointError::Unsigned)?;
    Ok((&note[..=gap], &note[gap + 2..]))
}

fn line(cell: &SignedCheckpoint, key: &PublicKey) -> String {
    let checkpoint = &cell.checkpoint;
    let name = format!("{NAME}{}", checkpoint.proxy);
    let size = checkpoint.size.to_be_bytes();
    let bytes = [
        id(&name, key).as_slice(),
        &size,
        checkpoint.root_hash.as_slice(),
        &cell.signature,
    ]
    .concat();
    format!("— {name} {}", STANDARD.encode(bytes))
}

fn id(name: &str, key: &PublicKey) -> [u8; 4] {
    key_id(name, &[KIND, key.as_bytes()].concat()).to_be_bytes()
}

/// An address in the one spelling that names have.
fn address(text: &str) -> Option<Address> {
    parse_address(text).ok().filter(|address| address.to_string() == text)
}

fn read(contract: Address, bytes: &[u8; LINE_BYTES]) -> Option<SignedCheckpoint> {
    let (_, rest) = bytes.split_first_chunk::<4>()?;
    let (size, rest) = rest.split_first_chunk::<8>()?;
    let (root, signature) = rest.split_first_chunk::<32>()?;
    Some(SignedCheckpoint {
        signature: signature.try_into().ok()?,
        checkpoint: Cell::published(contract, u64::from_be_bytes(*size), HashBytes(*root))?,
    })
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;

    fn key(tag: u8) -> SigningKey {
        SigningKey::from_bytes(&[tag; 32])
    }

    fn public() -> PublicKey {
        PublicKey::from(&key(1))
    }

    fn checkpoint(size: u64) -> Checkpoint {
        Checkpoint {
            origin: Checkpoint::origin_of(&public()),
            size,
            root: HashBytes([9; 32]),
        }
    }

    fn cell(contract: u8, size: u64, signer: u8) -> SignedCheckpoint {
        let contract = Address::new(0, HashBytes([contract; 32]));
        let cell = Cell::published(contract, size, HashBytes([9; 32])).unwrap();
        SignedCheckpoint::sign(cell, &key(signer)).unwrap()
    }

    fn note(cells: &[SignedCheckpoint]) -> String {
        Checkpoint::with_cells(&checkpoint(300).sign(&key(1)).unwrap(), cells, &public()).unwrap()
    }

    #[test]
    fn lines_for_contracts_stand_beside_every_other_signature_and_replace_each_other() {
        let plain = checkpoint(300).sign(&key(1)).unwrap();
        let noted = note(&[cell(2, 300, 1)]);
        assert!(noted.starts_with(&plain));
        assert_eq!(Checkpoint::cells(&noted, &public()).unwrap(), [cell(2, 300, 1)]);
        assert_eq!(
            Checkpoint::open(&noted, &checkpoint(300).origin, &public()),
            Ok(checkpoint(300))
        );
        let witnessed = Checkpoint::cosign(&noted, "witness.example", &key(5), 7).unwrap();
        let two = [cell(2, 250, 1), cell(3, 300, 1)];
        let again = Checkpoint::with_cells(&witnessed, &two, &public()).unwrap();
        assert_eq!(Checkpoint::cells(&again, &public()).unwrap(), two);
        let witness = super::super::WitnessKey {
            name: "witness.example".into(),
            key: PublicKey::from(&key(5)),
        };
        assert_eq!(Checkpoint::cosignatures(&again, &[witness]).unwrap().len(), 1);
        assert!(Checkpoint::cells(&plain, &public()).unwrap().is_empty());
        assert_eq!(Checkpoint::with_cells(&noted, &[], &public()).unwrap(), plain);
    }

    #[test]
    fn a_line_of_another_key_says_nothing_and_a_false_one_is_an_error() {
        let stranger = PublicKey::from(&key(4));
        let foreign = Checkpoint::with_cells(&checkpoint(300).sign(&key(1)).unwrap(), &[cell(2, 300, 4)], &stranger);
        assert!(Checkpoint::cells(&foreign.unwrap(), &public()).unwrap().is_empty());
        let false_one = note(&[cell(2, 300, 4)]);
        assert!(matches!(
            Checkpoint::cells(&false_one, &public()),
            Err(CheckpointError::Cell(_))
        ));
    }

    #[test]
    fn a_line_is_of_the_log_above_it_or_of_an_earlier_state() {
        let checkpoint = checkpoint(300);
        for (size, may) in [(0, true), (299, true), (300, true), (301, false)] {
            assert_eq!(checkpoint.may_have(&cell(2, size, 1).checkpoint), may, "{size}");
        }
        let mut other = cell(2, 300, 1).checkpoint;
        other.root_hash = HashBytes([8; 32]);
        assert!(!checkpoint.may_have(&other));
    }

    proptest! {
        #[test]
        fn any_text_has_lines_or_not_without_panic(note in "(.{0,40}\n){0,3}\n?\n?(— cocoon-checkpoint/0:[0-9a-f]{64} [A-Za-z0-9+/]{0,160}\n){0,3}") {
            let _ = Checkpoint::cells(&note, &public());
            let _ = Checkpoint::with_cells(&note, &[], &public());
        }

        #[test]
        fn a_changed_letter_of_a_line_never_reads_as_another_one(at in any::<prop::sample::Index>(), letter in "[A-Za-z0-9+/=:]") {
            let whole = note(&[cell(2, 300, 1)]);
            let from = whole.rfind("— ").unwrap() + "— ".len();
            let at = from + at.index(whole.len() - from - 1);
            let mut changed = whole.clone();
            changed.replace_range(at..=at, &letter);
            if let Ok(found) = Checkpoint::cells(&changed, &public()) {
                prop_assert!(found.is_empty() || found == [cell(2, 300, 1)]);
            }
        }
    }
}
