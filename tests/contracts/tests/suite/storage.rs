//! Years without a message: what storage costs, who pays for it, and when an account is frozen or deleted.

use cocoon_bindings::client::AskToTopUp;
use cocoon_bindings::message::{InternalMessage, wallet_external};
use cocoon_bindings::root::{AddWorkerHashFromOwner, ResetFromOwner};
use cocoon_bindings::ton::{Address, Cell, CellFamily, HashBytes};
use cocoon_bindings::types::ExitCode;
use cocoon_bindings::voucher::VoucherOp;
use cocoon_bindings::{Nanoton, PublicKey, wallet_state_init};
use cocoon_contract_tests::{ANYONE, CLIENT_OWNER, EXCESSES, FEE, OWNER, PRICE, WORKER_OWNER, World, ton};
use cocoon_emulator::{AccountStatus, AccountView, NetworkConfig};
use ed25519_dalek::SigningKey;

const YEAR: u32 = 31_557_600;
const COUNT: u64 = 10_000_000;

fn world() -> World {
    let mut world = World::new();
    world.stake("20").assert_success();
    world.top_up("5").assert_success();
    world.deploy_worker();
    world
}

fn account(world: &World, address: &Address) -> AccountView {
    world.chain.account(address).unwrap().unwrap()
}

/// Storage of an account for some time at the prices of October 2025, rounded up as the chain does.
fn storage(account: &AccountView, seconds: u64) -> Nanoton {
    let rate = u128::from(account.cells * 500 + account.bits);
    Nanoton::new((rate * u128::from(seconds)).div_ceil(65_536))
}

/// Years after which an account that holds `held` owes more than `limit`.
fn years_until(account: &AccountView, held: Nanoton, limit: &str) -> f64 {
    let per_year = storage(account, u64::from(YEAR)).get() as f64;
    (held.get() + ton(limit).get()) as f64 / per_year
}

fn sum(parts: &[Nanoton]) -> Nanoton {
    parts
        .iter()
        .copied()
        .try_fold(Nanoton::ZERO, Nanoton::checked_add)
        .unwrap()
}

#[test]
fn a_proxy_pays_for_its_storage_and_what_it_owes_to_others_stays() {
    for years in [1, 5, 15, 50] {
        let mut world = world();
        let proxy = world.proxy.clone();
        let (held, before) = (world.balance(&proxy), account(&world, &proxy));
        world.chain.advance(years * YEAR).unwrap();
        for child in [world.client.clone(), world.worker.clone()] {
            world.chain.set_balance(&child, ton("2")).unwrap();
        }
        let outcome = world.submit(VoucherOp::WorkerPayout, COUNT);
        outcome.assert_success();
        let paid = Nanoton::new(FEE * u128::from(COUNT));
        let fee = storage(&before, u64::from(years * YEAR));
        assert_eq!(outcome.storage_fees(&proxy), fee);
        assert_eq!(outcome.received(&WORKER_OWNER), paid);
        assert_eq!(Some(world.balance(&proxy)), held.checked_sub(sum(&[fee, paid])));
        let withdrawn = world.withdraw();
        withdrawn.assert_success();
        assert_eq!(
            withdrawn.received(&CLIENT_OWNER),
            ton("4"),
            "the client gets what is on its books"
        );
        assert_eq!(world.proxy_data().stake, ton("20"));
    }
}

/// A child holds its reserve; what its storage has used up of it, the next message makes up for, and nobody else.
#[test]
fn a_child_pays_for_its_storage_from_its_reserve_and_the_next_message_fills_it_up() {
    let client = [1, 2, 3].map(|years| (VoucherOp::ClientCharge, years));
    let worker = [1, 3, 5].map(|years| (VoucherOp::WorkerPayout, years));
    for (op, years) in client.into_iter().chain(worker) {
        let mut world = world();
        let child = match op {
            VoucherOp::ClientCharge => world.client.clone(),
            _ => world.worker.clone(),
        };
        world.chain.set_balance(&child, ton("0.11")).unwrap();
        let before = account(&world, &child);
        world.chain.advance(years * YEAR).unwrap();
        let outcome = world.submit(op, COUNT);
        outcome.assert_success();
        let fee = storage(&before, u64::from(years * YEAR));
        assert_eq!(outcome.storage_fees(&child), fee);
        assert!(fee < ton("0.11"), "{years} years cost {fee}");
        assert_eq!(world.balance(&child), ton("0.11"));
        let notice = if op == VoucherOp::ClientCharge { 1 } else { 0 };
        let spent = sum(&[outcome.cost(), fee, Nanoton::new(notice)]);
        assert_eq!(Some(outcome.received(&EXCESSES)), ton("0.7").checked_sub(spent));
    }
}

/// Debt below the limit of freezing: the contract runs, sets the debt apart from the value, and pays it with the next
/// message, which therefore finds its reserve whole.
#[test]
fn a_child_in_debt_sets_it_apart_from_the_value() {
    let mut world = world();
    let client = world.client.clone();
    world.chain.set_balance(&client, Nanoton::new(1)).unwrap();
    let before = account(&world, &client);
    let per_year = storage(&before, u64::from(YEAR)).get();
    let years = u32::try_from(90_000_000 / per_year).unwrap();
    world.chain.advance(years * YEAR).unwrap();
    let fee = storage(&before, u64::from(years * YEAR));
    let outcome = world.submit(VoucherOp::ClientCharge, COUNT);
    outcome.assert_success();
    let due = account(&world, &client).due;
    assert_eq!(Some(due), fee.checked_sub(Nanoton::new(1)));
    assert!(due < ton("0.1") && due > ton("0.07"), "{due}");
    // The reserve exceeds the largest debt of an account that runs, so the debt is covered.
    assert_eq!(world.balance(&client), ton("0.11"));
    let outcome = world.submit(VoucherOp::ClientCharge, 2 * COUNT);
    outcome.assert_success();
    assert_eq!(outcome.storage_fees(&client), due);
    assert_eq!(
        (account(&world, &client).due, world.balance(&client)),
        (Nanoton::ZERO, ton("0.11"))
    );
    assert_eq!(
        world.client_data().balance,
        Nanoton::new(5_000_000_000 - PRICE * 2 * u128::from(COUNT))
    );
}

/// A proxy without coins that owes for its storage takes the debt from what a top up brings beyond its amount, or
/// refuses it; it never takes it from the amount.
#[test]
fn a_proxy_in_debt_takes_it_from_the_excesses_of_a_top_up_and_not_from_the_amount() {
    let mut world = world();
    let proxy = world.proxy.clone();
    world.chain.set_balance(&proxy, Nanoton::ZERO).unwrap();
    let before = account(&world, &proxy);
    let rate = before.cells * 500 + before.bits;
    let seconds = u32::try_from(80_000_000 * 65_536 / rate).unwrap();
    for child in [world.client.clone(), world.worker.clone()] {
        world.chain.set_balance(&child, ton("2")).unwrap();
    }
    world.chain.advance(seconds).unwrap();
    let fee = storage(&before, u64::from(seconds));
    let start = world.chain.snapshot();
    let outcome = world.top_up("3");
    outcome.assert_success();
    assert_eq!(account(&world, &proxy).due, fee);
    assert_eq!(
        world.balance(&proxy),
        sum(&[ton("3"), fee]),
        "the amount and what will pay the debt"
    );
    let outcome = world.withdraw();
    outcome.assert_refused(&proxy, ExitCode::LowContractBalance);
    assert_eq!(outcome.storage_fees(&proxy), fee);
    assert_eq!(
        world.balance(&proxy),
        ton("3"),
        "the debt is paid and the amount is whole"
    );

    // With just the commission on top there is too little for the debt, and the top up goes back.
    world.chain.restore(&start).unwrap();
    let message = AskToTopUp {
        query_id: world.next_query(),
        top_up_amount: ton("3"),
        send_excesses_to: EXCESSES,
    };
    let outcome = world.send(&CLIENT_OWNER, &world.client.clone(), ton("3.1"), &message);
    let debt_is_covered = outcome.at(&proxy).success();
    let spent = outcome.at(&world.client).fees.gas.get() + 3_000_000;
    assert_eq!(debt_is_covered, 100_000_000 - spent > fee.get() + 10_000_000);
    if !debt_is_covered {
        assert_eq!(outcome.at(&proxy).action_code(), Some(37));
        assert_eq!(outcome.received(&CLIENT_OWNER), ton("3"));
    }
    assert_eq!(account(&world, &proxy).due, fee);
}

#[test]
fn the_root_and_the_wallet_survive_their_years_and_work_again() {
    let key = SigningKey::from_bytes(&[9; 32]);
    let init = wallet_state_init(&PublicKey::from(&key), &OWNER).unwrap();
    let wallet = init.address().unwrap();
    for years in [1, 5, 15, 50] {
        let mut world = World::new();
        world
            .deploy(&OWNER, &wallet, ton("5"), Cell::empty_cell(), init.clone())
            .assert_success();
        // A contract with its first data would not be frozen but count as not deployed yet.
        let query_id = world.next_query();
        world
            .send(&OWNER, &world.root.clone(), ton("0.5"), &ResetFromOwner { query_id })
            .assert_success();
        let (root, held) = (world.root.clone(), world.balance(&world.root));
        let (before, of_wallet) = (account(&world, &root), account(&world, &wallet));
        let at_wallet = world.balance(&wallet);
        world.chain.advance(years * YEAR).unwrap();
        let fee = storage(&before, u64::from(years * YEAR));
        let hash = HashBytes([1; 32]);
        let query_id = world.next_query();
        let add = AddWorkerHashFromOwner { query_id, hash };
        let outcome = world.send(&OWNER, &root, ton("0.7"), &add);
        let left = held.saturating_sub(fee);
        let frozen = fee.saturating_sub(held) > ton("0.1");
        assert_eq!(
            account(&world, &root).status == AccountStatus::Frozen,
            frozen,
            "{years}"
        );
        if !frozen {
            outcome.assert_success();
            let due = fee.saturating_sub(held);
            let kept = sum(&[left, due]).max(ton("0.01"));
            assert_eq!(world.balance(&root), kept, "{years} years");
        }
        let message = InternalMessage {
            to: ANYONE,
            value: ton("1"),
            bounce: false,
            body: Cell::empty_cell(),
            state_init: None,
        };
        let until = world.chain.now() + 60;
        let external = wallet_external(&wallet, 0, until, 0, &[(3, message)], &key, None).unwrap();
        let report = world.chain.send_external(external).unwrap();
        let fee = storage(&of_wallet, u64::from(years * YEAR));
        assert_eq!(report.fees.storage, fee);
        let spent = sum(&[report.fees.gas, report.fees.forward, report.fees.import, fee, ton("1")]);
        assert_eq!(Some(world.balance(&wallet)), at_wallet.checked_sub(spent));
        world.finish(report);
    }
}

/// The bounds that SECURITY.md states, at the dearer storage prices. A deleted contract could be deployed anew with its
/// first data, and old vouchers would hold again, so these must be longer than anyone keeps a proxy's key in use.
#[test]
fn it_takes_years_to_freeze_a_contract_and_decades_to_delete_it() {
    let world = world();
    let reserve = ton("0.11");
    let bound = |address: &Address, held: Nanoton| {
        let account = account(&world, address);
        (years_until(&account, held, "0.1"), years_until(&account, held, "1"))
    };
    let (client_frozen, client_deleted) = bound(&world.client, reserve);
    let (worker_frozen, worker_deleted) = bound(&world.worker, reserve);
    let (proxy_frozen, proxy_deleted) = bound(&world.proxy, ton("0.01"));
    let (root_frozen, root_deleted) = bound(&world.root, ton("1"));
    assert!(
        client_frozen > 7.0 && client_deleted > 35.0,
        "client {client_frozen} {client_deleted}"
    );
    assert!(
        worker_frozen > 10.0 && worker_deleted > 55.0,
        "worker {worker_frozen} {worker_deleted}"
    );
    assert!(
        proxy_frozen > 1.5 && proxy_deleted > 14.0,
        "proxy {proxy_frozen} {proxy_deleted}"
    );
    assert!(
        root_frozen > 10.0 && root_deleted > 20.0,
        "root {root_frozen} {root_deleted}"
    );
}

/// At the prices since spring 2026 all of this takes more than eight times as long.
#[test]
fn under_the_cheaper_prices_a_year_of_storage_costs_an_eighth() {
    let cost = |network: &NetworkConfig| {
        let mut world = World::on(network);
        world.deploy_client();
        let client = world.client.clone();
        world.chain.advance(YEAR).unwrap();
        world.chain.fund(&client, Nanoton::new(1)).unwrap();
        let reports = world.chain.transactions(&client);
        reports.last().unwrap().fees.storage.get()
    };
    let (dear, cheap) = (
        cost(&NetworkConfig::october_2025()),
        cost(&NetworkConfig::spring_2026()),
    );
    assert!(cheap * 8 < dear && cheap * 9 > dear, "{dear} {cheap}");
}
