//! What one log can do to the others.

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_receipt::reputation::{Reputation, day_of};
use cocoon_receipt::{ReceiptId, SignedReceipt};
use serde_json::Value;

use super::stage::Stage;
use crate::contracts::Contracts;
use crate::limits::{MAX_CONTRACTS, MAX_RECEIPTS, MAX_REPUTATION_GROUPS, MAX_SUMS};
use crate::receipts::{Proven, Receipts, Wanted};
use crate::share::OfLog;
use crate::sums::Sums;
use crate::words::Kind;

fn proven(signed: &SignedReceipt, log: usize, number: usize, ended_ms: u64) -> Proven {
    let mut id = [u8::try_from(log).unwrap(); 32];
    id[..8].copy_from_slice(&(number as u64).to_be_bytes());
    Proven {
        signed: signed.clone(),
        id: ReceiptId(HashBytes(id)),
        index: number as u64,
        log,
        ended_ms,
    }
}

#[tokio::test]
async fn no_log_takes_the_place_of_anothers_receipts() {
    let mut stage = Stage::new().await;
    stage.publish(1);
    let signed = stage.sample();
    let mut receipts = Receipts::default();
    let of = |receipts: &Receipts, log: usize| {
        let wanted = Wanted::default();
        receipts.search(&wanted, None).filter(|kept| kept.log == log).count()
    };
    for number in 0..3 {
        receipts.add(proven(&signed, 1, number, 10));
    }
    // All of them are newer than everything that the other log has.
    for number in 0..MAX_RECEIPTS + 1_000 {
        receipts.add(proven(&signed, 0, number, u64::MAX));
    }
    assert_eq!((receipts.len(), receipts.has_lost), (MAX_RECEIPTS, true));
    assert_eq!((of(&receipts, 0), of(&receipts, 1)), (MAX_RECEIPTS - 3, 3));
    // Up to its half the other log takes back what it left.
    for number in 3..MAX_RECEIPTS {
        receipts.add(proven(&signed, 1, number, 10 + number as u64));
    }
    assert_eq!(
        (of(&receipts, 0), of(&receipts, 1)),
        (MAX_RECEIPTS / 2, MAX_RECEIPTS / 2)
    );
    let newest = proven(&signed, 1, MAX_RECEIPTS - 1, 0).id;
    assert!(receipts.get(&newest.0).is_some(), "a log loses its oldest");
}

#[tokio::test]
async fn the_same_receipt_is_kept_once() {
    let mut stage = Stage::new().await;
    stage.publish(1);
    let signed = stage.sample();
    let mut receipts = Receipts::default();
    receipts.add(proven(&signed, 0, 7, 10));
    let again = Proven {
        ended_ms: 20,
        ..proven(&signed, 0, 7, 10)
    };
    receipts.add(again);
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts.search(&Wanted::default(), None).count(), 1);
}

#[tokio::test]
async fn an_answer_of_a_time_to_come_counts_as_ended_when_it_was_read() {
    let mut stage = Stage::new().await;
    let year = 365 * 86_400_000;
    stage.ahead_ms = year;
    stage.publish(1);
    stage.look().await;
    let found = stage
        .get(&format!("receipts?since_ms={}", Stage::ENDED_MS + 3_600_000))
        .await;
    assert_eq!(found["receipts"], Value::Array(Vec::new()), "{found:#}");
    let all = stage.get("receipts").await;
    assert_eq!(
        all["receipts"][0]["finished_ms"],
        Stage::ENDED_MS + year,
        "what was signed is told as it was signed"
    );
    let models = stage.get("models").await;
    let seen = models["models"][0]["last_seen_ms"].as_u64().unwrap();
    assert!(seen < Stage::ENDED_MS + 3_600_000, "{models:#}");
}

/// One whose worker, or payer, is another for each number.
fn naming(signed: &SignedReceipt, log: usize, number: usize, set: impl FnOnce(&mut SignedReceipt, Address)) -> Proven {
    let mut one = proven(signed, log, number, signed.receipt.statement.timing.finished_ms);
    set(&mut one.signed, Address::new(0, one.id.0));
    one
}

#[tokio::test]
async fn no_log_fills_the_sums_and_the_contracts_for_another() {
    let mut stage = Stage::new().await;
    stage.publish(1);
    let signed = stage.sample();
    let worker = |log, number| naming(&signed, log, number, |one, name| one.receipt.statement.worker = name);
    let (mut sums, mut contracts) = (Sums::default(), Contracts::default());
    for number in 0..MAX_CONTRACTS.max(MAX_SUMS) + 100 {
        let one = worker(0, number);
        sums.count(&one, 2);
        let of = OfLog { log: 0, logs: 2 };
        contracts.follow_named(&one.signed.receipt.statement.worker, Kind::Worker, of);
    }
    assert!(sums.is_full && contracts.is_full);
    assert_eq!(sums.workers.len(), MAX_SUMS / 2);
    let other = worker(1, 7);
    let name = &other.signed.receipt.statement.worker;
    sums.count(&other, 2);
    contracts.follow_named(name, Kind::Worker, OfLog { log: 1, logs: 2 });
    assert!(sums.worker(name, Some(1)).is_some());
    assert_eq!(contracts.kind(name), Kind::Worker);
}

#[tokio::test]
async fn no_log_takes_away_the_reputation_of_anothers_worker() {
    let mut stage = Stage::new().await;
    stage.publish(1);
    let signed = stage.sample();
    let payer = |log, number| naming(&signed, log, number, |one, name| one.receipt.client = name);
    let mut sums = Sums::default();
    for number in 0..MAX_REPUTATION_GROUPS / 2 + 2 {
        sums.count(&payer(0, number), 2);
    }
    let day = day_of(Stage::ENDED_MS) + 1;
    assert!(sums.workers[&(stage.worker.clone(), 0)].reputation(day).is_none());
    let mut other = payer(1, 0);
    other.signed.receipt.statement.worker = stage.client.clone();
    sums.count(&other, 2);
    let of = |sums: &Sums, worker: &Address| sums.worker(worker, Some(1)).unwrap().reputation(day);
    assert!(of(&sums, &stage.client).is_some());
    // Nor if it names that very worker, before it or after it.
    sums.count(&payer(1, 1), 2);
    assert!(of(&sums, &stage.worker).is_some());
    assert_eq!(sums.worker(&stage.worker, Some(1)).unwrap().receipts, 1);
    let next = |number| later(payer(0, number), &signed, 1);
    for number in 0..MAX_REPUTATION_GROUPS / 2 + 2 {
        sums.count(&next(number), 2);
    }
    sums.count(&later(payer(1, 2), &signed, 1), 2);
    assert!(of(&sums, &stage.worker).is_some());
    assert!(sums.groups() <= MAX_REPUTATION_GROUPS);
}

/// So many days later.
fn later(mut one: Proven, signed: &SignedReceipt, days: u64) -> Proven {
    let timing = &mut one.signed.receipt.statement.timing;
    timing.started_ms = signed.receipt.statement.timing.started_ms + days * 86_400_000;
    timing.finished_ms = signed.receipt.statement.timing.finished_ms + days * 86_400_000;
    one.ended_ms = timing.finished_ms;
    one
}

#[tokio::test]
async fn answers_of_days_to_come_take_no_place_among_those_that_make_reputations() {
    let mut stage = Stage::new().await;
    stage.publish(1);
    let signed = stage.sample();
    let mut sums = Sums::default();
    for days in 1..100 {
        let mut one = later(naming(&signed, 0, 0, |_, _| {}), &signed, days * 365);
        one.ended_ms = Stage::ENDED_MS;
        sums.count(&one, 1);
    }
    assert_eq!(
        (sums.groups(), sums.workers[&(stage.worker.clone(), 0)].receipts),
        (0, 99)
    );
    sums.count(&naming(&signed, 0, 1, |_, _| {}), 1);
    assert_eq!(sums.groups(), 1);
}

#[tokio::test]
async fn a_worker_without_a_reputation_has_one_again_when_what_is_missing_no_longer_counts() {
    let mut stage = Stage::new().await;
    stage.publish(1);
    let signed = stage.sample();
    let mut sums = Sums::default();
    for number in 0..=MAX_REPUTATION_GROUPS {
        sums.count(&naming(&signed, 0, number, |one, name| one.receipt.client = name), 1);
    }
    let lost = day_of(Stage::ENDED_MS);
    for days in [1, 57] {
        sums.count(&later(naming(&signed, 0, 0, |_, _| {}), &signed, days), 1);
    }
    let on = |day| sums.workers[&(stage.worker.clone(), 0)].reputation(day);
    assert_eq!((on(lost + 1), on(lost + 56)), (None, None));
    let again = on(lost + 58).unwrap();
    assert_ne!(again, Reputation::UNKNOWN, "what came since counts");
}

#[tokio::test]
async fn a_log_that_is_named_twice_is_counted_once() {
    let mut stage = Stage::reading(2).await;
    stage.publish(2);
    stage.look().await;
    stage.look().await;
    let workers = stage.get("workers").await;
    assert_eq!(workers["workers"][0]["receipts"], 2, "{workers:#}");
    let status = stage.get("status").await;
    let told = |log: &Value| {
        log["problem"]
            .as_str()
            .is_some_and(|problem| problem.contains("is read already"))
    };
    assert_eq!(
        status["logs"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|log| told(log))
            .count(),
        1,
        "{status:#}"
    );
}

#[tokio::test]
async fn days_that_no_longer_count_leave_their_place_to_new_ones() {
    let mut stage = Stage::new().await;
    stage.publish(1);
    let signed = stage.sample();
    let mut sums = Sums::default();
    for number in 0..MAX_REPUTATION_GROUPS {
        sums.count(&naming(&signed, 0, number, |one, name| one.receipt.client = name), 1);
    }
    let later = 100 * 86_400_000;
    let mut other = naming(&signed, 0, 0, |one, name| one.receipt.statement.worker = name);
    other.signed.receipt.statement.timing.started_ms += later;
    other.ended_ms = signed.receipt.statement.timing.finished_ms + later;
    sums.count(&other, 1);
    let day = day_of(other.ended_ms) + 1;
    let of = |worker| sums.worker(worker, Some(0)).unwrap().reputation(day);
    assert!(of(&other.signed.receipt.statement.worker).is_some());
    assert!(of(&stage.worker).is_some());
}
