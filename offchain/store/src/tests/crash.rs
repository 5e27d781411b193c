//! A machine that stops at any write or sync: what was acknowledged is there again, and nothing is told twice.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::platter::{Leaves, Platter};
use super::*;

/// How unsynced bytes end in the crash at this act.
fn left(act: u64) -> [Leaves; 3] {
    [Leaves::Nothing, Leaves::All, Leaves::Some(act * 5_000_077 + 11)]
}

/// What a life of a proxy was told by its store.
#[derive(Clone, Debug, Default)]
struct Told {
    /// Totals that were acknowledged, one after the other.
    totals: Vec<u64>,
    /// Totals that were to be written.
    tried: Vec<u64>,
    setting: u64,
}

fn folder() -> PathBuf {
    PathBuf::from("/store")
}

/// Lives until the disk stops: charges, settings, checkpoints, and a charge while a checkpoint's rows go to the database.
fn live(platter: &Platter, told: &Arc<Mutex<Told>>) -> Result<(), StoreError> {
    let (mut store, Recovered { mut ledger, .. }) = ProxyStore::open_on(platter.disk(), &folder())?;
    if ledger.client(&address(1)).is_none() {
        store.write(&[open_channels(&mut ledger)])?;
    }
    let store = Arc::new(Mutex::new(store));
    let ledger = Arc::new(Mutex::new(ledger));
    let round = {
        let (store, ledger, told) = (Arc::clone(&store), Arc::clone(&ledger), Arc::clone(told));
        move |tokens: u64| -> Result<(), StoreError> {
            let mut ledger = ledger.lock().unwrap();
            let write = charge(&mut ledger, tokens);
            let total = ledger.client(&address(1)).unwrap().account.max().get();
            told.lock().unwrap().tried.push(total);
            store.lock().unwrap().write(&[write])?;
            told.lock().unwrap().totals.push(total);
            Ok(())
        }
    };
    round(5)?;
    round(6)?;
    let checkpoints = store.lock().unwrap().checkpoints();
    checkpoints.run()?;
    round(7)?;
    for _ in 0..2 {
        let within = round.clone();
        platter.on_sync(&folder().join(files::DATABASE), move || {
            // The machine may stop in here.
            let _ = within(8).and_then(|()| within(9));
        });
        checkpoints.run()?;
        round(10)?;
    }
    store.lock().unwrap().put_state("setting", &7)?;
    told.lock().unwrap().setting = 7;
    round(11)?;
    store.lock().unwrap().checkpoint()
}

/// What is there after a crash agrees with what was told before it. Returns the ledger's total.
fn check(platter: &Platter, told: &Told, context: &str) -> u64 {
    let open = || ProxyStore::open_on(platter.disk(), &folder());
    let opened = catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| panic!("{context}: opening panics"));
    let (store, recovered) = opened.unwrap_or_else(|error| panic!("{context}: {error}"));
    let receipts = read_receipts_on(platter, &folder().join(files::RECEIPTS)).unwrap();
    let totals: Vec<u64> = receipts.iter().map(|signed| signed.receipt.channel.after).collect();
    let client = recovered.ledger.client(&address(1));
    let total = client.map_or(0, |channel| channel.account.max().get());
    assert_eq!(totals.last().copied().unwrap_or(0), total, "{context}: ledger and log");
    assert!(totals.starts_with(&told.totals), "{context}: {totals:?} after {told:?}");
    assert!(told.tried.starts_with(&totals), "{context}: {totals:?} after {told:?}");
    assert!(
        totals.len() <= told.totals.len() + 1,
        "{context}: {totals:?} after {told:?}"
    );
    for total in &totals {
        for tag in [1, 2] {
            let backed = store.reader().check_backed(&address(tag), TokenCount::new(*total));
            assert!(backed.is_ok(), "{context}: {total}");
        }
    }
    assert_eq!(store.reader().tree().size(), totals.len() as u64, "{context}");
    assert_eq!(store.log().records(), totals.len() as u64, "{context}");
    let setting: Option<u64> = store.state("setting").unwrap();
    assert!(setting.unwrap_or(0) >= told.setting, "{context}");
    total
}

#[test]
fn a_crash_at_any_act_loses_nothing_that_was_acknowledged() {
    let whole = Platter::default();
    live(&whole, &Arc::default()).unwrap();
    let acts = whole.acts();
    assert!(acts > 60, "{acts}");
    for act in 0..acts {
        for leaves in left(act) {
            let (platter, told) = (Platter::default(), Arc::default());
            platter.stop_at(act);
            // The last acts of all are those of closing the database, which may fail.
            let _ = live(&platter, &told);
            platter.crash(leaves);
            let told = told.lock().unwrap().clone();
            let total = check(&platter, &told, &format!("act {act}, {leaves:?}"));
            if !act.is_multiple_of(4) {
                continue;
            }
            // A second life begins where the first one ended.
            let second = Arc::default();
            live(&platter, &second).unwrap();
            let first = second.lock().unwrap().totals[0];
            assert_eq!(first, total + 5);
        }
    }
}

#[test]
fn a_crash_while_a_store_opens_changes_nothing() {
    let whole = Platter::default();
    live(&whole, &Arc::default()).unwrap();
    // Every act of opening comes after some act of the life before, and after each kind of crash.
    for (number, act) in (1..whole.acts()).step_by(3).enumerate() {
        for leaves in [Leaves::Nothing, Leaves::All] {
            for within in (number as u64 % 7..40).step_by(7) {
                let (platter, told) = (Platter::default(), Arc::default());
                platter.stop_at(act);
                let _ = live(&platter, &told);
                platter.crash(leaves);
                platter.stop_at(platter.acts() + within);
                let opened = ProxyStore::open_on(platter.disk(), &folder()).map(drop);
                platter.crash(leaves);
                let told = told.lock().unwrap().clone();
                check(&platter, &told, &format!("act {act}, {leaves:?}, then {within}"));
                if opened.is_ok() {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_client_and_a_worker_lose_nothing_either() {
    let proxy = tempfile::tempdir().unwrap();
    let receipts = filled(proxy.path(), &[5, 6, 7]);
    let live = |platter: &Platter| -> (usize, usize) {
        let mut kept = (0, 0);
        let mut run = || -> Result<(), StoreError> {
            let mut client = ClientStore::open_on(platter.disk(), &folder().join("client"))?;
            let worker = WorkerStore::open_on(platter.disk(), &folder().join("worker"))?;
            for (index, signed) in receipts.iter().enumerate() {
                client.put_receipts(&[stored(signed).into()], (&address(8), &address(1), &head(signed)))?;
                kept.0 += 1;
                let statement = signed.receipt.statement.clone();
                let signature = statement.sign(&SigningKey::from_bytes(&[2; 32]));
                let memory = ProxyMemory {
                    tokens_max: statement.channel.after,
                    ..ProxyMemory::default()
                };
                let model = statement.model;
                worker.put_proxy(
                    &address(8),
                    &address(2),
                    &model,
                    &memory,
                    &[(statement.into(), signature)],
                )?;
                kept.1 += 1;
                if index == 1 {
                    client.checkpoint()?;
                    worker.checkpoints().run()?;
                }
            }
            Ok(())
        };
        let _ = run();
        kept
    };
    let whole = Platter::default();
    assert_eq!(live(&whole), (3, 3));
    for act in 0..whole.acts() {
        for leaves in left(act) {
            let platter = Platter::default();
            platter.stop_at(act);
            let (client_kept, worker_kept) = live(&platter);
            platter.crash(leaves);
            let client = ClientStore::open_on(platter.disk(), &folder().join("client")).unwrap();
            let worker = WorkerStore::open_on(platter.disk(), &folder().join("worker")).unwrap();
            for signed in &receipts[..client_kept] {
                assert_eq!(client.receipt(&signed.id()).unwrap(), Some(stored(signed)));
            }
            let logged = read_receipts_on(&platter, &folder().join("client").join(files::RECEIPTS)).unwrap();
            assert!(logged.len() >= client_kept && receipts.starts_with(&logged));
            let head = client.head(&address(8), &address(1)).unwrap();
            assert_eq!(head.seqno, logged.len() as u64, "act {act}, {leaves:?}");
            for signed in &receipts[..worker_kept] {
                assert!(worker.statement(&signed.receipt.statement.hash()).unwrap().is_some());
            }
            let memory = worker.proxy(&address(8), &address(2), &receipts[0].receipt.statement.model);
            let least = receipts[..worker_kept]
                .last()
                .map_or(0, |signed| signed.receipt.statement.channel.after);
            assert!(memory.unwrap().tokens_max >= least);
        }
    }
}

#[test]
fn what_becomes_durable_together_is_two_writes_and_one_sync() {
    let platter = Platter::default();
    let (mut store, Recovered { mut ledger, .. }) = ProxyStore::open_on(platter.disk(), &folder()).unwrap();
    store.write(&[open_channels(&mut ledger)]).unwrap();
    for _ in 0..3 {
        let writes = [charge(&mut ledger, 5), charge(&mut ledger, 6)];
        let before = (platter.acts(), platter.syncs());
        store.write(&writes).unwrap();
        assert_eq!((platter.acts() - before.0, platter.syncs() - before.1), (3, 1));
    }
}

#[test]
fn a_write_that_failed_leaves_a_store_that_takes_nothing_more() {
    let platter = Platter::default();
    let (mut store, Recovered { mut ledger, .. }) = ProxyStore::open_on(platter.disk(), &folder()).unwrap();
    store.write(&[open_channels(&mut ledger)]).unwrap();
    platter.stop_at(platter.acts());
    assert!(store.write(&[charge(&mut ledger, 5)]).is_err());
    platter.stop_at(u64::MAX);
    assert!(store.write(&[charge(&mut ledger, 6)]).is_err());
    assert!(store.put_state("setting", &1).is_err());
    assert!(store.checkpoint().is_err());
}

#[test]
fn memory_is_bounded_when_nobody_makes_checkpoints() {
    let platter = Platter::default();
    let (store, _) = ProxyStore::open_on(platter.disk(), &folder()).unwrap();
    let database = folder().join(files::DATABASE);
    let size = || platter.read(&database).unwrap().size().unwrap();
    let before = size();
    for number in 0..3 {
        // Most of the journal that may wait, in one row each.
        let half = limits::MAX_WAITING_JOURNAL_BYTES as usize / 2;
        store.put_state(&format!("large {number}"), &"x".repeat(half)).unwrap();
    }
    assert!(size() > before + limits::CHECKPOINT_JOURNAL_BYTES);
}

#[test]
fn a_checkpoint_is_due_when_the_journal_has_grown() {
    let platter = Platter::default();
    let (store, _) = ProxyStore::open_on(platter.disk(), &folder()).unwrap();
    let checkpoints = store.checkpoints();
    let is_due = || {
        let mut due = std::pin::pin!(checkpoints.due());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        due.as_mut().poll(&mut context).is_ready()
    };
    store.put_state("small", &1).unwrap();
    assert!(!is_due());
    store
        .put_state("large", &"x".repeat(limits::CHECKPOINT_JOURNAL_BYTES as usize))
        .unwrap();
    assert!(is_due());
    checkpoints.run().unwrap();
    assert!(!is_due());
    drop(store);
    checkpoints.run().unwrap();
}

#[test]
fn what_a_checkpoint_that_panicked_did_not_move_is_not_written_over() {
    let platter = Platter::default();
    let (store, _) = ProxyStore::open_on(platter.disk(), &folder()).unwrap();
    store.put_state("setting", &7).unwrap();
    let checkpoints = store.checkpoints();
    platter.on_sync(&folder().join(files::DATABASE), || panic!("within the database"));
    assert!(catch_unwind(AssertUnwindSafe(|| checkpoints.run())).is_err());
    assert!(
        checkpoints.run().is_err(),
        "the next one would write over their journal"
    );
    assert!(
        store.put_state("setting", &8).is_err(),
        "the store is to be opened again"
    );
    // What the database says at its end is its own affair.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(store)));
    let (again, _) = ProxyStore::open_on(platter.disk(), &folder()).unwrap();
    assert_eq!(again.state::<u64>("setting").unwrap(), Some(7));
}
