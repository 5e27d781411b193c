//! Golden log: `tests/vectors/log` and `tests/vectors/log.json`, written by an independent implementation of `docs/log.md` in
//! Python (`tests/vectors/gen/log.py`).

use std::path::{Path, PathBuf};

use cocoon_bindings::ton::HashBytes;
use cocoon_bindings::units::PublicKey;
use ed25519_dalek::SigningKey;
use serde_json::Value;

use super::{Checkpoint, WitnessKey, consistency_proof, inclusion_proof, root};
use crate::tree::{leaf_hash, verify_consistency, verify_inclusion};
use crate::{SignedReceipt, log::TileId};

fn facts() -> Value {
    serde_json::from_str(include_str!("../../../../tests/vectors/log.json")).unwrap()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/log")
}

fn hash(value: &Value) -> HashBytes {
    HashBytes(hex::decode(value.as_str().unwrap()).unwrap().try_into().unwrap())
}

fn hashes(value: &Value) -> Vec<HashBytes> {
    value.as_array().unwrap().iter().map(hash).collect()
}

fn tile(id: TileId) -> Result<Vec<HashBytes>, std::io::Error> {
    let bytes = std::fs::read(folder().join(id.to_string()))?;
    Ok(bytes
        .chunks(32)
        .map(|hash| HashBytes(hash.try_into().unwrap()))
        .collect())
}

#[test]
fn the_checkpoint_of_the_other_implementation_is_read_and_written_the_same() {
    let facts = facts();
    let (origin, key) = (
        facts["origin"].as_str().unwrap(),
        PublicKey::new(hash(&facts["proxy_key"]).0),
    );
    let note = std::fs::read_to_string(folder().join("checkpoint")).unwrap();
    let checkpoint = Checkpoint::open(&note, origin, &key).unwrap();
    assert_eq!(
        (checkpoint.size, checkpoint.root),
        (facts["size"].as_u64().unwrap(), hash(&facts["root"]))
    );
    let secret = SigningKey::from_bytes(&hash(&facts["proxy_secret"]).0);
    assert_eq!(checkpoint.sign(&secret).unwrap(), facts["checkpoint"].as_str().unwrap());
    assert_eq!(
        Checkpoint::verifier_key(origin, &key),
        facts["verifier_key"].as_str().unwrap()
    );
    let empty = Checkpoint::open(facts["empty_checkpoint"].as_str().unwrap(), origin, &key).unwrap();
    assert_eq!((empty.size, empty.root), (0, hash(&facts["roots"]["0"])));
}

#[test]
fn its_witness_is_known_and_a_stranger_is_not() {
    let facts = facts();
    let told = &facts["witness"];
    let note = std::fs::read_to_string(folder().join("checkpoint")).unwrap();
    let name = told["name"].as_str().unwrap().to_owned();
    let witness = WitnessKey {
        name: name.clone(),
        key: PublicKey::new(hash(&told["key"]).0),
    };
    let found = Checkpoint::cosignatures(&note, &[witness]).unwrap();
    let found: Vec<_> = found.iter().map(|one| (one.witness.clone(), one.time)).collect();
    assert_eq!(found, [(name.clone(), told["time"].as_u64().unwrap())]);
    let secret = SigningKey::from_bytes(&hash(&told["secret"]).0);
    let plain = facts["bound"]["checkpoint"].as_str().unwrap();
    let cosigned = Checkpoint::cosign(plain, &name, &secret, told["time"].as_u64().unwrap()).unwrap();
    assert!(note.starts_with(&cosigned));
}

#[test]
fn its_false_checkpoints_are_refused() {
    let facts = facts();
    let (origin, key) = (
        facts["origin"].as_str().unwrap(),
        PublicKey::new(hash(&facts["proxy_key"]).0),
    );
    for case in facts["refused_checkpoints"].as_array().unwrap() {
        let read = Checkpoint::open(case["note"].as_str().unwrap(), origin, &key);
        assert!(read.is_err(), "{}", case["name"]);
    }
}

#[test]
fn its_tiles_have_its_roots_and_give_its_proofs() {
    let facts = facts();
    let size = facts["size"].as_u64().unwrap();
    assert_eq!(root(size, tile).unwrap(), hash(&facts["root"]));
    for case in facts["inclusion"].as_array().unwrap() {
        let (index, at) = (case["index"].as_u64().unwrap(), case["size"].as_u64().unwrap());
        let leaf = leaf_hash(&hash(&facts["receipts"][index as usize]["id"]).0);
        let (proof, root) = (hashes(&case["proof"]), hash(&facts["roots"][at.to_string()]));
        assert!(verify_inclusion(&leaf, index, at, &proof, &root), "{index} in {at}");
        if at == size {
            assert_eq!(inclusion_proof(index, at, tile).unwrap(), proof);
        }
    }
    for case in facts["consistency"].as_array().unwrap() {
        let (old, new) = (case["old"].as_u64().unwrap(), case["new"].as_u64().unwrap());
        let root = |at: u64| hash(&facts["roots"][at.to_string()]);
        let proof = hashes(&case["proof"]);
        assert!(
            verify_consistency(old, &root(old), new, &root(new), &proof),
            "{old} in {new}"
        );
        if new == size {
            assert_eq!(consistency_proof(old, new, tile).unwrap(), proof);
        }
    }
}

#[test]
fn its_receipts_have_the_ids_of_its_entries_and_the_signature_of_its_proxy() {
    let facts = facts();
    let key = PublicKey::new(hash(&facts["proxy_key"]).0);
    let mut bytes = std::fs::read(folder().join("receipts/000")).unwrap();
    bytes.extend(std::fs::read(folder().join("receipts/001.p/19")).unwrap());
    let mut rest = bytes.as_slice();
    for told in facts["receipts"].as_array().unwrap() {
        let (length, after) = rest.split_first_chunk::<2>().unwrap();
        let (boc, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        rest = after;
        let signed = SignedReceipt::from_boc(boc).unwrap();
        assert_eq!(signed.id().0, hash(&told["id"]));
        assert_eq!(signed.receipt.charged(), told["charged"].as_u64().unwrap());
        assert!(signed.worker_signature.is_none());
        signed.verify_proxy(&key).unwrap();
    }
    assert!(rest.is_empty());
}
