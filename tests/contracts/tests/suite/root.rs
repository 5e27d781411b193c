//! The root contract, message by message.

use std::collections::BTreeMap;

use cocoon_bindings::root::{
    AddModelHashFromOwner, AddProxyHashFromOwner, AddWorkerHashFromOwner, ChangeAllParamsFromOwner,
    ChangeCodesFromOwner, ChangeOwnerFromOwner, ChangeParamsFromOwner, ChangePricesFromOwner, DeleteModelHashFromOwner,
    DeleteProxyHashFromOwner, DeleteWorkerHashFromOwner, GetCocoonData, GetCurParams, LastProxySeqno, ModelHashIsValid,
    ProxyHashIsValid, RegisterProxyFromOwner, ResetFromOwner, RootStorage, UnregisterProxyFromOwner,
    UpdateProxyFromOwner, UpgradeCodeFromOwner, UpgradeFullFromOwner, WorkerHashIsValid,
};
use cocoon_bindings::ton::{Cell, CellBuilder, CellFamily, HashBytes, Store, from_cell};
use cocoon_bindings::types::{DoNotProcess, ExitCode};
use cocoon_bindings::{ContractKind, Multipliers, Nanoton, ParamsVersion, ProxyEndpoints, QueryId};
use cocoon_contract_tests::{ANYONE, OWNER, Outcome, World, body, corrupted, query, ton};

use crate::root_messages::every_message;

const HASH: HashBytes = HashBytes([0x5a; 32]);
const QUERY: QueryId = query(41);

pub(crate) fn storage(world: &World) -> RootStorage {
    from_cell(&world.data(&world.root)).unwrap()
}

/// Sends a message of the owner, checks that the rest of the value comes back and that the contract keeps its coins.
pub(crate) fn govern(world: &mut World, message: &impl Store) -> Outcome {
    let held = world.balance(&world.root);
    let outcome = world.send(&OWNER, &world.root.clone(), ton("0.1"), message);
    outcome.assert_success();
    assert_eq!(
        outcome.received(&OWNER),
        ton("0.1").checked_sub(outcome.cost()).unwrap()
    );
    let stored = outcome.storage_fees(&world.root);
    assert_eq!(world.balance(&world.root), held.checked_sub(stored).unwrap());
    outcome
}

/// Sends a message of the owner that is a change: the version grows by one.
pub(crate) fn change(world: &mut World, message: &impl Store) {
    let version = storage(world).version;
    govern(world, message);
    assert_eq!(storage(world).version, version + 1);
}

fn endpoints(workers: &str, clients: &str) -> ProxyEndpoints {
    ProxyEndpoints {
        workers: workers.to_owned(),
        clients: clients.to_owned(),
    }
}

#[test]
fn hashes_are_added_and_deleted() {
    let mut world = World::new();
    let root = world.root.clone();
    let (query_id, hash) = (QUERY, HASH);
    change(&mut world, &AddWorkerHashFromOwner { query_id, hash });
    change(&mut world, &AddProxyHashFromOwner { query_id, hash });
    change(&mut world, &AddModelHashFromOwner { query_id, hash });
    assert!(world.get(&root, &WorkerHashIsValid { hash }));
    assert!(world.get(&root, &ProxyHashIsValid { hash }));
    assert!(world.get(&root, &ModelHashIsValid { hash }));
    assert!(!world.get(&root, &WorkerHashIsValid { hash: HashBytes::ZERO }));
    let data = storage(&world).data;
    let sizes = [
        data.worker_hashes.len(),
        data.proxy_hashes.len(),
        data.model_hashes.len(),
    ];
    assert_eq!(sizes, [1, 1, 1]);
    // Adding twice and deleting what is not there are changes without an effect.
    change(&mut world, &AddWorkerHashFromOwner { query_id, hash });
    change(&mut world, &DeleteWorkerHashFromOwner { query_id, hash });
    change(&mut world, &DeleteWorkerHashFromOwner { query_id, hash });
    assert!(!world.get(&root, &WorkerHashIsValid { hash }));
    assert!(world.get(&root, &ProxyHashIsValid { hash }));
    change(&mut world, &DeleteProxyHashFromOwner { query_id, hash });
    change(&mut world, &DeleteModelHashFromOwner { query_id, hash });
    assert_eq!(storage(&world).data, Default::default());
}

#[test]
fn proxies_are_registered_updated_and_unregistered() {
    let mut world = World::new();
    let one = endpoints("10.0.0.1:11001", "10.0.0.1:11002");
    let two = endpoints("10.0.0.2:1000", "10.0.0.2:1000");
    for proxy in [&one, &two] {
        change(
            &mut world,
            &RegisterProxyFromOwner {
                query_id: QUERY,
                endpoints: proxy.clone(),
            },
        );
    }
    assert_eq!(
        storage(&world).data.proxies,
        BTreeMap::from([(1, one.clone()), (2, two.clone())])
    );
    let moved = endpoints("10.0.0.3:1000", "10.0.0.3:2000");
    change(
        &mut world,
        &UpdateProxyFromOwner {
            query_id: QUERY,
            seqno: 2,
            endpoints: moved.clone(),
        },
    );
    change(
        &mut world,
        &UnregisterProxyFromOwner {
            query_id: QUERY,
            seqno: 1,
        },
    );
    assert_eq!(storage(&world).data.proxies, BTreeMap::from([(2, moved)]));
    assert_eq!(world.get(&world.root, &LastProxySeqno), 2);
    let unknown = body(&UpdateProxyFromOwner {
        query_id: QUERY,
        seqno: 1,
        endpoints: one,
    });
    world.refused(&OWNER, &world.root.clone(), "0.1", unknown, ExitCode::UnknownProxy);
}

#[test]
fn a_proxy_whose_text_is_not_as_long_as_stated_is_refused() {
    let mut world = World::new();
    let good = body(&RegisterProxyFromOwner {
        query_id: QUERY,
        endpoints: endpoints("1.1.1.1:1", "1.1.1.1:1"),
    });
    let mut shorter = CellBuilder::new();
    let mut slice = good.as_ref().as_slice().unwrap();
    shorter
        .store_slice(slice.load_prefix(good.bit_len() - 8, 0).unwrap())
        .unwrap();
    for wrong in [corrupted(&good), shorter.build().unwrap()] {
        world.refused(&OWNER, &world.root.clone(), "0.1", wrong, ExitCode::MessageFormat);
    }
}

#[test]
fn prices_and_terms_change_under_a_new_params_version() {
    let mut world = World::new();
    let (price, fee) = (Nanoton::new(30), Nanoton::new(25));
    change(
        &mut world,
        &ChangePricesFromOwner {
            query_id: QUERY,
            price_per_token: price,
            worker_fee_per_token: fee,
        },
    );
    let mut expected = world.params.clone();
    expected.price_per_token = price;
    expected.worker_fee_per_token = fee;
    expected.params_version = ParamsVersion::new(2);
    assert_eq!(storage(&world).params, expected);

    change(
        &mut world,
        &ChangeParamsFromOwner {
            query_id: QUERY,
            price_per_token: Nanoton::new(40),
            worker_fee_per_token: fee,
            proxy_delay_before_close: 1200,
            client_delay_before_close: 1100,
            min_proxy_stake: ton("2"),
            min_client_stake: ton("3"),
        },
    );
    expected.price_per_token = Nanoton::new(40);
    expected.proxy_delay_before_close = 1200;
    expected.client_delay_before_close = 1100;
    expected.min_proxy_stake = ton("2");
    expected.min_client_stake = ton("3");
    expected.params_version = ParamsVersion::new(3);
    assert_eq!(storage(&world).params, expected);

    change(
        &mut world,
        &ChangeAllParamsFromOwner {
            query_id: QUERY,
            price_per_token: Nanoton::new(50),
            worker_fee_per_token: fee,
            prompt_mul: 1,
            cached_mul: 2,
            completion_mul: 3,
            reasoning_mul: 4,
            proxy_delay_before_close: 1201,
            client_delay_before_close: 1101,
            min_proxy_stake: ton("2.5"),
            min_client_stake: ton("3.5"),
        },
    );
    expected.price_per_token = Nanoton::new(50);
    expected.multipliers = Multipliers {
        prompt: 1,
        cached: 2,
        completion: 3,
        reasoning: 4,
    };
    expected.proxy_delay_before_close = 1201;
    expected.client_delay_before_close = 1101;
    expected.min_proxy_stake = ton("2.5");
    expected.min_client_stake = ton("3.5");
    expected.params_version = ParamsVersion::new(4);
    assert_eq!(storage(&world).params, expected);
}

#[test]
fn a_worker_fee_above_the_price_is_refused() {
    let mut world = World::new();
    let message = ChangePricesFromOwner {
        query_id: QUERY,
        price_per_token: Nanoton::new(30),
        worker_fee_per_token: Nanoton::new(31),
    };
    world.refused(
        &OWNER,
        &world.root.clone(),
        "0.1",
        body(&message),
        ExitCode::MessageFormat,
    );
}

#[test]
fn codes_change_under_a_new_params_version() {
    let mut world = World::new();
    let code = |kind: ContractKind| kind.code().unwrap();
    change(
        &mut world,
        &ChangeCodesFromOwner {
            query_id: QUERY,
            proxy_code: code(ContractKind::Wallet),
            worker_code: code(ContractKind::Root),
            client_code: code(ContractKind::Worker),
        },
    );
    let current = world.get(&world.root, &GetCurParams);
    assert_eq!(current.params_version, ParamsVersion::new(2));
    let hash = |kind: ContractKind| kind.code_hash().unwrap();
    assert_eq!(current.proxy_code_hash, hash(ContractKind::Wallet));
    assert_eq!(current.worker_code_hash, hash(ContractKind::Root));
    assert_eq!(current.client_code_hash, hash(ContractKind::Worker));
}

#[test]
fn a_new_code_leaves_the_version_and_new_data_replaces_everything() {
    let mut world = World::new();
    let root = world.root.clone();
    let before = storage(&world);
    let code = ContractKind::Wallet.code().unwrap();
    govern(
        &mut world,
        &UpgradeFullFromOwner {
            query_id: QUERY,
            data: body(&RootStorage { version: 77, ..before }),
            code: ContractKind::Root.code().unwrap(),
        },
    );
    assert_eq!(storage(&world).version, 77);
    govern(
        &mut world,
        &UpgradeCodeFromOwner {
            query_id: QUERY,
            code: code.clone(),
        },
    );
    assert_eq!(storage(&world).version, 77);
    assert_eq!(world.chain.account(&root).unwrap().unwrap().code.unwrap(), code);
}

#[test]
fn a_reset_empties_the_lists_and_keeps_the_rest() {
    let mut world = World::new();
    let (query_id, hash) = (QUERY, HASH);
    change(&mut world, &AddWorkerHashFromOwner { query_id, hash });
    change(&mut world, &AddProxyHashFromOwner { query_id, hash });
    change(&mut world, &AddModelHashFromOwner { query_id, hash });
    change(
        &mut world,
        &RegisterProxyFromOwner {
            query_id,
            endpoints: endpoints("a:1", "b:1"),
        },
    );
    change(&mut world, &ResetFromOwner { query_id });
    let storage = storage(&world);
    assert_eq!(storage.data.last_proxy_seqno, 1);
    assert_eq!(storage.params, world.params);
    assert!(storage.data.proxies.is_empty() && storage.data.model_hashes.is_empty());
    assert!(storage.data.proxy_hashes.is_empty() && storage.data.worker_hashes.is_empty());
}

#[test]
fn a_new_owner_takes_over() {
    let mut world = World::new();
    let root = world.root.clone();
    change(
        &mut world,
        &ChangeOwnerFromOwner {
            query_id: QUERY,
            new_owner: ANYONE,
        },
    );
    assert_eq!(world.get(&root, &GetCocoonData).owner, ANYONE);
    let message = body(&ResetFromOwner { query_id: QUERY });
    world.refused(
        &OWNER,
        &root,
        "0.1",
        message.clone(),
        ExitCode::ExpectedMessageFromOwner,
    );
    world.send_cell(&ANYONE, &root, ton("0.1"), message).assert_success();
}

#[test]
fn nobody_but_the_owner_governs() {
    let mut world = World::new();
    let root = world.root.clone();
    for message in every_message(&world) {
        world.refused(&ANYONE, &root, "0.1", message, ExitCode::ExpectedMessageFromOwner);
    }
    let unknown = body(&0xdead_beef_u32);
    world.refused(
        &ANYONE,
        &root,
        "0.1",
        unknown.clone(),
        ExitCode::ExpectedMessageFromOwner,
    );
    world.refused(&OWNER, &root, "0.1", unknown, ExitCode::UnknownOp);
}

#[test]
fn a_message_with_something_after_its_end_is_refused() {
    let mut world = World::new();
    let root = world.root.clone();
    for message in every_message(&world) {
        world.refused(&OWNER, &root, "0.1", corrupted(&message), ExitCode::MessageFormat);
    }
}

#[test]
fn notes_and_plain_transfers_are_accepted_from_anyone() {
    let mut world = World::new();
    let root = world.root.clone();
    let before = world.data(&root);
    let note = body(&DoNotProcess {
        query_id: QUERY,
        note: Cell::empty_cell(),
    });
    for message in [note, Cell::empty_cell()] {
        let held = world.balance(&root);
        let outcome = world.send_cell(&ANYONE, &root, ton("0.1"), message);
        outcome.assert_success();
        let spent = outcome.cost();
        assert_eq!(
            world.balance(&root),
            held.checked_add(ton("0.1")).unwrap().checked_sub(spent).unwrap()
        );
    }
    assert_eq!(world.data(&root), before);
}

#[test]
fn the_get_methods_say_what_is_stored() {
    let world = World::new();
    let data = world.get(&world.root, &GetCocoonData);
    let params = &world.params;
    assert_eq!(
        (data.version, data.last_proxy_seqno, data.unique_id, data.is_test),
        (0, 0, 13, true)
    );
    assert_eq!(data.params_version, params.params_version);
    assert_eq!(data.price_per_token, params.price_per_token);
    assert_eq!(data.worker_fee_per_token, params.worker_fee_per_token);
    assert_eq!(data.min_proxy_stake, params.min_proxy_stake);
    assert_eq!(data.min_client_stake, params.min_client_stake);
    assert_eq!(data.owner, OWNER);
    let current = world.get(&world.root, &GetCurParams);
    assert_eq!((current.cached_mul, current.reasoning_mul), (10_000, 10_000));
    assert_eq!(
        (current.proxy_delay_before_close, current.client_delay_before_close),
        (600, 300)
    );
    assert_eq!(current.client_code_hash, ContractKind::Client.code_hash().unwrap());
}
