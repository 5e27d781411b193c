//! Witnesses: what they sign, what they refuse, and how a log asks them.

use std::sync::Arc;

use cocoon_bindings::units::PublicKey;
use cocoon_ratls::SystemClock;
use cocoon_receipt::log::Checkpoint;
use ed25519_dalek::SigningKey;

use super::platter::{Leaves, Platter};
use super::publishing::publish;
use super::samples::{public_key, receipts};
use crate::witness::{AddCheckpoint, Refusal};
use crate::{Cosigner, PublishedLog, Publisher, TlogError, Witness, witness};

fn open(platter: &Platter) -> Witness {
    let key = SigningKey::from_bytes(&[5; 32]);
    Witness::open("witness.example".into(), key, &[public_key()], platter.folder()).unwrap()
}

async fn request(log: &Platter, old: u64) -> AddCheckpoint {
    let log = PublishedLog::open(log.source(), public_key()).await.unwrap();
    AddCheckpoint {
        old,
        proof: log.consistency_proof(old).await.unwrap_or_default(),
        note: log.note().to_owned(),
    }
}

#[tokio::test]
async fn a_witness_signs_what_continues_and_nothing_else() {
    let (log, state, all) = (Platter::default(), Platter::default(), receipts(321));
    publish(&log, &all[..100]);
    let first = request(&log, 0).await;
    let witness = open(&state);
    let lines = witness.add(&first.to_text(), 7).unwrap();
    let note = format!("{}{lines}", first.note);
    let seen = Checkpoint::cosignatures(&note, &[witness.verifier()]).unwrap();
    assert_eq!((seen.len(), seen[0].time), (1, 7));
    // The same once more, with the right beginning.
    assert_eq!(witness.add(&first.to_text(), 8), Err(Refusal::OtherSize { size: 100 }));
    witness.add(&request(&log, 100).await.to_text(), 8).unwrap();

    publish(&log, &all[..300]);
    let next = request(&log, 100).await;
    let mut wrong = next.clone();
    wrong.proof[0].0[0] ^= 1;
    assert_eq!(witness.add(&wrong.to_text(), 9), Err(Refusal::Inconsistent));
    wrong.proof.clear();
    assert_eq!(witness.add(&wrong.to_text(), 9), Err(Refusal::Inconsistent));
    let unsigned = AddCheckpoint {
        note: next.note.replacen("\n300\n", "\n301\n", 1),
        ..next.clone()
    };
    assert_eq!(witness.add(&unsigned.to_text(), 9), Err(Refusal::Unsigned));
    let stranger = AddCheckpoint {
        note: next.note.replacen("cocoon-receipts/", "other/", 1),
        ..next.clone()
    };
    assert_eq!(witness.add(&stranger.to_text(), 9), Err(Refusal::UnknownLog));
    assert_eq!(witness.add("old 5\n", 9), Err(Refusal::Malformed));
    let backwards = AddCheckpoint {
        old: 301,
        ..next.clone()
    };
    assert_eq!(witness.add(&backwards.to_text(), 9), Err(Refusal::Malformed));
    witness.add(&next.to_text(), 9).unwrap();

    // Another history of the same size, and of a greater one.
    let mut others = all.clone();
    others.remove(5);
    for (size, refusal) in [(300, Refusal::OtherRoot { size: 300 }), (320, Refusal::Inconsistent)] {
        let forked = Platter::default();
        publish(&forked, &others[..size]);
        assert_eq!(witness.add(&request(&forked, 300).await.to_text(), 10), Err(refusal));
    }
}

#[tokio::test]
async fn a_witness_remembers_over_a_crash_what_it_signed() {
    let (log, state, all) = (Platter::default(), Platter::default(), receipts(200));
    publish(&log, &all[..100]);
    let begun = open(&state);
    begun.add(&request(&log, 0).await.to_text(), 7).unwrap();
    let first = state.acts();
    publish(&log, &all);
    let next = request(&log, 100).await.to_text();
    for act in first..first + 8 {
        for leaves in [Leaves::Nothing, Leaves::All, Leaves::Some(act * 99 + 1)] {
            let state = state.copy();
            let witness = open(&state);
            state.stop_at(act);
            let told = witness.add(&next, 8);
            state.crash(leaves);
            let again = open(&state);
            match told {
                Ok(_) => assert_eq!(again.add(&next, 9), Err(Refusal::OtherSize { size: 200 }), "{act}"),
                Err(refusal) => {
                    assert_eq!(refusal, Refusal::Disk);
                    // Signed or not, the other one is refused.
                    let known = again.add(&next, 9);
                    assert!(known.is_ok() || known == Err(Refusal::OtherSize { size: 200 }), "{act}");
                }
            }
        }
    }
}

#[tokio::test]
async fn only_the_signature_of_what_a_witness_says_is_kept() {
    let (log, state) = (Platter::default(), Platter::default());
    publish(&log, &receipts(3));
    let witness = Arc::new(open(&state));
    let verifier = witness.verifier();
    // Behind its signature it says the same name again, with what makes a note unreadable.
    let asked = Arc::clone(&witness);
    let answer = move |body: String| {
        let line = asked.add(&body, 7).unwrap_or_default();
        std::future::ready(format!(
            "{line}— witness.example {}\n— witness.example\nx\n",
            "A".repeat(9000)
        ))
    };
    let router = axum::Router::new().route("/add-checkpoint", axum::routing::post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut cosigners = [Cosigner::new(&url, verifier.clone()).unwrap()];
    let published = PublishedLog::open(log.source(), public_key()).await.unwrap();
    let (note, refusals) = Cosigner::ask_all(&mut cosigners, &published).await;
    assert!(refusals.is_empty(), "{refusals:?}");
    assert!(note.len() < published.note().len() + 200, "{note}");
    let mut publisher = Publisher::open(log.folder(), super::samples::key()).unwrap();
    publisher.witnessed(&note).unwrap();
    // Who has signed is not asked again.
    let published = PublishedLog::open(log.source(), public_key()).await.unwrap();
    cosigners[0] = Cosigner::new("http://127.0.0.1:9", verifier).unwrap();
    let (again, refusals) = Cosigner::ask_all(&mut cosigners, &published).await;
    assert!(refusals.is_empty() && again == note);
}

#[tokio::test]
async fn a_signature_that_stands_there_already_is_told_again() {
    let (log, state) = (Platter::default(), Platter::default());
    publish(&log, &receipts(3));
    let witness = open(&state);
    let first = request(&log, 0).await;
    let line = witness.add(&first.to_text(), 7).unwrap();
    let again = AddCheckpoint {
        old: 3,
        proof: Vec::new(),
        note: format!("{}{line}", first.note),
    };
    assert_eq!(witness.add(&again.to_text(), 7).unwrap(), line);
}

#[tokio::test]
async fn a_log_gets_signatures_of_its_witnesses_over_http() {
    let (log, state, all) = (Platter::default(), Platter::default(), receipts(400));
    let witness = Arc::new(open(&state));
    let verifier = witness.verifier();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = witness::router(witness, SystemClock::shared());
    tokio::spawn(async move { axum::serve(listener, router).await });

    let mut cosigner = Cosigner::new(&url, verifier.clone()).unwrap();
    for size in [10, 300, 400] {
        publish(&log, &all[..size]);
        // Every time a new one: it has to ask where to begin.
        if size == 400 {
            cosigner = Cosigner::new(&url, verifier.clone()).unwrap();
        }
        let published = PublishedLog::open(log.source(), public_key()).await.unwrap();
        let note = cosigner.ask(&published, published.note()).await.unwrap();
        let mut publisher = Publisher::open(log.folder(), super::samples::key()).unwrap();
        publisher.witnessed(&note).unwrap();
        let published = PublishedLog::open(log.source(), public_key()).await.unwrap();
        let seen = published.cosignatures(std::slice::from_ref(&verifier)).unwrap();
        assert_eq!((seen.len(), published.size()), (1, size as u64));
    }
    let shorter = Platter::default();
    publish(&shorter, &all[..350]);
    let published = PublishedLog::open(shorter.source(), public_key()).await.unwrap();
    let refused = cosigner.ask(&published, published.note()).await.unwrap_err();
    assert!(matches!(refused, TlogError::Witness { .. }), "{refused}");
    let mut other = verifier;
    other.key = PublicKey::new([9; 32]);
    let mut cosigner = Cosigner::new(&url, other).unwrap();
    let published = PublishedLog::open(log.source(), public_key()).await.unwrap();
    let refused = cosigner.ask(&published, published.note()).await.unwrap_err();
    assert!(refused.to_string().contains("signature"), "{refused}");
}
