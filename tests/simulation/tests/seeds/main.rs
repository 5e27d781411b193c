//! Each seed is a life of a network: a client, one or two proxies and up to three workers run their real code, each on a
//! runtime of its own whose clock the simulation holds. Connections are queues of bytes that can be delayed, cut and parted;
//! disks lose what was not synced; the chain delivers late and in another order, lets messages bounce, or stands still; nodes
//! die at any send, sync or question to the chain, and between any two polls of their tasks; machines sleep past the end of
//! certificates; the network's owner changes prices and images; peers lie ([`rogue`]). Then the faults end, everything settles,
//! and the books must agree: see [`check`]. Two more courses are not drawn: much work ([`long`]), and single cheats ([`cheats`]).
//!
//! `COCOON_SEED=7 cargo test --release -p cocoon-simulation-tests` runs one seed and tells what happens in it;
//! `COCOON_SEEDS=0..10000` a range. Everything in a life follows from its seed ([`entropy`], [`child`]), so that a seed that
//! failed fails again. What the simulation must notice is planted in [`planted`].

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod chain;
mod cheats;
mod check;
mod child;
mod disk;
mod ears;
mod entropy;
mod host;
mod long;
mod network;
mod nodes;
mod panics;
mod plan;
mod planted;
mod rogue;
mod setting;
mod timers;
mod trace;
mod upstream;
mod user;
mod world;

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use cheats::Cheat;
use child::{Course, Life};
use planted::Planted;

/// Seeds of the usual run.
const USUAL: Range<u64> = 0..200;

/// Worlds at once: more would only share the cores of a small machine.
const THREADS: usize = 2;

/// A planted fault is noticed by one of so many seeds.
const PATIENCE: u64 = 100;

#[test]
fn books_agree_after_any_faults() {
    if let Some(life) = Life::of_this_process() {
        return life.live();
    }
    let seeds = chosen();
    let life = |seed| Life {
        seed,
        planted: None,
        course: Course::Drawn,
        is_told: seeds.end - seeds.start == 1,
    };
    let next = AtomicU64::new(seeds.start);
    let failures: Mutex<Vec<u64>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    if let Some(problem) = life(seed).run().problem {
                        eprintln!("COCOON_SEED={seed} cargo test --release -p cocoon-simulation-tests # {problem}");
                        failures.lock().unwrap().push(seed);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} seeds of {seeds:?} failed", failures.len());
}

#[test]
fn a_planted_fault_is_noticed() {
    for planted in Planted::ALL {
        let noticed = (0..PATIENCE).find_map(|seed| {
            let life = Life {
                seed,
                planted: Some(planted),
                course: Course::Drawn,
                is_told: false,
            };
            Some((seed, life.run().problem?))
        });
        let (seed, problem) = noticed.unwrap_or_else(|| panic!("{PATIENCE} seeds did not notice {planted:?}"));
        eprintln!("{planted:?}: seed {seed}: {problem}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_seed_lives_the_same_life_again() {
    for seed in 0..20 {
        let life = Life {
            seed,
            planted: None,
            course: Course::Drawn,
            is_told: false,
        };
        let (first, again) = (life.run(), life.run());
        assert_eq!(first.trace, again.trace, "seed {seed}");
    }
}

#[test]
fn ten_thousand_requests_audit_equal_while_prices_and_images_change() {
    let life = Life {
        seed: 1,
        planted: None,
        course: Course::Long,
        is_told: false,
    };
    assert_eq!(life.run().problem, None);
}

#[test]
fn each_cheat_is_found_and_is_its_authors() {
    let cheats = Mutex::new(Cheat::ALL.into_iter());
    let failures: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let Some(cheat) = cheats.lock().unwrap().next() else {
                        return;
                    };
                    let life = Life {
                        seed: 1,
                        planted: None,
                        course: Course::With(cheat),
                        is_told: false,
                    };
                    let problem = life.run().problem;
                    failures
                        .lock()
                        .unwrap()
                        .extend(problem.map(|problem| format!("{cheat:?}: {problem}")));
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{failures:#?}");
}

/// One seed, a range, or the usual ones.
fn chosen() -> Range<u64> {
    let number = |text: &str| text.trim().parse::<u64>().expect("a seed is a whole number");
    if let Ok(seed) = std::env::var("COCOON_SEED") {
        let seed = number(&seed);
        return seed..seed + 1;
    }
    match std::env::var("COCOON_SEEDS") {
        Ok(range) => {
            let (from, to) = range.split_once("..").expect("COCOON_SEEDS is FROM..TO");
            number(from)..number(to)
        }
        Err(_) => USUAL,
    }
}
