use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::member::Verdict;

const SETTINGS: Settings = Settings {
    queue: QueueLimits { all: 8, of_client: 4 },
    max_wait: Duration::from_secs(10),
    price_weight: 0.5,
};

fn offer(coefficient: u32, slots: u32) -> Offer {
    Offer {
        coefficient: Coefficient::new(coefficient),
        slots,
        is_enabled: true,
    }
}

fn ask(client: u8) -> Ask<u8> {
    Ask {
        client,
        model: "m".into(),
        max_coefficient: Coefficient::new(4000),
        tried: vec![],
        prefixes: vec![],
        cost: 100,
    }
}

fn served(seconds: f64) -> Outcome {
    Outcome {
        verdict: Verdict::Served,
        seconds,
        first_token_seconds: None,
    }
}

fn ticket(asked: Result<Asked, Refusal>) -> u64 {
    match asked {
        Ok(Asked::Waits { ticket }) => ticket,
        other => panic!("{other:?}"),
    }
}

/// A desk with one worker of one slot, which is taken.
fn busy() -> Desk<u8> {
    let mut desk = Desk::new(SETTINGS);
    desk.add(1, "m", offer(1000, 1), 0.0);
    assert!(matches!(desk.ask(ask(0), 0.0, 0), Ok(Asked::Granted(_))));
    desk
}

#[test]
fn a_slot_that_becomes_free_goes_to_who_waits_and_not_to_who_comes() {
    let mut desk = busy();
    let waiting = ticket(desk.ask(ask(1), 0.0, 0));
    desk.release(1, &served(1.0), 1.0);
    let granted = desk.hand_out("m", 1.0, 0);
    assert_eq!(granted.iter().map(|(ticket, _)| *ticket).collect::<Vec<_>>(), [waiting]);
    ticket(desk.ask(ask(2), 1.0, 0));
}

#[test]
fn nobody_waits_for_what_nobody_could_serve() {
    let mut desk = busy();
    let unknown = Ask {
        model: "x".into(),
        ..ask(1)
    };
    assert_eq!(
        desk.ask(unknown, 0.0, 0),
        Err(Refusal::UnknownModel { model: "x".into() })
    );
    let poor = Ask {
        max_coefficient: Coefficient::new(10),
        ..ask(1)
    };
    assert_eq!(desk.ask(poor, 0.0, 0), Err(Refusal::NoneReady { model: "m".into() }));
    let tried = Ask {
        tried: vec![1],
        ..ask(1)
    };
    assert_eq!(desk.ask(tried, 0.0, 0), Err(Refusal::NoneReady { model: "m".into() }));
    desk.pool_mut().set_enabled(1, false, 0.0);
    assert!(desk.ask(ask(1), 0.0, 0).is_err());
}

#[test]
fn full_queues_and_long_waits_are_refused_with_a_time() {
    let mut desk = busy();
    (0..4).for_each(|_| {
        ticket(desk.ask(ask(1), 0.0, 0));
    });
    let share = desk.ask(ask(1), 0.0, 0).unwrap_err();
    assert!(matches!(share, Refusal::ShareFull { .. }) && share.retry_after().is_some());
    (0..4).for_each(|_| {
        ticket(desk.ask(ask(2), 0.0, 0));
    });
    assert!(matches!(desk.ask(ask(3), 0.0, 0), Err(Refusal::QueueFull { .. })));
    let mut slow = busy();
    slow.release(1, &served(6.0), 6.0);
    slow.ask(ask(0), 6.0, 0).unwrap();
    ticket(slow.ask(ask(1), 6.0, 0));
    let refusal = slow.ask(ask(1), 6.0, 0).unwrap_err();
    assert_eq!(
        refusal.retry_after(),
        Some(Duration::from_secs(12)),
        "two times six seconds on one slot"
    );
}

#[test]
fn who_leaves_is_not_granted() {
    let mut desk = busy();
    let first = ticket(desk.ask(ask(1), 0.0, 0));
    let second = ticket(desk.ask(ask(2), 0.0, 0));
    assert!(desk.leave("m", &1, first));
    desk.release(1, &served(1.0), 1.0);
    assert_eq!(desk.hand_out("m", 1.0, 0)[0].0, second);
    assert!(!desk.leave("m", &2, second), "it was granted");
}

#[test]
fn a_worker_that_comes_serves_those_that_wait_and_can_pay() {
    let mut desk = busy();
    let poor = Ask {
        max_coefficient: Coefficient::new(1000),
        ..ask(1)
    };
    ticket(desk.ask(poor, 0.0, 0));
    let rich = ticket(desk.ask(ask(2), 0.0, 0));
    desk.add(2, "m", offer(3000, 4), 1.0);
    let granted = desk.hand_out("m", 1.0, 0);
    assert_eq!(granted.len(), 1);
    assert_eq!((granted[0].0, granted[0].1.worker), (rich, 2));
    assert_eq!(desk.waiting("m"), 1);
}

#[test]
fn a_prompt_goes_to_the_worker_that_has_its_beginning() {
    let mut desk = Desk::new(SETTINGS);
    (1..=20).for_each(|worker| desk.add(worker, "m", offer(1000, 8), 0.0));
    let prompt = |prefixes: &[u64]| Ask {
        prefixes: prefixes.to_vec(),
        ..ask(1)
    };
    let mut worker_of = |prefixes: &[u64], random| match desk.ask(prompt(prefixes), 0.0, random) {
        Ok(Asked::Granted(grant)) => grant.worker,
        other => panic!("{other:?}"),
    };
    let first = worker_of(&[1, 2], 5);
    assert!((0..4).all(|random| worker_of(&[1, 2, 3], random) == first));
    assert!((0..40).any(|random| worker_of(&[1000 + random], random) != first));
}

#[derive(Debug, Clone)]
enum Step {
    Ask(u8, u32),
    Leave(usize),
    Finish(usize),
    Enable(u64, bool),
    Pass(f64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0_u8..5, 1_u32..4).prop_map(|(client, ceiling)| Step::Ask(client, ceiling * 1000)),
        1 => any::<usize>().prop_map(Step::Leave),
        4 => any::<usize>().prop_map(Step::Finish),
        1 => (0_u64..4, any::<bool>()).prop_map(|(worker, on)| Step::Enable(worker, on)),
        1 => (0.0_f64..2.0).prop_map(Step::Pass),
    ]
}

proptest! {
    #[test]
    fn who_waits_is_granted_once_and_nobody_waits_beside_a_worker_that_would_do(
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut desk = Desk::new(SETTINGS);
        (0..4).for_each(|worker| desk.add(worker, "m", offer(1000 * (1 + worker as u32 % 3), 2), 0.0));
        let (mut waiting, mut running, mut granted) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut now = 0.0;
        for (random, step) in (0_u64..).zip(steps) {
            match step {
                Step::Ask(client, ceiling) => {
                    let asked = Ask { max_coefficient: Coefficient::new(ceiling), ..ask(client) };
                    match desk.ask(asked, now, random) {
                        Ok(Asked::Granted(grant)) => {
                            prop_assert!(grant.coefficient.get() <= ceiling);
                            running.push(grant.worker);
                        }
                        Ok(Asked::Waits { ticket }) => waiting.push((ticket, client, ceiling)),
                        Err(_) => {}
                    }
                }
                Step::Leave(pick) if !waiting.is_empty() => {
                    let (ticket, client, _) = waiting.remove(pick % waiting.len());
                    prop_assert!(desk.leave("m", &client, ticket));
                }
                Step::Finish(pick) if !running.is_empty() => {
                    desk.release(running.remove(pick % running.len()), &served(1.0), now);
                }
                Step::Enable(worker, on) => desk.pool_mut().set_enabled(worker, on, now),
                Step::Pass(seconds) => now += seconds,
                _ => {}
            }
            for (ticket, grant) in desk.hand_out("m", now, random) {
                let place = waiting.iter().position(|entry| entry.0 == ticket).unwrap();
                prop_assert!(grant.coefficient.get() <= waiting.remove(place).2);
                prop_assert!(granted.insert(ticket));
                running.push(grant.worker);
            }
            prop_assert_eq!(desk.waiting("m"), waiting.len());
            if let Some(cheapest) = desk.pool_mut().cheapest_ready("m", now) {
                prop_assert!(waiting.iter().all(|entry| entry.2 < cheapest.get()));
            }
        }
    }
}
