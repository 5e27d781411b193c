//! A proxy contract.

use std::sync::Arc;

use cocoon_bindings::ton::{Address, Cell};

use crate::model::bits::Bits;
use crate::model::body::{Body, ClientAsk, ClientStep, Damage, Signed, SignedCheckpoint, Signer, WorkerStep};
use crate::model::effect::{
    Act, COMMISSION, Env, Exit, Outcome, Return, STORAGE, excesses, keep_and_return, payout, refuse, require,
};
use crate::model::signed::{CLOSE_PROXY, COMPLETE_CLOSE, check_signed};
use crate::model::terms::Terms;
use crate::model::{CLOSED, CLOSING, NORMAL};

/// What never changes.
#[derive(Debug)]
pub(crate) struct ProxyFixed {
    pub(crate) owner: Address,
    pub(crate) key: [u8; 32],
    pub(crate) root: Address,
    pub(crate) terms: Terms,
    pub(crate) params: Cell,
}

/// A proxy contract.
#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    pub(crate) fixed: Arc<ProxyFixed>,
    /// Owners and addresses of its client contracts.
    pub(crate) clients: Arc<Vec<(Address, Address)>>,
    /// Owners and addresses of its worker contracts.
    pub(crate) workers: Arc<Vec<(Address, Address)>>,
    pub(crate) state: u8,
    pub(crate) balance: u128,
    pub(crate) stake: u128,
    pub(crate) unlock: u32,
    /// The latest checkpoint.
    pub(crate) anchor: Option<SignedCheckpoint>,
    /// It lost a share of its stake.
    pub(crate) slashed: bool,
}

/// Of its stake a proxy loses this share, per 10 000.
const SLASHED: u128 = 2_500;
/// Seconds after the close when the owner gets the stake without the key.
pub(crate) const OWNER_EXIT: u32 = 180 * 86_400;

impl Proxy {
    /// As it is deployed.
    pub(crate) fn new(owner: &Address, key: &[u8; 32], root: &Address, terms: &Terms) -> Self {
        let fixed = ProxyFixed {
            owner: owner.clone(),
            key: *key,
            root: root.clone(),
            terms: terms.clone(),
            params: terms.cell_for_proxy(),
        };
        Self {
            fixed: Arc::new(fixed),
            clients: Arc::default(),
            workers: Arc::default(),
            state: NORMAL,
            balance: 0,
            stake: 0,
            unlock: 0,
            anchor: None,
            slashed: false,
        }
    }

    /// Its data.
    pub(crate) fn data(&self) -> Cell {
        let fixed = &self.fixed;
        let bits = Bits::new().address(&fixed.owner).raw(&fixed.key).address(&fixed.root);
        let bits = bits.uint(self.state.into(), 2).coins(self.balance).coins(self.stake);
        let bits = bits.u32(self.unlock).cell(fixed.params.clone());
        if self.anchor.is_none() && !self.slashed {
            return bits.done();
        }
        let tail = Bits::new().bit(self.slashed).bit(self.anchor.is_some());
        let (seqno, size, tree, time) = self
            .anchor
            .as_ref()
            .map_or((0, 0, 0, 0), |last| (last.seqno, last.size, last.tree, last.time));
        bits.cell(tail.u64(seqno).u64(size).raw(&[tree; 32]).u64(time).done())
            .done()
    }

    /// What a message does.
    pub(crate) fn receive(&mut self, body: &Body, env: &Env) -> Outcome {
        let (body, longer) = match body {
            Body::Damaged(_, Damage::Shorter) => return Err(Exit::Failed),
            Body::Damaged(body, Damage::Longer) => (&**body, true),
            body => (body, false),
        };
        match body {
            Body::Empty if !longer => Ok(Vec::new()),
            Body::Note { .. } | Body::Bounced { .. } => Ok(Vec::new()),
            Body::ClientStep(step) => self.client_step(step, longer, env),
            Body::WorkerStep(step) => self.worker_step(step, longer, env),
            Body::IncreaseProxyStake {
                query,
                amount,
                excesses,
            } => {
                require(self.state != CLOSED, 1006)?;
                require(env.value >= amount + COMMISSION, 1003)?;
                require(!longer, 1004)?;
                self.stake += amount;
                Ok(keep_and_return(env.keep(STORAGE) + amount, excesses, *query))
            }
            Body::WithdrawEarnings { query, excesses: to } => {
                require(self.state != CLOSED, 1006)?;
                let earned = std::mem::take(&mut self.balance);
                let mut acts = self.pay(&self.fixed.owner, earned, *query, env)?;
                require(!longer, 1004)?;
                acts.push(excesses(to, *query));
                Ok(acts)
            }
            Body::CloseProxy { query, excesses } => {
                self.check_owner(env)?;
                self.begin_close(env)?;
                require(!longer, 1004)?;
                Ok(keep_and_return(env.keep(STORAGE), excesses, *query))
            }
            Body::Signed(signed) if signed.op == CLOSE_PROXY => {
                check_signed(signed, longer, env)?;
                self.begin_close(env)?;
                Ok(keep_and_return(env.keep(STORAGE), &signed.excesses, signed.query))
            }
            Body::Signed(signed) if signed.op == COMPLETE_CLOSE => self.complete(signed, longer, env),
            Body::Anchor {
                query,
                excesses,
                signed,
            } => {
                require(self.state != CLOSED, 1006)?;
                require(env.value >= COMMISSION, 1003)?;
                check_checkpoint(signed, env)?;
                require(!longer, 1005)?;
                let follows = self.anchor.as_ref().is_none_or(|last| {
                    let grown = signed.size > last.size || (signed.size == last.size && signed.tree == last.tree);
                    signed.seqno > last.seqno && grown && signed.time >= last.time
                });
                require(follows, 1100)?;
                self.anchor = Some(signed.clone());
                Ok(keep_and_return(env.keep(STORAGE), excesses, *query))
            }
            Body::ReportEquivocation {
                query,
                reporter,
                evidence,
            } => {
                require(self.state != CLOSED, 1006)?;
                require(env.value >= COMMISSION, 1003)?;
                require(!self.slashed, 1102)?;
                check_checkpoint(&evidence[0], env)?;
                check_checkpoint(&evidence[1], env)?;
                require(contradict(&evidence[0], &evidence[1]), 1101)?;
                require(!longer, 1005)?;
                let share = self.stake * SLASHED / 10_000;
                self.stake -= share;
                self.slashed = true;
                let mut acts = self.pay(reporter, share, *query, env)?;
                acts.push(excesses(reporter, *query));
                Ok(acts)
            }
            Body::ReclaimStake { query, excesses: to } => {
                self.check_owner(env)?;
                require(self.state != CLOSED, 1006)?;
                require(self.state == CLOSING && env.now >= self.unlock + OWNER_EXIT, 1011)?;
                let stake = std::mem::take(&mut self.stake);
                let mut acts = self.pay(&self.fixed.owner, stake, *query, env)?;
                require(!longer, 1004)?;
                acts.push(excesses(to, *query));
                Ok(acts)
            }
            Body::Text(text) => self.text(text, longer, env),
            _ => refuse(1012),
        }
    }

    fn client_step(&mut self, step: &ClientStep, longer: bool, env: &Env) -> Outcome {
        let Some(ask) = &step.ask else { return Ok(Vec::new()) };
        require(self.clients.contains(&(step.owner.clone(), env.from.clone())), 1014)?;
        require(!longer, 1004)?;
        match ask {
            ClientAsk::Unknown => refuse(1012),
            ClientAsk::Register { .. } => Ok(Vec::new()),
            ClientAsk::TopUp { amount, excesses } => {
                require(self.state == NORMAL, 1006)?;
                Ok(keep_and_return(env.keep(STORAGE) + amount, excesses, step.query))
            }
            ClientAsk::Refund { amount, excesses: to } => {
                require(self.state != CLOSED, 1006)?;
                let mut acts = self.pay(&step.owner, *amount, step.query, env)?;
                acts.push(excesses(to, step.query));
                Ok(acts)
            }
            ClientAsk::ForcedRefund { amount, excesses: to } => {
                let paid = self.stake.min(*amount);
                self.stake -= paid;
                let mut acts = self.pay(&step.owner, paid, step.query, env)?;
                acts.push(excesses(to, step.query));
                Ok(acts)
            }
        }
    }

    fn worker_step(&mut self, step: &WorkerStep, longer: bool, env: &Env) -> Outcome {
        let Some(ask) = &step.ask else { return Ok(Vec::new()) };
        require(self.workers.contains(&(step.owner.clone(), env.from.clone())), 1014)?;
        require(!longer, 1004)?;
        require(self.state != CLOSED, 1006)?;
        self.balance += ask.proxy_part;
        let mut acts = self.pay(&step.owner, ask.worker_part, step.query, env)?;
        acts.push(excesses(&ask.excesses, step.query));
        Ok(acts)
    }

    fn complete(&mut self, signed: &Signed, longer: bool, env: &Env) -> Outcome {
        check_signed(signed, longer, env)?;
        require(self.state != CLOSED, 1006)?;
        require(self.state == CLOSING && env.now >= self.unlock, 1011)?;
        self.state = CLOSED;
        self.balance = 0;
        self.stake = 0;
        Ok(vec![Act::Keep(STORAGE), self.pay_the_rest(signed.query)])
    }

    fn text(&mut self, text: &[u8], longer: bool, env: &Env) -> Outcome {
        self.check_owner(env)?;
        require(text.len() == 1 && !longer, 1013)?;
        match text {
            b"c" => {
                self.begin_close(env)?;
                Ok(keep_and_return(env.keep(STORAGE), &self.fixed.owner, 0))
            }
            b"w" => {
                require(self.state != CLOSED, 1006)?;
                let earned = std::mem::take(&mut self.balance);
                let keep = env.keep(STORAGE);
                require(earned <= keep, 1001)?;
                Ok(vec![Act::Keep((keep - earned).max(STORAGE)), self.pay_the_rest(0)])
            }
            _ => refuse(1013),
        }
    }

    fn check_owner(&self, env: &Env) -> Result<(), Exit> {
        require(env.from == self.fixed.owner, 1010)
    }

    fn begin_close(&mut self, env: &Env) -> Result<(), Exit> {
        require(self.state == NORMAL, 1006)?;
        self.state = CLOSING;
        self.unlock = env.now + self.fixed.terms.delays[0];
        Ok(())
    }

    /// Pays out of what the contract had.
    fn pay(&self, to: &Address, amount: u128, query: u64, env: &Env) -> Outcome {
        let had = env.keep(STORAGE);
        require(amount <= had, 1001)?;
        let mut acts = Vec::new();
        if amount > 0 {
            acts.push(payout(to, amount, query));
        }
        acts.push(Act::Keep((had - amount).max(STORAGE)));
        Ok(acts)
    }

    fn pay_the_rest(&self, query: u64) -> Act {
        Act::Rest {
            to: self.fixed.owner.clone(),
            back: Return::Never,
            body: Body::Payout { query },
        }
    }
}

/// A checkpoint must be well formed, of this proxy and signed by it.
fn check_checkpoint(signed: &SignedCheckpoint, env: &Env) -> Result<(), Exit> {
    require(signed.known && !signed.longer, 1005)?;
    require(signed.proxy == env.me, 1015)?;
    require(signed.signer == Signer::Proxy, 1007)
}

/// No honest log leads to both.
fn contradict(one: &SignedCheckpoint, other: &SignedCheckpoint) -> bool {
    let said = |checkpoint: &SignedCheckpoint| (checkpoint.size, checkpoint.tree, checkpoint.time);
    let (first, last) = if one.seqno <= other.seqno {
        (one, other)
    } else {
        (other, one)
    };
    let twice = one.seqno == other.seqno && said(one) != said(other);
    let rewritten = one.size == other.size && one.tree != other.tree;
    twice || rewritten || (first.seqno < last.seqno && last.size < first.size)
}
