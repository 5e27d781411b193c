//! What one log can do to the others.

use cocoon_bindings::ton::HashBytes;
use cocoon_receipt::{ReceiptId, SignedReceipt};
use serde_json::Value;

use super::stage::Stage;
use crate::limits::MAX_RECEIPTS;
use crate::receipts::{Proven, Receipts, Wanted};

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
