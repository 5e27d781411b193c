//! One routing decision among 1,000 workers of one model, with what belongs to it: the slot is taken and given back.
//!
//! On one of two cores of a virtual machine (AMD EPYC):
//!
//! | | microseconds |
//! |---|---|
//! | all have free slots | 0.52 |
//! | one of a hundred has a free slot | 0.44 |
//! | one of a hundred is cheap enough | 1.04 |
//! | nobody is cheap enough | 0.33 |
//! | prompts of six known beginnings | 0.90 |
//! | a slot is handed to one of 1,000 who wait | 1.05 |
//!
//! `cargo bench -p cocoon-market`
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;
use std::time::Duration;

use cocoon_bindings::units::Coefficient;
use cocoon_market::{Ask, Asked, Desk, Offer, Outcome, QueueLimits, Settings, Verdict};
use criterion::{Criterion, criterion_group, criterion_main};

const WORKERS: u64 = 1000;

const SETTINGS: Settings = Settings {
    queue: QueueLimits {
        all: 4096,
        of_client: 1024,
    },
    max_wait: Duration::from_secs(10),
    price_weight: 0.5,
};

const SERVED: Outcome = Outcome {
    verdict: Verdict::Served,
    seconds: 1.5,
    first_token_seconds: Some(0.1),
};

fn ask(ceiling: u32, prefixes: Vec<u64>) -> Ask<u64> {
    Ask {
        client: 1,
        model: "cocoon/model-with-a-name-of-usual-length".into(),
        max_coefficient: Coefficient::new(ceiling),
        tried: vec![],
        prefixes,
        cost: 1000,
    }
}

/// 1,000 measured workers of prices from 500 to 1,499; the first `full` of them have no free slot.
fn desk(full: u64) -> Desk<u64> {
    let mut desk = Desk::new(SETTINGS);
    let model = ask(0, vec![]).model;
    for worker in 0..WORKERS {
        let offer = Offer {
            coefficient: Coefficient::new(500 + worker as u32),
            slots: 16,
            is_enabled: true,
        };
        desk.add(worker, &model, offer, 0.0);
        desk.release(worker, &SERVED, 0.0);
        let taken = if worker < full { 16 } else { worker % 16 };
        for _ in 0..taken {
            let need = cocoon_market::Need {
                model: &model,
                max_coefficient: Coefficient::new(u32::MAX),
                tried: &[],
                preferred: None,
            };
            let _ = desk.pool_mut().choose_only(worker, &need, 0.0);
        }
    }
    desk
}

fn decide(desk: &mut Desk<u64>, ask: Ask<u64>, now: f64, random: u64) {
    if let Ok(Asked::Granted(grant)) = desk.ask(ask, now, random) {
        desk.release(black_box(grant.worker), &SERVED, now);
    }
}

fn routing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decision at 1000 workers");
    let mut run = |name: &str, mut desk: Desk<u64>, ceiling: u32, prefixes: fn(u64) -> Vec<u64>| {
        let mut turn = 0_u64;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                turn += 1;
                decide(&mut desk, ask(ceiling, prefixes(turn)), turn as f64 * 1e-4, turn);
            });
        });
    };
    run("all have free slots", desk(0), 4000, |_| vec![]);
    run("one of a hundred has a free slot", desk(990), 4000, |_| vec![]);
    run("one of a hundred is cheap enough", desk(0), 509, |_| vec![]);
    run("nobody is cheap enough", desk(0), 400, |_| vec![]);
    run("prompts of six known beginnings", desk(0), 4000, |turn| {
        (0..6).map(|length| (turn % 5000) * 6 + length).collect()
    });
    group.finish();
    criterion.bench_function("a slot is handed to one of 1000 who wait", |bencher| {
        let mut desk = desk(WORKERS);
        let model = ask(0, vec![]).model;
        let clients = (0..1000_u64).map(|client| Ask {
            client: client % 100,
            ..ask(4000, vec![])
        });
        for waiting in clients {
            let _ = desk.ask(waiting, 0.0, 0);
        }
        let mut turn = 0_u64;
        bencher.iter(|| {
            turn += 1;
            desk.release(turn % WORKERS, &SERVED, 0.0);
            for (_, grant) in desk.hand_out(&model, 0.0, turn) {
                black_box(grant);
                let _ = desk.ask(
                    Ask {
                        client: turn % 100,
                        ..ask(4000, vec![])
                    },
                    0.0,
                    turn,
                );
            }
        });
    });
}

criterion_group!(benches, routing);
criterion_main!(benches);
