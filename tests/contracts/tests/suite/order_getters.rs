//! Results of the get methods by name: what is on the stack, and in which order, as deployed readers take it.

use cocoon_bindings::proxy::CloseProxyFromOwner;
use cocoon_bindings::root::{
    AddModelHashFromOwner, AddProxyHashFromOwner, AddWorkerHashFromOwner, ChangeAllParamsFromOwner,
    RegisterProxyFromOwner,
};
use cocoon_bindings::ton::{Address, Cell, CellBuilder, CellFamily, HashBytes, StackValue, Store, store_address};
use cocoon_bindings::voucher::VoucherOp;
use cocoon_bindings::{
    ContractKind, Nanoton, Params, ProxyEndpoints, PublicKey, RootData, root_state_init, wallet_state_init,
};
use cocoon_contract_tests::{CLIENT_OWNER, FEE, OWNER, PRICE, START, WORKER_OWNER, World, query, ton};
use ed25519_dalek::SigningKey;

const HASH: HashBytes = HashBytes([0x5a; 32]);

fn int(value: u128) -> StackValue {
    StackValue::int(value)
}

fn flag(value: bool) -> StackValue {
    StackValue::int(if value { -1 } else { 0 })
}

fn coins(amount: &str) -> StackValue {
    int(ton(amount).get())
}

fn slice(address: &Address) -> StackValue {
    let mut builder = CellBuilder::new();
    store_address(address, &mut builder).unwrap();
    StackValue::Slice(builder.build().unwrap())
}

fn key(world: &World) -> StackValue {
    StackValue::hash(&world.key.verifying_key().to_bytes())
}

fn stack(world: &World, address: &Address, name: &str, arguments: Vec<StackValue>) -> Vec<StackValue> {
    let result = world.chain.get(address, name, arguments).unwrap();
    assert!(result.success(), "{name} exits with {}", result.exit_code);
    result.stack
}

fn govern(world: &mut World, message: &impl Store) {
    let root = world.root.clone();
    world.send(&OWNER, &root, ton("0.1"), message).assert_success();
}

#[test]
fn of_the_root() {
    let mut world = World::new();
    let root = world.root.clone();
    let endpoints = ProxyEndpoints {
        workers: "a:1".to_owned(),
        clients: "b:1".to_owned(),
    };
    for _ in 0..2 {
        let endpoints = endpoints.clone();
        govern(
            &mut world,
            &RegisterProxyFromOwner {
                query_id: query(1),
                endpoints,
            },
        );
    }
    let change = ChangeAllParamsFromOwner {
        query_id: query(1),
        price_per_token: Nanoton::new(50),
        worker_fee_per_token: Nanoton::new(40),
        prompt_mul: 1,
        cached_mul: 2,
        completion_mul: 3,
        reasoning_mul: 4,
        proxy_delay_before_close: 1_201,
        client_delay_before_close: 1_101,
        min_proxy_stake: ton("2.5"),
        min_client_stake: ton("3.5"),
    };
    govern(&mut world, &change);
    let (prices, stakes) = ([int(50), int(40)], [coins("2.5"), coins("3.5")]);
    let mut expected = vec![int(3), int(2), int(2), int(13), flag(true)];
    expected.extend(prices.clone());
    expected.extend(stakes.clone());
    expected.push(slice(&OWNER));
    assert_eq!(stack(&world, &root, "get_cocoon_data", vec![]), expected);

    let mut expected = vec![int(2), int(13), flag(true)];
    expected.extend(prices);
    expected.extend([int(2), int(4), int(1_201), int(1_101)]);
    expected.extend(stakes);
    for kind in [ContractKind::Proxy, ContractKind::Worker, ContractKind::Client] {
        expected.push(StackValue::hash(&kind.code_hash().unwrap().0));
    }
    assert_eq!(stack(&world, &root, "get_cur_params", vec![]), expected);
    assert_eq!(stack(&world, &root, "last_proxy_seqno", vec![]), [int(2)]);
}

#[test]
fn of_the_root_about_hashes() {
    let mut world = World::new();
    let root = world.root.clone();
    let hash = HASH;
    let names = ["worker_hash_is_valid", "proxy_hash_is_valid", "model_hash_is_valid"];
    let valid = |world: &World| names.map(|name| stack(world, &root, name, vec![StackValue::hash(&HASH.0)]).remove(0));
    assert_eq!(valid(&world), [false; 3].map(flag));
    govern(
        &mut world,
        &AddWorkerHashFromOwner {
            query_id: query(1),
            hash,
        },
    );
    assert_eq!(valid(&world), [true, false, false].map(flag));
    govern(
        &mut world,
        &AddProxyHashFromOwner {
            query_id: query(1),
            hash,
        },
    );
    assert_eq!(valid(&world), [true, true, false].map(flag));
    govern(
        &mut world,
        &AddModelHashFromOwner {
            query_id: query(1),
            hash,
        },
    );
    assert_eq!(valid(&world), [true; 3].map(flag));
}

#[test]
fn of_a_root_without_codes() {
    let mut world = World::new();
    let params = Params {
        proxy_code: None,
        worker_code: None,
        client_code: None,
        ..world.params.clone()
    };
    let init = root_state_init(&OWNER, 0, &RootData::default(), &params).unwrap();
    let root = init.address().unwrap();
    world
        .deploy(&OWNER, &root, ton("1"), Cell::empty_cell(), init)
        .assert_success();
    let current = stack(&world, &root, "get_cur_params", vec![]);
    assert_eq!(current[11..], [int(0), int(0), int(0)]);
    assert_eq!(current.len(), 14);
}

#[test]
fn of_the_proxy() {
    let mut world = World::new();
    world.stake("2").assert_success();
    world.top_up("5").assert_success();
    world.deploy_worker();
    world.submit(VoucherOp::WorkerPayout, 100_000_000).assert_success();
    let (proxy, root) = (world.proxy.clone(), world.root.clone());
    let close = CloseProxyFromOwner {
        query_id: query(1),
        send_excesses_to: OWNER,
    };
    world.send(&OWNER, &proxy, ton("0.7"), &close).assert_success();
    let expected = [
        slice(&OWNER),
        key(&world),
        slice(&root),
        int(1),
        coins("0.1"),
        coins("2"),
        int(u128::from(START + 600)),
        int(PRICE),
        int(FEE),
        coins("1"),
        coins("1"),
        int(1),
    ];
    assert_eq!(stack(&world, &proxy, "get_cocoon_proxy_data", vec![]), expected);
}

#[test]
fn of_the_client() {
    let mut world = World::new();
    world.stake("2").assert_success();
    world.top_up("5").assert_success();
    world.submit(VoucherOp::ClientCharge, 300_000_000).assert_success();
    let client = world.client.clone();
    let secret = cocoon_bindings::client::ChangeSecretHashFromOwner {
        query_id: query(1),
        new_secret_hash: HASH,
        send_excesses_to: CLIENT_OWNER,
    };
    world.send(&CLIENT_OWNER, &client, ton("0.7"), &secret).assert_success();
    world.top_up("3").assert_success();
    world.request_refund().assert_success();
    let expected = [
        slice(&CLIENT_OWNER),
        slice(&world.proxy),
        key(&world),
        int(1),
        coins("1"),
        coins("1"),
        int(300_000_000),
        int(u128::from(START + 300)),
        StackValue::hash(&HASH.0),
    ];
    assert_eq!(stack(&world, &client, "get_cocoon_client_data", vec![]), expected);
}

#[test]
fn of_the_worker() {
    let mut world = World::new();
    world.top_up("5").assert_success();
    world.deploy_worker();
    world.submit(VoucherOp::WorkerLastPayout, 77).assert_success();
    let worker = world.worker.clone();
    let expected = [slice(&WORKER_OWNER), slice(&world.proxy), key(&world), int(2), int(77)];
    assert_eq!(stack(&world, &worker, "get_cocoon_worker_data", vec![]), expected);
}

#[test]
fn of_the_wallet() {
    let key = SigningKey::from_bytes(&[9; 32]);
    let init = wallet_state_init(&PublicKey::from(&key), &OWNER).unwrap();
    let wallet = init.address().unwrap();
    let mut world = World::new();
    world
        .deploy(&OWNER, &wallet, ton("1"), Cell::empty_cell(), init)
        .assert_success();
    assert_eq!(stack(&world, &wallet, "seqno", vec![]), [int(0)]);
    let public = StackValue::hash(&key.verifying_key().to_bytes());
    assert_eq!(stack(&world, &wallet, "get_public_key", vec![]), [public]);
    assert_eq!(stack(&world, &wallet, "get_owner_address", vec![]), [slice(&OWNER)]);
}
