use super::*;
use proptest::prelude::*;

/// Hash of the statement's cell, key and signature; made with other software (Python's hashlib and cryptography).
const VECTOR: [&str; 3] = [
    "0d2996bb7a66cd5be3053cfbc82ceb7813170b303f9686e9839fc81e7609508b",
    "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c",
    concat!(
        "a2791f7659ad3d3d60e47277aa5f19d6084a0099b8453289faaa0b0e6cd4ad38",
        "1cbe38cc4dd902e15fd276dbf5257063d4a2a7b50bc1a900a239d455d7901002"
    ),
];

fn statement() -> RebuildStatement {
    let commit = source_commit("0123456789abcdef0123456789abcdef01234567").unwrap();
    RebuildStatement::new(commit, ImageHash::new([0x5a; 32]))
}

#[test]
fn the_signed_hash_and_the_signature_are_as_other_signers_make_them() {
    let statement = statement();
    let cell = to_cell(&statement).unwrap();
    assert_eq!((cell.bit_len(), cell.reference_count()), (32 + 2 * 256, 0));
    let key = SigningKey::from_bytes(&[7; 32]);
    let vector = [
        hex::encode(statement.hash().unwrap().0),
        hex::encode(PublicKey::from(&key).as_bytes()),
        hex::encode(statement.sign(&key).unwrap()),
    ];
    assert_eq!(vector, VECTOR);
}

#[test]
fn a_signature_is_good_for_one_source_one_image_and_one_key() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let statement = statement();
    let signature = statement.sign(&key).unwrap();
    let public = PublicKey::from(&key);
    statement.verify(&public, &signature).unwrap();
    let other = RebuildStatement {
        source_commit: HashBytes([1; 32]),
        ..statement.clone()
    };
    assert!(other.verify(&public, &signature).is_err());
    let other = RebuildStatement {
        image_hash: HashBytes([1; 32]),
        ..statement.clone()
    };
    assert!(other.verify(&public, &signature).is_err());
    let stranger = PublicKey::from(&SigningKey::from_bytes(&[8; 32]));
    assert!(statement.verify(&stranger, &signature).is_err());
}

#[test]
fn an_abbreviated_commit_is_refused() {
    for id in ["", "4acfc55", "0123456789abcdef0123456789abcdef0123456g"] {
        assert!(source_commit(id).is_err(), "{id}");
    }
}

proptest! {
    #[test]
    fn keys_and_signatures_survive_a_round_trip(keys in proptest::collection::btree_set(any::<[u8; 32]>(), 0..20)) {
        let keys: BTreeSet<PublicKey> = keys.into_iter().map(PublicKey::new).collect();
        prop_assert_eq!(&Rebuilders::new(&keys, 1).unwrap().public_keys().unwrap(), &keys);
        let signatures: BTreeMap<_, _> = keys.iter().map(|key| (*key, [key.as_bytes()[0]; 64])).collect();
        prop_assert_eq!(Attestations::new(&signatures).unwrap().by_key().unwrap(), signatures);
    }
}
