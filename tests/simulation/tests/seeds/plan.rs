//! What happens in a world, drawn from its seed.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::cheats::Cheat;
use crate::nodes::Node;

/// Milliseconds after which the faults of a drawn course end.
const TROUBLE_MS: u64 = 60_000;

/// The course of a world.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) workers: u8,
    /// Each with a contract of its own; client and workers deal with all of them.
    pub(crate) proxies: u8,
    pub(crate) events: Vec<Event>,
    /// Milliseconds after which the faults end.
    pub(crate) until: u64,
    /// One write in so many is cut; 0: none.
    pub(crate) cuts: u32,
    pub(crate) is_chain_faulty: bool,
    /// Out of 100 answers of the inference servers.
    pub(crate) bad_answers: u32,
    pub(crate) liars: Vec<Node>,
    /// Nothing but liars goes wrong.
    pub(crate) is_fair: bool,
    /// All that a liar does, of everything that it could.
    pub(crate) cheat: Option<Cheat>,
}

/// Something at some time.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// Milliseconds after the beginning.
    pub(crate) at: u64,
    pub(crate) what: What,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    Ask {
        streams: bool,
        tokens: u64,
    },
    /// Dies at one of its next acts, or at the end of so many polls of its tasks after it.
    Doom {
        node: Node,
        acts: i64,
        polls: i64,
        death: Death,
    },
    /// Is told to stop, and comes back.
    Stop(Node),
    Part(Node),
    Join(Node),
    Cut(Node),
    Slow(Node, u64),
    ChainAway(bool),
    ChainStalled(bool),
    /// Syncs of the node's disk fail, one in so many.
    DiskFails(Node, u32),
    /// The network has other prices from now on.
    Prices {
        price: u64,
        fee: u64,
    },
    /// Whether the image of the workers is one of the network's.
    WorkersListed(bool),
    /// All machines have slept for so many seconds: dates have passed, and no timer has run.
    Leap(u64),
}

/// How a node dies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Death {
    /// Nobody hears of it.
    pub(crate) is_silent: bool,
    /// Until it is back, milliseconds.
    pub(crate) down: u64,
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let rng = &mut StdRng::seed_from_u64(seed);
        let workers = rng.random_range(1..=3);
        let proxies = if rng.random_bool(0.25) { 2 } else { 1 };
        let mut events = Vec::new();
        for _ in 0..rng.random_range(4..16) {
            let at = rng.random_range(2_000..TROUBLE_MS);
            let (streams, tokens) = (rng.random(), rng.random_range(1..200));
            events.push(Event {
                at,
                what: What::Ask { streams, tokens },
            });
        }
        for _ in 0..rng.random_range(0..7) {
            let at = rng.random_range(0..TROUBLE_MS - 10_000);
            let end = at + rng.random_range(500..10_000);
            let node = match rng.random_range(0..5) {
                0 | 1 => Node::Proxy(rng.random_range(0..proxies)),
                2 => Node::Client,
                _ => Node::Worker(rng.random_range(0..workers)),
            };
            let mut add = |at, what| events.push(Event { at, what });
            match rng.random_range(0..15) {
                0..5 => {
                    let down = rng.random_range(200..8_000);
                    let is_silent = rng.random();
                    let acts = rng.random_range(1..200);
                    add(
                        at,
                        What::Doom {
                            node,
                            acts,
                            polls: 0,
                            death: Death { is_silent, down },
                        },
                    );
                }
                5 => add(at, What::Stop(node)),
                6 => {
                    add(at, What::Part(node));
                    add(end, What::Join(node));
                }
                7 => add(at, What::Cut(node)),
                8 => {
                    add(at, What::Slow(node, rng.random_range(50..2_000)));
                    add(end, What::Slow(node, 0));
                }
                9 => {
                    let end = rng.random_range(at..TROUBLE_MS);
                    add(at, What::ChainAway(true));
                    add(end, What::ChainAway(false));
                }
                10 => {
                    let end = rng.random_range(at..TROUBLE_MS);
                    add(at, What::ChainStalled(true));
                    add(end, What::ChainStalled(false));
                }
                11 => {
                    let price = rng.random_range(1_000..4_000);
                    let fee = rng.random_range(0..=price);
                    add(at, What::Prices { price, fee });
                }
                12 => {
                    add(at, What::WorkersListed(false));
                    add(end, What::WorkersListed(true));
                }
                13 => {
                    // Beyond the certificates of a day, or beyond the collateral of a year.
                    let days = if rng.random_bool(0.7) { 0..40 } else { 366..400 };
                    add(
                        at,
                        What::Leap(rng.random_range(days) * 86_400 + rng.random_range(3_600..86_400)),
                    );
                }
                _ => {
                    add(at, What::DiskFails(node, rng.random_range(5..50)));
                    add(end, What::DiskFails(node, 0));
                }
            }
        }
        events.sort_by_key(|event| event.at);
        let cuts = if rng.random_bool(0.3) {
            rng.random_range(100..2_000)
        } else {
            0
        };
        let bad_answers = if rng.random_bool(0.5) {
            rng.random_range(5..50)
        } else {
            0
        };
        let mut plan = Self {
            workers,
            proxies,
            events,
            until: TROUBLE_MS,
            cuts,
            is_chain_faulty: rng.random_bool(0.6),
            bad_answers,
            liars: Vec::new(),
            is_fair: false,
            cheat: None,
        };
        for liar in [Node::LyingWorker, Node::LyingClient] {
            if rng.random_bool(0.2) {
                plan.liars.push(liar);
            }
        }
        if !plan.liars.is_empty() && rng.random_bool(0.3) {
            plan.be_fair();
        }
        plan.move_deaths(seed);
        plan
    }

    /// Has two thirds of the deaths come where a task waits: soon after an act, or whatever the node does at that time. Drawn
    /// from numbers of their own, so that all else in a plan is what it was before there were such deaths.
    fn move_deaths(&mut self, seed: u64) {
        let rng = &mut StdRng::seed_from_u64(seed ^ 0x706f_6c6c);
        for event in &mut self.events {
            if let What::Doom { acts, polls, .. } = &mut event.what {
                match rng.random_range(0..3) {
                    0 => {}
                    1 => *polls = rng.random_range(1..60),
                    _ => (*acts, *polls) = (0, rng.random_range(1..60)),
                }
            }
        }
    }

    /// Leaves nothing that goes wrong but the liars.
    fn be_fair(&mut self) {
        self.is_fair = true;
        self.events.retain(|event| matches!(event.what, What::Ask { .. }));
        (self.cuts, self.bad_answers, self.is_chain_faulty) = (0, 0, false);
    }
}
