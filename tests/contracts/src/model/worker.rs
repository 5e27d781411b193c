//! A worker contract.

use std::sync::Arc;

use cocoon_bindings::ton::{Address, Cell};

use crate::model::bits::Bits;
use crate::model::body::{Body, Damage, Score, WorkerAsk, WorkerStep};
use crate::model::effect::{
    Act, CHILD, COMMISSION, Env, Exit, Outcome, Return, excesses, keep_and_return, keep_and_return_unused, refuse,
    require,
};
use crate::model::signed::{LAST_PAYOUT, PAYOUT, check_claim, check_signed};
use crate::model::terms::Terms;
use crate::model::{CLOSED, NORMAL};

/// What never changes.
#[derive(Debug)]
pub(crate) struct WorkerFixed {
    pub(crate) owner: Address,
    pub(crate) proxy: Address,
    pub(crate) key: [u8; 32],
    pub(crate) terms: Terms,
    pub(crate) params: Cell,
}

/// A worker contract.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    pub(crate) fixed: Arc<WorkerFixed>,
    pub(crate) state: u8,
    pub(crate) tokens: u64,
    /// What the proxy has seen of it.
    pub(crate) score: Option<Score>,
    /// A count that the proxy signed, and since when it is claimed.
    pub(crate) claim: Option<(u64, u32)>,
}

impl Worker {
    /// As it is deployed.
    pub(crate) fn new(owner: &Address, proxy: &Address, key: &[u8; 32], terms: &Terms) -> Self {
        let fixed = WorkerFixed {
            owner: owner.clone(),
            proxy: proxy.clone(),
            key: *key,
            terms: terms.clone(),
            params: terms.cell_without_codes(),
        };
        Self {
            fixed: Arc::new(fixed),
            state: NORMAL,
            tokens: 0,
            score: None,
            claim: None,
        }
    }

    /// Its data.
    pub(crate) fn data(&self) -> Cell {
        let fixed = &self.fixed;
        let bits = Bits::new().address(&fixed.owner).address(&fixed.proxy).raw(&fixed.key);
        let bits = bits
            .uint(self.state.into(), 2)
            .u64(self.tokens)
            .cell(fixed.params.clone());
        if self.score.is_none() && self.claim.is_none() {
            return bits.done();
        }
        let (tokens, since) = self.claim.unwrap_or_default();
        let tail = match &self.score {
            None => Bits::new().raw(&[0; 56]),
            Some(score) => score.bits(),
        };
        bits.cell(tail.u64(tokens).u32(since).done()).done()
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
            Body::Note { .. } => Ok(Vec::new()),
            Body::Bounced { original, rich } => self.bounced(original, *rich && !longer, env),
            Body::Signed(signed) if [PAYOUT, LAST_PAYOUT].contains(&signed.op) => {
                require(self.state != CLOSED, 1006)?;
                let keep = self.afford(COMMISSION, env)?;
                let tokens = check_signed(signed, longer, env)?;
                if let Some(score) = signed.inner.score {
                    require(!score.longer, 1005)?;
                    let known = self.score.map_or(0, |known| known.requests);
                    if score.requests >= known {
                        self.score = Some(score);
                    }
                }
                if signed.op == PAYOUT {
                    require(tokens > self.tokens, 1000)?;
                } else {
                    require(tokens >= self.tokens, 1000)?;
                    self.state = CLOSED;
                }
                Ok(self.ask_for_payout(tokens, keep, signed.query, &signed.excesses))
            }
            Body::Claim(claim) if claim.receipt.is_none() => {
                require(env.from == self.fixed.owner, 1010)?;
                let keep = self.afford(1, env)?;
                require(!longer, 1004)?;
                let tokens = check_claim(claim, &self.fixed.proxy, env)?;
                let claimed = self.claim.map_or(0, |(tokens, _)| tokens);
                require(tokens > self.tokens.max(claimed), 1000)?;
                self.claim = Some((tokens, env.now));
                Ok(keep_and_return(keep, &claim.excesses, claim.query))
            }
            Body::SettleClaim { query, excesses } => {
                let keep = self.afford(COMMISSION, env)?;
                require(!longer, 1004)?;
                let (tokens, since) = self.claim.unwrap_or_default();
                require(tokens > self.tokens, 1103)?;
                require(env.now >= since + self.fixed.terms.delays[1], 1011)?;
                Ok(self.ask_for_payout(tokens, keep, *query, excesses))
            }
            Body::RegisterWorker { query, excesses: to } => {
                require(env.from == self.fixed.owner, 1010)?;
                require(self.state != CLOSED, 1006)?;
                let keep = self.afford(1, env)?;
                require(!longer, 1004)?;
                let notice = Act::Exactly {
                    to: self.fixed.proxy.clone(),
                    value: 1,
                    body: self.step(None, *query),
                };
                Ok(vec![notice, Act::Keep(keep), excesses(to, *query)])
            }
            _ => refuse(1012),
        }
    }

    fn ask_for_payout(&mut self, tokens: u64, keep: u128, query: u64, excesses: &Address) -> Vec<Act> {
        let delta = u128::from(tokens - self.tokens);
        self.tokens = tokens;
        let worker_part = delta.saturating_mul(self.fixed.terms.fee);
        let proxy_part = delta.saturating_mul(self.fixed.terms.price) - worker_part;
        let ask = WorkerAsk {
            worker_part,
            proxy_part,
            excesses: excesses.clone(),
        };
        let (to, body) = (self.fixed.proxy.clone(), self.step(Some(ask), query));
        let back = Return::Rich;
        vec![Act::Keep(keep), Act::Rest { to, back, body }]
    }

    /// A payment that the proxy refused is undone.
    fn bounced(&mut self, original: &Body, rich: bool, env: &Env) -> Outcome {
        let Body::WorkerStep(step) = original else {
            return Err(Exit::Failed);
        };
        if !rich {
            return Err(Exit::Failed);
        }
        require(env.from == self.fixed.proxy, 1014)?;
        let Some(ask) = &step.ask else { return Err(Exit::Failed) };
        // Tokens that cost nothing are not taken back.
        let tokens = (ask.worker_part + ask.proxy_part).checked_div(self.fixed.terms.price);
        self.tokens -= u64::try_from(tokens.unwrap_or(0)).unwrap();
        if self.state == CLOSED {
            self.state = NORMAL;
        }
        Ok(keep_and_return_unused(env.keep(0), &ask.excesses, step.query))
    }

    /// Sees that the message brings enough, and that so much is left for what is sent.
    fn afford(&self, carried: u128, env: &Env) -> Result<u128, Exit> {
        require(env.value > COMMISSION, 1003)?;
        let keep = env.keep(CHILD);
        require(env.original >= keep + carried, 1001)?;
        Ok(keep)
    }

    fn step(&self, ask: Option<WorkerAsk>, query: u64) -> Body {
        let owner = self.fixed.owner.clone();
        Body::WorkerStep(WorkerStep {
            query,
            owner,
            state: self.state,
            tokens: self.tokens,
            ask,
        })
    }
}
