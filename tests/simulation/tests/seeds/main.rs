//! Each seed is a life of a network: a client, a proxy and up to three workers run their real code, each on a runtime of its
//! own whose clock the simulation holds. Connections are queues of bytes that can be delayed, cut and parted; disks lose what
//! was not synced; the chain delivers late and in another order, or not at all; nodes die at any write, sync or question to
//! the chain. Then the faults end, everything settles, and the books must agree: see [`check`].
//!
//! `COCOON_SEED=7 cargo test --release -p cocoon-simulation-tests` runs one seed and tells what happens in it;
//! `COCOON_SEEDS=0..10000` a range. Time and faults are drawn from the seed; what the runners draw for themselves (nonces,
//! pauses between attempts) is not, so that a failure may need a few runs of its seed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod chain;
mod check;
mod disk;
mod host;
mod network;
mod nodes;
mod plan;
mod setting;
mod upstream;
mod user;
mod world;

use std::cell::RefCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use setting::Setting;

thread_local! {
    /// Panics of nodes: a runtime keeps them to itself.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What has panicked on this thread since the last look.
fn panics() -> Option<String> {
    PANICS.with_borrow_mut(|panics| (!panics.is_empty()).then(|| std::mem::take(panics).join("; ")))
}

/// Seeds of the usual run.
const USUAL: Range<u64> = 0..200;

/// Worlds at once: more would only share the cores of a small machine.
const THREADS: usize = 2;

#[test]
fn books_agree_after_any_faults() {
    let seeds = chosen();
    let is_told = seeds.end - seeds.start == 1;
    let setting = Setting::new();
    std::panic::set_hook(Box::new(|panic| {
        PANICS.with_borrow_mut(|panics| panics.push(panic.to_string()))
    }));
    let next = AtomicU64::new(seeds.start);
    let failures: Mutex<Vec<(u64, String)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..THREADS.min(usize::try_from(seeds.end - seeds.start).unwrap()) {
            scope.spawn(|| {
                cocoon_ratls::run_in_place();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let run = || world::live(&setting, seed, is_told);
                    let outcome = catch_unwind(AssertUnwindSafe(run)).unwrap_or(Ok(()));
                    let outcome = panics().map_or(outcome, Err);
                    if let Err(problem) = outcome {
                        eprintln!("COCOON_SEED={seed} cargo test --release -p cocoon-simulation-tests # {problem}");
                        failures.lock().unwrap().push((seed, problem));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    let _ = std::panic::take_hook();
    assert!(failures.is_empty(), "{} seeds of {seeds:?} failed", failures.len());
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
