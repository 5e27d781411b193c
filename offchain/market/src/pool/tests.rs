use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::limits::{BREAKER_FAILURES, BREAKER_FIRST_PAUSE};

const CEILING: Coefficient = Coefficient::new(4000);

fn offer(coefficient: u32, slots: u32) -> Offer {
    Offer {
        coefficient: Coefficient::new(coefficient),
        slots,
        is_enabled: true,
    }
}

fn need<'a>(tried: &'a [u64]) -> Need<'a> {
    Need {
        model: "m",
        max_coefficient: CEILING,
        tried,
        preferred: None,
    }
}

fn ended(verdict: Verdict, seconds: f64) -> Outcome {
    Outcome {
        verdict,
        seconds,
        first_token_seconds: None,
    }
}

/// A pool of workers that took so many seconds for a request each.
fn measured(seconds: &[f64]) -> Pool {
    let mut pool = Pool::default();
    for (worker, seconds) in (0_u64..).zip(seconds) {
        pool.add(worker, "m", offer(1000, 4), 0.0);
        let others: Vec<u64> = (0..worker).collect();
        pool.choose(&need(&others), 0.0, 0).unwrap();
        pool.release(worker, &ended(Verdict::Served, *seconds), 0.0);
    }
    pool
}

#[test]
fn refusals_say_what_is_missing() {
    let mut pool = Pool::default();
    let unknown = Err(Refusal::UnknownModel { model: "m".into() });
    let none = Err(Refusal::NoneReady { model: "m".into() });
    assert_eq!(pool.choose(&need(&[]), 0.0, 0), unknown);
    pool.add(1, "m", offer(1000, 1), 0.0);
    assert_eq!(pool.choose(&need(&[1]), 0.0, 0), none);
    pool.choose(&need(&[]), 0.0, 0).unwrap();
    assert_eq!(pool.choose(&need(&[]), 0.0, 0), none, "full");
    pool.set_enabled(1, false, 0.0);
    pool.release(1, &ended(Verdict::Served, 1.0), 0.0);
    assert_eq!(pool.choose(&need(&[]), 0.0, 0), none, "disabled");
    assert!(!pool.may_wait(&need(&[])));
    pool.add(2, "m", offer(6000, 1), 0.0);
    pool.add(3, "m", offer(5000, 1), 0.0);
    let cheapest = Coefficient::new(5000);
    assert_eq!(pool.choose(&need(&[]), 0.0, 0), Err(Refusal::TooExpensive { cheapest }));
    [1, 2, 3].into_iter().for_each(|worker| pool.remove(worker));
    assert_eq!(
        pool.choose(&need(&[]), 0.0, 0),
        none,
        "a model that was served is busy, not unknown"
    );
}

#[test]
fn of_two_the_less_loaded_is_taken_whatever_the_draw() {
    let mut pool = measured(&[1.0, 1.0]);
    pool.choose(&need(&[1]), 0.0, 0).unwrap();
    for draw in 0..20 {
        assert_eq!(pool.choose(&need(&[]), 0.0, draw).unwrap().worker, 1);
        pool.release(1, &ended(Verdict::Withdrawn, 0.0), 0.0);
    }
}

#[test]
fn of_two_the_faster_the_cheaper_the_more_reliable_and_the_better_reputed_is_taken() {
    let prefers = |what: &str, pool: &mut Pool, worker: u64| {
        for draw in 0..20 {
            assert_eq!(pool.choose(&need(&[]), 0.0, draw).unwrap().worker, worker, "{what}");
            pool.release(worker, &ended(Verdict::Withdrawn, 0.0), 0.0);
        }
    };
    prefers("faster", &mut measured(&[9.0, 1.0]), 1);
    let mut pool = measured(&[1.0, 1.0]);
    pool.set_coefficient(1, Coefficient::new(500), 0.0);
    prefers("cheaper", &mut pool, 1);
    let mut pool = measured(&[1.0, 1.0]);
    pool.set_reputation(0, 0.4);
    prefers("reputed", &mut pool, 1);
    let mut pool = measured(&[1.0, 1.0]);
    pool.choose(&need(&[1]), 0.0, 0).unwrap();
    pool.release(0, &ended(Verdict::Failed, 0.01), 0.0);
    prefers("reliable", &mut pool, 1);
}

#[test]
fn a_worker_that_fails_fast_does_not_look_fast() {
    let mut pool = measured(&[2.0]);
    pool.choose(&need(&[]), 0.0, 0).unwrap();
    pool.release(0, &ended(Verdict::Failed, 0.001), 0.0);
    assert_eq!(pool.view(0, 0.0).unwrap().average_seconds, 2.0);
}

#[test]
fn a_worker_in_the_caches_favour_is_taken_unless_it_is_clearly_more_loaded() {
    let prefer = Need {
        preferred: Some(0),
        ..need(&[])
    };
    let mut pool = measured(&[1.9, 1.0]);
    assert_eq!(pool.choose(&prefer, 0.0, 0).unwrap().worker, 0);
    assert_eq!(pool.choose(&prefer, 0.0, 0).unwrap().worker, 1, "one runs there now");
    let dear = Need {
        max_coefficient: Coefficient::new(10),
        ..prefer
    };
    pool.set_coefficient(1, Coefficient::new(10), 0.0);
    assert_eq!(pool.choose(&dear, 0.0, 0).unwrap().worker, 1, "the ceiling holds");
}

#[test]
fn a_preferred_worker_of_another_model_is_not_taken() {
    let mut pool = measured(&[1.0]);
    pool.add(9, "other", offer(1, 4), 0.0);
    let prefer = Need {
        preferred: Some(9),
        ..need(&[])
    };
    assert_eq!(pool.choose(&prefer, 0.0, 0).unwrap().worker, 0);
    assert_eq!(pool.choose_only(9, &need(&[]), 0.0), None);
    assert_eq!(pool.choose_only(0, &need(&[0]), 0.0), None);
    assert_eq!(pool.choose_only(0, &need(&[]), 0.0).unwrap().worker, 0);
}

#[test]
fn a_draining_worker_keeps_what_runs_and_gets_nothing_new() {
    let mut pool = measured(&[1.0]);
    pool.choose(&need(&[]), 0.0, 0).unwrap();
    pool.set_draining(0, true, 0.0);
    assert!(pool.choose(&need(&[]), 0.0, 0).is_err());
    assert_eq!(pool.view(0, 0.0).unwrap().running, 1);
    pool.release(0, &ended(Verdict::Served, 1.0), 1.0);
    assert!(pool.choose(&need(&[]), 1.0, 0).is_err());
    pool.set_draining(0, false, 1.0);
    pool.choose(&need(&[]), 1.0, 0).unwrap();
}

#[test]
fn a_worker_that_failed_is_held_back_and_probed_once_after_its_pause() {
    let mut pool = measured(&[1.0]);
    for _ in 0..BREAKER_FAILURES {
        pool.choose(&need(&[]), 10.0, 0).unwrap();
        pool.release(0, &ended(Verdict::Failed, 1.0), 10.0);
    }
    let over = 10.0 + BREAKER_FIRST_PAUSE.as_secs_f64();
    assert!(pool.choose(&need(&[]), over - 0.1, 0).is_err());
    assert!(pool.may_wait(&need(&[])));
    pool.choose(&need(&[]), over, 0).unwrap();
    assert!(pool.choose(&need(&[]), over, 0).is_err(), "the probe runs");
    pool.release(0, &ended(Verdict::Served, 1.0), over + 1.0);
    pool.choose(&need(&[]), over + 1.0, 0).unwrap();
}

#[test]
fn idle_equal_workers_share_the_load() {
    for workers in [4, 40] {
        let mut pool = measured(&vec![1.0; workers]);
        let mut hits = vec![0; workers];
        for draw in 0..1000 * workers as u64 {
            let worker = pool.choose(&need(&[]), 0.0, draw).unwrap().worker;
            pool.release(worker, &ended(Verdict::Withdrawn, 0.0), 0.0);
            hits[worker as usize] += 1;
        }
        assert!(hits.iter().all(|count| (700..1300).contains(count)), "{hits:?}");
    }
}

#[test]
fn the_one_affordable_worker_of_a_thousand_is_found() {
    let mut pool = Pool::default();
    (0..1000).for_each(|worker| pool.add(worker, "m", offer(9000, 4), 0.0));
    pool.set_coefficient(777, Coefficient::new(4000), 0.0);
    for draw in 0..4 {
        assert_eq!(pool.choose(&need(&[]), 0.0, draw).unwrap().worker, 777);
    }
    assert_eq!(
        pool.choose(&need(&[]), 0.0, 5),
        Err(Refusal::TooExpensive {
            cheapest: Coefficient::new(9000)
        })
    );
}

#[derive(Debug, Clone)]
enum Step {
    Add {
        worker: u64,
        coefficient: u32,
        slots: u32,
    },
    Remove(u64),
    Enable(u64, bool),
    Drain(u64, bool),
    Price(u64, u32),
    Choose {
        ceiling: u32,
        tried: Vec<u64>,
        preferred: Option<u64>,
        random: u64,
    },
    Release(u64, u8),
    Pass(f64),
}

fn step() -> impl Strategy<Value = Step> {
    let worker = || 0_u64..24;
    prop_oneof![
        3 => (worker(), 1_u32..6, 1_u32..4).prop_map(|(worker, c, slots)| Step::Add { worker, coefficient: c * 1000, slots }),
        1 => worker().prop_map(Step::Remove),
        1 => (worker(), any::<bool>()).prop_map(|(worker, on)| Step::Enable(worker, on)),
        1 => (worker(), any::<bool>()).prop_map(|(worker, on)| Step::Drain(worker, on)),
        1 => (worker(), 1_u32..6).prop_map(|(worker, c)| Step::Price(worker, c * 1000)),
        8 => (1_u32..6, prop::collection::vec(worker(), 0..3), prop::option::of(worker()), any::<u64>())
            .prop_map(|(c, tried, preferred, random)| Step::Choose { ceiling: c * 1000, tried, preferred, random }),
        6 => (worker(), 0_u8..3).prop_map(|(worker, verdict)| Step::Release(worker, verdict)),
        2 => (0.0_f64..4.0).prop_map(Step::Pass),
    ]
}

/// The same rules, kept in the plainest way.
#[derive(Debug, Clone)]
struct Plain {
    coefficient: u32,
    slots: u32,
    running: u32,
    is_listed: (bool, bool),
    breaker: crate::Breaker,
}

impl Plain {
    fn is_usable(&self, ceiling: u32, now: f64) -> bool {
        self.is_listed == (true, false)
            && self.running < self.slots
            && self.coefficient <= ceiling
            && self.breaker.admits(now)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn only_usable_workers_are_chosen_and_one_is_found_whenever_there_is_one(
        steps in prop::collection::vec(step(), 1..250),
    ) {
        let mut pool = Pool::default();
        let mut plain: BTreeMap<u64, Plain> = BTreeMap::new();
        let mut now = 0.0;
        for step in steps {
            match step {
                Step::Add { worker, coefficient, slots } => {
                    pool.add(worker, "m", offer(coefficient, slots), now);
                    let (running, is_listed, breaker) = (0, (true, false), crate::Breaker::default());
                    plain.insert(worker, Plain { coefficient, slots, running, is_listed, breaker });
                }
                Step::Remove(worker) => {
                    pool.remove(worker);
                    plain.remove(&worker);
                }
                Step::Enable(worker, on) => {
                    pool.set_enabled(worker, on, now);
                    plain.entry(worker).and_modify(|p| p.is_listed.0 = on);
                }
                Step::Drain(worker, on) => {
                    pool.set_draining(worker, on, now);
                    plain.entry(worker).and_modify(|p| p.is_listed.1 = on);
                }
                Step::Price(worker, coefficient) => {
                    pool.set_coefficient(worker, Coefficient::new(coefficient), now);
                    plain.entry(worker).and_modify(|p| p.coefficient = coefficient);
                }
                Step::Choose { ceiling, tried, preferred, random } => {
                    let max_coefficient = Coefficient::new(ceiling);
                    let need = Need { model: "m", max_coefficient, tried: &tried, preferred };
                    let is_there = plain.iter().any(|(id, p)| !tried.contains(id) && p.is_usable(ceiling, now));
                    let chosen = pool.choose(&need, now, random);
                    prop_assert_eq!(chosen.is_ok(), is_there, "{:?} {:?}", chosen, plain);
                    if let Ok(grant) = chosen {
                        prop_assert!(!tried.contains(&grant.worker));
                        let worker = plain.get_mut(&grant.worker).unwrap();
                        prop_assert!(worker.is_usable(ceiling, now));
                        prop_assert_eq!(grant.coefficient.get(), worker.coefficient);
                        worker.running += 1;
                        worker.breaker.started();
                    }
                }
                Step::Release(worker, verdict) => {
                    let Some(p) = plain.get_mut(&worker).filter(|p| p.running > 0) else { continue };
                    p.running -= 1;
                    let verdict = match verdict {
                        0 => { p.breaker.succeeded(); Verdict::Served }
                        1 => { p.breaker.failed(now); Verdict::Failed }
                        _ => { p.breaker.withdrawn(now); Verdict::Withdrawn }
                    };
                    pool.release(worker, &ended(verdict, 1.0), now);
                }
                Step::Pass(seconds) => now += seconds,
            }
            for (worker, p) in &plain {
                prop_assert_eq!(pool.view(*worker, now).unwrap().running, p.running);
            }
            if let Some(model) = pool.models.get("m") {
                let slots: u64 = plain.values().filter(|p| p.is_listed == (true, false)).map(|p| u64::from(p.slots)).sum();
                prop_assert_eq!(model.slots, slots);
                prop_assert_eq!(model.ready.len(), model.prices.len());
            }
        }
    }
}
