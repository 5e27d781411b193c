//! Renewal when the source of evidence is slow or away: connections go on with the certificate that still counts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails, fails loudly")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
    mpsc::{Receiver, Sender, channel},
};

use cocoon_ratls::{EvidenceSource, IdentityKeeper, RatlsError, limits::CERTIFICATE_SECONDS};

use crate::common::World;

const DUE: u64 = CERTIFICATE_SECONDS / 3 * 2;

/// Works once, then fails; counts.
#[derive(Default)]
struct Away(AtomicUsize);

impl EvidenceSource for Away {
    fn evidence(&self, _: &[u8; 64]) -> Result<Option<Vec<u8>>, RatlsError> {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(None),
            _ => Err(RatlsError::Source {
                reason: "quote service is away".to_owned(),
            }),
        }
    }
}

#[test]
fn a_failed_renewal_is_not_tried_again_by_each_connection() {
    let world = World::new();
    let source = Arc::new(Away::default());
    let keeper = IdentityKeeper::new(Arc::clone(&source) as _, world.shared_clock()).unwrap();
    let tries = || source.0.load(Ordering::Relaxed) - 1;
    world.clock.advance(DUE);
    for _ in 0..10 {
        assert_eq!(keeper.current().unwrap().leaf_key(), keeper.peek().leaf_key());
    }
    assert_eq!(tries(), 1);
    world.clock.advance(30);
    keeper.current().unwrap();
    assert_eq!(tries(), 2);
    // In the background it is asked whenever it is its turn.
    assert!(keeper.renew_if_due().is_err());
    assert_eq!(tries(), 3);
}

/// Says that it was asked, and answers when it is told to.
struct Slow {
    asked: Mutex<Sender<()>>,
    answer: Mutex<Receiver<()>>,
}

impl EvidenceSource for Slow {
    fn evidence(&self, _: &[u8; 64]) -> Result<Option<Vec<u8>>, RatlsError> {
        self.asked.lock().unwrap().send(()).unwrap();
        self.answer.lock().unwrap().recv().unwrap();
        Ok(None)
    }
}

#[test]
fn a_slow_renewal_does_not_hold_up_connections() {
    let world = World::new();
    let ((asked, was_asked), (tell, answer)) = (channel(), channel());
    let source = Slow {
        asked: Mutex::new(asked),
        answer: Mutex::new(answer),
    };
    tell.send(()).unwrap();
    let keeper = Arc::new(IdentityKeeper::new(Arc::new(source), world.shared_clock()).unwrap());
    was_asked.recv().unwrap();
    let first = keeper.peek().leaf_key();
    world.clock.advance(DUE);
    let background = Arc::clone(&keeper);
    let renewal = std::thread::spawn(move || background.renew_if_due());
    was_asked.recv().unwrap();
    // The renewal waits for the source; nobody waits for the renewal.
    assert_eq!(keeper.current().unwrap().leaf_key(), first);
    assert_eq!(keeper.peek().leaf_key(), first);
    tell.send(()).unwrap();
    assert!(renewal.join().unwrap().unwrap());
    assert_ne!(keeper.current().unwrap().leaf_key(), first);
}
