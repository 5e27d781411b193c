//! A device whose blocks hold tokens. What it answers is made of the tokens that it reads through the table, so a block
//! that is not what its user believes changes an answer. It may be ahead: then its answers are heard of some steps
//! later, and the next step is fed with those that nobody has heard yet.

use super::*;
use crate::model::{BlockId, Wanted};
use std::collections::{BTreeMap, VecDeque};

/// What comes after these tokens.
pub(super) fn next_token(tokens: &[u32]) -> u32 {
    tokens.iter().fold(17u32, |sum, token| {
        sum.wrapping_mul(31).wrapping_add(token + 1).rotate_left(3)
    }) % 1000
}

/// What a sequence becomes when it is alone.
pub(super) fn alone(prompt: &[u32], answer: usize) -> Vec<u32> {
    let mut tokens = prompt.to_vec();
    (0..answer).for_each(|_| tokens.push(next_token(&tokens)));
    tokens
}

/// Who may read a block: a sequence or those with a payer and a salt.
type Domain = (Option<SequenceId>, Option<Payer>, Option<[u8; 32]>);

struct Job {
    aim: Aim,
    domain: Domain,
    tokens: Vec<u32>,
    /// Tokens that are still to come.
    left: usize,
    /// Of these, tokens that steps under way bring.
    under_way: usize,
    ending: Ending,
}

/// What is known of an answer's end before it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Its length.
    Known,
    /// Nothing, as with a stop string: the step under way has a row too many.
    Surprise,
    /// Nothing goes on before a token is known, as where logits are needed on the host.
    OnHost,
}

/// A scheduler, a device and the sequences.
pub(super) struct World {
    pub(super) scheduler: Scheduler,
    bounds: Bounds,
    device: Vec<Vec<Option<(Domain, u32)>>>,
    /// Steps that the device may be ahead.
    ahead: usize,
    /// What the step that was started last has answered.
    answers: Vec<u32>,
    /// Of every step under way: who gets which token.
    under_way: VecDeque<Vec<(SequenceId, u32)>>,
    jobs: BTreeMap<SequenceId, Job>,
    next_id: u64,
    pub(super) now: Duration,
    /// All tokens of what has ended well.
    pub(super) finished: BTreeMap<SequenceId, Vec<u32>>,
    /// In which order it ended.
    pub(super) order: Vec<SequenceId>,
    /// For what has ended well: tokens from the cache.
    pub(super) cached: BTreeMap<SequenceId, usize>,
    pub(super) tokens_computed: usize,
}

impl World {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            scheduler: Scheduler::new(bounds),
            bounds,
            device: vec![vec![None; bounds.block_size]; bounds.blocks],
            ahead: 0,
            answers: Vec::new(),
            under_way: VecDeque::new(),
            jobs: BTreeMap::new(),
            next_id: 0,
            now: Duration::ZERO,
            finished: BTreeMap::new(),
            order: Vec::new(),
            cached: BTreeMap::new(),
            tokens_computed: 0,
        }
    }

    /// A device that is ahead by so many steps.
    pub(super) fn ahead(bounds: Bounds, ahead: usize) -> Self {
        Self {
            ahead,
            ..Self::new(bounds)
        }
    }

    pub(super) fn submit(
        &mut self,
        prompt: Vec<u32>,
        answer: usize,
        payer: Option<Payer>,
        salt: Option<PayerSalt>,
    ) -> SequenceId {
        self.enqueue(Aim::Answer, prompt, answer, payer, salt, None)
    }

    pub(super) fn submit_for(
        &mut self,
        aim: Aim,
        prompt: Vec<u32>,
        answer: usize,
        payer: Option<Payer>,
        salt: Option<PayerSalt>,
    ) -> SequenceId {
        self.enqueue(aim, prompt, answer, payer, salt, None)
    }

    pub(super) fn submit_until(&mut self, prompt: Vec<u32>, answer: usize, deadline: Option<Duration>) -> SequenceId {
        self.enqueue(Aim::Answer, prompt, answer, None, None, deadline)
    }

    pub(super) fn enqueue(
        &mut self,
        aim: Aim,
        prompt: Vec<u32>,
        answer: usize,
        payer: Option<Payer>,
        salt: Option<PayerSalt>,
        deadline: Option<Duration>,
    ) -> SequenceId {
        let id = SequenceId(self.next_id);
        self.next_id += 1;
        let private = salt.is_none().then_some(id);
        let job = Job {
            aim,
            domain: (private, payer, salt.map(|salt| salt.0)),
            tokens: prompt.clone(),
            left: answer,
            under_way: 0,
            ending: Ending::Known,
        };
        self.jobs.insert(id, job);
        self.scheduler.enqueue(NewEntry {
            id,
            prompt,
            aim,
            payer,
            salt,
            arrived: self.now,
            deadline,
        });
        id
    }

    /// Says how a sequence that has not begun ends.
    pub(super) fn set_ending(&mut self, id: SequenceId, ending: Ending) {
        self.jobs.get_mut(&id).unwrap().ending = ending;
    }

    pub(super) fn live(&self) -> Vec<SequenceId> {
        self.jobs.keys().copied().collect()
    }

    pub(super) fn cancel(&mut self, id: SequenceId) {
        assert!(self.scheduler.end(id));
        self.forget(id);
        self.check();
    }

    pub(super) fn forget(&mut self, id: SequenceId) {
        self.jobs.remove(&id);
    }

    /// Plans a step, starts it, hears of the one that is due and looks at everything.
    pub(super) fn step(&mut self) -> Plan {
        let plan = self.scheduler.plan(self.now);
        for (id, _) in &plan.dropped {
            self.jobs.remove(id).unwrap();
        }
        self.check_plan(&plan);
        let tokens: Vec<Vec<u32>> = plan
            .pieces
            .iter()
            .zip(&plan.follows)
            .map(|(piece, follows)| {
                let mut tokens = piece.tokens.clone();
                if let Some(place) = follows {
                    assert_eq!(tokens.pop(), Some(0), "a place for the token");
                    tokens.push(self.answers[*place]);
                }
                tokens
            })
            .collect();
        // All is written before anything is read, as a device may do it.
        for ((id, piece), tokens) in plan.ids.iter().zip(&plan.pieces).zip(tokens) {
            for (token, position) in tokens.into_iter().zip(piece.start..) {
                *self.slot(piece, position) = Some((self.jobs[id].domain, token));
            }
        }
        self.answers = plan
            .ids
            .iter()
            .zip(&plan.pieces)
            .map(|(id, piece)| self.read(*id, piece))
            .collect();
        self.scheduler.started(&plan);
        self.check();
        let mut heard = Vec::new();
        for ((id, piece), token) in plan.ids.iter().zip(&plan.pieces).zip(&self.answers) {
            let job = self.jobs.get_mut(id).unwrap();
            let is_last = piece.start + piece.tokens.len() == job.tokens.len() + job.under_way;
            let expected = match (job.aim, is_last) {
                (Aim::States, _) => Wanted::States,
                (Aim::Answer, true) => Wanted::Logits,
                (Aim::Answer, false) => Wanted::Nothing,
            };
            assert_eq!(piece.wanted, expected);
            if !is_last {
                continue;
            }
            heard.push((*id, *token));
            job.under_way += 1;
            let goes_on = match job.ending {
                Ending::Known => job.under_way < job.left,
                Ending::Surprise => true,
                Ending::OnHost => false,
            };
            if self.ahead > 0 && goes_on {
                self.scheduler.expect(*id);
            }
        }
        if !plan.pieces.is_empty() {
            self.under_way.push_back(heard);
        }
        if plan.pieces.is_empty() || self.under_way.len() > self.ahead {
            self.hear();
        }
        self.check();
        plan
    }

    /// Hears of the oldest step under way.
    fn hear(&mut self) {
        for (id, token) in self.under_way.pop_front().unwrap_or_default() {
            // One that has ended since.
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            job.under_way -= 1;
            if job.left > 0 {
                job.left -= 1;
                job.tokens.push(token);
            }
            if job.left == 0 {
                self.cached.insert(id, self.scheduler.cached(id));
                assert!(self.scheduler.end(id));
                self.finished.insert(id, self.jobs.remove(&id).unwrap().tokens);
                self.order.push(id);
            } else {
                self.scheduler.push(id, token);
            }
        }
    }

    /// Steps until all have ended.
    pub(super) fn finish(&mut self) {
        let work: usize = self.jobs.values().map(|job| job.tokens.len() + job.left).sum();
        let mut steps = 0;
        while !self.scheduler.is_empty() || !self.under_way.is_empty() {
            self.step();
            steps += 1;
            assert!(steps <= 10 * work + 10, "no end of {work} tokens after {steps} steps");
        }
        assert!(self.jobs.is_empty());
        assert_eq!(self.scheduler.occupancy().kv_blocks_used, 0, "blocks are left over");
    }

    fn slot(&mut self, piece: &Piece, position: usize) -> &mut Option<(Domain, u32)> {
        let BlockId(block) = piece.blocks[position / self.bounds.block_size];
        &mut self.device[block as usize][position % self.bounds.block_size]
    }

    fn read(&mut self, id: SequenceId, piece: &Piece) -> u32 {
        let domain = self.jobs[&id].domain;
        let end = piece.start + piece.tokens.len();
        let read = (0..end).map(|position| {
            let (written_in, token) = self.slot(piece, position).expect("a position that was never written");
            assert_eq!(written_in, domain, "a block that was not for it to read");
            token
        });
        let read: Vec<u32> = read.collect();
        self.tokens_computed += piece.tokens.len();
        next_token(&read)
    }

    fn check_plan(&self, plan: &Plan) {
        let size = self.bounds.block_size;
        let mut ids = plan.ids.clone();
        ids.sort();
        ids.dedup();
        assert_eq!((ids.len(), plan.pieces.len()), (plan.ids.len(), plan.ids.len()));
        let tokens: usize = plan.pieces.iter().map(|piece| piece.tokens.len()).sum();
        let budget = self.bounds.step_tokens.max(self.bounds.max_num_seqs + size);
        assert!(tokens <= budget && plan.ids.len() <= self.bounds.max_num_seqs);
        for piece in &plan.pieces {
            assert!(!piece.tokens.is_empty());
            assert_eq!(piece.blocks.len(), (piece.start + piece.tokens.len()).div_ceil(size));
        }
        assert_eq!(plan.follows.len(), plan.pieces.len());
        let waits = self.scheduler.occupancy().waiting + self.scheduler.occupancy().running;
        assert!(
            waits == 0 || !self.under_way.is_empty() || !plan.pieces.is_empty() || !plan.dropped.is_empty(),
            "a step without work"
        );
    }

    fn check(&self) {
        let scheduler = &self.scheduler;
        scheduler.pool.check(scheduler.running.iter().map(Entry::table));
        let order = scheduler.running.iter().chain(&scheduler.preempted);
        assert!(order.clone().count() <= scheduler.bounds.max_num_seqs + scheduler.preempted.len());
        assert!(scheduler.preempted.iter().all(|entry| entry.table().is_empty()));
    }
}
