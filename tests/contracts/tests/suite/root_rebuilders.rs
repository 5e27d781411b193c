//! Images need the signatures of those who rebuilt them, once rebuilders are registered.

use std::collections::{BTreeMap, BTreeSet};

use cocoon_bindings::root::{
    AddImageFromOwner, AddModelHashFromOwner, AddProxyHashFromOwner, AddWorkerHashFromOwner, Attestations,
    ChangeRebuildersFromOwner, GetHashEntry, GetRebuilders, HashRole, ProxyHashIsValid, RebuildStatement, Rebuilders,
    ResetFromOwner, WorkerHashIsValid,
};
use cocoon_bindings::ton::{Cell, CellFamily, HashBytes};
use cocoon_bindings::types::ExitCode;
use cocoon_bindings::{HashDescriptor, ImageHash, PublicKey, QueryId};
use cocoon_contract_tests::{OWNER, World, body, query, ton};
use ed25519_dalek::SigningKey;

use crate::root::{change, storage};
use crate::root_descriptors::descriptor;

const HASH: HashBytes = HashBytes([0x5a; 32]);
const COMMIT: HashBytes = HashBytes([0x0c; 32]);
const QUERY: QueryId = query(44);

fn rebuilder(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn keys(numbers: impl Iterator<Item = u8>) -> BTreeSet<PublicKey> {
    numbers.map(|number| PublicKey::from(&rebuilder(number))).collect()
}

fn register(numbers: impl Iterator<Item = u8>, threshold: u8) -> ChangeRebuildersFromOwner {
    ChangeRebuildersFromOwner {
        query_id: QUERY,
        rebuilders: Rebuilders::new(&keys(numbers), threshold).unwrap(),
    }
}

/// Signatures of some rebuilders over a statement.
fn signed(numbers: impl Iterator<Item = u8>, commit: HashBytes, image: HashBytes) -> BTreeMap<PublicKey, [u8; 64]> {
    let statement = RebuildStatement::new(commit, ImageHash::from(image));
    let sign = |number| {
        let key = rebuilder(number);
        (PublicKey::from(&key), statement.sign(&key).unwrap())
    };
    numbers.map(sign).collect()
}

fn add(role: HashRole, signatures: &BTreeMap<PublicKey, [u8; 64]>) -> AddImageFromOwner {
    AddImageFromOwner {
        query_id: QUERY,
        role,
        hash: HASH,
        source_commit: COMMIT,
        descriptor: descriptor("an image", 0, 0),
        attestations: Attestations::new(signatures).unwrap(),
    }
}

fn refused(world: &mut World, message: Cell, error: ExitCode) {
    world.refused(&OWNER, &world.root.clone(), "0.1", message, error);
}

#[test]
fn without_a_threshold_an_image_needs_no_signature() {
    let mut world = World::new();
    let root = world.root.clone();
    change(&mut world, &add(HashRole::Worker, &BTreeMap::new()));
    change(&mut world, &add(HashRole::Proxy, &BTreeMap::new()));
    assert!(world.get(&root, &WorkerHashIsValid { hash: HASH }));
    assert!(world.get(&root, &ProxyHashIsValid { hash: HASH }));
    change(&mut world, &register(1..4, 0));
    change(&mut world, &add(HashRole::Worker, &BTreeMap::new()));
    let model = add(HashRole::Model, &BTreeMap::new());
    refused(&mut world, body(&model), ExitCode::MessageFormat);
}

#[test]
fn an_image_needs_as_many_signatures_as_the_threshold_says() {
    let mut world = World::new();
    change(&mut world, &register(1..4, 2));
    for role in [HashRole::Worker, HashRole::Proxy] {
        for signers in [0..0u8, 1..2, 3..4] {
            let message = add(role, &signed(signers, COMMIT, HASH));
            refused(&mut world, body(&message), ExitCode::AttestationsMissing);
        }
        change(&mut world, &add(role, &signed(2..4, COMMIT, HASH)));
        let role = u8::try_from(role.value()).unwrap();
        assert!(world.get(&world.root, &GetHashEntry { role, hash: HASH }).is_valid);
    }
    change(&mut world, &add(HashRole::Worker, &signed(1..4, COMMIT, HASH)));
}

#[test]
fn signatures_of_others_over_other_things_or_twice_count_for_nothing() {
    let mut world = World::new();
    change(&mut world, &register(1..4, 2));
    let one = signed(1..2, COMMIT, HASH);
    let with = |more: BTreeMap<PublicKey, [u8; 64]>| {
        let all = one.clone().into_iter().chain(more).collect();
        body(&add(HashRole::Worker, &all))
    };
    let stranger = with(signed(9..12, COMMIT, HASH));
    let other_source = with(signed(2..3, HASH, HASH));
    let other_image = with(signed(2..3, COMMIT, COMMIT));
    let own_again = with(
        keys(2..4)
            .into_iter()
            .map(|key| (key, one.values().next().copied().unwrap()))
            .collect(),
    );
    let damaged = with(keys(2..3).into_iter().map(|key| (key, [0; 64])).collect());
    for message in [stranger, other_source, other_image, own_again, damaged] {
        refused(&mut world, message, ExitCode::AttestationsMissing);
    }
    let good = with(
        signed(2..3, COMMIT, HASH)
            .into_iter()
            .chain(signed(9..12, COMMIT, HASH))
            .collect(),
    );
    let root = world.root.clone();
    world.send_cell(&OWNER, &root, ton("0.1"), good).assert_success();
}

#[test]
fn the_deployed_messages_add_no_image_while_signatures_are_needed() {
    let mut world = World::new();
    let (query_id, hash) = (QUERY, HASH);
    change(&mut world, &register(1..4, 1));
    refused(
        &mut world,
        body(&AddWorkerHashFromOwner { query_id, hash }),
        ExitCode::AttestationsMissing,
    );
    refused(
        &mut world,
        body(&AddProxyHashFromOwner { query_id, hash }),
        ExitCode::AttestationsMissing,
    );
    change(&mut world, &AddModelHashFromOwner { query_id, hash });
    change(&mut world, &register(1..4, 0));
    change(&mut world, &AddWorkerHashFromOwner { query_id, hash });
    change(&mut world, &AddProxyHashFromOwner { query_id, hash });
}

#[test]
fn rebuilders_are_at_most_sixteen_and_at_least_as_many_as_must_sign() {
    let mut world = World::new();
    let root = world.root.clone();
    for wrong in [register(1..4, 4), register(0..0, 1), register(1..18, 1)] {
        refused(&mut world, body(&wrong), ExitCode::BadDescriptor);
    }
    change(&mut world, &register(1..17, 16));
    let known = world.get(&root, &GetRebuilders);
    assert_eq!(known.threshold, 16);
    let known = Rebuilders {
        keys: known.keys,
        threshold: 16,
    };
    assert_eq!(known.public_keys().unwrap(), keys(1..17));
    // A reset of the lists keeps them; none of them leaves the deployed layout.
    change(&mut world, &ResetFromOwner { query_id: QUERY });
    assert_eq!(world.get(&root, &GetRebuilders).threshold, 16);
    change(&mut world, &register(0..0, 0));
    assert_eq!(storage(&world).tail, Cell::empty_cell());
}

#[test]
fn sixteen_signatures_fit_into_a_tenth_of_a_ton() {
    let mut world = World::new();
    let root = world.root.clone();
    change(&mut world, &register(1..17, 16));
    let message = add(HashRole::Worker, &signed(1..17, COMMIT, HASH));
    let outcome = world.send(&OWNER, &root, ton("0.1"), &message);
    outcome.assert_success();
    insta::assert_snapshot!(format!("gas {}", outcome.gas(&root)));
    assert_eq!(
        storage(&world)
            .data
            .worker_hashes
            .get(&ImageHash::from(HASH))
            .unwrap()
            .descriptor(),
        Some(HashDescriptor {
            ..descriptor("an image", 0, 0)
        })
    );
}
