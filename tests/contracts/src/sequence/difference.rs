//! Runs many sequences, and tells of the first one where chain and model differ.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cocoon_emulator::Emulator;

use crate::sequence::rng::Rng;
use crate::sequence::run::{Checked, Run};
use crate::sequence::setup::{Codes, Setup, Setups};

/// Steps of the longest sequence.
const MOST_STEPS: u64 = 34;
/// Steps of the shortest sequence.
const LEAST_STEPS: u64 = 8;
/// One sequence in so many ends with everybody leaving.
const LEAVING: u64 = 3;
/// One sequence in so many is mostly about the root and the governor.
const GOVERNING: u64 = 6;

/// A sequence after which the contracts and the model differ, or an invariant is broken.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The seed of the sequence.
    pub seed: u64,
    /// Steps of the shortest part of the sequence that shows it.
    pub steps: usize,
    /// What was sent and delivered, and what is wrong, for people.
    pub account: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sequence {} ({} steps):\n{}", self.seed, self.steps, self.account)
    }
}

/// Runs sequences on given contracts until one shows a difference: the same sequences for the same seed.
pub fn first_difference(codes: &Codes, seed: u64, sequences: u32) -> Option<Difference> {
    Sequences::new(codes).first_difference(seed, sequences)
}

/// Networks that sequences run on, made once.
#[derive(Debug)]
pub struct Sequences {
    setups: Setups,
}

impl Sequences {
    /// Deploys the networks.
    pub fn new(codes: &Codes) -> Self {
        Self {
            setups: Setups::new(codes),
        }
    }

    /// The first of so many sequences that shows a difference.
    pub fn first_difference(&self, seed: u64, sequences: u32) -> Option<Difference> {
        let mut seeds = Rng::new(seed);
        (0..sequences).find_map(|_| self.difference_of(seeds.next()))
    }

    /// The difference that one sequence shows, made as short as it can be.
    pub fn difference_of(&self, seed: u64) -> Option<Difference> {
        let mut rng = Rng::new(seed);
        let variant = rng.below(100);
        let leaving = rng.below(LEAVING) == 0;
        let count = LEAST_STEPS + rng.below(MOST_STEPS - LEAST_STEPS + 1);
        let steps: Vec<u64> = (0..count).map(|_| rng.next()).collect();
        self.difference(variant, leaving, &steps)?;
        let steps = self.shortened(variant, leaving, steps);
        self.difference(variant, leaving, &steps).map(|account| Difference {
            seed,
            steps: steps.len(),
            account,
        })
    }

    /// Runs given steps on a variant (a number below 100) and tells what is wrong, if anything is.
    pub fn difference(&self, variant: u64, leaving: bool, steps: &[u64]) -> Option<String> {
        let setup = self.setups.draw(variant);
        let governing = variant.is_multiple_of(GOVERNING);
        outcome(setup, governing, leaving, steps, false)?;
        outcome(setup, governing, leaving, steps, true)
    }

    /// Leaves out steps as long as something stays wrong.
    fn shortened(&self, variant: u64, leaving: bool, mut steps: Vec<u64>) -> Vec<u64> {
        let setup = self.setups.draw(variant);
        let governing = variant.is_multiple_of(GOVERNING);
        let mut size = steps.len().div_ceil(2);
        loop {
            let mut start = 0;
            while start < steps.len() {
                let mut fewer = steps.clone();
                fewer.drain(start..(start + size).min(fewer.len()));
                if outcome(setup, governing, leaving, &fewer, false).is_some() {
                    steps = fewer;
                } else {
                    start += size;
                }
            }
            if size <= 1 {
                return steps;
            }
            size = size.div_ceil(2);
        }
    }
}

/// What is wrong after a sequence: told in full if it is to be read.
fn outcome(setup: &Setup, governing: bool, leaving: bool, steps: &[u64], readable: bool) -> Option<String> {
    let chain = Emulator::from_snapshot(&setup.snapshot).unwrap();
    let mut run = Run::new(setup, chain, readable);
    run.governing = governing;
    // The model computes with what the contracts did: a fault of theirs may lead it to an impossible place.
    let result = catch_unwind(AssertUnwindSafe(|| take(&mut run, leaving, steps)));
    let wrong = match result {
        Ok(Ok(())) => return None,
        Ok(Err(wrong)) => wrong,
        Err(_) => "the model cannot follow".to_owned(),
    };
    let mut lines = run.account.take().unwrap_or_default();
    lines.push(wrong);
    Some(run.net.named(&lines.join("\n")))
}

fn take(run: &mut Run, leaving: bool, steps: &[u64]) -> Checked {
    for (number, seed) in steps.iter().enumerate() {
        run.note(|| format!("{}.", number + 1));
        run.step(*seed)?;
    }
    run.finish()?;
    if leaving { run.leave() } else { Ok(()) }
}
