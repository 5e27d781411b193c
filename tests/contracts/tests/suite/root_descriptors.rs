//! What the root contract knows of a hash, and how a hash retires.

use cocoon_bindings::root::{
    AddModelFromOwner, AddModelHashFromOwner, AddWorkerHashFromOwner, DeleteWorkerHashFromOwner, DescribeHashFromOwner,
    GetHashEntry, HashEntrySummary, HashRole, ModelHashIsValid, ResetFromOwner, RetireHash, RootStorage,
    ScheduleRetirementFromOwner, UpgradeFullFromOwner, WorkerHashIsValid,
};
use cocoon_bindings::ton::{Cell, CellBuilder, CellFamily, HashBytes, Store, to_cell};
use cocoon_bindings::types::ExitCode;
use cocoon_bindings::{ContractKind, HashDescriptor, HashEntry, ImageHash, ManifestHash, QueryId, TrustTimes};
use cocoon_contract_tests::{ANYONE, OWNER, START, World, body, query, ton};

use crate::root::{change, govern, storage};

const HASH: HashBytes = HashBytes([0x5a; 32]);
const QUERY: QueryId = query(43);
const ROLE: HashRole = HashRole::Worker;

pub(crate) fn descriptor(label: &str, not_before: u32, retire_after: u32) -> HashDescriptor {
    HashDescriptor {
        manifest_hash: Some(ManifestHash::new([9; 32])),
        times: TrustTimes {
            not_before,
            retire_after,
        },
        label: label.parse().unwrap(),
    }
}

fn described(world: &World, role: HashRole, hash: HashBytes) -> HashEntrySummary {
    let role = u8::try_from(role.value()).unwrap();
    world.get(&world.root, &GetHashEntry { role, hash })
}

fn is_valid(world: &World) -> bool {
    let valid = world.get(&world.root, &WorkerHashIsValid { hash: HASH });
    assert_eq!(described(world, ROLE, HASH).is_valid, valid);
    // The bindings' reader comes to the same answer.
    let listed = storage(world).data.worker_hashes;
    assert_eq!(listed.is_valid(&ImageHash::from(HASH), world.chain.now()), valid);
    valid
}

fn list(world: &mut World) {
    change(
        world,
        &AddWorkerHashFromOwner {
            query_id: QUERY,
            hash: HASH,
        },
    );
}

fn describe(descriptor: Option<HashDescriptor>) -> DescribeHashFromOwner {
    DescribeHashFromOwner {
        query_id: QUERY,
        role: ROLE,
        hash: HASH,
        descriptor,
    }
}

fn schedule(retire_after: u32) -> ScheduleRetirementFromOwner {
    ScheduleRetirementFromOwner {
        query_id: QUERY,
        role: ROLE,
        hash: HASH,
        retire_after,
    }
}

fn retire() -> Cell {
    body(&RetireHash {
        query_id: QUERY,
        role: ROLE,
        hash: HASH,
    })
}

fn refused(world: &mut World, message: &impl Store, error: ExitCode) {
    world.refused(&OWNER, &world.root.clone(), "0.1", body(message), error);
}

/// Replaces what the root contract holds of the hash, as a later version of it could have left it.
fn plant(world: &mut World, value: Cell) {
    let mut data: RootStorage = storage(world);
    data.data
        .worker_hashes
        .describe(ImageHash::from(HASH), HashEntry::from_raw(value));
    govern(
        world,
        &UpgradeFullFromOwner {
            query_id: QUERY,
            data: body(&data),
            code: ContractKind::Root.code().unwrap(),
        },
    );
}

#[test]
fn a_model_is_added_with_its_descriptor() {
    let mut world = World::new();
    let root = world.root.clone();
    let wanted = descriptor("a model", START + 100, START + 200);
    let add = AddModelFromOwner {
        query_id: QUERY,
        hash: HASH,
        descriptor: wanted.clone(),
    };
    change(&mut world, &add);
    let entry = described(&world, HashRole::Model, HASH);
    assert_eq!(
        (entry.is_listed, entry.not_before, entry.retire_after),
        (true, START + 100, START + 200)
    );
    assert_eq!(entry.descriptor, Some(to_cell(&wanted).unwrap()));
    let valid = |world: &World| world.get(&root, &ModelHashIsValid { hash: HASH });
    assert!(!valid(&world), "its time has not come");
    world.chain.set_now(START + 100).unwrap();
    assert!(valid(&world));
    world.chain.set_now(START + 200).unwrap();
    assert!(valid(&world));
    world.chain.set_now(START + 201).unwrap();
    assert!(!valid(&world));
    assert!(described(&world, HashRole::Model, HASH).is_listed);
    assert!(!described(&world, HashRole::Worker, HASH).is_listed);
}

#[test]
fn the_longest_label_fits_and_a_descriptor_that_is_not_well_formed_is_refused() {
    let mut world = World::new();
    list(&mut world);
    let longest = descriptor(&"x".repeat(31), 0, 0);
    change(&mut world, &describe(Some(longest.clone())));
    assert_eq!(
        described(&world, ROLE, HASH).descriptor,
        Some(to_cell(&longest).unwrap())
    );
    let with = |extra: &[u8], bits: u16| {
        let mut builder = CellBuilder::new();
        longest.store_into(&mut builder, Cell::empty_context()).unwrap();
        builder.store_raw(extra, bits).unwrap();
        builder.build().unwrap()
    };
    let mut with_reference = CellBuilder::new();
    longest.store_into(&mut with_reference, Cell::empty_context()).unwrap();
    with_reference.store_reference(Cell::empty_cell()).unwrap();
    let wrong = [
        with(b"x", 8),
        with(&[0x80], 1),
        with_reference.build().unwrap(),
        Cell::empty_cell(),
        to_cell(&HASH).unwrap(),
    ];
    for cell in wrong {
        // The message as DescribeHashFromOwner, with a cell that is no descriptor.
        let mut message = CellBuilder::new();
        message.store_u32(DescribeHashFromOwner::OPCODE).unwrap();
        message.store_u64(QUERY.get()).unwrap();
        message.store_u8(1).unwrap();
        message.store_u256(&HASH).unwrap();
        message.store_bit_one().unwrap();
        message.store_reference(cell).unwrap();
        let root = world.root.clone();
        world.refused(&OWNER, &root, "0.1", message.build().unwrap(), ExitCode::BadDescriptor);
    }
    for (not_before, retire_after) in [(0, START), (START + 20, START + 10)] {
        let ended = describe(Some(descriptor("", not_before, retire_after)));
        refused(&mut world, &ended, ExitCode::BadDescriptor);
    }
}

#[test]
fn listing_a_described_hash_again_keeps_its_descriptor() {
    let mut world = World::new();
    list(&mut world);
    change(&mut world, &describe(Some(descriptor("kept", 0, START + 100))));
    list(&mut world);
    assert_eq!(described(&world, ROLE, HASH).retire_after, START + 100);
    // After its end it is as good as not listed, and listing it is a beginning.
    world.chain.set_now(START + 101).unwrap();
    assert!(!is_valid(&world));
    list(&mut world);
    assert!(is_valid(&world));
    assert_eq!(described(&world, ROLE, HASH).descriptor, None);
}

#[test]
fn a_descriptor_is_replaced_and_removed() {
    let mut world = World::new();
    refused(&mut world, &describe(None), ExitCode::UnknownHash);
    list(&mut world);
    change(&mut world, &describe(Some(descriptor("one", START + 100, 0))));
    assert!(!is_valid(&world));
    change(&mut world, &describe(Some(descriptor("two", 0, 0))));
    assert!(is_valid(&world));
    change(&mut world, &describe(None));
    assert!(is_valid(&world));
    assert_eq!(described(&world, ROLE, HASH).descriptor, None);
}

#[test]
fn a_retirement_is_scheduled_moved_and_withdrawn() {
    let mut world = World::new();
    refused(&mut world, &schedule(START + 100), ExitCode::UnknownHash);
    list(&mut world);
    change(&mut world, &schedule(0));
    assert_eq!(described(&world, ROLE, HASH).descriptor, None);
    refused(&mut world, &schedule(START), ExitCode::BadDescriptor);
    change(&mut world, &schedule(START + 100));
    let minimal = HashDescriptor {
        times: TrustTimes {
            not_before: 0,
            retire_after: START + 100,
        },
        ..HashDescriptor::default()
    };
    assert_eq!(
        described(&world, ROLE, HASH).descriptor,
        Some(to_cell(&minimal).unwrap())
    );
    change(&mut world, &schedule(START + 200));
    world.chain.set_now(START + 150).unwrap();
    assert!(is_valid(&world));
    change(&mut world, &schedule(0));
    world.chain.set_now(START + 300).unwrap();
    assert!(is_valid(&world));
    // The rest of a descriptor survives.
    change(&mut world, &describe(Some(descriptor("a label", 7, 0))));
    change(&mut world, &schedule(START + 400));
    assert_eq!(
        described(&world, ROLE, HASH).descriptor,
        Some(to_cell(&descriptor("a label", 7, START + 400)).unwrap())
    );
}

#[test]
fn after_its_end_anyone_takes_a_hash_off_the_list() {
    let mut world = World::new();
    let root = world.root.clone();
    world.refused(&ANYONE, &root, "0.1", retire(), ExitCode::UnknownHash);
    list(&mut world);
    world.refused(&ANYONE, &root, "0.1", retire(), ExitCode::NotRetired);
    change(&mut world, &schedule(START + 100));
    world.chain.set_now(START + 100).unwrap();
    world.refused(&ANYONE, &root, "0.1", retire(), ExitCode::NotRetired);
    world.chain.set_now(START + 101).unwrap();
    assert!(!is_valid(&world));
    assert!(described(&world, ROLE, HASH).is_listed, "deployed readers see it still");
    let version = storage(&world).version;
    let outcome = world.send_cell(&ANYONE, &root, ton("0.1"), retire());
    outcome.assert_success();
    assert_eq!(
        outcome.received(&ANYONE),
        ton("0.1").checked_sub(outcome.cost()).unwrap()
    );
    let after = storage(&world);
    assert_eq!(after.version, version + 1);
    assert!(after.data.worker_hashes.is_empty());
    world.refused(&ANYONE, &root, "0.1", retire(), ExitCode::UnknownHash);
}

#[test]
fn an_end_that_has_come_cannot_be_undone() {
    let mut world = World::new();
    list(&mut world);
    change(&mut world, &schedule(START + 100));
    world.chain.set_now(START + 101).unwrap();
    refused(&mut world, &schedule(0), ExitCode::UnknownHash);
    refused(&mut world, &describe(None), ExitCode::UnknownHash);
    assert!(!is_valid(&world));
}

#[test]
fn deleting_a_described_hash_works_at_once() {
    let mut world = World::new();
    list(&mut world);
    change(&mut world, &describe(Some(descriptor("gone", 0, START + 1000))));
    let delete = DeleteWorkerHashFromOwner {
        query_id: QUERY,
        hash: HASH,
    };
    change(&mut world, &delete);
    assert!(!described(&world, ROLE, HASH).is_listed && !is_valid(&world));
    list(&mut world);
    change(&mut world, &describe(Some(descriptor("gone", 0, START + 1000))));
    change(&mut world, &ResetFromOwner { query_id: QUERY });
    assert!(!described(&world, ROLE, HASH).is_listed);
}

#[test]
fn what_a_later_version_put_into_an_entry_is_kept_and_sets_no_limit() {
    let mut world = World::new();
    let root = world.root.clone();
    let mut builder = CellBuilder::new();
    builder.store_raw(&[0xee; 60], 480).unwrap();
    builder.store_reference(Cell::empty_cell()).unwrap();
    let unknown = builder.build().unwrap();
    plant(&mut world, unknown.clone());
    assert!(is_valid(&world));
    world.refused(&ANYONE, &root, "0.1", retire(), ExitCode::NotRetired);
    refused(&mut world, &schedule(START + 100), ExitCode::BadDescriptor);
    list(&mut world);
    let other = HashBytes([1; 32]);
    for hash in [other, HashBytes([2; 32])] {
        change(&mut world, &AddModelHashFromOwner { query_id: QUERY, hash });
        change(&mut world, &AddWorkerHashFromOwner { query_id: QUERY, hash });
    }
    assert_eq!(described(&world, ROLE, HASH).descriptor, Some(unknown));
    change(&mut world, &describe(Some(descriptor("known", 0, 0))));
    assert!(described(&world, ROLE, HASH).descriptor.is_some());
}
