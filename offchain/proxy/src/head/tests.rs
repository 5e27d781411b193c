//! Whatever happens to an honest proxy, nothing that it signed can be shown to its contract.

use cocoon_bindings::ton::HashBytes;
use cocoon_receipt::tree::{Frontier, leaf_hash};
use proptest::prelude::*;

use super::*;

fn contract(tag: u8) -> Address {
    Address::new(0, HashBytes([tag; 32]))
}

/// One receipt: its name and the end of its answer.
type Entry = (u32, u64);

/// A proxy with a disk and a chain, of which only what matters here is there.
#[derive(Default)]
struct World {
    /// Durable receipts.
    log: Vec<Entry>,
    /// Number of the last commit that is durable here.
    begun: u32,
    /// Commits that the chain has seen: the highest number.
    landed: u32,
    heads: Heads,
    /// Copies of the disk that were made.
    copies: Vec<(Vec<Entry>, u32)>,
    names: u32,
    /// Whether the database was found to be an old one.
    is_recovering: bool,
    signed: Vec<Checkpoint>,
}

#[derive(Debug, Clone)]
enum Step {
    Answer { finished: u64 },
    Begin,
    Land,
    Publish { contract: u8 },
    Anchor { contract: u8 },
    Copy,
    Crash,
    Restore { copy: usize },
}

fn head(log: &[Entry]) -> LogHead {
    let mut tree = Frontier::default();
    log.iter()
        .for_each(|(name, _)| tree.push(leaf_hash(&name.to_be_bytes())));
    LogHead {
        size: tree.size(),
        root: tree.root(),
        finished_ms: log.iter().map(|(_, finished)| *finished).max().unwrap_or(0),
    }
}

impl World {
    /// A start: a commit on chain that is not known here is an old copy; else a commit of this life lands before anything is signed.
    fn start(&mut self) {
        self.heads = Heads::default();
        self.is_recovering = self.landed > self.begun;
        if !self.is_recovering {
            self.begin();
            self.land();
        }
    }

    fn begin(&mut self) {
        self.begun += 1;
        self.heads.begun(self.begun, head(&self.log));
    }

    fn land(&mut self) {
        self.landed = self.begun;
        self.heads.landed(self.begun);
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Restore { copy } if !self.copies.is_empty() => {
                let (log, begun) = self.copies[copy % self.copies.len()].clone();
                (self.log, self.begun) = (log, begun);
                self.start();
            }
            Step::Crash => self.start(),
            Step::Copy => self.copies.push((self.log.clone(), self.begun)),
            _ if self.is_recovering => {}
            Step::Answer { finished } => {
                self.names += 1;
                self.log.push((self.names, finished));
            }
            Step::Begin => self.begin(),
            Step::Land => self.land(),
            Step::Publish { contract: tag } => {
                let key = SigningKey::from_bytes(&[7; 32]);
                let signed = self.heads.to_publish(&contract(tag), &key).unwrap();
                self.signed.extend(signed.map(|signed| signed.checkpoint));
            }
            Step::Anchor { contract: tag } => self.signed.extend(self.heads.to_anchor(&contract(tag))),
            Step::Restore { .. } => {}
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        // The clock goes where it wants.
        5 => (0..9_000_000_000_u64).prop_map(|finished| Step::Answer { finished }),
        2 => Just(Step::Begin),
        2 => Just(Step::Land),
        3 => (1..3_u8).prop_map(|contract| Step::Publish { contract }),
        3 => (1..3_u8).prop_map(|contract| Step::Anchor { contract }),
        1 => Just(Step::Copy),
        1 => Just(Step::Crash),
        1 => (0..8_usize).prop_map(|copy| Step::Restore { copy }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_crash_old_copy_clock_or_second_contract_makes_an_honest_proxy_punishable(
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut world = World::default();
        world.start();
        steps.into_iter().for_each(|step| world.take(step));
        for (at, one) in world.signed.iter().enumerate() {
            for other in &world.signed[..at] {
                if one.proxy == other.proxy {
                    prop_assert_eq!(one.contradiction(other), None, "{:?} {:?}", one, other);
                }
            }
        }
    }
}

#[test]
fn what_is_not_committed_is_not_signed() {
    let (heads, key) = (Heads::default(), SigningKey::from_bytes(&[7; 32]));
    let own = contract(1);
    heads.begun(1, head(&[(1, 5_000)]));
    assert_eq!(heads.to_anchor(&own), None);
    assert!(heads.to_publish(&own, &key).unwrap().is_none());
    heads.begun(2, head(&[(1, 5_000), (2, 4_000)]));
    heads.landed(1);
    assert_eq!(heads.to_anchor(&own).unwrap().size, 1);
    heads.landed(2);
    let anchor = heads.to_anchor(&own).unwrap();
    assert_eq!((anchor.size, anchor.seqno, anchor.time), (2, 5, 5));
    let published = heads.to_publish(&own, &key).unwrap().unwrap().checkpoint;
    assert_eq!((published.size, published.seqno, published.time), (2, 4, 0));
}

#[test]
fn nothing_is_signed_below_a_checkpoint_of_an_earlier_version() {
    let (heads, own) = (Heads::default(), contract(1));
    heads.at_least(&own, 2);
    heads.begun(1, head(&[(1, 1)]));
    heads.landed(1);
    assert_eq!(heads.to_anchor(&own), None);
    assert!(heads.to_anchor(&contract(2)).is_some());
    heads.begun(2, head(&[(1, 1), (2, 2)]));
    heads.landed(2);
    assert_eq!(heads.to_anchor(&own).unwrap().size, 2);
}
