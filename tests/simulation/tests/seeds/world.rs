//! One world: its nodes, each on a runtime of its own whose clock goes as far as it is let, and the course of events.

mod course;
mod events;

pub(crate) use course::{live, settled};

use std::sync::Arc;
use std::time::Duration;

use cocoon_bindings::Params;
use cocoon_bindings::voucher::VoucherOp;
use cocoon_emulator::Emulator;
use cocoon_runner::Surroundings;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::chain;
use crate::cheats::Cheat;
use crate::child;
use crate::disk::Platter;
use crate::host::{Life, Time};
use crate::network::Net;
use crate::nodes::{Lot, Node};
use crate::plan::{Death, Plan};
use crate::planted::Planted;
use crate::rogue::{Heard, Signed};
use crate::setting::{BEGIN, Setting, liars_owner};
use crate::trace;
use crate::upstream::Manners;
use crate::user::Diary;

/// How far the clocks go at once. Bytes under way arrive between two steps.
const STEP: Duration = Duration::from_millis(20);
const STEP_MS: u64 = 20;
/// Milliseconds between two blocks.
const BLOCK_MS: u64 = 400;
/// When a planted fault begins, milliseconds.
const SABOTAGE_MS: u64 = 10_000;

/// A world.
pub(crate) struct World<'a> {
    pub(crate) setting: &'a Setting,
    pub(crate) time: Arc<Time>,
    pub(crate) net: Net,
    pub(crate) chain: chain::World,
    pub(crate) places: Vec<Place>,
    /// All nodes that there ever were.
    lived: Vec<Node>,
    pub(crate) diary: Diary,
    /// When the client was not there, or died: connections to it break then.
    pub(crate) client_deaths: Vec<u64>,
    /// What a lying worker signed.
    pub(crate) signed: Signed,
    /// What liars were told that cheat in one way only.
    pub(crate) heard: Heard,
    /// Milliseconds after which the faults end.
    pub(crate) until: u64,
    /// All terms so far, the newest last.
    terms: Vec<Params>,
    is_listed: bool,
    has_liars_contract: bool,
    /// Milliseconds that passed while all machines slept.
    slept: u64,
    seed: u64,
    begin: u64,
    users: Runtime,
    is_told: bool,
    planted: Option<Planted>,
    cheat: Option<Cheat>,
    bad_answers: u32,
}

/// A node with what stays of it.
pub(crate) struct Place {
    pub(crate) node: Node,
    pub(crate) platter: Platter,
    running: Option<Running>,
    back_at: u64,
    death: Death,
    lives: u64,
    /// Why its last life ended, if it ended by itself.
    last_words: String,
}

struct Running {
    life: Arc<Life>,
    runtime: Runtime,
    main: JoinHandle<Result<(), String>>,
    stop: CancellationToken,
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        // Whoever counts polls is asked after each of them.
        .event_interval(1)
        .build()
        .unwrap()
}

impl<'a> World<'a> {
    fn new(setting: &'a Setting, life: child::Life, plan: &Plan) -> Self {
        let child::Life {
            seed, planted, is_told, ..
        } = life;
        let time = Time::new(u64::from(BEGIN) * 1000);
        let nodes = (0..plan.proxies).map(Node::Proxy).chain([Node::Client]);
        let nodes = nodes
            .chain((0..plan.workers).map(Node::Worker))
            .chain(plan.liars.iter().copied());
        let place = |(index, node): (u64, Node)| Place {
            node,
            platter: Platter::new(seed ^ (index << 32), planted.and_then(|planted| planted.lapse(node))),
            running: None,
            back_at: 0,
            death: Death {
                is_silent: false,
                down: 500,
            },
            lives: 0,
            last_words: String::new(),
        };
        let places: Vec<Place> = (0..).zip(nodes).map(place).collect();
        if is_told {
            eprintln!("{plan:#?}");
        }
        Self {
            setting,
            net: Net::new(seed, Arc::clone(&time)),
            chain: chain::World::new(
                seed,
                Emulator::from_snapshot(&setting.chain).unwrap(),
                setting.wallets(),
            ),
            lived: places.iter().map(|place| place.node).collect(),
            places,
            diary: Diary::default(),
            client_deaths: Vec::new(),
            signed: Signed::default(),
            heard: Heard::default(),
            until: plan.until,
            terms: vec![setting.params.clone()],
            is_listed: true,
            has_liars_contract: !plan.liars.contains(&Node::LyingClient),
            slept: 0,
            seed,
            begin: time.ms(),
            time,
            users: runtime(),
            is_told,
            planted,
            cheat: plan.cheat,
            bad_answers: plan.bad_answers,
        }
    }

    /// What a planted fault does at some time.
    fn sabotage(&mut self) {
        match (self.planted, self.now()) {
            (Some(Planted::RequestForgotten), SABOTAGE_MS) => self.net.forget_users(),
            (Some(Planted::RefundForgotten), SABOTAGE_MS) => self.chain.forget(VoucherOp::ClientRefund.opcode()),
            (Some(Planted::DiskRestored), SABOTAGE_MS) => self.place(Node::Proxy(0)).platter.back_up(),
            (Some(Planted::VoucherUnexplained), SABOTAGE_MS..) => self.chain.overcharge(&self.setting.client),
            _ => {}
        }
    }

    /// Milliseconds since the beginning.
    pub(crate) fn now(&self) -> u64 {
        self.time.ms() - self.begin - self.slept
    }

    /// Whether there is such a node, now or before.
    pub(crate) fn has(&self, node: Node) -> bool {
        self.lived.contains(&node)
    }

    pub(crate) fn tell(&self, what: impl std::fmt::Debug) {
        trace::note(self.now(), &what);
        if self.is_told {
            eprintln!("{:>7} ms: {what:?}", self.now());
        }
    }

    fn note_client_death(&mut self) {
        let now = self.time.ms();
        self.client_deaths.push(now);
    }

    /// A node that there is.
    pub(crate) fn place_of(&self, node: Node) -> &Place {
        self.places.iter().find(|place| place.node == node).unwrap()
    }

    fn place(&mut self, node: Node) -> &mut Place {
        self.places.iter_mut().find(|place| place.node == node).unwrap()
    }

    /// The end of all faults.
    fn calm(&mut self) {
        let signed = self.signed.lock().unwrap().len();
        self.tell(format!("the faults end; a lying worker has signed {signed} statements"));
        self.chain.set_faulty(false);
        self.chain.set_away(false);
        self.chain.set_stalled(false);
        self.net.set_cuts(0);
        self.list_workers(true);
        for liar in self.places.extract_if(.., |place| !place.node.is_honest()) {
            self.net.die(liar.node.ip(), false);
        }
        for place in &mut self.places {
            self.net.join(place.node.ip());
            self.net.slow(place.node.ip(), 0);
            place.platter.set_sync_fails(0);
            if let Some(running) = &place.running {
                running.life.spare();
            }
        }
    }

    /// Lets everybody's clock go on by one step.
    pub(crate) fn step(&mut self) {
        for index in 0..self.places.len() {
            self.step_of(index);
        }
        self.users.block_on(async { tokio::time::sleep(STEP).await });
        self.time.advance(STEP_MS);
        self.net.deliver();
        if self.now().is_multiple_of(BLOCK_MS) {
            self.chain.block(&self.time);
            if !self.has_liars_contract && self.chain.is_active(&self.setting.proxies[0]) {
                self.has_liars_contract = true;
                self.chain.send(&liars_owner(), &self.setting.liars_contract());
            }
        }
    }

    fn step_of(&mut self, index: usize) {
        let now = self.time.ms();
        let files = self.setting.files.path().to_string_lossy();
        let place = &mut self.places[index];
        let Some(running) = &mut place.running else {
            if now >= place.back_at {
                self.start(index);
            }
            return;
        };
        running.runtime.block_on(running.life.run(STEP));
        let (is_dead, has_ended) = (running.life.is_dead(), running.main.is_finished());
        if !is_dead && !has_ended {
            return;
        }
        let node = place.node;
        let Some(Running {
            runtime, main, life, ..
        }) = place.running.take()
        else {
            return;
        };
        if !is_dead && let Ok(Err(words)) = runtime.block_on(main) {
            place.last_words = words.replace(&*files, "");
        }
        // A process that ended has closed its connections; a machine that died may not have.
        self.net.die(node.ip(), is_dead && place.death.is_silent);
        life.kill();
        drop(runtime);
        if is_dead {
            place.platter.lose_unsynced();
            if self.planted == Some(Planted::DiskRestored) {
                place.platter.restore();
            }
        } else {
            place.platter.settle();
        }
        place.back_at = now + place.death.down;
        let words = place.last_words.clone();
        self.tell(format!(
            "{node:?} {}: {words}",
            if is_dead { "has died" } else { "has ended" }
        ));
        if node == Node::Client {
            self.note_client_death();
        }
    }

    fn start(&mut self, index: usize) {
        let is_trouble = self.now() < self.until;
        let place = &mut self.places[index];
        let (node, life, stop) = (
            place.node,
            Life::new(place.node.ip(), &self.time),
            CancellationToken::new(),
        );
        if place.lives > 0 {
            self.net.back(node.ip());
        }
        place.lives += 1;
        let surroundings = Surroundings {
            chain: self.chain.of(&life),
            clock: Arc::clone(&self.time) as _,
            network: self.net.of(&life),
            disk: place.platter.disk(&life),
        };
        let lot = Lot {
            seed: self.seed ^ (place.lives << 16) ^ (index as u64) << 40,
            manners: Manners {
                seed: self.seed ^ (place.lives << 16),
                bad: if is_trouble { self.bad_answers } else { 0 },
            },
            signed: Arc::clone(&self.signed),
            heard: Arc::clone(&self.heard),
            cheat: self.cheat,
        };
        let runtime = runtime();
        let main = runtime.spawn(node.main(self.setting, surroundings, stop.clone(), lot));
        place.running = Some(Running {
            life,
            runtime,
            main,
            stop,
        });
        self.tell(format!("{node:?} starts"));
        if node == Node::Client {
            self.note_client_death();
        }
    }
}
