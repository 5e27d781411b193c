//! Quotes per second and core: thorough, prepared, and what a cache of verdicts asks for, beside the two P-256
//! verifications below which no verifier can go. The ratio is measured in turns, so that a busy machine slows all alike.
//!
//! `cargo bench -p cocoon-attest`

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark; criterion's macros"
)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey},
};
use cocoon_attest::{
    Endorsements, Evidence, Policy, TrustRoots, Verifier,
    simulated::{SimulatedPlatform, simulated_measurements},
    verify,
};
use criterion::{Criterion, criterion_group};

const NOW: u64 = 1_790_000_000;

struct World {
    quote: Vec<u8>,
    roots: TrustRoots,
    endorsements: Endorsements,
    verifier: Verifier,
    /// Key, message, signature: of the lengths that a quote has.
    signatures: [(Vec<u8>, Vec<u8>, Vec<u8>); 2],
}

impl World {
    fn new() -> Self {
        let platform = SimulatedPlatform::generate().unwrap();
        let roots = TrustRoots::intel()
            .unwrap()
            .with_simulated(platform.root_der())
            .unwrap();
        let endorsements = platform.endorsements(NOW).unwrap();
        let verifier = Verifier::new(roots.clone(), endorsements.clone(), Policy::strict());
        let quote = platform.issue(&simulated_measurements("worker"), &[7; 64]).unwrap();
        verifier.verify(&Evidence::parse(&quote).unwrap(), NOW).unwrap();
        let signatures = [384, 632].map(|length| {
            let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
            let message = vec![1; length];
            let signature = key.sign(&SystemRandom::new(), &message).unwrap();
            (key.public_key().as_ref().to_vec(), message, signature.as_ref().to_vec())
        });
        Self {
            quote,
            roots,
            endorsements,
            verifier,
            signatures,
        }
    }

    fn bound(&self) {
        for (key, message, signature) in &self.signatures {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key)
                .verify(message, signature)
                .unwrap();
        }
    }

    fn thorough(&self) {
        let evidence = Evidence::parse(&self.quote).unwrap();
        black_box(verify(&evidence, &self.endorsements, &self.roots, &Policy::strict(), NOW).unwrap());
    }

    fn prepared(&self) {
        black_box(
            self.verifier
                .verify(&Evidence::parse(&self.quote).unwrap(), NOW)
                .unwrap(),
        );
    }

    fn cached(&self) {
        black_box(Evidence::parse(&self.quote).unwrap().digest());
    }
}

fn quotes(criterion: &mut Criterion) {
    let world = World::new();
    let mut group = criterion.benchmark_group("quote");
    group.bench_function("two_p256_verifications", |bencher| bencher.iter(|| world.bound()));
    group.bench_function("thorough", |bencher| bencher.iter(|| world.thorough()));
    group.bench_function("prepared", |bencher| bencher.iter(|| world.prepared()));
    group.bench_function("cache_key", |bencher| bencher.iter(|| world.cached()));
    group.finish();
}

type Way = fn(&World);

/// The fastest of many short rounds each, taken in turns.
fn ratios() {
    const ROUNDS: usize = 60;
    const EACH: u32 = 40;
    let world = World::new();
    let ways: [(&str, Way); 4] = [
        ("two P-256 verifications", World::bound),
        ("thorough", World::thorough),
        ("prepared", World::prepared),
        ("cache key", World::cached),
    ];
    let mut best = [Duration::MAX; 4];
    for _ in 0..ROUNDS {
        for (best, (_, way)) in best.iter_mut().zip(&ways) {
            let started = Instant::now();
            for _ in 0..EACH {
                way(&world);
            }
            *best = (*best).min(started.elapsed() / EACH);
        }
    }
    println!("\nper quote, best of {ROUNDS} rounds in turns:");
    for (time, (name, _)) in best.iter().zip(&ways) {
        let (per_second, ratio) = (1.0 / time.as_secs_f64(), best[0].as_secs_f64() / time.as_secs_f64());
        println!("{name:<24} {time:>12.2?} {per_second:>10.0}/s {ratio:>8.2} of the two-signature bound");
    }
}

criterion_group!(benches, quotes);

fn main() {
    benches();
    if !std::env::args().any(|argument| argument == "--test") {
        ratios();
    }
    Criterion::default().configure_from_args().final_summary();
}
